//! What the library does, seen from outside: over HTTP, against the emulator.

mod feature_flags;
mod machine_callers;
mod main_job;
