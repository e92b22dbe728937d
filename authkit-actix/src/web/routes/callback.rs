use actix_web::{
    HttpRequest, HttpResponse,
    dev::{AppService, HttpServiceFactory},
    http::{
        Method, StatusCode,
        header::{COOKIE, LOCATION, SET_COOKIE},
    },
    web,
};
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;
use tracing::{Instrument as _, debug, info_span, warn};

use super::{method_not_allowed, register};
use crate::{
    authkit::AuthKit,
    config::SameSite,
    oauth::{ReturnTo, SignInOptions, SignInState, verifier_cookie_name},
    session::{CodeExchange, CookieChange, ExchangeError, Outcome, Resolution},
    web::{
        authorize::SignIn,
        cache_control::CachePolicy,
        negotiate::is_prefetch,
        pages::Page,
        rejection::{self, Problem, refusal},
        request_session::RequestSession,
        set_cookie::{self, cookie_pairs},
    },
};

/// The callback as a service, to be passed to `App::service`; see [`AuthKit::handle_auth`].
#[derive(Clone, Debug)]
#[must_use = "the callback does nothing until it is passed to .service()"]
pub struct CallbackService {
    authkit: AuthKit,
    path: Option<String>,
}

impl AuthKit {
    /// The callback: where AuthKit sends the browser back to, at the path of the redirect URI.
    ///
    /// It works at the root and in a scope whose prefix begins that path, inside and outside the
    /// middleware.
    pub fn handle_auth(&self) -> CallbackService {
        CallbackService {
            authkit: self.clone(),
            path: None,
        }
    }
}

impl CallbackService {
    /// The path as this application sees it, where a proxy changes it on the way.
    ///
    /// Defaults to the path of the redirect URI.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }
}

impl HttpServiceFactory for CallbackService {
    fn register(self, service: &mut AppService) {
        let path = self
            .path
            .unwrap_or_else(|| self.authkit.inner.config.paths.callback.clone());
        register(service, &self.authkit, &path, callback);
    }
}

async fn callback(request: HttpRequest, authkit: web::Data<AuthKit>) -> HttpResponse {
    if request.method() != Method::GET {
        return method_not_allowed(&request, "GET");
    }
    if is_prefetch(request.headers()) {
        return HttpResponse::NoContent().finish();
    }
    let Some(session) = RequestSession::of(&request) else {
        return rejection::unavailable(&request, 1);
    };
    let query = CallbackQuery::parse(request.query_string());
    let outcome = finish(&authkit, &session, &request, &query)
        .instrument(info_span!("authkit.callback"))
        .await;
    let mut response = match outcome {
        Ok(Finished::SignedIn { return_to }) => go_on(&authkit, &return_to),
        Ok(Finished::Restart(sign_in)) => sign_in.response(&authkit, &request),
        Err(error) => {
            debug!(code = error.code(), "a sign-in ended without a session");
            error.response(&authkit, &request)
        }
    };
    if let Some(state) = &query.state
        && (!carried(&request, state).is_empty())
    {
        let name = verifier_cookie_name(state);
        let removal = set_cookie::verifier_removal(&authkit.inner.config.cookie, &name);
        if let Ok(removal) = removal.parse() {
            response.headers_mut().append(SET_COOKIE, removal);
        }
    }
    CachePolicy::private(request.headers()).apply(response.headers_mut());
    response
}

/// What the callback has come to.
enum Finished {
    SignedIn { return_to: ReturnTo },
    Restart(SignIn),
}

/// Why a callback gave no session.
#[derive(Debug)]
enum CallbackError {
    /// No `state`, or one that this browser did not start.
    UnknownState,
    /// Two verifier cookies of one name: one of them may have been planted.
    AmbiguousState,
    TooLate,
    /// AuthKit came back with an error, most often since the user cancelled.
    Cancelled,
    NoCode,
    Refused,
    StepUp,
    WorkOsTooLate,
    WorkOsUnusable,
    /// A replay with a session that cannot be judged now.
    CannotTell {
        retry_after: u64,
    },
}

/// The checks of a callback, in their order.
async fn finish(
    authkit: &AuthKit,
    session: &RequestSession,
    request: &HttpRequest,
    query: &CallbackQuery,
) -> Result<Finished, CallbackError> {
    let inner = &authkit.inner;
    let sealed = query.state.as_deref().ok_or(CallbackError::UnknownState)?;
    let verifiers = carried(request, sealed);
    let verifier = match verifiers.as_slice() {
        [verifier] => verifier,
        [] => return replayed(authkit, session, sealed).await,
        _ => return Err(CallbackError::AmbiguousState),
    };
    if !bool::from(verifier.as_bytes().ct_eq(sealed.as_bytes())) {
        return Err(CallbackError::UnknownState);
    }
    let state =
        SignInState::open(sealed, &inner.sealer).map_err(|_| CallbackError::UnknownState)?;
    let now = inner.clock.unix_seconds();
    if state.is_too_old(now) {
        if state.restarted {
            return Err(CallbackError::TooLate);
        }
        return Ok(Finished::Restart(SignIn {
            return_to: state.return_to,
            options: state.options,
            restarted: true,
        }));
    }
    if query.has_error {
        return Err(CallbackError::Cancelled);
    }
    let code = query.code.clone().ok_or(CallbackError::NoCode)?;
    let exchange = CodeExchange {
        code,
        code_verifier: state.code_verifier,
        invitation_token: state.options.invitation_token,
        peer: session.peer(),
        reauthenticated_at: state.options.max_age.map(|_| now),
    };
    let begun = inner.exchanges.exchange(sealed, exchange).await?;
    session.replace(Resolution {
        outcome: Outcome::SignedIn(begun.signed_in.clone()),
        cookie: CookieChange::Set(begun.sealed.clone()),
    });
    Ok(Finished::SignedIn {
        return_to: state.return_to,
    })
}

/// The Back button, or somebody else's address: harmless with a session of one's own, and nothing
/// without.
async fn replayed(
    authkit: &AuthKit,
    session: &RequestSession,
    sealed: &str,
) -> Result<Finished, CallbackError> {
    let state = SignInState::open(sealed, &authkit.inner.sealer)
        .map_err(|_| CallbackError::UnknownState)?;
    match session.resolution().await.outcome {
        Outcome::SignedIn(_) => Ok(Finished::SignedIn {
            return_to: state.return_to,
        }),
        Outcome::SignedOut { .. } => Err(CallbackError::UnknownState),
        Outcome::CannotTell { retry_after } => Err(CallbackError::CannotTell { retry_after }),
    }
}

/// The values of the verifier cookie that belongs to a state.
fn carried(request: &HttpRequest, sealed: &str) -> Vec<String> {
    let name = verifier_cookie_name(sealed);
    request
        .headers()
        .get_all(COOKIE)
        .flat_map(cookie_pairs)
        .filter(|(candidate, _)| *candidate == name)
        .map(|(_, value)| value.to_owned())
        .collect()
}

fn go_on(authkit: &AuthKit, return_to: &ReturnTo) -> HttpResponse {
    let config = &authkit.inner.config;
    let address = return_to.on(&config.base_url);
    if config.cookie.same_site == SameSite::Strict {
        // On a redirect that began at AuthKit the browser would not send the new cookie.
        return Page {
            title: "You are signed in",
            sentence: "Taking you back to where you were.",
            link: Some(("Continue", &address)),
        }
        .continuing();
    }
    HttpResponse::SeeOther()
        .insert_header((LOCATION, address))
        .finish()
}

/// The parameters of a callback, RFC 6749 section 4.1.2. A parameter that is there twice, or longer
/// than any we sent or expect, counts as absent.
struct CallbackQuery {
    state: Option<String>,
    code: Option<SecretString>,
    has_error: bool,
}

impl CallbackQuery {
    fn parse(query: &str) -> Self {
        let only = |wanted: &str| {
            let mut values = url::form_urlencoded::parse(query.as_bytes())
                .filter(|(name, _)| name == wanted)
                .map(|(_, value)| value);
            let value = values.next()?;
            let is_plausible = !value.is_empty()
                && value.len() <= LONGEST_PARAMETER
                && value.bytes().all(|byte| byte.is_ascii_graphic());
            (is_plausible && values.next().is_none()).then(|| value.into_owned())
        };
        Self {
            state: only("state"),
            code: only("code").map(Into::into),
            has_error: url::form_urlencoded::parse(query.as_bytes())
                .any(|(name, _)| name == "error"),
        }
    }
}

impl CallbackError {
    fn code(&self) -> &'static str {
        self.describe().1
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
            Self::StepUp => (
                StatusCode::FORBIDDEN,
                "step_required",
                "One more step is needed",
                "Your organization asks for another way of signing in. Please sign in again and follow the steps shown.",
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

    fn response(&self, authkit: &AuthKit, request: &HttpRequest) -> HttpResponse {
        if matches!(self, Self::AmbiguousState) {
            warn!("a callback with two verifier cookies of one name was refused");
        }
        if let Self::CannotTell { retry_after } = self {
            return rejection::unavailable(request, *retry_after);
        }
        let (status, code, title, detail) = self.describe();
        refusal(
            request,
            &Problem {
                code,
                title,
                detail,
                sign_in_url: Some(authkit.sign_in_address(&SignInOptions::default(), None)),
                ..Problem::new(status)
            },
        )
    }
}

impl From<ExchangeError> for CallbackError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Refused => Self::Refused,
            ExchangeError::StepUp(step_up) => {
                warn!(
                    code = step_up.code,
                    "a sign-in needs another step at AuthKit"
                );
                Self::StepUp
            }
            ExchangeError::TooLate => Self::WorkOsTooLate,
            ExchangeError::Unusable => Self::WorkOsUnusable,
        }
    }
}

/// Bytes: above what fits a cookie.
const LONGEST_PARAMETER: usize = 4096;
