use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::clock::{Clock, SystemClock};

/// A clock that stands still until a test moves it; it starts at the present, and clones share it.
///
/// ```
/// use std::time::Duration;
///
/// use authkit_actix::{AuthKit, Clock as _, testing::TestClock};
///
/// let clock = TestClock::now();
/// let authkit = AuthKit::builder().testing().clock(clock.clone()).build()?;
/// let before = clock.unix_seconds();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.unix_seconds(), before + 3600);
/// # Ok::<(), authkit_actix::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// A clock that shows the present.
    pub fn now() -> Self {
        Self(Arc::new(AtomicI64::new(SystemClock.unix_seconds())))
    }

    /// Moves it forward, by whole seconds.
    pub fn advance(&self, time: Duration) {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Moves it back, by whole seconds.
    pub fn turn_back(&self, time: Duration) {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn unix_seconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}
