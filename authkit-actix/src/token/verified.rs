use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
};

use quick_cache::{Weighter, sync::Cache};

use super::verify::Genuine;
use crate::flights::FlightKey;

/// Tokens that were verified before, so that a session's signature is looked at once and not with
/// every request.
///
/// Only what time cannot change is remembered: whoever asks still judges the time. An entry counts for
/// the key set that it was verified by, and no other, and for the user that the token was to be of: that
/// user is part of its key.
pub(super) struct VerifiedTokens {
    tokens: Cache<FlightKey, Entry, TokenBytes>,
    swept_at: AtomicI64,
}

#[derive(Clone)]
struct Entry {
    genuine: Genuine,
    edition: u64,
    token_bytes: u32,
}

impl VerifiedTokens {
    pub(super) fn new() -> Self {
        Self {
            tokens: Cache::with_weighter(USUAL_TOKENS, MOST_BYTES, TokenBytes),
            swept_at: AtomicI64::new(0),
        }
    }

    /// A token that the key set of this edition has verified.
    pub(super) fn get(&self, token: &FlightKey, edition: u64) -> Option<Genuine> {
        let entry = self.tokens.get(token)?;
        (entry.edition == edition).then_some(entry.genuine)
    }

    /// Remembers a token of so many bytes. Now and then whoever comes here throws out the tokens that
    /// nobody has used up to their end.
    pub(super) fn put(
        &self,
        token: FlightKey,
        token_bytes: usize,
        genuine: Genuine,
        edition: u64,
        now: i64,
    ) {
        let entry = Entry {
            genuine,
            edition,
            token_bytes: token_bytes.try_into().unwrap_or(u32::MAX),
        };
        self.tokens.insert(token, entry);
        let swept_at = self.swept_at.load(Ordering::Relaxed);
        // A clock that was set back must not stop the sweeping.
        if !(0..SWEEP_SECONDS).contains(&now.saturating_sub(swept_at))
            && self
                .swept_at
                .compare_exchange(swept_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.tokens
                .retain(|_, entry| now <= entry.genuine.expires().saturating_add(LINGERS));
        }
    }
}

/// Claims take about the room that their token takes.
#[derive(Clone)]
struct TokenBytes;

impl Weighter<FlightKey, Entry> for TokenBytes {
    fn weight(&self, _: &FlightKey, entry: &Entry) -> u64 {
        entry.token_bytes.max(1).into()
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens")
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}

/// Enough for 100,000 tokens of the usual length.
const MOST_BYTES: u64 = 128 * 1024 * 1024;
const USUAL_TOKENS: usize = 100_000;
const SWEEP_SECONDS: i64 = 60;
/// Requests with the cookie of before a refresh go on for a while.
const LINGERS: i64 = 60;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::AccessTokenClaims;

    fn genuine(exp: i64) -> Genuine {
        let claims = json!({"sub": "user_1", "sid": "session_1", "iat": 0, "exp": exp});
        let claims: AccessTokenClaims = serde_json::from_value(claims).expect("claims");
        Genuine::of(claims)
    }

    fn token(number: usize) -> FlightKey {
        FlightKey::of(number.to_string())
    }

    #[test]
    fn tokens_are_kept_up_to_a_number_of_bytes() {
        let verified = VerifiedTokens::new();
        let genuine = genuine(1000);
        for number in 0..20_000 {
            verified.put(token(number), 16 * 1024, genuine.clone(), 1, 0);
        }
        let mebibytes = verified.tokens.weight() / 1024 / 1024;
        assert!((64..=128).contains(&mebibytes), "{mebibytes}");
    }

    #[test]
    fn what_one_key_set_has_verified_another_has_not() {
        let verified = VerifiedTokens::new();
        verified.put(token(1), 1000, genuine(1000), 1, 0);
        assert!(verified.get(&token(1), 1).is_some());
        assert!(verified.get(&token(1), 2).is_none());
        assert!(verified.get(&token(2), 1).is_none());
    }

    #[test]
    fn tokens_that_nobody_uses_go_within_a_minute_or_two_of_their_end() {
        let verified = VerifiedTokens::new();
        for number in 0..100 {
            verified.put(token(number), 1000, genuine(300), 1, 0);
        }
        verified.put(token(100), 1000, genuine(660), 1, 360);
        assert_eq!(verified.tokens.len(), 101);
        // Looking through all of them with every new one would take too long.
        verified.put(token(101), 1000, genuine(719), 1, 419);
        assert_eq!(verified.tokens.len(), 102);
        verified.put(token(102), 1000, genuine(720), 1, 420);
        assert_eq!(verified.tokens.len(), 3);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_sweeping() {
        let verified = VerifiedTokens::new();
        verified.put(token(1), 1000, genuine(0), 1, 1_000_000);
        verified.put(token(2), 1000, genuine(0), 1, 500);
        assert_eq!(verified.tokens.len(), 0);
    }
}
