use std::fmt;

use serde_json::Value;

use super::seeds::Impersonator;

/// A session to be opened without a browser; made from an email address where that says enough.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewSession {
    pub(super) email: String,
    pub(super) organization_id: Option<String>,
    pub(super) impersonator: Option<Impersonator>,
}

impl NewSession {
    /// A session of the user with this address.
    pub fn new(email: impl Into<String>) -> Self {
        Self {
            email: email.into(),
            organization_id: None,
            impersonator: None,
        }
    }

    /// In this organization.
    pub fn organization(mut self, organization_id: impl Into<String>) -> Self {
        self.organization_id = Some(organization_id.into());
        self
    }

    /// With an operator, by address, who acts as the user, and the reason.
    pub fn impersonated_by(
        mut self,
        operator: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        self.impersonator = Some(Impersonator {
            email: operator.into(),
            reason: Some(reason.into()),
        });
        self
    }
}

impl From<&str> for NewSession {
    fn from(email: &str) -> Self {
        Self::new(email)
    }
}

/// A session that was opened without a browser.
#[derive(Clone)]
#[non_exhaustive]
pub struct EmulatorSession {
    /// The signed access token.
    pub access_token: String,
    /// The refresh token, not used yet.
    pub refresh_token: String,
    /// The session's id, the `sid` of its tokens.
    pub session_id: String,
    /// The user object as the API gives it.
    pub user: Value,
}

/// Leaves the tokens out.
impl fmt::Debug for EmulatorSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorSession")
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}
