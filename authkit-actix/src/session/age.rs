//! How old a session may become, in all and without being used.

use std::time::Duration;

use super::Session;
use crate::token::AccessTokenClaims;

/// The limits that the application sets by itself, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AgeLimits {
    in_all: Option<i64>,
    unused: Option<i64>,
}

/// How a session stands to its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fine,
    /// It is in use, and its cookie should say so.
    Unnoted,
    Over,
}

impl AgeLimits {
    pub(crate) fn new(in_all: Option<Duration>, unused: Option<Duration>) -> Self {
        let seconds = |limit: Duration| i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
        Self {
            in_all: in_all.map(seconds),
            unused: unused.map(seconds),
        }
    }

    /// Notes when a session was begun and used, as far as there are limits for it.
    pub(super) fn note_use(&self, session: &mut Session, begun_at: i64, now: i64) {
        session.signed_in_at = self.in_all.and(session.signed_in_at.or(Some(begun_at)));
        session.last_used_at = self.unused.and(Some(now));
    }

    pub(super) fn age(&self, session: &Session, claims: &AccessTokenClaims, now: i64) -> Age {
        let is_over = |limit: Option<i64>, since: i64| {
            limit.is_some_and(|limit| now.saturating_sub(since) > limit)
        };
        let last_used_at = session.last_used_at.unwrap_or(claims.iat);
        if is_over(self.in_all, begun_at(session, claims)) || is_over(self.unused, last_used_at) {
            return Age::Over;
        }
        let lacks_note = (self.in_all.is_some() && session.signed_in_at.is_none())
            || (self.unused.is_some() && session.last_used_at.is_none());
        let step = self.unused.map(|limit| limit / NOTES_IN_LIMIT);
        let is_old_note = step.is_some_and(|step| now.saturating_sub(last_used_at) > step);
        if lacks_note || is_old_note {
            Age::Unnoted
        } else {
            Age::Fine
        }
    }

    pub(super) fn are_set(&self) -> bool {
        self.in_all.is_some() || self.unused.is_some()
    }

    /// Seconds until a session is over if it is not used again, by what is noted of it.
    pub(super) fn left(&self, session: &Session, now: i64) -> Option<i64> {
        let left = |limit: Option<i64>, since: Option<i64>| {
            let ends_at = since?.saturating_add(limit?);
            Some(ends_at.saturating_add(1).saturating_sub(now))
        };
        let in_all = left(self.in_all, session.signed_in_at);
        let unused = left(self.unused, session.last_used_at);
        in_all.into_iter().chain(unused).min()
    }

    /// When a session is over however much it is used, in Unix seconds.
    pub(super) fn ends_at(&self, session: &Session, claims: &AccessTokenClaims) -> Option<i64> {
        Some(begun_at(session, claims).saturating_add(self.in_all?))
    }
}

/// A session that another library has written, or one from before there were limits, does not say.
pub(super) fn begun_at(session: &Session, claims: &AccessTokenClaims) -> i64 {
    session
        .signed_in_at
        .or(claims.auth_time)
        .unwrap_or(claims.iat)
}

/// How often in the time that a session may be unused its cookie is written for being used.
const NOTES_IN_LIMIT: i64 = 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(members: serde_json::Value) -> Session {
        let mut session = json!({
            "access_token": "a",
            "refresh_token": "r",
            "user": {"id": "user_ada", "email": "ada@example.com"},
        });
        let members = members.as_object().expect("an object").clone();
        session.as_object_mut().expect("an object").extend(members);
        serde_json::from_value(session).expect("a session")
    }

    fn token(members: serde_json::Value) -> AccessTokenClaims {
        let mut claims = json!({"sub": "user_ada", "sid": "session_1", "iat": 5000, "exp": 5300});
        let members = members.as_object().expect("an object").clone();
        claims.as_object_mut().expect("an object").extend(members);
        serde_json::from_value(claims).expect("claims")
    }

    fn limits(in_all: Option<u64>, unused: Option<u64>) -> AgeLimits {
        let limit = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        AgeLimits::new(limit(in_all), limit(unused))
    }

    #[test]
    fn without_limits_nothing_is_over_and_nothing_is_noted() {
        let mut old = session(json!({"signed_in_at": 1, "last_used_at": 1}));
        let none = limits(None, None);
        assert_eq!(none.age(&old, &token(json!({})), 1 << 40), Age::Fine);
        none.note_use(&mut old, 1, 5000);
        assert_eq!((old.signed_in_at, old.last_used_at), (None, None));
    }

    #[test]
    fn a_session_is_over_a_second_after_its_limit() {
        let noted = session(json!({"signed_in_at": 1000, "last_used_at": 4990}));
        let in_all = limits(Some(4000), None);
        assert_eq!(in_all.age(&noted, &token(json!({})), 5000), Age::Fine);
        assert_eq!(in_all.age(&noted, &token(json!({})), 5001), Age::Over);
        assert_eq!(in_all.ends_at(&noted, &token(json!({}))), Some(5000));
        let unused = limits(None, Some(100));
        assert_eq!(unused.age(&noted, &token(json!({})), 5000), Age::Fine);
        assert_eq!(unused.age(&noted, &token(json!({})), 5001), Age::Unnoted);
        assert_eq!(unused.age(&noted, &token(json!({})), 5090), Age::Unnoted);
        assert_eq!(unused.age(&noted, &token(json!({})), 5091), Age::Over);
    }

    #[test]
    fn what_is_left_of_a_session_is_up_to_the_limit_that_comes_first() {
        let noted = session(json!({"signed_in_at": 1000, "last_used_at": 4990}));
        let left = |in_all, unused| limits(in_all, unused).left(&noted, 5000);
        assert_eq!(left(None, None), None);
        assert_eq!(left(Some(4000), None), Some(1));
        assert_eq!(left(None, Some(100)), Some(91));
        assert_eq!(left(Some(4080), Some(100)), Some(81));
        assert_eq!(left(Some(3000), Some(100)), Some(-999));
        let unnoted = session(json!({}));
        assert_eq!(limits(Some(1), Some(1)).left(&unnoted, 5000), None);
    }

    #[test]
    fn a_session_without_notes_is_as_old_as_its_token_says() {
        let unnoted = session(json!({}));
        let both = limits(Some(4000), Some(100));
        let of_1000 = token(json!({"auth_time": 1000}));
        assert_eq!(both.age(&unnoted, &of_1000, 5000), Age::Unnoted);
        assert_eq!(both.age(&unnoted, &of_1000, 5001), Age::Over);
        assert_eq!(both.age(&unnoted, &token(json!({})), 5100), Age::Unnoted);
        assert_eq!(both.age(&unnoted, &token(json!({})), 5101), Age::Over);
    }

    #[test]
    fn the_beginning_is_noted_once_and_the_use_each_time() {
        let mut noted = session(json!({}));
        let both = limits(Some(4000), Some(100));
        both.note_use(&mut noted, 1000, 5000);
        both.note_use(&mut noted, 2000, 5050);
        assert_eq!(
            (noted.signed_in_at, noted.last_used_at),
            (Some(1000), Some(5050))
        );
    }
}
