//! Whether sessions that have just begun come back with their browsers.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use super::{Mark, Session};

/// The latest sign-in of each user, for half a minute.
#[derive(Default)]
pub(super) struct Arrivals {
    /// Until when one of them is awaited: the one look that requests pay for at other times.
    awaited_until: AtomicI64,
    latest: Mutex<HashMap<String, Newcomer>>,
}

struct Newcomer {
    mark: Mark,
    /// Unix seconds.
    begun_at: i64,
    has_arrived: bool,
}

/// What has become of a user's latest session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// No request has brought it back yet.
    Awaited,
    Arrived,
    /// There was none in the last half minute, or another instance knows.
    Unknown,
}

impl Arrivals {
    /// Awaits a session that has just begun; says what has become of the one before it.
    pub(super) fn awaits(&self, session: &Session, now: i64) -> Arrival {
        let Some(mark) = session.mark() else {
            return Arrival::Unknown;
        };
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = latest.get(&session.user.id);
        // Requests that were sent twice bring one session.
        if before.is_some_and(|before| before.mark == mark) {
            return Arrival::Unknown;
        }
        let arrival = before.map_or(Arrival::Unknown, |before| before.arrival(now));
        if latest.len() >= MOST_USERS {
            latest.retain(|_, newcomer| newcomer.is_recent(now));
        }
        // Of more sign-ins at once than that, some are not followed.
        if latest.len() < MOST_USERS || latest.contains_key(&session.user.id) {
            let newcomer = Newcomer {
                mark,
                begun_at: now,
                has_arrived: false,
            };
            latest.insert(session.user.id.clone(), newcomer);
            let until = now.saturating_add(RECENT);
            self.awaited_until.store(until, Ordering::Release);
        }
        arrival
    }

    pub(super) fn of(&self, user_id: &str, now: i64) -> Arrival {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let newcomer = latest.get(user_id);
        newcomer.map_or(Arrival::Unknown, |newcomer| newcomer.arrival(now))
    }

    /// Notes that a request has brought this session.
    pub(super) fn arrived(&self, session: &Session, now: i64) {
        if self.awaited_until.load(Ordering::Acquire) < now {
            return;
        }
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newcomer) = latest.get_mut(&session.user.id)
            && session.mark() == Some(newcomer.mark)
        {
            newcomer.has_arrived = true;
        }
    }
}

impl Newcomer {
    fn arrival(&self, now: i64) -> Arrival {
        match self.is_recent(now) {
            false => Arrival::Unknown,
            true if self.has_arrived => Arrival::Arrived,
            true => Arrival::Awaited,
        }
    }

    /// A clock may be set back between two sign-ins.
    fn is_recent(&self, now: i64) -> bool {
        now.saturating_sub(self.begun_at) <= RECENT
    }
}

/// Seconds.
const RECENT: i64 = 30;
const MOST_USERS: usize = 10_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(user: &str, number: usize) -> Session {
        let session = json!({
            "access_token": format!("header.claims.signature-{number:016}"),
            "refresh_token": "refresh",
            "user": {
                "id": user,
                "email": "ada@example.com",
                "email_verified": true,
                "created_at": "2026-01-01T00:00:00.000Z",
                "updated_at": "2026-01-01T00:00:00.000Z",
            },
        });
        serde_json::from_value(session).expect("a session")
    }

    #[test]
    fn a_session_is_awaited_until_a_request_brings_it() {
        let arrivals = Arrivals::default();
        assert_eq!(arrivals.awaits(&session("ada", 1), 100), Arrival::Unknown);
        assert_eq!(arrivals.of("ada", 100), Arrival::Awaited);
        arrivals.arrived(&session("ada", 2), 101);
        arrivals.arrived(&session("alan", 1), 101);
        assert_eq!(arrivals.awaits(&session("ada", 2), 102), Arrival::Awaited);
        arrivals.arrived(&session("ada", 2), 103);
        assert_eq!(arrivals.of("ada", 103), Arrival::Arrived);
        assert_eq!(arrivals.awaits(&session("ada", 3), 104), Arrival::Arrived);
        assert_eq!(arrivals.of("alan", 104), Arrival::Unknown);
    }

    #[test]
    fn a_session_that_begins_twice_follows_on_nothing() {
        let arrivals = Arrivals::default();
        arrivals.awaits(&session("ada", 1), 100);
        assert_eq!(arrivals.awaits(&session("ada", 1), 100), Arrival::Unknown);
    }

    #[test]
    fn half_a_minute_later_nobody_asks_any_more() {
        let arrivals = Arrivals::default();
        arrivals.awaits(&session("ada", 1), 100);
        assert_eq!(arrivals.of("ada", 130), Arrival::Awaited);
        assert_eq!(arrivals.of("ada", 131), Arrival::Unknown);
        arrivals.arrived(&session("ada", 1), 131);
        assert_eq!(arrivals.of("ada", 130), Arrival::Awaited);
        assert_eq!(arrivals.awaits(&session("ada", 2), 131), Arrival::Unknown);
    }

    #[test]
    fn it_follows_no_more_users_than_it_has_room_for() {
        let arrivals = Arrivals::default();
        for number in 0..=MOST_USERS {
            arrivals.awaits(&session(&number.to_string(), number), 100);
        }
        assert_eq!(
            arrivals.of(&MOST_USERS.to_string(), 100),
            Arrival::Unknown,
            "no room"
        );
        arrivals.awaits(&session("0", MOST_USERS + 1), 100);
        assert_eq!(arrivals.of("0", 100), Arrival::Awaited);
        arrivals.awaits(&session("late", 1), 131);
        assert_eq!(arrivals.of("late", 131), Arrival::Awaited);
    }
}
