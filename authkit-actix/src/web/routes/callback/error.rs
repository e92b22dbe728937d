use std::iter;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderValue, RETRY_AFTER},
    },
};
use tracing::warn;

use crate::{
    authkit::AuthKit,
    oauth::SignInOptions,
    session::BeginError,
    web::{
        lost_cookie::Loss,
        rejection::{Problem, refusal},
    },
};

/// Why a callback gave no session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// No `state`, or one that this browser did not start.
    #[error("the sign-in was not started in this browser")]
    UnknownState,
    /// Two verifier cookies of one name: one of them may have been planted.
    #[error("the browser sent two verifier cookies of one name")]
    AmbiguousState,
    /// The sign-in took more than ten minutes, twice.
    #[error("the sign-in took too long")]
    TooLate,
    /// AuthKit came back with an error, most often since the user cancelled.
    #[error("the sign-in was cancelled or refused")]
    Cancelled,
    /// The callback carries no code.
    #[error("the callback carries no code")]
    NoCode,
    /// WorkOS refused the code: wrong, spent or old.
    #[error("WorkOS refused the code")]
    Refused,
    /// AuthKit asks for another step, such as `sso_required`.
    #[error("AuthKit asks for another step ({code})")]
    #[non_exhaustive]
    StepUp {
        /// WorkOS's name for the step.
        code: String,
    },
    /// The application's `on_authenticated` refused the user; WorkOS has been told to end the session.
    #[error("the application does not admit the user")]
    #[non_exhaustive]
    NotAdmitted {
        /// The WorkOS session that was ended.
        session_id: String,
    },
    /// WorkOS did not answer within ten seconds.
    #[error("WorkOS did not answer in time")]
    WorkOsTooLate,
    /// WorkOS did not answer, or with something that is no session.
    #[error("WorkOS gave no usable answer")]
    WorkOsUnusable,
    /// A replay with a session that cannot be judged now.
    #[error("the session cannot be checked now")]
    #[non_exhaustive]
    CannotTell {
        /// Seconds to wait.
        retry_after: u64,
    },
}

impl CallbackError {
    /// A machine-readable name, such as `state_expired`.
    pub fn code(&self) -> &'static str {
        self.describe().1
    }

    /// The status of the response, unless `on_error` chooses another.
    pub fn status(&self) -> StatusCode {
        self.describe().0
    }

    fn describe(&self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::UnknownState | Self::AmbiguousState => (
                StatusCode::BAD_REQUEST,
                "unknown_state",
                "This sign-in was not started here",
                "It may have been started in another browser or tab, or ended already. Please sign in again.",
            ),
            Self::TooLate => (
                StatusCode::BAD_REQUEST,
                "state_expired",
                "This sign-in took too long",
                "Please sign in again.",
            ),
            Self::Cancelled => (
                StatusCode::BAD_REQUEST,
                "sign_in_cancelled",
                "You are not signed in",
                "The sign-in was cancelled or refused. You can try again at any time.",
            ),
            Self::NoCode => (
                StatusCode::BAD_REQUEST,
                "code_missing",
                "This sign-in is incomplete",
                "Please sign in again.",
            ),
            Self::Refused => (
                StatusCode::BAD_REQUEST,
                "code_refused",
                "This sign-in is no longer valid",
                "Please sign in again.",
            ),
            Self::StepUp { .. } => (
                StatusCode::FORBIDDEN,
                "step_required",
                "One more step is needed",
                "Your organization asks for another way of signing in. Please sign in again and follow the steps shown.",
            ),
            Self::NotAdmitted { .. } => (
                StatusCode::FORBIDDEN,
                "not_admitted",
                "This account has no access",
                "You can sign out and come back with another account.",
            ),
            Self::WorkOsTooLate => (
                StatusCode::GATEWAY_TIMEOUT,
                "sign_in_timeout",
                "The sign-in service is slow",
                "It did not answer in time. Please try again in a moment.",
            ),
            Self::WorkOsUnusable => (
                StatusCode::BAD_GATEWAY,
                "sign_in_failed",
                "The sign-in service has a problem",
                "You could not be signed in. Please try again in a moment.",
            ),
            Self::CannotTell { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "sign_in_unavailable",
                "Please try again in a moment",
                "Your sign-in cannot be checked right now.",
            ),
        }
    }

    /// `losses` is what may have become of the sign-in's cookie.
    pub(super) fn response(
        &self,
        authkit: &AuthKit,
        request: &HttpRequest,
        losses: &[Loss],
    ) -> HttpResponse {
        if *self == Self::AmbiguousState {
            warn!("a callback with two verifier cookies of one name was refused");
        }
        let (status, code, title, detail) = self.describe();
        let reasons = losses.iter().map(|loss| loss.sentence());
        let detail: Vec<_> = iter::once(detail).chain(reasons).collect();
        let problem = Problem {
            code,
            title,
            detail: &detail.join(" "),
            sign_in_url: Some(authkit.sign_in_address(
                &authkit.origin(request),
                &SignInOptions::default(),
                None,
            )),
            sign_out_url: match self {
                Self::NotAdmitted { session_id } => {
                    authkit.inner.workos.logout_url(session_id, None).ok()
                }
                _ => None,
            },
            ..Problem::new(status)
        };
        let mut response = refusal(request, &problem);
        if let Self::CannotTell { retry_after } = self {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        response
    }
}

impl From<BeginError> for CallbackError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Refused => Self::Refused,
            BeginError::StepUp(step_up) => {
                warn!(
                    code = step_up.code,
                    "a sign-in needs another step at AuthKit"
                );
                Self::StepUp { code: step_up.code }
            }
            BeginError::Spent => Self::UnknownState,
            BeginError::NotAdmitted { session_id } => Self::NotAdmitted { session_id },
            BeginError::Unavailable => Self::CannotTell {
                retry_after: STORE_RETRY_AFTER,
            },
            BeginError::TooLate => Self::WorkOsTooLate,
            BeginError::Unusable => Self::WorkOsUnusable,
        }
    }
}

/// Seconds after which a store that was out of reach is worth another try.
const STORE_RETRY_AFTER: u64 = 5;
