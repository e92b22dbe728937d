use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents},
};
use base64_simd::URL_SAFE_NO_PAD;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use serde::Deserialize;

use crate::{clock::Clock, metrics};

/// The cache of the keys that WorkOS signs this client's tokens with.
///
/// Keys are fetched when a token names one that is not here, never by age, and a set that was
/// fetched once serves until a newer one arrives: WorkOS may be down for as long as it likes.
pub(crate) struct Jwks {
    fetch: FetchKeys,
    clock: Arc<dyn Clock>,
    cooldown_seconds: i64,
    state: Arc<Mutex<State>>,
    edition: Arc<AtomicU64>,
}

/// Fetches the JWKS document: its body, or the class of the failure for the log.
///
/// Calling it starts the fetch, which ends in bounded time whether or not somebody polls the
/// future.
pub(crate) type FetchKeys =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// A fetch under way, shared by all who wait for it; `None` when it failed.
pub(crate) type KeyFetch = Shared<BoxFuture<'static, Option<Arc<KeySet>>>>;

/// The usable keys of one JWKS document (RFC 7517).
#[derive(Debug)]
pub(crate) struct KeySet {
    fetched_at: i64,
    /// The SHA-256 of the document.
    fingerprint: [u8; 32],
    keys: Vec<(String, ParsedPublicKey)>,
}

/// Why a JWKS document was refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("the answer is not a JSON Web Key Set")]
    Malformed,
    #[error("the key set has no usable RS256 key")]
    NoUsableKey,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    last_attempt: Option<i64>,
    last_fetch: Option<KeyFetch>,
    /// Failures since the last success.
    failures: u64,
}

impl Jwks {
    pub(crate) fn new(fetch: FetchKeys, clock: Arc<dyn Clock>, cooldown_seconds: i64) -> Self {
        Self {
            fetch,
            clock,
            cooldown_seconds,
            state: Arc::default(),
            edition: Arc::default(),
        }
    }

    pub(crate) fn current(&self) -> Option<Arc<KeySet>> {
        lock(&self.state).keys.clone()
    }

    /// How often other keys have come in the place of those before; costs no lock.
    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Joins the fetch under way, or starts one; `None` while the cooldown after the last one
    /// holds, whatever came of it.
    pub(crate) fn fetch(&self) -> Option<KeyFetch> {
        let now = self.clock.unix_seconds();
        let mut state = lock(&self.state);
        if self.seconds_of_cooldown(&state, now) > 0 {
            // All who waited for it may have left before its end, and then it is still to be looked
            // at.
            return state
                .last_fetch
                .clone()
                .filter(|fetch| fetch.peek().is_none());
        }
        let answer = (self.fetch)();
        // Weak, since the state keeps the future: one that nobody waited for would keep the state
        // for ever.
        let receiver = Arc::downgrade(&self.state);
        let edition = Arc::clone(&self.edition);
        let fetch = async move {
            let keys = answer
                .await
                .and_then(|body| KeySet::parse(&body, now).map_err(|error| error.to_string()));
            let state = receiver.upgrade()?;
            lock(&state).receive(keys, &edition)
        }
        .boxed()
        .shared();
        state.last_attempt = Some(now);
        state.last_fetch = Some(fetch.clone());
        Some(fetch)
    }

    /// When the next fetch is allowed, for `Retry-After`: at least 1.
    pub(crate) fn seconds_until_next_fetch(&self) -> u64 {
        let now = self.clock.unix_seconds();
        let seconds = self.seconds_of_cooldown(&lock(&self.state), now);
        u64::try_from(seconds).unwrap_or(0).max(1)
    }

    #[cfg(test)]
    pub(super) fn failures(&self) -> u64 {
        lock(&self.state).failures
    }

    /// A clock that was set back ends the cooldown, or it might last for years.
    fn seconds_of_cooldown(&self, state: &State, now: i64) -> i64 {
        match state.last_attempt {
            Some(last) if last <= now => self
                .cooldown_seconds
                .saturating_sub(now.saturating_sub(last)),
            _ => 0,
        }
    }
}

impl State {
    fn receive(
        &mut self,
        keys: Result<KeySet, String>,
        edition: &AtomicU64,
    ) -> Option<Arc<KeySet>> {
        let cached = self.keys.is_some();
        metrics::keys_fetched(if keys.is_ok() { "fetched" } else { "failed" });
        match keys {
            Ok(keys) => {
                if self.failures > 0 {
                    tracing::info!(
                        failures = self.failures,
                        "WorkOS serves its signing keys again"
                    );
                }
                self.failures = 0;
                let known = self.keys.as_ref().map(|known| known.fingerprint);
                let is_news = known != Some(keys.fingerprint);
                self.keys = Some(Arc::new(keys));
                if is_news {
                    edition.fetch_add(1, Ordering::Release);
                }
                self.keys.clone()
            }
            Err(class) => {
                if self.failures == 0 {
                    tracing::error!(class, cached, "WorkOS's signing keys cannot be fetched");
                } else {
                    tracing::debug!(
                        class,
                        cached,
                        "WorkOS's signing keys still cannot be fetched"
                    );
                }
                self.failures = self.failures.saturating_add(1);
                None
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeySet {
    /// Reads a JWKS document, leaving out every key that cannot verify RS256.
    pub(crate) fn parse(body: &[u8], fetched_at: i64) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let document: Document =
            serde_json::from_slice(body).map_err(|_| KeySetError::Malformed)?;
        let keys: Vec<_> = document
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok()?.usable())
            .take(MAX_KEYS)
            .collect();
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey);
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, body).as_ref());
        Ok(Self {
            fetched_at,
            fingerprint,
            keys,
        })
    }

    /// How many keys can verify a token.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// When the fetch that brought this set **began**: keys made later may be missing.
    pub(crate) fn fetched_at(&self) -> i64 {
        self.fetched_at
    }

    /// The keys of that name. There should be one; of several, any may have signed, for WorkOS
    /// publishes them all.
    pub(super) fn named<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a ParsedPublicKey> {
        self.keys
            .iter()
            .filter(move |(name, _)| name == kid)
            .map(|(_, key)| key)
    }
}

/// One key as it stands in the document, RFC 7517 section 4 and RFC 7518 section 6.3.1.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: String,
    e: String,
}

impl Jwk {
    fn usable(self) -> Option<(String, ParsedPublicKey)> {
        let is_meant_for_us = self.kty == "RSA"
            && self.usage.is_none_or(|usage| usage == "sig")
            && self
                .key_ops
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"))
            && self.alg.is_none_or(|alg| alg == "RS256");
        if !is_meant_for_us || self.kid.is_empty() {
            return None;
        }
        let (n, e) = (unsigned(&self.n)?, unsigned(&self.e)?);
        let is_sound = (MIN_MODULUS_BITS..=MAX_MODULUS_BITS).contains(&bits(&n))
            && (2..=MAX_EXPONENT_BITS).contains(&bits(&e))
            && is_odd(&n)
            && is_odd(&e);
        if !is_sound {
            return None;
        }
        let key = RsaPublicKeyComponents { n, e };
        let key = key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
        Some((self.kid, key.ok()?))
    }
}

/// A Base64urlUInt, RFC 7518 section 2, without the leading zeros that some senders add.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(text).ok()?;
    let first = bytes.iter().position(|&byte| byte != 0)?;
    Some(bytes[first..].to_vec())
}

fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |byte| byte.leading_zeros());
    number.len() * 8 - leading as usize
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte % 2 == 1)
}

const MAX_KEYS: usize = 100;
/// RFC 7518 section 3.3.
const MIN_MODULUS_BITS: usize = 2048;
/// The most that the crypto library verifies with.
const MAX_MODULUS_BITS: usize = 8192;
/// The same limit for exponents; 65537 has 17.
const MAX_EXPONENT_BITS: usize = 33;
