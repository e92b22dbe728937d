//! What the black-box tests stand on: an application under test, a browser, a clock that is set by
//! hand, and a log in which secrets are searched for.

mod app;
mod browser;
mod clock;
pub mod handles;
pub mod iron;
pub mod log;
mod port;
mod program;
pub mod promises;
mod redis;
pub mod seal;
mod slow_line;
pub mod webhook;

pub use app::{PASSWORD, TestApp, TestAppBuilder, raw_exchange};
pub use browser::{Answer, Browser, Cookie};
pub use clock::TestClock;
pub use log::Log;
pub use port::free_port;
pub use program::{Program, folder, variables_at, workos_variables};
pub use redis::RedisServer;
pub use slow_line::SlowLine;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
