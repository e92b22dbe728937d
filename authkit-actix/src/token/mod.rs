//! Access tokens: whether WorkOS made one for this client, and what it says.
//!
//! The only door from a token to its claims. Looking a token over takes no wait as long as its key
//! is in the cache; otherwise [`Tokens::settle`] fetches the keys, at most once per cooldown
//! whatever tokens arrive.

use std::sync::Arc;

use crate::clock::Clock;

mod access_token;
mod claims;
mod jwks;
mod verified;
mod verify;

pub use claims::{AccessTokenClaims, Actor};

pub(crate) use access_token::AccessToken;
pub(crate) use jwks::{FetchKeys, Jwks, KeySet};
pub(crate) use verify::{TokenError, Verdict, Verifier, custom_claims};

use verified::VerifiedTokens;

/// Judges access tokens by the keys that WorkOS publishes.
pub(crate) struct Tokens {
    jwks: Jwks,
    verifier: Verifier,
    verified: VerifiedTokens,
    clock: Arc<dyn Clock>,
}

/// Whether a token is genuine by these keys.
#[cfg(fuzzing)]
pub(crate) fn fuzz_token(verifier: &Verifier, token: &str, keys: &KeySet) -> bool {
    matches!(
        verifier.authenticate(&AccessToken::new(token), None, Some(keys)),
        Ok(Ok(_))
    )
}

/// A first look at a token, without waiting.
#[derive(Debug)]
pub(crate) enum Check {
    Done(Verdict),
    /// The token's key is not in the cache: [`Tokens::settle`] finds out.
    NeedsKeys,
}

/// The keys are out of reach, so a token can be called neither genuine nor forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("WorkOS's signing keys are unavailable; the next fetch is allowed in {retry_after} s")]
pub(crate) struct KeysUnavailable {
    /// Seconds, at least 1.
    pub(crate) retry_after: u64,
}

impl Tokens {
    pub(crate) fn new(jwks: Jwks, verifier: Verifier, clock: Arc<dyn Clock>) -> Self {
        Self {
            jwks,
            verifier,
            verified: VerifiedTokens::new(),
            clock,
        }
    }

    /// Judges a token that should be this user's, at a time in Unix seconds.
    pub(crate) fn check(&self, token: &AccessToken, user_id: &str, now: i64) -> Check {
        self.look(token, Some(user_id), now)
            .map_or(Check::NeedsKeys, Check::Done)
    }

    /// Judges a token that should be this user's, or may be anybody's, fetching the keys if its own is
    /// missing and a fetch is allowed.
    ///
    /// A key that is missing from a set fetched just now does not exist: the token is forged. Where
    /// an older set must do, the token is forged too, unless it claims to be newer than that set:
    /// then its key may be as well.
    pub(crate) async fn settle(
        &self,
        token: &AccessToken,
        user_id: Option<&str>,
    ) -> Result<Verdict, KeysUnavailable> {
        let asked_at = self.clock.unix_seconds();
        if let Ok(verdict) = self.look(token, user_id, asked_at) {
            return Ok(verdict);
        }
        let fetched = match self.jwks.fetch() {
            Some(fetch) => fetch.await,
            None => None,
        };
        // Also without a fetch of our own: somebody else's may have ended since the first look.
        let unknown = match self.look(token, user_id, self.clock.unix_seconds()) {
            Ok(verdict) => return Ok(verdict),
            Err(unknown) => unknown,
        };
        let is_settled = fetched.is_some_and(|keys| keys.fetched_at() >= asked_at)
            || self.jwks.current().is_some_and(|keys| {
                !unknown.newer_than(keys.fetched_at(), self.verifier.leeway_seconds())
            });
        if is_settled {
            Ok(Verdict::Forged(TokenError::UnknownKey))
        } else {
            Err(KeysUnavailable {
                retry_after: self.jwks.seconds_until_next_fetch(),
            })
        }
    }

    /// When the next key fetch is allowed: at least 1.
    pub(crate) fn seconds_until_next_fetch(&self) -> u64 {
        self.jwks.seconds_until_next_fetch()
    }

    fn look(
        &self,
        token: &AccessToken,
        user_id: Option<&str>,
        now: i64,
    ) -> Result<Verdict, verify::UnknownKey> {
        let key = token.key(user_id);
        // Before the keys: a set that comes in between must not vouch for what the old one verified.
        let edition = self.jwks.edition();
        if let Some(genuine) = self.verified.get(&key, edition) {
            return Ok(self.verifier.judge_time(&genuine, now));
        }
        let keys = self.jwks.current();
        match self
            .verifier
            .authenticate(token, user_id, keys.as_deref())?
        {
            Ok(genuine) => {
                let verdict = self.verifier.judge_time(&genuine, now);
                self.verified
                    .put(key, token.length(), genuine, edition, now);
                Ok(verdict)
            }
            Err(error) => Ok(Verdict::Forged(error)),
        }
    }
}

#[cfg(test)]
mod tests;
