//! A session to measure by.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;

use super::{Session, Sessions};
use crate::{seal::SealError, token::AccessToken};

impl Sessions {
    /// The value of the cookie of an ordinary session: a whole profile, and an access token of
    /// [`SAMPLE_TOKEN`] bytes.
    pub(crate) fn sample_cookie(&self) -> Result<Arc<str>, SealError> {
        match &self.stored {
            Some(stored) => stored.sample_cookie(),
            None => self.seal.seal(&mut Session::sample()),
        }
    }

    /// Whether sessions are kept on the server.
    pub(crate) fn are_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// Whether the place for sessions on the server answers, if there is one.
    pub(crate) async fn store_is_in_reach(&self) -> Option<bool> {
        let stored = Arc::clone(self.stored.as_ref()?);
        Some(stored.answers().await)
    }
}

impl Session {
    fn sample() -> Self {
        let id = "01JC5Z0Y8W3N4Q7R9T2V6X8B1D";
        let user = json!({
            "id": format!("user_{id}"),
            "email": "somebody.ordinary@example.com",
            "email_verified": true,
            "first_name": "Somebody",
            "last_name": "Ordinary",
            "profile_picture_url": format!("https://workoscdn.com/images/v1/{}", "x".repeat(60)),
            "last_sign_in_at": "2026-01-01T00:00:00.000Z",
            "created_at": "2026-01-01T00:00:00.000Z",
            "updated_at": "2026-01-01T00:00:00.000Z",
        });
        Self {
            access_token: AccessToken::new(&format!(
                "{}.{}.{}",
                "A".repeat(100),
                "A".repeat(SAMPLE_TOKEN - 444),
                "A".repeat(342)
            )),
            refresh_token: SecretString::from("x".repeat(25)),
            user: serde_json::from_value(user).expect("the id and the email are there"),
            impersonator: None,
            authentication_method: Some("GoogleOAuth".to_owned()),
            reauthenticated_at: None,
            signed_in_at: None,
            last_used_at: None,
            place: None,
        }
    }
}

/// An RS256 signature, a header with a `kid`, and the usual claims with an organization, a role and
/// some permissions.
pub(crate) const SAMPLE_TOKEN: usize = 1100;
