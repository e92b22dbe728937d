//! The session of a signed-in user: how its cookie is opened, and how it is kept alive.

/// Logs a decision about a session: at DEBUG, or at INFO where the application wants to see them.
macro_rules! decision {
    ($lifted:expr, $($event:tt)*) => {
        if $lifted {
            tracing::info!($($event)*);
        } else {
            tracing::debug!($($event)*);
        }
    };
}

mod age;
mod arrivals;
mod begin;
mod hooks;
mod iron_document;
mod message;
mod notices;
mod observed;
mod open;
mod refresh;
mod resolve;
mod revocation;
mod sample;
mod seal;
mod shared;
mod stored;
mod unwritten;
mod watchers;

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

pub(crate) use decision;

pub(crate) use self::{
    age::AgeLimits,
    arrivals::Arrival,
    begin::{BeginError, BeginHook, Beginning, Beginnings, Begun, Grant, Means},
    hooks::{Hooks, SessionHook, SessionHooks},
    notices::{Notice, Notices},
    open::{Sessions, Step, UNHEARD_RETRY, Unsettled},
    refresh::{RefreshFailure, RefreshSettings},
    revocation::Standing,
    sample::SAMPLE_TOKEN,
    seal::SessionSeal,
    stored::StoredSessions,
    watchers::{Ending, Watch},
};
pub use self::{begin::Admission, hooks::RefreshFailureClass};
#[cfg(feature = "redis")]
pub(crate) use self::{notices::Elsewhere, revocation::KEPT_FOR};
use crate::{
    token::{AccessToken, AccessTokenClaims, KeysUnavailable, Tokens, Verdict},
    workos::{Authentication, Impersonator, User},
};

/// What the session cookie holds, sealed; the shared seal has the names in camelCase.
#[derive(Clone, Deserialize)]
pub(crate) struct Session {
    #[serde(alias = "accessToken")]
    pub(crate) access_token: AccessToken,
    #[serde(alias = "refreshToken")]
    pub(crate) refresh_token: SecretString,
    pub(crate) user: User,
    #[serde(default)]
    pub(crate) impersonator: Option<Impersonator>,
    #[serde(default, alias = "authenticationMethod")]
    pub(crate) authentication_method: Option<String>,
    /// When the user was last sent to sign in again for a route with `max_age`, in Unix seconds.
    #[serde(default, alias = "reauthenticatedAt")]
    pub(crate) reauthenticated_at: Option<i64>,
    /// When the user signed in, in Unix seconds; only where sessions have an age limit.
    #[serde(default, alias = "signedInAt")]
    pub(crate) signed_in_at: Option<i64>,
    /// When the session was last used, roughly, in Unix seconds; only where it may not lie unused.
    #[serde(default, alias = "lastUsedAt")]
    pub(crate) last_used_at: Option<i64>,
    /// Where the server keeps it, if it does.
    #[serde(skip)]
    place: Option<stored::Place>,
}

/// [`Session`] as it is written for this library alone.
#[derive(Serialize)]
struct SessionDocument<'a> {
    access_token: &'a AccessToken,
    refresh_token: &'a str,
    user: &'a User,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonator: Option<&'a Impersonator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reauthenticated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
}

/// A session whose access token is verified and for its user.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) session: Arc<Session>,
    pub(crate) claims: Arc<AccessTokenClaims>,
    pub(crate) freshness: Freshness,
}

/// Whether a session is known to hold, or is served in
/// [grace](crate::AuthKitBuilder::outage_grace) while WorkOS is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// The access token is valid.
    Current,
    /// The access token has expired and WorkOS cannot be asked for another: the user may have been
    /// signed out, or have lost rights, since then.
    #[non_exhaustive]
    Grace {
        /// When it expired, in seconds since the Unix epoch.
        expired_at: i64,
    },
}

/// What is known about the sender of a request, and what its cookie should become.
#[derive(Clone, Debug)]
pub(crate) struct Resolution {
    pub(crate) outcome: Outcome,
    pub(crate) cookie: CookieChange,
}

/// The three outcomes; only [`SignedOut`](Outcome::SignedOut) may remove a cookie.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    SignedIn(Arc<SignedIn>),
    /// With the organization that the next sign-in should be for, where WorkOS asked for a step there.
    SignedOut {
        organization_id: Option<String>,
    },
    /// Keys or WorkOS out of reach, or clocks apart; worth another try after so many seconds.
    CannotTell {
        retry_after: u64,
    },
}

/// What happens to the session cookie with the response.
#[derive(Clone)]
pub(crate) enum CookieChange {
    Keep,
    Set(Arc<str>),
    Clear,
    /// Its refresh token was refused, but another application may have renewed it meanwhile: it goes
    /// when the browser sends it again.
    ClearUnlessRenewed,
}

/// The end of an access token's signature: enough to tell sessions apart, and too little to be one.
type Mark = [u8; 16];

impl Session {
    /// The session that an answer of WorkOS begins or continues.
    pub(crate) fn from_authentication(answer: Authentication, previous: Option<&Session>) -> Self {
        Self {
            access_token: AccessToken::new(answer.access_token.expose_secret()),
            refresh_token: answer.refresh_token,
            user: answer.user,
            impersonator: answer
                .impersonator
                .or_else(|| previous?.impersonator.clone()),
            authentication_method: answer
                .authentication_method
                .or_else(|| previous?.authentication_method.clone()),
            reauthenticated_at: previous.and_then(|previous| previous.reauthenticated_at),
            place: previous.and_then(|previous| previous.place.clone()),
            signed_in_at: previous.and_then(|previous| previous.signed_in_at),
            last_used_at: previous.and_then(|previous| previous.last_used_at),
        }
    }

    /// What its access token is worth, which has to be its user's.
    async fn verdict(&self, tokens: &Tokens) -> Result<Verdict, KeysUnavailable> {
        tokens.settle(&self.access_token, Some(&self.user.id)).await
    }

    fn mark(&self) -> Option<Mark> {
        self.access_token.end()
    }

    /// Whether it is the same session between the same two refreshes.
    fn has_tokens_of(&self, other: &Session) -> bool {
        self.access_token == other.access_token
            && self.refresh_token.expose_secret() == other.refresh_token.expose_secret()
    }

    /// Reads a [message], and JSON, ours or that of other libraries.
    pub(crate) fn read(content: &[u8]) -> Option<Self> {
        match content.first()? {
            b'{' => serde_json::from_slice(content).ok(),
            _ => message::read(content),
        }
    }

    fn to_json(&self) -> Vec<u8> {
        let document = SessionDocument {
            access_token: &self.access_token,
            refresh_token: self.refresh_token.expose_secret(),
            user: &self.user,
            impersonator: self.impersonator.as_ref(),
            authentication_method: self.authentication_method.as_deref(),
            reauthenticated_at: self.reauthenticated_at,
            signed_in_at: self.signed_in_at,
            last_used_at: self.last_used_at,
        };
        serde_json::to_vec(&document).expect("strings, numbers and maps with string keys are JSON")
    }
}

impl Resolution {
    pub(crate) fn signed_out(cookie: CookieChange) -> Self {
        Self {
            outcome: Outcome::SignedOut {
                organization_id: None,
            },
            cookie,
        }
    }
}

impl fmt::Debug for CookieChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Set(_) => "Set",
            Self::Clear => "Clear",
            Self::ClearUnlessRenewed => "ClearUnlessRenewed",
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user.id)
            .finish_non_exhaustive()
    }
}
