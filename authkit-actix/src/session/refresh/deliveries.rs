//! Which new sessions have reached their browsers.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::Session;
use crate::{flights::FlightKey, session::Mark};

/// The sessions that no request has brought back yet, and the flights that made them.
#[derive(Default)]
pub(super) struct Deliveries {
    /// The one look that requests pay for while nothing is awaited.
    many: AtomicUsize,
    awaited: Mutex<Awaited>,
}

#[derive(Default)]
struct Awaited {
    flights: HashMap<Mark, FlightKey>,
    /// In the order of their coming; those that arrived are skipped.
    order: VecDeque<Mark>,
}

impl Deliveries {
    /// Awaits a session. Of too many, the one that is awaited longest is given up: its flight is
    /// returned.
    pub(super) fn awaits(&self, session: &Session, flight: FlightKey) -> Option<FlightKey> {
        let mark = session.mark()?;
        let mut awaited = self.lock();
        awaited.flights.insert(mark, flight);
        awaited.order.push_back(mark);
        let mut given_up = None;
        while let Some(oldest) = awaited.order.front().copied() {
            let is_awaited = awaited.flights.contains_key(&oldest);
            let too_many =
                awaited.flights.len() > MOST_AWAITED || awaited.order.len() > LONGEST_ORDER;
            if given_up.is_some() || is_awaited && !too_many {
                break;
            }
            awaited.order.pop_front();
            given_up = awaited.flights.remove(&oldest);
        }
        self.many.store(awaited.flights.len(), Ordering::Release);
        given_up
    }

    /// The flight that made a session which a request brings back for the first time.
    pub(super) fn arrived(&self, session: &Session) -> Option<FlightKey> {
        if self.many.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut awaited = self.lock();
        let flight = awaited.flights.remove(&session.mark()?)?;
        self.many.store(awaited.flights.len(), Ordering::Release);
        Some(flight)
    }

    fn lock(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MOST_AWAITED: usize = 10_000;
/// With those that arrived in between.
const LONGEST_ORDER: usize = 8 * MOST_AWAITED;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(number: usize) -> Session {
        let session = json!({
            "access_token": format!("header.claims.signature-{number:016}"),
            "refresh_token": "refresh",
            "user": {
                "id": "user_ada",
                "email": "ada@example.com",
                "email_verified": true,
                "created_at": "2026-01-01T00:00:00.000Z",
                "updated_at": "2026-01-01T00:00:00.000Z",
            },
        });
        serde_json::from_value(session).expect("a session")
    }

    fn flight(number: usize) -> FlightKey {
        FlightKey::of(number.to_string())
    }

    #[test]
    fn a_session_arrives_once() {
        let deliveries = Deliveries::default();
        assert!(deliveries.arrived(&session(1)).is_none());
        for number in 1..=2 {
            assert!(
                deliveries
                    .awaits(&session(number), flight(number))
                    .is_none()
            );
        }
        assert!(deliveries.arrived(&session(1)) == Some(flight(1)));
        assert!(deliveries.arrived(&session(1)).is_none());
        assert!(deliveries.arrived(&session(2)) == Some(flight(2)));
    }

    #[test]
    fn of_too_many_the_one_awaited_longest_is_given_up() {
        let deliveries = Deliveries::default();
        for number in 0..MOST_AWAITED {
            assert!(
                deliveries
                    .awaits(&session(number), flight(number))
                    .is_none()
            );
        }
        assert!(deliveries.arrived(&session(0)).is_some());
        let next = MOST_AWAITED;
        assert!(deliveries.awaits(&session(next), flight(next)).is_none());
        assert!(deliveries.awaits(&session(next + 1), flight(next + 1)) == Some(flight(1)));
        assert!(deliveries.arrived(&session(1)).is_none());
        assert!(deliveries.arrived(&session(2)).is_some());
    }
}
