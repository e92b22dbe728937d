//! The API keys of an application's customers: which text might be one, and which one is.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    background::Background,
    clock::Clock,
    flights::FlightKey,
    lookups::{Lookups, Unavailable},
    workos::{ApiKey, WorkOs},
};

/// Tells valid API keys from others, by asking WorkOS.
pub(crate) struct ApiKeys {
    workos: Arc<WorkOs>,
    lookups: Lookups<ApiKey>,
}

impl ApiKeys {
    /// `keep` is how long a valid key is taken for valid without another call; zero asks each time.
    pub(crate) fn new(
        workos: Arc<WorkOs>,
        background: Arc<Background>,
        clock: Arc<dyn Clock>,
        keep: Duration,
    ) -> Self {
        Self {
            workos,
            lookups: Lookups::new("API key", background, clock, keep),
        }
    }

    /// The key of this value, if it is one. What cannot be a key costs no call.
    pub(crate) async fn validate(
        &self,
        value: &SecretString,
    ) -> Result<Option<ApiKey>, Unavailable> {
        if !may_be_a_key(value.expose_secret()) {
            return Ok(None);
        }
        let ask = || {
            let (workos, value) = (Arc::clone(&self.workos), value.clone());
            async move { workos.validate_api_key(&value).await }
        };
        self.lookups
            .find(FlightKey::of(value.expose_secret()), ask)
            .await
    }
}

/// Whether a bearer credential has the shape of a JWT: an access token, not an API key.
pub(crate) fn is_jwt(value: &str) -> bool {
    value.bytes().filter(|byte| *byte == b'.').count() >= 2
}

fn may_be_a_key(value: &str) -> bool {
    (1..=LONGEST_KEY).contains(&value.len()) && !is_jwt(value) && value.bytes().all(is_token_byte)
}

/// The characters of a bearer token, RFC 6750 section 2.1.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeys")
    }
}

/// WorkOS's keys are about 70 bytes long.
const LONGEST_KEY: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_key_is_told_without_asking() {
        for key in ["sk_live_abc", "a", "a.b", &"x".repeat(LONGEST_KEY)] {
            assert!(may_be_a_key(key), "{key}");
        }
        for other in [
            "",
            "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
            "a..",
            "sk live",
            "sk_\u{e4}",
            "sk_\n",
            "sk_\"",
            &"x".repeat(LONGEST_KEY + 1),
        ] {
            assert!(!may_be_a_key(other), "{other}");
        }
    }
}
