//! Two machines: the showcase as two processes around a real Redis, which are stormed, killed, stalled
//! and starved. `AUTHKIT_STORMS` and `AUTHKIT_KILLS` say how often; `full.sh` sets them high.

mod instance;
mod kinds_of_redis;
mod redis_troubles;
mod taken_over;
mod together;
