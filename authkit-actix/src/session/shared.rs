//! What instances tell each other of a sign-in.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::begin::{BeginError, Begun};
use crate::{
    sharing::{Keep, Shareable},
    workos::{OrganizationChoice, StepUp},
};

/// What came of a sign-in.
#[derive(Serialize, Deserialize)]
pub(super) enum SharedBeginning {
    Begun {
        session: String,
        /// The value of the session cookie.
        sealed: String,
        /// Unix seconds.
        at: i64,
    },
    Refused,
    StepUp(SharedStepUp),
    NotAdmitted {
        session_id: String,
    },
    Unavailable,
    TooLate,
    Unusable,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SharedStepUp {
    code: String,
    authkit_redirect_url: Option<String>,
    pending_authentication_token: Option<String>,
    organizations: Vec<OrganizationChoice>,
}

impl Shareable for Result<Arc<Begun>, BeginError> {
    fn publish(&self) -> Option<(Vec<u8>, Keep)> {
        let shared = match self {
            Ok(begun) => SharedBeginning::Begun {
                session: String::from_utf8(begun.signed_in.session.to_json()).ok()?,
                sealed: begun.sealed.to_string(),
                at: begun.at,
            },
            Err(BeginError::Refused) => SharedBeginning::Refused,
            Err(BeginError::StepUp(step_up)) => SharedBeginning::StepUp(step_up.into()),
            Err(BeginError::NotAdmitted { session_id }) => SharedBeginning::NotAdmitted {
                session_id: session_id.clone(),
            },
            Err(BeginError::TooLate) => SharedBeginning::TooLate,
            Err(BeginError::Unavailable) => SharedBeginning::Unavailable,
            Err(BeginError::Spent | BeginError::Unusable) => SharedBeginning::Unusable,
        };
        Some((serde_json::to_vec(&shared).ok()?, Keep::For(SPENT_STATES)))
    }
}

impl SharedBeginning {
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

impl From<&StepUp> for SharedStepUp {
    fn from(step_up: &StepUp) -> Self {
        let pending = step_up.pending_authentication_token.as_ref();
        Self {
            code: step_up.code.clone(),
            authkit_redirect_url: step_up.authkit_redirect_url.clone(),
            pending_authentication_token: pending.map(|token| token.expose_secret().to_owned()),
            organizations: step_up.organizations.clone(),
        }
    }
}

impl From<SharedStepUp> for StepUp {
    fn from(shared: SharedStepUp) -> Self {
        Self {
            code: shared.code,
            authkit_redirect_url: shared.authkit_redirect_url,
            pending_authentication_token: shared.pending_authentication_token.map(Into::into),
            organizations: shared.organizations,
        }
    }
}

/// As long as a state lives.
pub(super) const SPENT_STATES: Duration = Duration::from_secs(600);
