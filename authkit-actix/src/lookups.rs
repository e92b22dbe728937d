//! Questions to WorkOS that many requests ask at once, and answers that serve for a while.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time;
use tracing::{Instrument as _, error, info_span, warn};

use crate::{
    background::Background,
    clock::Clock,
    flights::{FlightKey, Flights, Landing},
    workos::{Breaker, TransientReason, WorkOsError},
};

/// Look-ups of one kind: one call for each key at a time, and none while a kept answer serves.
///
/// Only what was found is kept; what WorkOS does not know is asked for again.
pub(crate) struct Lookups<T> {
    /// What is looked up, for the log.
    kind: &'static str,
    flights: Flights<Result<Option<T>, Unavailable>>,
    found: Option<Arc<Found<T>>>,
    breaker: Arc<Breaker>,
}

/// WorkOS gave no usable answer; worth another try after so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable {
    pub(crate) retry_after: u64,
}

impl<T: Clone + Send + Sync + 'static> Lookups<T> {
    /// `keep` is how long an answer serves; whole seconds, and zero keeps none.
    pub(crate) fn new(
        kind: &'static str,
        background: Arc<Background>,
        clock: Arc<dyn Clock>,
        keep: Duration,
    ) -> Self {
        let keep_seconds = i64::try_from(keep.as_secs()).unwrap_or(i64::MAX);
        Self {
            kind,
            flights: Flights::new(background, Arc::clone(&clock), 0),
            breaker: Arc::new(Breaker::new(kind, Arc::clone(&clock))),
            found: (keep_seconds > 0).then(|| Arc::new(Found::new(clock, keep_seconds))),
        }
    }

    /// What there is for a key; `None` when WorkOS says that there is nothing.
    pub(crate) async fn find<F>(
        &self,
        key: FlightKey,
        ask: impl FnOnce() -> F,
    ) -> Result<Option<T>, Unavailable>
    where
        F: Future<Output = Result<Option<T>, WorkOsError>> + Send + 'static,
    {
        if let Some(kept) = self.found.as_ref().and_then(|found| found.get(&key)) {
            return Ok(Some(kept));
        }
        let (kind, found, breaker) = (self.kind, self.found.clone(), Arc::clone(&self.breaker));
        let flight = || {
            let answer = ask();
            async move {
                if let Err(retry_after) = breaker.admit() {
                    return Landing::Forget(Err(Unavailable { retry_after }));
                }
                let answer = time::timeout(DEADLINE, answer)
                    .await
                    .unwrap_or(Err(WorkOsError::transient(TransientReason::Timeout)));
                breaker.tell(&answer);
                if let (Some(found), Ok(Some(value))) = (found, &answer) {
                    found.put(key, value.clone());
                }
                Landing::Forget(answer.map_err(|failure| unavailable(kind, &failure)))
            }
            .instrument(info_span!("authkit.look_up", kind))
        };
        self.flights
            .join_or_start(key, flight)
            .await
            .unwrap_or(Err(Unavailable {
                retry_after: RETRY_AFTER,
            }))
    }
}

pub(crate) fn unavailable(kind: &str, failure: &WorkOsError) -> Unavailable {
    let retry_after = match failure {
        WorkOsError::Transient {
            reason,
            retry_after,
        } => {
            warn!(kind, %reason, "WorkOS cannot be asked");
            retry_after.map(|wait| wait.as_secs().max(1))
        }
        failure => {
            error!(kind, %failure, "WorkOS refuses to answer: check the API key and the client id");
            None
        }
    };
    Unavailable {
        retry_after: retry_after.unwrap_or(RETRY_AFTER),
    }
}

/// Answers by key, each for the same time; when there are too many, the oldest goes.
struct Found<T> {
    clock: Arc<dyn Clock>,
    keep_seconds: i64,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    answers: HashMap<FlightKey, Answer<T>>,
    /// The keys in the order of their coming; one that came again stands here twice.
    order: VecDeque<(FlightKey, i64)>,
}

struct Answer<T> {
    value: T,
    came_at: i64,
}

impl<T: Clone> Found<T> {
    fn new(clock: Arc<dyn Clock>, keep_seconds: i64) -> Self {
        Self {
            clock,
            keep_seconds,
            kept: Mutex::new(Kept {
                answers: HashMap::new(),
                order: VecDeque::new(),
            }),
        }
    }

    fn get(&self, key: &FlightKey) -> Option<T> {
        let now = self.clock.unix_seconds();
        let kept = self.lock();
        let answer = kept.answers.get(key)?;
        self.serves(answer.came_at, now)
            .then(|| answer.value.clone())
    }

    fn put(&self, key: FlightKey, value: T) {
        let came_at = self.clock.unix_seconds();
        let mut kept = self.lock();
        kept.answers.insert(key, Answer { value, came_at });
        kept.order.push_back((key, came_at));
        while let Some(&(oldest, since)) = kept.order.front()
            && (kept.order.len() > MOST_KEPT || !self.serves(since, came_at))
        {
            kept.order.pop_front();
            if kept
                .answers
                .get(&oldest)
                .is_some_and(|answer| answer.came_at == since)
            {
                kept.answers.remove(&oldest);
            }
        }
    }

    /// A clock that was set back ends an answer, or it might serve for years.
    fn serves(&self, came_at: i64, now: i64) -> bool {
        (0..self.keep_seconds).contains(&now.saturating_sub(came_at))
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Lookups<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// The SDK repeats a `GET` by itself; this bounds all tries together.
const DEADLINE: Duration = Duration::from_secs(5);
const RETRY_AFTER: u64 = 5;
const MOST_KEPT: usize = 10_000;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use super::*;

    struct Desk {
        clock: Arc<AtomicI64>,
        lookups: Lookups<usize>,
        asked: Arc<AtomicUsize>,
    }

    impl Desk {
        fn keeping(keep: u64) -> Self {
            let clock = Arc::new(AtomicI64::default());
            let background = Arc::new(Background::start("lookups").expect("a thread"));
            Self {
                lookups: Lookups::new(
                    "number",
                    background,
                    clock.clone(),
                    Duration::from_secs(keep),
                ),
                clock,
                asked: Arc::default(),
            }
        }

        async fn ask(
            &self,
            key: &str,
            answer: fn(usize) -> Result<Option<usize>, WorkOsError>,
        ) -> Result<Option<usize>, Unavailable> {
            let asked = self.asked.clone();
            self.lookups
                .find(FlightKey::of(key), || async move {
                    // Long enough for everybody to ask while it is under way.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    answer(asked.fetch_add(1, Ordering::SeqCst) + 1)
                })
                .await
        }

        fn at(&self, seconds: i64) -> &Self {
            self.clock.store(seconds, Ordering::SeqCst);
            self
        }
    }

    fn found(number: usize) -> Result<Option<usize>, WorkOsError> {
        Ok(Some(number))
    }

    #[actix_web::test]
    async fn requests_at_once_share_a_call_and_the_next_asks_again() {
        let desk = Desk::keeping(0);
        let asked = (0..100).map(|_| desk.ask("a", found));
        assert_eq!(
            futures::future::join_all(asked).await,
            vec![Ok(Some(1)); 100]
        );
        assert_eq!(desk.ask("a", found).await, Ok(Some(2)));
    }

    #[actix_web::test]
    async fn an_answer_serves_for_its_time_and_not_by_a_clock_set_back() {
        let desk = Desk::keeping(60);
        assert_eq!(desk.at(100).ask("a", found).await, Ok(Some(1)));
        assert_eq!(desk.at(159).ask("a", found).await, Ok(Some(1)));
        assert_eq!(desk.at(160).ask("a", found).await, Ok(Some(2)));
        assert_eq!(desk.at(10).ask("a", found).await, Ok(Some(3)));
    }

    #[actix_web::test]
    async fn nothing_and_failures_are_not_kept() {
        let desk = Desk::keeping(60);
        assert_eq!(desk.ask("a", |_| Ok(None)).await, Ok(None));
        let failed = desk
            .ask("a", |_| {
                Err(WorkOsError::transient(TransientReason::Network))
            })
            .await;
        assert_eq!(
            failed,
            Err(Unavailable {
                retry_after: RETRY_AFTER
            })
        );
        assert_eq!(desk.ask("a", |_| panic!("on purpose")).await, failed);
        assert_eq!(desk.ask("a", found).await, Ok(Some(4)));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many_and_the_expired_go_by_themselves() {
        let clock = Arc::new(AtomicI64::default());
        let found = Found::new(clock.clone(), 60);
        for number in 0..=MOST_KEPT {
            found.put(FlightKey::of(number.to_string()), number);
        }
        assert_eq!(found.get(&FlightKey::of("0")), None);
        assert_eq!(found.get(&FlightKey::of("1")), Some(1));
        clock.store(60, Ordering::SeqCst);
        found.put(FlightKey::of("late"), 7);
        let kept = found.lock();
        assert_eq!((kept.answers.len(), kept.order.len()), (1, 1));
    }
}
