//! Whether WorkOS is worth asking.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tracing::{error, info};

use super::failure::{TransientReason, WorkOsError};
use crate::{clock::Clock, metrics};

/// Stops asking WorkOS one thing when it has failed ten times in a row, so that nobody waits for what
/// is not coming, and then asks once in a while whether it is back.
pub(crate) struct Breaker {
    /// What is asked, for the log.
    what: &'static str,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Failures since the last answer.
    failures: u32,
    /// Nobody asks until then.
    resumes_at: i64,
    /// Somebody has been let through to see.
    is_probing: bool,
    /// Failed probes since the last answer.
    failed_probes: u32,
}

impl Breaker {
    pub(crate) fn new(what: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self {
            what,
            clock,
            state: Mutex::default(),
        }
    }

    /// Lets a call through, whose outcome is to be [told](Self::tell).
    ///
    /// # Errors
    ///
    /// While it is no use: the seconds until the next try, at least 1.
    pub(crate) fn admit(&self) -> Result<(), u64> {
        let now = self.clock.unix_seconds();
        let mut state = self.lock();
        if let Some(wait) = state.wait(now) {
            return Err(wait);
        }
        if state.failures >= TRIPPING_FAILURES {
            state.is_probing = true;
            state.resumes_at = now.saturating_add(PROBE_SECONDS);
        }
        Ok(())
    }

    /// The seconds until the next try, while nobody is let through.
    pub(crate) fn wait(&self) -> Option<u64> {
        self.lock().wait(self.clock.unix_seconds())
    }

    /// Takes note of how a call ended.
    pub(crate) fn tell<T>(&self, outcome: &Result<T, WorkOsError>) {
        match outcome {
            // It was never sent.
            Err(WorkOsError::Transient {
                reason: TransientReason::Busy,
                ..
            }) => {}
            // A refused key is refused for everybody; other refusals may be about one request.
            Err(WorkOsError::Transient { .. } | WorkOsError::OurFault { status: 401, .. }) => {
                self.failed();
            }
            Ok(_) | Err(_) => self.answered(),
        }
    }

    /// Lets nobody through for so many seconds, thirty at most.
    pub(crate) fn pause(&self, seconds: u64) {
        let now = self.clock.unix_seconds();
        let resumes_at = now.saturating_add_unsigned(seconds);
        self.lock().resumes_at = resumes_at;
    }

    fn answered(&self) {
        let mut state = self.lock();
        if state.failures >= TRIPPING_FAILURES {
            metrics::breaker_is_open(self.what, false);
            info!(what = self.what, "WorkOS answers again");
        }
        *state = State::default();
    }

    fn failed(&self) {
        let now = self.clock.unix_seconds();
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.is_probing {
            state.is_probing = false;
            state.failed_probes = state.failed_probes.saturating_add(1);
        } else if state.failures != TRIPPING_FAILURES {
            // Before the limit, or a call that had begun before the pause did.
            return;
        } else {
            metrics::breaker_is_open(self.what, true);
            error!(
                what = self.what,
                failures = state.failures,
                "WorkOS does not answer; it is asked only now and then until it does"
            );
        }
        let step = 1_i64 << state.failed_probes.min(4);
        state.resumes_at = now.saturating_add(step.min(LONGEST_STEP));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&self, now: i64) -> Option<u64> {
        let wait = self.resumes_at.saturating_sub(now);
        // A clock that was set back ends the pause, or it might last for years.
        (1..=LONGEST_PAUSE)
            .contains(&wait)
            .then(|| wait.unsigned_abs())
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

const TRIPPING_FAILURES: u32 = 10;
/// Seconds after which the next one tries if a probe has not come back.
const PROBE_SECONDS: i64 = 6;
/// Seconds between two probes at most. WorkOS repeats an answer that was lost for 25 seconds or so, and
/// by then it has to have been asked again.
const LONGEST_STEP: i64 = 10;
const LONGEST_PAUSE: i64 = 30;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct Stage {
        clock: Arc<AtomicI64>,
        breaker: Breaker,
    }

    impl Stage {
        fn new() -> Self {
            let clock = Arc::new(AtomicI64::new(1000));
            Self {
                breaker: Breaker::new("refresh", clock.clone()),
                clock,
            }
        }

        fn tripped() -> Self {
            let stage = Self::new();
            stage.fail(TRIPPING_FAILURES);
            stage
        }

        fn fail(&self, times: u32) {
            for _ in 0..times {
                assert_eq!(self.breaker.admit(), Ok(()));
                self.breaker.tell(&down());
            }
        }

        fn advance(&self, seconds: i64) {
            self.clock.fetch_add(seconds, Ordering::SeqCst);
        }
    }

    fn down() -> Result<(), WorkOsError> {
        Err(WorkOsError::transient(TransientReason::Status(503)))
    }

    #[test]
    fn nine_failures_are_no_outage_and_an_answer_starts_the_count_again() {
        let stage = Stage::new();
        for _ in 0..3 {
            stage.fail(9);
            stage.breaker.tell(&Ok(()));
        }
        assert_eq!(stage.breaker.admit(), Ok(()));
    }

    #[test]
    fn after_ten_one_at_a_time_goes_to_see_ever_less_often() {
        let stage = Stage::tripped();
        for step in [1, 2, 4, 8, 10, 10] {
            assert_eq!(stage.breaker.admit(), Err(step));
            stage.advance(step.cast_signed() - 1);
            assert_eq!(stage.breaker.admit(), Err(1));
            stage.advance(1);
            assert_eq!(stage.breaker.admit(), Ok(()));
            assert!(stage.breaker.admit().is_err(), "one is on the way");
            stage.breaker.tell(&down());
        }
        stage.advance(10);
        assert_eq!(stage.breaker.admit(), Ok(()));
        stage.breaker.tell(&Ok(()));
        for _ in 0..20 {
            assert_eq!(stage.breaker.admit(), Ok(()));
        }
    }

    #[test]
    fn failures_of_calls_that_were_under_way_do_not_make_the_pause_longer() {
        let stage = Stage::tripped();
        for _ in 0..30 {
            stage.breaker.tell(&down());
        }
        stage.advance(1);
        stage.fail(1);
        assert_eq!(stage.breaker.admit(), Err(2));
    }

    #[test]
    fn a_probe_that_never_comes_back_is_followed_by_another() {
        let stage = Stage::tripped();
        stage.advance(1);
        assert_eq!(stage.breaker.admit(), Ok(()));
        assert_eq!(stage.breaker.admit(), Err(6));
        stage.advance(6);
        assert_eq!(stage.breaker.admit(), Ok(()));
    }

    #[test]
    fn a_refused_grant_is_an_answer_and_a_refused_key_is_none() {
        let stage = Stage::new();
        let refused = WorkOsError::classify(400, br#"{"error":"invalid_grant"}"#, None);
        let forbidden = WorkOsError::classify(403, b"<html>", None);
        for _ in 0..20 {
            stage.fail(9);
            stage.breaker.tell::<()>(&Err(refused.clone()));
            stage.fail(9);
            stage.breaker.tell::<()>(&Err(forbidden.clone()));
        }
        let wrong_key = WorkOsError::classify(401, b"", None);
        for _ in 0..10 {
            stage.breaker.tell::<()>(&Err(wrong_key.clone()));
        }
        assert_eq!(stage.breaker.admit(), Err(1));
    }

    #[test]
    fn what_was_never_sent_says_nothing() {
        let stage = Stage::new();
        for _ in 0..20 {
            let busy = WorkOsError::transient(TransientReason::Busy);
            stage.breaker.tell::<()>(&Err(busy));
        }
        assert_eq!(stage.breaker.admit(), Ok(()));
    }

    #[test]
    fn a_pause_ends_by_itself_and_when_the_clock_is_set_back() {
        let stage = Stage::new();
        stage.breaker.pause(30);
        assert_eq!(stage.breaker.admit(), Err(30));
        stage.advance(29);
        assert_eq!(stage.breaker.wait(), Some(1));
        stage.advance(1);
        assert_eq!(stage.breaker.wait(), None);
        assert_eq!(stage.breaker.admit(), Ok(()));
        stage.breaker.pause(30);
        stage.advance(-86_400);
        assert_eq!(stage.breaker.admit(), Ok(()));
    }
}
