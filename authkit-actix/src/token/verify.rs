use std::sync::Arc;

use aws_lc_rs::signature::ParsedPublicKey;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IgnoredAny},
};

use super::{
    AccessToken,
    access_token::Parts,
    claims::{AccessTokenClaims, numeric_date},
    jwks::KeySet,
};

/// Decides whether an access token is genuine and, apart from that, whether its time is now.
#[derive(Debug)]
pub(crate) struct Verifier {
    client_id: String,
    issuer: Option<String>,
    audience: Option<String>,
    leeway_seconds: i64,
}

/// What a token turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Genuine, and its time is now: up to and including `exp` plus the leeway.
    Valid(Arc<AccessTokenClaims>),
    /// Genuine, and `now` is past `exp` plus the leeway.
    Expired(Arc<AccessTokenClaims>),
    /// Genuine, but its `iat` or `nbf` is past `now` plus the leeway: the clocks are apart.
    NotYetValid(Arc<AccessTokenClaims>),
    /// Not a token that WorkOS made for this client.
    Forged(TokenError),
}

/// A token that WorkOS made for this client, whatever the time is.
#[derive(Clone, Debug)]
pub(super) struct Genuine(Arc<AccessTokenClaims>);

/// The token names a key that the key set does not have, so nothing is known about it yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownKey {
    /// The **unverified** `iat`, good for nothing but [`UnknownKey::newer_than`].
    issued_at: Option<i64>,
}

/// Why an access token was refused; says nothing of the token's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Not a signed JWT (three base64url parts, the first one a JOSE header), or longer than 16 kB.
    #[error("the access token is not a well-formed JWT")]
    Malformed,
    /// Signed with anything but RS256, or not at all.
    #[error("the access token is not signed with RS256")]
    Algorithm,
    /// The header demands an extension with `crit`, RFC 7515 section 4.1.11.
    #[error("the access token demands a header extension that is not supported")]
    CriticalExtension,
    /// The header names no key.
    #[error("the access token does not name its signing key")]
    MissingKeyId,
    /// WorkOS does not publish the key that the header names.
    #[error("the access token names a signing key that WorkOS does not publish")]
    UnknownKey,
    /// The signature is not the named key's.
    #[error("the signature of the access token is wrong")]
    Signature,
    /// Rightly signed, but a required claim is missing or empty, or a claim has the wrong type: a
    /// JWT template may be to blame.
    #[error("a claim of the access token is missing or has the wrong type")]
    Claims,
    /// Rightly signed, but for another WorkOS client.
    #[error("the access token was made for another client")]
    Client,
    /// Rightly signed, but not by the configured issuer.
    #[error("the access token does not come from the configured issuer")]
    Issuer,
    /// Rightly signed, but not for the configured audience.
    #[error("the access token was made for another audience")]
    Audience,
    /// Rightly signed, but not the token of the user that it came with.
    #[error("the access token is another user's")]
    Subject,
}

impl Verifier {
    pub(crate) fn new(
        client_id: &str,
        issuer: Option<String>,
        audience: Option<String>,
        leeway_seconds: i64,
    ) -> Self {
        Self {
            client_id: client_id.to_owned(),
            issuer,
            audience,
            leeway_seconds,
        }
    }

    /// Checks header, algorithm, signature and claims, in this order: no claim is looked at before
    /// the signature holds.
    pub(super) fn authenticate(
        &self,
        token: &AccessToken,
        user_id: Option<&str>,
        keys: Option<&KeySet>,
    ) -> Result<Result<Genuine, TokenError>, UnknownKey> {
        let (parts, kid) = match read_header(token) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        let keys = keys.into_iter().flat_map(|keys| keys.named(&kid));
        let mut keys = keys.peekable();
        if keys.peek().is_none() {
            return Err(UnknownKey {
                issued_at: unverified_issue_time(&parts),
            });
        }
        let signed = parts.signed();
        let is_signed_by =
            |key: &ParsedPublicKey| key.verify_sig(signed.as_bytes(), parts.signature).is_ok();
        if !keys.any(is_signed_by) {
            return Ok(Err(TokenError::Signature));
        }
        Ok(self.judge_claims(&parts, user_id))
    }

    /// What a genuine token is worth at a time.
    pub(super) fn judge_time(&self, genuine: &Genuine, now: i64) -> Verdict {
        let claims = Arc::clone(&genuine.0);
        let starts = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
        if starts > now.saturating_add(self.leeway_seconds) {
            Verdict::NotYetValid(claims)
        } else if now > claims.exp.saturating_add(self.leeway_seconds) {
            Verdict::Expired(claims)
        } else {
            Verdict::Valid(claims)
        }
    }

    pub(super) fn leeway_seconds(&self) -> i64 {
        self.leeway_seconds
    }

    fn judge_claims(
        &self,
        parts: &Parts<'_>,
        user_id: Option<&str>,
    ) -> Result<Genuine, TokenError> {
        // UTF-8 is checked as a whole: string by string costs a third more.
        let payload = str::from_utf8(parts.payload).map_err(|_| TokenError::Claims)?;
        let claims: AccessTokenClaims =
            serde_json::from_str(payload).map_err(|_| TokenError::Claims)?;

        if claims.sub.is_empty() || claims.sid.is_empty() {
            return Err(TokenError::Claims);
        }
        if claims
            .client_id
            .as_ref()
            .is_some_and(|id| *id != self.client_id)
        {
            return Err(TokenError::Client);
        }
        if self.issuer.is_some() && claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if let Some(ours) = &self.audience
            && !claims.aud.contains(ours)
        {
            return Err(TokenError::Audience);
        }
        if user_id.is_some_and(|user_id| claims.sub != user_id) {
            return Err(TokenError::Subject);
        }

        Ok(Genuine(Arc::new(claims)))
    }
}

impl Genuine {
    #[cfg(test)]
    pub(super) fn of(claims: AccessTokenClaims) -> Self {
        Self(Arc::new(claims))
    }

    pub(super) fn expires(&self) -> i64 {
        self.0.exp
    }
}

impl UnknownKey {
    /// Whether the token claims to be issued after `time`, by clocks that may be `leeway_seconds`
    /// apart.
    pub(super) fn newer_than(&self, time: i64, leeway_seconds: i64) -> bool {
        self.issued_at
            .is_some_and(|issued_at| issued_at.saturating_add(leeway_seconds) > time)
    }
}

/// Reads claims of the application's own from a token that **was verified before**; this function
/// verifies nothing.
pub(crate) fn custom_claims<C: DeserializeOwned>(
    verified_token: &AccessToken,
) -> Result<C, serde_json::Error> {
    let parts = verified_token
        .parts()
        .ok_or(TokenError::Malformed)
        .map_err(serde_json::Error::custom)?;
    serde_json::from_slice(parts.payload)
}

/// The members that matter. `jku`, `jwk`, `x5u` and `x5c` offer keys of the sender's choice and are
/// not even read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
}

/// Returns the parts and the `kid`, if this library would accept a token with such a header at all.
fn read_header(token: &AccessToken) -> Result<(Parts<'_>, String), TokenError> {
    if token.length() > MAX_TOKEN_BYTES {
        return Err(TokenError::Malformed);
    }
    let parts = token.parts().ok_or(TokenError::Malformed)?;
    let header: Header = serde_json::from_slice(parts.header).map_err(|_| TokenError::Malformed)?;
    if header.alg != "RS256" {
        return Err(TokenError::Algorithm);
    }
    if header.crit {
        return Err(TokenError::CriticalExtension);
    }
    match header.kid {
        Some(kid) if !kid.is_empty() => Ok((parts, kid)),
        _ => Err(TokenError::MissingKeyId),
    }
}

fn unverified_issue_time(parts: &Parts<'_>) -> Option<i64> {
    #[derive(Deserialize)]
    struct Issued {
        #[serde(deserialize_with = "numeric_date")]
        iat: i64,
    }
    serde_json::from_slice::<Issued>(parts.payload)
        .ok()
        .map(|issued| issued.iat)
}

/// Unlike `Option`, sees a `null` too.
fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

const MAX_TOKEN_BYTES: usize = 16 * 1024;
