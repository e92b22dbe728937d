//! Work that is done once for everybody who asks for it.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures::{FutureExt as _, future::Shared};
use sha2::{Digest as _, Sha256};

use crate::{
    background::{Background, Task},
    clock::Clock,
};

/// A bounded table of tasks on the background thread, one for each key.
///
/// Whoever asks for a key while its task runs, or for a while after it has landed, gets the same
/// result. A task goes on when nobody waits for it any more.
pub(crate) struct Flights<T> {
    background: Arc<Background>,
    clock: Arc<dyn Clock>,
    keep_seconds: i64,
    table: Arc<Mutex<Table<T>>>,
}

/// What a flight brought, and whether later askers get it too.
pub(crate) enum Landing<T> {
    /// The result serves for the time the table keeps results.
    Keep(T),
    /// The result serves for so many seconds.
    KeepFor(T, i64),
    /// Whoever waits gets the result; the next asker starts again.
    Forget(T),
}

/// The SHA-256 of what a flight is for, so that the table holds no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FlightKey([u8; 32]);

impl FlightKey {
    pub(crate) fn of(secret: impl AsRef<[u8]>) -> Self {
        Self::of_all([secret.as_ref()])
    }

    /// Of several, each of which is what it is for.
    pub(crate) fn of_all<const N: usize>(secrets: [&[u8]; N]) -> Self {
        let mut hash = Sha256::new();
        for secret in secrets {
            // Or two would be what another two are.
            hash.update(secret.len().to_be_bytes());
            hash.update(secret);
        }
        Self(hash.finalize().into())
    }
}

struct Table<T> {
    flights: HashMap<FlightKey, Flight<T>>,
    swept_at: i64,
}

struct Flight<T> {
    task: Shared<Task<T>>,
    landed: Option<Landed>,
}

#[derive(Clone, Copy)]
struct Landed {
    at: i64,
    /// The last second in which the result serves.
    until: i64,
}

impl Landed {
    fn kept_for(seconds: i64, now: i64) -> Self {
        Self {
            at: now,
            until: now.saturating_add(seconds),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    pub(crate) fn new(
        background: Arc<Background>,
        clock: Arc<dyn Clock>,
        keep_seconds: i64,
    ) -> Self {
        Self {
            background,
            clock,
            keep_seconds,
            table: Arc::new(Mutex::new(Table {
                flights: HashMap::new(),
                swept_at: 0,
            })),
        }
    }

    /// The result for a key: of the flight under way or landed, else of a new one.
    ///
    /// `None` when the task panicked, or when too many are in the air.
    pub(crate) async fn join_or_start<F>(
        &self,
        key: FlightKey,
        start: impl FnOnce() -> F,
    ) -> Option<T>
    where
        F: Future<Output = Landing<T>> + Send + 'static,
    {
        let task = self.board(key, start)?;
        task.await
    }

    /// Whether a flight for this key is under way or has landed.
    pub(crate) fn knows(&self, key: FlightKey) -> bool {
        let now = self.clock.unix_seconds();
        let table = lock(&self.table);
        let flight = table.flights.get(&key);
        flight.is_some_and(|flight| !flight.is_over(now))
    }

    /// Whether a flight for this key has landed, and its result still serves.
    pub(crate) fn has_landed(&self, key: FlightKey) -> bool {
        let now = self.clock.unix_seconds();
        let table = lock(&self.table);
        let flight = table.flights.get(&key);
        flight.is_some_and(|flight| flight.landed.is_some() && !flight.is_over(now))
    }

    /// Whether a flight for this key is under way, or has landed with such a result.
    pub(crate) fn knows_of(&self, key: FlightKey, is_such: impl FnOnce(&T) -> bool) -> bool {
        let now = self.clock.unix_seconds();
        let table = lock(&self.table);
        let flight = table
            .flights
            .get(&key)
            .filter(|flight| !flight.is_over(now));
        flight.is_some_and(|flight| match flight.task.peek() {
            Some(result) => result.as_ref().is_some_and(is_such),
            None => true,
        })
    }

    /// Lets go of a landed result after so many seconds, if it would be kept longer.
    pub(crate) fn keep_no_longer_than(&self, key: FlightKey, seconds: i64) {
        let until = self.clock.unix_seconds().saturating_add(seconds);
        if let Some(flight) = lock(&self.table).flights.get_mut(&key)
            && let Some(landed) = &mut flight.landed
        {
            landed.until = landed.until.min(until);
        }
    }

    fn board<F>(&self, key: FlightKey, start: impl FnOnce() -> F) -> Option<Shared<Task<T>>>
    where
        F: Future<Output = Landing<T>> + Send + 'static,
    {
        let now = self.clock.unix_seconds();
        let mut table = lock(&self.table);
        table.sweep(now);
        if let Some(flight) = table.flights.get(&key)
            && !flight.is_over(now)
        {
            return Some(flight.task.clone());
        }
        if table.flights.len() >= MOST_FLIGHTS && !table.forget_the_oldest() {
            return None;
        }
        let runway = Runway {
            table: Arc::downgrade(&self.table),
            key,
            landed: None,
        };
        let clock = Arc::clone(&self.clock);
        let keep_seconds = self.keep_seconds;
        let work = start();
        let task = self
            .background
            .spawn(async move {
                let (result, seconds) = match work.await {
                    Landing::Keep(result) => (result, keep_seconds),
                    Landing::KeepFor(result, seconds) => (result, seconds),
                    Landing::Forget(result) => {
                        drop(runway);
                        return result;
                    }
                };
                runway.keep(Landed::kept_for(seconds, clock.unix_seconds()));
                result
            })
            .shared();
        let flight = Flight {
            task: task.clone(),
            landed: None,
        };
        table.flights.insert(key, flight);
        Some(task)
    }
}

/// Marks the flight as landed, or takes it out of the table, also when its task panics.
struct Runway<T> {
    table: Weak<Mutex<Table<T>>>,
    key: FlightKey,
    landed: Option<Landed>,
}

impl<T> Runway<T> {
    fn keep(mut self, landed: Landed) {
        self.landed = Some(landed);
    }
}

impl<T> Drop for Runway<T> {
    fn drop(&mut self) {
        let Some(table) = self.table.upgrade() else {
            return;
        };
        let mut table = lock(&table);
        if self.landed.is_none() {
            table.flights.remove(&self.key);
        } else if let Some(flight) = table.flights.get_mut(&self.key) {
            flight.landed = self.landed;
        }
    }
}

impl<T> Table<T> {
    fn sweep(&mut self, now: i64) {
        // A clock that was set back must not stop the sweeping.
        if (0..SWEEP_SECONDS).contains(&now.saturating_sub(self.swept_at)) {
            return;
        }
        self.flights.retain(|_, flight| !flight.is_over(now));
        self.swept_at = now;
    }

    /// Makes room; `false` when every flight is still in the air.
    fn forget_the_oldest(&mut self) -> bool {
        let landed = self.flights.iter();
        let oldest = landed
            .filter_map(|(key, flight)| Some((flight.landed?.at, *key)))
            .min_by_key(|(landed_at, _)| *landed_at);
        oldest.is_some_and(|(_, key)| self.flights.remove(&key).is_some())
    }
}

impl<T> Flight<T> {
    /// A landing in the future, by a clock that was set back, is over too.
    fn is_over(&self, now: i64) -> bool {
        self.landed
            .is_some_and(|landed| !(landed.at..=landed.until).contains(&now))
    }
}

fn lock<T>(table: &Mutex<Table<T>>) -> MutexGuard<'_, Table<T>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flights")
    }
}

const MOST_FLIGHTS: usize = 50_000;
const SWEEP_SECONDS: i64 = 10;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use super::*;

    struct Airport {
        clock: Arc<AtomicI64>,
        flights: Flights<usize>,
        starts: Arc<AtomicUsize>,
    }

    impl Airport {
        fn new() -> Self {
            let clock = Arc::new(AtomicI64::default());
            let background = Arc::new(Background::start("authkit-background").expect("a thread"));
            Self {
                flights: Flights::new(background, clock.clone(), 60),
                clock,
                starts: Arc::default(),
            }
        }

        async fn ask(&self, key: &str, landing: fn(usize) -> Landing<usize>) -> Option<usize> {
            let starts = self.starts.clone();
            self.flights
                .join_or_start(FlightKey::of(key), || async move {
                    tokio::task::yield_now().await;
                    landing(starts.fetch_add(1, Ordering::SeqCst) + 1)
                })
                .await
        }
    }

    #[actix_web::test]
    async fn everybody_gets_the_result_of_one_flight_for_as_long_as_it_is_kept() {
        let airport = Airport::new();
        let asked = (0..100).map(|_| airport.ask("a", Landing::Keep));
        assert_eq!(futures::future::join_all(asked).await, vec![Some(1); 100]);
        airport.clock.store(60, Ordering::SeqCst);
        assert_eq!(airport.ask("a", Landing::Keep).await, Some(1));
        assert_eq!(airport.ask("b", Landing::Keep).await, Some(2));
        airport.clock.store(61, Ordering::SeqCst);
        assert_eq!(airport.ask("a", Landing::Keep).await, Some(3));
    }

    #[actix_web::test]
    async fn a_result_is_kept_for_a_time_of_its_own_which_may_be_cut_short() {
        let airport = Airport::new();
        let kept = |number| Landing::KeepFor(number, 600);
        assert_eq!(airport.ask("a", kept).await, Some(1));
        assert_eq!(airport.ask("b", kept).await, Some(2));
        airport.clock.store(100, Ordering::SeqCst);
        let key = FlightKey::of("a");
        for seconds in [60, 600] {
            airport.flights.keep_no_longer_than(key, seconds);
        }
        airport.clock.store(160, Ordering::SeqCst);
        assert!(airport.flights.knows(key));
        airport.clock.store(161, Ordering::SeqCst);
        assert!(!airport.flights.knows(key));
        airport.clock.store(600, Ordering::SeqCst);
        assert_eq!(airport.ask("b", kept).await, Some(2));
        airport.clock.store(601, Ordering::SeqCst);
        assert_eq!(airport.ask("b", kept).await, Some(3));
    }

    #[actix_web::test]
    async fn what_is_not_kept_starts_again() {
        let airport = Airport::new();
        assert_eq!(airport.ask("a", Landing::Forget).await, Some(1));
        assert_eq!(airport.ask("a", Landing::Forget).await, Some(2));
    }

    #[actix_web::test]
    async fn a_panic_is_nothing_and_leaves_nothing_behind() {
        let airport = Airport::new();
        assert_eq!(airport.ask("a", |_| panic!("on purpose")).await, None);
        assert_eq!(airport.ask("a", Landing::Keep).await, Some(2));
    }

    #[actix_web::test]
    async fn the_table_is_swept() {
        let airport = Airport::new();
        for key in ["a", "b", "c"] {
            airport.ask(key, Landing::Keep).await;
        }
        airport.clock.store(100, Ordering::SeqCst);
        airport.ask("d", Landing::Keep).await;
        assert_eq!(lock(&airport.flights.table).flights.len(), 1);
    }
}
