use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The refreshes of the last two seconds, by session: a page whose script asks in a loop must not
/// spend one refresh token after the other.
#[derive(Default)]
pub(super) struct Pace(Mutex<HashMap<String, Refreshed>>);

#[derive(Clone, Copy)]
struct Refreshed {
    at: Instant,
    succeeded: bool,
}

impl Pace {
    pub(super) fn note(&self, session_id: &str, succeeded: bool) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() >= MOST_SESSIONS {
            latest.retain(|_, refreshed| refreshed.is_recent());
        }
        // With more refreshes at once than that, some will not be held back.
        if latest.len() < MOST_SESSIONS {
            let at = Instant::now();
            latest.insert(session_id.to_owned(), Refreshed { at, succeeded });
        }
    }

    /// Whether the session's latest refresh succeeded, if it was within the last two seconds.
    pub(super) fn latest(&self, session_id: &str) -> Option<bool> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refreshed = latest.get(session_id)?;
        refreshed.is_recent().then_some(refreshed.succeeded)
    }
}

impl Refreshed {
    fn is_recent(self) -> bool {
        self.at.elapsed() < RECENT
    }
}

const RECENT: Duration = Duration::from_secs(2);
const MOST_SESSIONS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_refresh_of_each_session_counts() {
        let pace = Pace::default();
        pace.note("session_1", false);
        pace.note("session_1", true);
        pace.note("session_2", false);
        assert_eq!(pace.latest("session_1"), Some(true));
        assert_eq!(pace.latest("session_2"), Some(false));
        assert_eq!(pace.latest("session_3"), None);
    }

    #[test]
    fn it_holds_no_more_sessions_than_it_has_room_for() {
        let pace = Pace::default();
        for number in 0..=MOST_SESSIONS {
            pace.note(&number.to_string(), true);
        }
        let kept = pace.0.lock().expect("nobody panics");
        assert_eq!(kept.len(), MOST_SESSIONS);
    }
}
