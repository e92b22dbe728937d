//! What the success hook of the callback got, for `GET /last-sign-in`.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use authkit_actix::{Impersonator, OauthTokens, SignIn, User};
use serde::Serialize;
use serde_json::Value;

/// The latest sign-ins, by session.
#[derive(Debug, Default)]
pub(crate) struct SignIns(Mutex<VecDeque<LastSignIn>>);

/// A sign-in as the hook got it, without its tokens.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LastSignIn {
    session_id: String,
    user: User,
    organization_id: Option<String>,
    authentication_method: Option<String>,
    impersonator: Option<Impersonator>,
    oauth: Option<Oauth>,
    state: Option<Value>,
}

/// What may be shown of the tokens of an upstream provider.
#[derive(Clone, Debug, Serialize)]
struct Oauth {
    provider: Option<String>,
    scopes: Option<Vec<String>>,
    expires_at: Option<i64>,
}

impl SignIns {
    /// Keeps a sign-in, and forgets the oldest of too many.
    pub(crate) fn keep(&self, sign_in: SignIn) {
        let sign_in = LastSignIn::from(sign_in);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.session_id != sign_in.session_id);
        kept.truncate(MOST_KEPT - 1);
        kept.push_front(sign_in);
    }

    /// The sign-in that a session began with, if it is still known.
    pub(crate) fn of(&self, session_id: &str) -> Option<LastSignIn> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .find(|sign_in| sign_in.session_id == session_id)
            .cloned()
    }
}

impl From<SignIn> for LastSignIn {
    fn from(sign_in: SignIn) -> Self {
        let user = sign_in.user;
        Self {
            session_id: user.session_id().to_owned(),
            user: user.user().clone(),
            organization_id: sign_in.organization_id,
            authentication_method: user.authentication_method().map(str::to_owned),
            impersonator: user.impersonator(),
            oauth: sign_in.oauth_tokens.map(Oauth::from),
            state: sign_in.state,
        }
    }
}

impl From<OauthTokens> for Oauth {
    fn from(tokens: OauthTokens) -> Self {
        Self {
            provider: tokens.provider,
            scopes: tokens.scopes,
            expires_at: tokens.expires_at,
        }
    }
}

const MOST_KEPT: usize = 1000;
