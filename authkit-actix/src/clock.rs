//! What time it is: behind a trait, so that no test of an expiry has to sleep.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// A source of the current time.
///
/// The library reads every expiry, age and window through it. Applications keep [`SystemClock`];
/// tests put a clock in its place that they move by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be asked for the time",
    label = "no clock",
    note = "pass `SystemClock`, in tests `testing::TestClock`, or implement `Clock` for a type of your own"
)]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time in whole seconds since 1970-01-01T00:00:00Z.
    fn unix_seconds(&self) -> i64;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_seconds(&self) -> i64 {
        // A clock before 1970 reads as 1970: everything then counts as fresh from the future,
        // which verification answers by itself.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
    }
}

/// A clock that a unit test sets by hand.
#[cfg(test)]
impl Clock for std::sync::atomic::AtomicI64 {
    fn unix_seconds(&self) -> i64 {
        self.load(std::sync::atomic::Ordering::SeqCst)
    }
}
