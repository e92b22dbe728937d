use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use redis::Cmd;

use super::{
    Call, Failure, Redis,
    leases::{SWAP, millis},
    warn_of_foreign,
};
use crate::{session_store::Store, sharing::Unreachable};

/// Sessions in Redis.
pub(crate) struct RedisSessions(Redis);

impl RedisSessions {
    pub(crate) fn new(redis: Redis) -> Self {
        Self(redis)
    }
}

impl Store for RedisSessions {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, Unreachable>> {
        async move {
            let name = name_of(key);
            match self.0.read(Cmd::get(&name)).await {
                Err(Failure::Foreign) => {
                    warn_of_foreign(&name);
                    Ok(None)
                }
                loaded => loaded.map_err(unreachable),
            }
        }
        .boxed()
    }

    fn insert<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<(), Unreachable>> {
        async move {
            let set = Cmd::pset_ex(name_of(key), value, millis(lifetime));
            self.0.write(Call::Command(set)).await.map_err(unreachable)
        }
        .boxed()
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        old: &'a str,
        new: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<bool, Unreachable>> {
        async move {
            let mut script = SWAP.prepare_invoke();
            script
                .key(name_of(key))
                .arg(old)
                .arg(new)
                .arg(millis(lifetime));
            match self.0.write(Call::Script(script)).await {
                Err(Failure::Foreign) => Ok(false),
                replaced => replaced.map_err(unreachable),
            }
        }
        .boxed()
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Unreachable>> {
        async move {
            let removal = Call::Command(Cmd::del(name_of(key)));
            self.0.write(removal).await.map_err(unreachable)
        }
        .boxed()
    }
}

fn name_of(key: &str) -> String {
    format!("authkit:session:{key}")
}

fn unreachable(_: Failure) -> Unreachable {
    Unreachable
}
