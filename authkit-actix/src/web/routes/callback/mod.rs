//! Where AuthKit sends the browser back to.

mod error;
mod options;
mod select_organization;

use std::{future::Future, net::IpAddr, rc::Rc};

use actix_web::{
    HttpRequest, HttpResponse,
    dev::{AppService, HttpServiceFactory},
    http::{
        Method,
        header::{COOKIE, LOCATION, SET_COOKIE},
    },
    web,
};
use secrecy::SecretString;
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use tracing::{Instrument as _, Span, field::Empty, info_span, warn};

pub use self::{
    error::CallbackError,
    options::{HookOutcome, SignIn},
};
use self::{
    options::{CallbackOptions, Carried},
    select_organization::select_organization,
};
use super::{method_not_allowed, register};
use crate::{
    authkit::AuthKit,
    config::{Origin, SameSite},
    metrics,
    oauth::{ReturnTo, SignInState, verifier_cookie_name},
    session::{
        Admission, BeginError, Beginning, CookieChange, Grant, Outcome, Resolution, decision,
    },
    web::{
        authorize::SignInStart,
        cache_control::CachePolicy,
        lost_cookie::{self, Loss},
        negotiate::is_prefetch,
        pages::Page,
        rejection,
        request_session::RequestSession,
        rounds::{self, Rounds},
        set_cookie::{self, cookie_pairs},
    },
    workos::OrganizationChoice,
};

/// The callback as a service, to be passed to `App::service`; see [`AuthKit::handle_auth`].
#[derive(Clone, Debug)]
#[must_use = "the callback does nothing until it is passed to .service()"]
pub struct CallbackService {
    authkit: AuthKit,
    path: Option<String>,
    options: CallbackOptions,
}

impl AuthKit {
    /// The callback: where AuthKit sends the browser back to, at the path of the redirect URI.
    ///
    /// It works at the root and in a scope whose prefix begins that path, inside and outside the
    /// middleware. The page where users choose an organization comes with it, at
    /// `/authkit/select-organization`.
    pub fn handle_auth(&self) -> CallbackService {
        CallbackService {
            authkit: self.clone(),
            path: None,
            options: CallbackOptions::default(),
        }
    }
}

impl CallbackService {
    /// The path as this application sees it, where a proxy changes it on the way.
    ///
    /// Defaults to the path of the redirect URI.
    ///
    /// ```
    /// # use actix_web::web;
    /// # use authkit_actix::AuthKit;
    /// # fn routes(authkit: &AuthKit, app: &mut web::ServiceConfig) {
    /// // The redirect URI is https://example.com/shop/callback, and a proxy strips `/shop`.
    /// app.service(authkit.handle_auth().path("/callback"));
    /// # }
    /// ```
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Where to go after a sign-in that has no page of its own to return to.
    ///
    /// Defaults to `/`. A path that leads off the application's origin is ignored.
    pub fn return_pathname(mut self, path: &str) -> Self {
        self.options.return_to = ReturnTo::parse(path);
        self
    }

    /// Whether a user who has signed in at AuthKit gets a session here.
    ///
    /// When refused, WorkOS ends its session and the user sees a `403` with a way to sign out. A
    /// hook that panics or takes more than ten seconds refuses.
    ///
    /// ```
    /// # use authkit_actix::{Admission, AuthKit, SignIn};
    /// # fn callback(authkit: AuthKit) {
    /// authkit.handle_auth().on_authenticated(|sign_in: SignIn| async move {
    ///     if sign_in.user.email.ends_with("@example.com") {
    ///         Admission::Allow
    ///     } else {
    ///         Admission::refuse("a stranger")
    ///     }
    /// })
    /// # ;}
    /// ```
    pub fn on_authenticated<S, F>(
        mut self,
        hook: impl Fn(SignIn<S>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        S: for<'de> Deserialize<'de>,
        F: Future<Output = Admission> + Send + 'static,
    {
        self.options.set_on_authenticated(hook);
        self
    }

    /// What to do with a new session before the browser goes on, such as saving the provider's tokens.
    ///
    /// An error is logged, and the sign-in stands. The browser waits, ten seconds at most.
    pub fn on_success<S, F>(mut self, hook: impl Fn(SignIn<S>) -> F + Send + Sync + 'static) -> Self
    where
        S: for<'de> Deserialize<'de>,
        F: Future<Output: HookOutcome> + Send + 'static,
    {
        self.options.set_on_success(hook);
        self
    }

    /// The response to a callback that gave no session.
    ///
    /// Defaults to a short page, or problem details for programs.
    pub fn on_error(
        mut self,
        respond: impl Fn(&CallbackError, &HttpRequest) -> HttpResponse + 'static,
    ) -> Self {
        self.options.on_error = Some(Rc::new(respond));
        self
    }

    /// The page where a user chooses the organization to sign in to.
    ///
    /// Its form posts the id of the chosen one, as `organization_id`, to the address of the page.
    /// Defaults to a plain page with a button for each.
    pub fn organization_page(
        mut self,
        page: impl Fn(&[OrganizationChoice], &HttpRequest) -> HttpResponse + 'static,
    ) -> Self {
        self.options.organization_page = Some(Rc::new(page));
        self
    }

    /// The address of the browser, where a proxy stands between; WorkOS judges risks by it.
    ///
    /// Defaults to the peer's address.
    pub fn client_ip(
        mut self,
        client_ip: impl Fn(&HttpRequest) -> Option<IpAddr> + 'static,
    ) -> Self {
        self.options.client_ip = Some(Rc::new(client_ip));
        self
    }
}

impl HttpServiceFactory for CallbackService {
    fn register(self, service: &mut AppService) {
        let paths = &self.authkit.inner.config.paths;
        let path = self.path.as_deref().unwrap_or(&paths.callback);
        self.authkit.own_path(path);
        let options = Rc::new(self.options);
        let of_choice = Rc::clone(&options);
        register(service, &self.authkit, path, move |request, authkit| {
            callback(request, authkit, Rc::clone(&options))
        });
        register(
            service,
            &self.authkit,
            &paths.select_organization,
            move |request, body, authkit| {
                select_organization(request, body, authkit, Rc::clone(&of_choice))
            },
        );
    }
}

async fn callback(
    request: HttpRequest,
    authkit: web::Data<AuthKit>,
    options: Rc<CallbackOptions>,
) -> HttpResponse {
    if request.method() != Method::GET {
        return method_not_allowed(&request, "GET");
    }
    if is_prefetch(request.headers()) {
        return rejection::nothing_yet(&request);
    }
    let Some(session) = RequestSession::of(&request) else {
        return rejection::unavailable(&request, 1);
    };
    let query = CallbackQuery::parse(request.query_string());
    let outcome = async {
        let outcome = finish(&authkit, &session, &request, &options, &query).await;
        note(&session, &outcome);
        outcome
    }
    .instrument(info_span!(
        "authkit.callback",
        outcome = Empty,
        user_id = Empty,
        session_id = Empty,
        organization_id = Empty,
    ))
    .await;
    let mut response = respond(&authkit, &request, &options, outcome).await;
    if let Some(state) = &query.state
        && !carried(&request, state).is_empty()
    {
        let name = verifier_cookie_name(state);
        let removal = set_cookie::verifier_removal(&authkit.inner.config.cookie, &name);
        if let Ok(removal) = removal.parse() {
            response.headers_mut().append(SET_COOKIE, removal);
        }
    }
    response
}

/// Tells span and metrics what a callback has come to.
fn note(session: &RequestSession, outcome: &Result<Finished, CallbackError>) {
    let span = Span::current();
    let name = match outcome {
        Ok(Finished::SignedIn {
            is_replay: true, ..
        }) => "replayed",
        Ok(Finished::SignedIn { .. }) => "signed_in",
        Ok(Finished::Restart(_)) => "restarted",
        Ok(Finished::ChooseOrganization(_)) => "organization_asked",
        Err(error) => error.code(),
    };
    span.record("outcome", name);
    metrics::callback_answered(name);
    if let (Ok(Finished::SignedIn { .. }), Some(Outcome::SignedIn(signed_in))) =
        (outcome, session.known_outcome())
    {
        signed_in.record(&span);
    }
}

async fn respond(
    authkit: &AuthKit,
    request: &HttpRequest,
    options: &CallbackOptions,
    outcome: Result<Finished, CallbackError>,
) -> HttpResponse {
    let mut response = match outcome {
        Ok(Finished::SignedIn {
            return_to,
            origin,
            rounds,
            ..
        }) => {
            let option = options.return_to.as_ref().filter(|_| return_to.is_root());
            let origin = origin.as_ref().unwrap_or(&authkit.inner.config.base_url);
            let mut response = go_on(authkit, &option.unwrap_or(&return_to).on(origin));
            if let Some(Ok(rounds)) = rounds.map(|rounds| rounds.parse()) {
                response.headers_mut().append(SET_COOKIE, rounds);
            }
            response
        }
        Ok(Finished::Restart(sign_in)) => sign_in.response_with_nonce(authkit, request).await,
        Ok(Finished::ChooseOrganization(response)) => response,
        Err(error) => {
            decision!(
                authkit.inner.config.debug,
                code = error.code(),
                "a sign-in ended without a session"
            );
            let losses = losses(authkit, request, &error);
            match &options.on_error {
                Some(on_error) => on_error(&error, request),
                None => error.response(authkit, request, &losses),
            }
        }
    };
    CachePolicy::private(request.headers()).apply(response.headers_mut());
    response
}

/// What the callback has come to.
enum Finished {
    SignedIn {
        return_to: ReturnTo,
        /// The origin to return to, if not the configured one.
        origin: Option<Origin>,
        /// The sign-in had ended before, and its session is there.
        is_replay: bool,
        /// What becomes of the count of [`Rounds`], as a `Set-Cookie` value.
        rounds: Option<String>,
    },
    Restart(SignInStart),
    ChooseOrganization(HttpResponse),
}

/// The checks of a callback, in their order.
async fn finish(
    authkit: &AuthKit,
    session: &RequestSession,
    request: &HttpRequest,
    options: &CallbackOptions,
    query: &CallbackQuery,
) -> Result<Finished, CallbackError> {
    let inner = &authkit.inner;
    let sealed = query.state.as_deref().ok_or(CallbackError::UnknownState)?;
    let verifiers = carried(request, sealed);
    let verifier = match verifiers.as_slice() {
        [verifier] => verifier,
        [] => return replayed(authkit, session, request, sealed).await,
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
        return Ok(Finished::Restart(SignInStart {
            return_to: state.return_to,
            options: state.options,
            restarted: true,
        }));
    }
    if query.has_error {
        return Err(CallbackError::Cancelled);
    }
    let code = query.code.clone().ok_or(CallbackError::NoCode)?;
    let carried = Carried {
        custom: state.options.custom.clone(),
        request: options.request_info(request),
    };
    let beginning = Beginning {
        admit: options.admit(&carried),
        begun: options.begun(&carried),
        request: carried.request,
        reauthenticated_at: state.options.max_age.map(|_| now),
        grant: Grant::Code {
            code,
            code_verifier: state.code_verifier,
            invitation_token: state.options.invitation_token.clone(),
        },
    };
    let begun = match inner.beginnings.begin(sealed, beginning).await {
        Ok(begun) => begun,
        Err(BeginError::StepUp(step_up)) => {
            let choice = select_organization::lead(
                authkit,
                &step_up,
                &state.return_to,
                state.redirect_uri.as_ref(),
                &state.options,
            );
            return choice
                .map(Finished::ChooseOrganization)
                .ok_or_else(|| BeginError::StepUp(step_up).into());
        }
        Err(BeginError::Spent) => return replayed(authkit, session, request, sealed).await,
        Err(error) => return Err(error.into()),
    };
    let rounds = rounds::after_sign_in(authkit, session, request, state.rounds, &begun).await;
    session.replace(Resolution {
        outcome: Outcome::SignedIn(begun.signed_in.clone()),
        cookie: CookieChange::Set(begun.sealed.clone()),
    });
    Ok(Finished::SignedIn {
        return_to: state.return_to,
        origin: state.redirect_uri.as_ref().map(Origin::of),
        is_replay: false,
        rounds,
    })
}

/// The Back button, or somebody else's address: harmless with a session of one's own, and nothing
/// without.
async fn replayed(
    authkit: &AuthKit,
    session: &RequestSession,
    request: &HttpRequest,
    sealed: &str,
) -> Result<Finished, CallbackError> {
    let state = SignInState::open(sealed, &authkit.inner.sealer)
        .map_err(|_| CallbackError::UnknownState)?;
    let inner = &authkit.inner;
    // The way back leads to another host, which may know nothing of the session here and start the
    // next sign-in, and so on.
    let leads_away = state.redirect_uri.is_none()
        && inner.config.hosts_share_no_cookies()
        && !inner.beginnings.has_begun(sealed);
    match session.resolution(request).await.outcome {
        Outcome::SignedIn(_) if leads_away && Rounds::of(authkit, request).are_too_many() => {
            Err(CallbackError::UnknownState)
        }
        Outcome::SignedIn(_) => Ok(Finished::SignedIn {
            return_to: state.return_to,
            origin: state.redirect_uri.as_ref().map(Origin::of),
            is_replay: true,
            rounds: leads_away.then(|| Rounds::of(authkit, request).with_one_more(authkit)),
        }),
        Outcome::SignedOut { .. } => Err(CallbackError::UnknownState),
        Outcome::CannotTell { retry_after } => Err(CallbackError::CannotTell { retry_after }),
    }
}

/// What may have become of the cookie of a sign-in that was started here a moment ago and comes back
/// without it.
fn losses(authkit: &AuthKit, request: &HttpRequest, error: &CallbackError) -> Vec<Loss> {
    let inner = &authkit.inner;
    let sealed = CallbackQuery::parse(request.query_string()).state;
    let is_lost = sealed.is_some_and(|sealed| {
        *error == CallbackError::UnknownState
            && carried(request, &sealed).is_empty()
            && !inner.beginnings.has_begun(&sealed)
            && SignInState::open(&sealed, &inner.sealer)
                .is_ok_and(|state| !state.is_too_old(inner.clock.unix_seconds()))
    });
    if !is_lost {
        return Vec::new();
    }
    let losses = lost_cookie::of_any_cookie(authkit, request);
    warn!(
        likely = ?losses,
        host = request.connection_info().host(),
        base_url = authkit.base_url(),
        cookie_domain = inner.config.cookie.domain,
        "a sign-in came back without its cookie, or in another browser"
    );
    losses
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

fn go_on(authkit: &AuthKit, address: &str) -> HttpResponse {
    if authkit.inner.config.cookie.same_site == SameSite::Strict {
        // On a redirect that began at AuthKit the browser would not send the new cookie.
        return Page {
            title: "You are signed in",
            sentence: "Taking you back to where you were.",
            link: Some(("Continue", address)),
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
            let mut values = query.split('&').filter_map(|pair| {
                let (name, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
                (name == wanted).then_some((pair, value))
            });
            let (pair, value) = values.next()?;
            let is_plausible = !value.is_empty()
                && value.len() <= LONGEST_PARAMETER
                && value.bytes().all(|byte| byte.is_ascii_graphic())
                && is_percent_encoded(pair);
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

/// Whether every `%` begins an octet, RFC 3986 section 2.1.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let octet = rest.as_bytes().get(..2);
        octet.is_some_and(|octet| octet.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Bytes: above what fits a cookie.
const LONGEST_PARAMETER: usize = 4096;
