use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::ReturnTo;
use crate::{
    config::VERIFIER_COOKIE_PREFIX,
    seal::{Purpose, SealError, Sealer},
};

/// What a sign-in carries through AuthKit and back, RFC 6749 section 4.1.1 and RFC 7636.
///
/// The verifier is random, so it serves as the nonce as well: no two states are alike.
pub(crate) struct SignInState {
    pub(crate) code_verifier: SecretString,
    pub(crate) return_to: ReturnTo,
    /// What the user asked for besides, to be asked again when the sign-in has to restart.
    pub(crate) options: SignInOptions,
    /// Where AuthKit was told to send the browser back to, if not to the configured address.
    pub(crate) redirect_uri: Option<Url>,
    /// Unix seconds.
    pub(crate) issued_at: i64,
    /// The sign-in started again because its first state was too old; it does so once.
    pub(crate) restarted: bool,
    /// How often in a row the browser has been to AuthKit and back without keeping a session.
    pub(crate) rounds: u8,
}

/// What a sign-in asks AuthKit for.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignInOptions {
    #[serde(default, skip_serializing_if = "is_sign_in")]
    pub(crate) screen: Screen,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organization_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login_hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) invitation_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) domain_hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prompt: Option<String>,
    /// Seconds; somebody who proved their identity longer ago does so again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<u32>,
    #[serde(default, skip_serializing_if = "Selector::is_authkit")]
    pub(crate) selector: Selector,
    /// What the application wants to find again after the sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) custom: Option<serde_json::Value>,
}

impl SignInOptions {
    pub(crate) fn of_screen(screen: Screen) -> Self {
        Self {
            screen,
            ..Self::default()
        }
    }

    /// The options as a parameter of the sign-in route; `None` when the route's own path says all.
    pub(crate) fn seal(&self, sealer: &Sealer) -> Option<String> {
        if *self == Self::of_screen(self.screen) {
            return None;
        }
        let json = serde_json::to_vec(self).ok()?;
        sealer.seal(Purpose::SignInOptions, &json).ok()
    }

    pub(crate) fn open(sealed: &str, sealer: &Sealer) -> Option<Self> {
        let opened = sealer.open(Purpose::SignInOptions, sealed).ok()?;
        serde_json::from_slice(&opened.plaintext).ok()
    }
}

/// Without the invitation, which is a secret, and what the application wants to keep to itself.
impl fmt::Debug for SignInOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInOptions")
            .field("screen", &self.screen)
            .field("organization_id", &self.organization_id)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

/// Who authenticates the user; exactly one is named in an authorization URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Selector {
    /// AuthKit, which offers whatever the environment allows.
    #[default]
    AuthKit,
    /// An SSO connection: `conn_…`.
    Connection(String),
    /// A provider such as `GoogleOAuth`, with more scopes than its usual ones.
    Provider { name: String, scopes: Vec<String> },
}

impl Selector {
    fn is_authkit(&self) -> bool {
        *self == Self::AuthKit
    }
}

/// The AuthKit page that a sign-in begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Screen {
    /// For people who have an account.
    #[default]
    SignIn,
    /// For people who have none yet.
    SignUp,
}

/// The `state` parameter and value of the verifier cookie.
pub(crate) struct SealedState(String);

/// Why a state is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StateError {
    #[error("the state was altered, or sealed with another password")]
    Unreadable,
}

#[derive(Serialize, Deserialize)]
struct StateDocument {
    code_verifier: String,
    return_to: String,
    #[serde(flatten)]
    options: SignInOptions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<String>,
    issued_at: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    restarted: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    rounds: u8,
}

impl SignInState {
    pub(crate) fn seal(&self, sealer: &Sealer) -> Result<SealedState, SealError> {
        let document = StateDocument {
            code_verifier: self.code_verifier.expose_secret().to_owned(),
            return_to: self.return_to.as_str().to_owned(),
            options: self.options.clone(),
            redirect_uri: self.redirect_uri.as_ref().map(Url::to_string),
            issued_at: self.issued_at,
            restarted: self.restarted,
            rounds: self.rounds,
        };
        let json = serde_json::to_vec(&document).map_err(|_| SealError::Malformed)?;
        sealer.seal(Purpose::SignInState, &json).map(SealedState)
    }

    /// Opens a state of whatever age.
    pub(crate) fn open(sealed: &str, sealer: &Sealer) -> Result<Self, StateError> {
        let opened = sealer
            .open(Purpose::SignInState, sealed)
            .map_err(|_| StateError::Unreadable)?;
        let document: StateDocument =
            serde_json::from_slice(&opened.plaintext).map_err(|_| StateError::Unreadable)?;
        Ok(Self {
            code_verifier: document.code_verifier.into(),
            return_to: ReturnTo::parse_or_root(&document.return_to),
            options: document.options,
            redirect_uri: document.redirect_uri.and_then(|uri| uri.parse().ok()),
            issued_at: document.issued_at,
            restarted: document.restarted,
            rounds: document.rounds,
        })
    }

    pub(crate) fn is_too_old(&self, now: i64) -> bool {
        now.saturating_sub(self.issued_at) > STATE_LIFETIME
    }
}

impl SealedState {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The cookie that binds a state to the browser which started the sign-in; one for each flow, so
/// that tabs do not disturb each other.
pub(crate) fn verifier_cookie_name(sealed_state: &str) -> String {
    // 32-bit FNV-1a, as the other AuthKit libraries name it.
    let hash = sealed_state.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{VERIFIER_COOKIE_PREFIX}{hash:08x}")
}

fn is_sign_in(screen: &Screen) -> bool {
    *screen == Screen::SignIn
}

fn is_zero(rounds: &u8) -> bool {
    *rounds == 0
}

/// Seconds between the start of a sign-in and its callback.
const STATE_LIFETIME: i64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&[SecretString::from("a password of more than 32 characters")])
    }

    fn state() -> SignInState {
        SignInState {
            code_verifier: "verifier".into(),
            return_to: ReturnTo::parse_or_root("/account?tab=1"),
            options: SignInOptions {
                screen: Screen::SignUp,
                max_age: Some(0),
                ..SignInOptions::default()
            },
            redirect_uri: None,
            issued_at: 1000,
            restarted: true,
            rounds: 2,
        }
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let sealed = state().seal(&sealer()).expect("a state is small");
        let opened = SignInState::open(sealed.as_str(), &sealer()).expect("our own");
        assert_eq!(opened.code_verifier.expose_secret(), "verifier");
        assert_eq!(opened.return_to, state().return_to);
        assert_eq!(opened.options, state().options);
        assert!(opened.restarted);
        assert_eq!(opened.rounds, 2);
    }

    #[test]
    fn a_state_lives_ten_minutes() {
        assert!(!state().is_too_old(1600));
        assert!(state().is_too_old(1601));
    }

    #[test]
    fn what_was_sealed_for_another_purpose_is_no_state() {
        let sealed = sealer().seal(Purpose::Session, b"{}").expect("small");
        assert!(SignInState::open(&sealed, &sealer()).is_err());
    }

    #[test]
    fn the_cookie_is_named_as_other_authkit_libraries_name_it() {
        for (state, hash) in [
            ("", "811c9dc5"),
            ("any-string-at-all", "ce74c527"),
            ("sealed-state", "8af5c0b9"),
        ] {
            assert_eq!(
                verifier_cookie_name(state),
                format!("wos-auth-verifier-{hash}")
            );
        }
    }
}
