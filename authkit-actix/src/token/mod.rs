//! Access tokens: whether WorkOS made one for this client, and what it says.
//!
//! The only door from a token to its claims. Looking a token over takes no wait as long as its key
//! is in the cache; otherwise [`Tokens::settle`] fetches the keys, at most once per cooldown
//! whatever tokens arrive.

use std::sync::Arc;

use crate::clock::Clock;

mod claims;
mod jwks;
mod verify;

pub use claims::{AccessTokenClaims, Actor};

#[cfg(fuzzing)]
pub(crate) use jwks::KeySet;
pub(crate) use jwks::{FetchKeys, Jwks};
pub(crate) use verify::{TokenError, Verdict, Verifier, custom_claims};

/// Judges access tokens by the keys that WorkOS publishes.
pub(crate) struct Tokens {
    jwks: Jwks,
    verifier: Verifier,
    clock: Arc<dyn Clock>,
}

/// A first look at a token, without waiting.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart at once, and a box would cost every request"
)]
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
            clock,
        }
    }

    pub(crate) fn check(&self, token: &str) -> Check {
        self.look(token).map_or(Check::NeedsKeys, Check::Done)
    }

    /// Judges a token, fetching the keys if its own is missing and a fetch is allowed.
    ///
    /// A key that is missing from a set fetched just now does not exist: the token is forged. Where
    /// an older set must do, the token is forged too, unless it claims to be newer than that set:
    /// then its key may be as well.
    pub(crate) async fn settle(&self, token: &str) -> Result<Verdict, KeysUnavailable> {
        let asked_at = self.clock.unix_seconds();
        if let Ok(verdict) = self.look(token) {
            return Ok(verdict);
        }
        let fetched = match self.jwks.fetch() {
            Some(fetch) => fetch.await,
            None => None,
        };
        // Also without a fetch of our own: somebody else's may have ended since the first look.
        let unknown = match self.look(token) {
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

    fn look(&self, token: &str) -> Result<Verdict, verify::UnknownKey> {
        let keys = self.jwks.current();
        self.verifier
            .verify(token, keys.as_deref(), self.clock.unix_seconds())
    }
}

#[cfg(test)]
mod tests;
