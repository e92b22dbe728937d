//! The session of a request, and what a handler can do with it.

use std::{cell::RefCell, fmt, rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse, Responder, ResponseError,
    body::BoxBody,
    dev::Payload,
    http::{
        StatusCode,
        header::{CLEAR_SITE_DATA, HeaderValue, LOCATION, SET_COOKIE},
    },
};
use serde::{Deserialize, Serialize};

use super::{
    authorize::{SignInStart, verifier_cookies},
    banner::ImpersonationBanner,
    cache_control::CachePolicy,
    extract::{Answer, Extraction, extract},
    rejection::{self, Rejection},
    request_session::{RequestSession, request_info},
    rounds, set_cookie,
};
use crate::{
    access::{self, AuthUser},
    authkit::AuthKit,
    config::Origin,
    oauth::{ReturnTo, Screen, Selector, SignInOptions},
    session::{BeginError, CookieChange, Freshness, Outcome, RefreshFailure, Resolution, SignedIn},
    token,
    user_sessions::UserSessionsError,
    workos::Authentication,
};

/// The session of a request, for pages that show something to everybody, and for handlers that change
/// the session.
///
/// ```
/// use actix_web::{Responder, get};
/// use authkit_actix::Auth;
///
/// #[get("/")]
/// async fn home(auth: Auth) -> impl Responder {
///     match auth.user() {
///         Some(user) => format!("Welcome back, {}", user.display_name()),
///         None => format!("<a href='{}'>Sign in</a>", auth.sign_in_url().return_to("/dashboard")),
///     }
/// }
/// ```
///
/// What a handler changes, every later reader of the request sees, and one cookie leaves with the
/// response.
///
/// While nothing is known about the session (WorkOS is out of reach and the access token has
/// expired) the request is answered with `503`; pages that can do without use
/// [`AuthStatus`](crate::AuthStatus).
#[derive(Clone)]
pub struct Auth {
    session: Rc<RequestSession>,
    request: HttpRequest,
}

impl Auth {
    /// Who is signed in.
    pub fn user(&self) -> Option<AuthUser> {
        self.signed_in().map(AuthUser::plain)
    }

    /// The access token, for calls to services of your own that verify it.
    ///
    /// # Security
    ///
    /// Whoever holds it is this user until it expires. It belongs in no page and no log.
    pub fn access_token(&self) -> Option<String> {
        let signed_in = self.signed_in()?;
        Some(signed_in.session.access_token.expose_secret().to_owned())
    }

    /// The claims of your own JWT template, read from the verified access token.
    ///
    /// # Errors
    ///
    /// When the token lacks a claim that `C` asks for. The error quotes claims: it is for the log.
    pub fn claims<C: for<'de> Deserialize<'de>>(&self) -> Option<Result<C, serde_json::Error>> {
        let signed_in = self.signed_in()?;
        Some(token::custom_claims(&signed_in.session.access_token))
    }

    /// Whether the user has proved who they are within `max_age`; `None` when nobody is signed in.
    pub fn recent(&self, max_age: Duration) -> Option<RecentAuth> {
        let signed_in = self.signed_in()?;
        let authenticated_at = signed_in.claims.auth_time;
        let max_age = u32::try_from(max_age.as_secs()).unwrap_or(u32::MAX);
        let now = self.authkit().inner.clock.unix_seconds();
        Some(RecentAuth {
            authenticated_at,
            is_stale: signed_in.freshness != Freshness::Current
                || !access::is_within(authenticated_at, max_age, now),
        })
    }

    /// A strip that says who is really behind the keyboard; `None` when nobody acts for the user.
    pub fn impersonation_banner(&self) -> Option<ImpersonationBanner> {
        ImpersonationBanner::of(self.authkit(), self.user()?)
    }

    /// Makes a session that another flow has begun (the verification of an email address, a token
    /// exchange) the session of this browser, after verifying it.
    ///
    /// ```no_run
    /// use actix_web::{HttpResponse, Responder, post, web};
    /// use authkit_actix::{Auth, AuthKit, SaveSessionError};
    /// # use authkit_actix::Authentication;
    /// # async fn verify(authkit: &AuthKit, code: &str) -> Authentication { unreachable!() }
    ///
    /// #[post("/verify-email")]
    /// async fn verify_email(
    ///     auth: Auth,
    ///     authkit: web::Data<AuthKit>,
    ///     code: String,
    /// ) -> Result<impl Responder, SaveSessionError> {
    ///     let authentication = verify(&authkit, &code).await;
    ///     auth.save_session(authentication).await?;
    ///     Ok(HttpResponse::NoContent())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the access token does not verify as that user's, or the response has begun.
    pub async fn save_session(
        &self,
        authentication: impl Into<Authentication>,
    ) -> Result<AuthUser, SaveSessionError> {
        if self.session.is_closed() {
            return Err(SaveSessionError::ResponseBegun);
        }
        let beginnings = &self.authkit().inner.beginnings;
        let begun = beginnings.adopt(authentication.into()).await?;
        self.session.replace(Resolution {
            outcome: Outcome::SignedIn(begun.signed_in.clone()),
            cookie: CookieChange::Set(begun.sealed.clone()),
        });
        Ok(AuthUser::plain(begun.signed_in.clone()))
    }

    /// Where to sign in: for a link on a page, for JSON, or to go there at once.
    pub fn sign_in_url(&self) -> SignInUrl {
        self.url(Screen::SignIn)
    }

    /// Where to sign up.
    pub fn sign_up_url(&self) -> SignInUrl {
        self.url(Screen::SignUp)
    }

    /// Refreshes the session now: its access token and what that says about roles and permissions.
    ///
    /// # Errors
    ///
    /// See [`RefreshError`]; the session stays as it was.
    pub async fn refresh_session(&self) -> Result<AuthUser, RefreshError> {
        self.refresh(None).await
    }

    /// Refreshes the session into another organization of the user's.
    ///
    /// ```
    /// use actix_web::{Responder, post, web};
    /// use authkit_actix::{Auth, RefreshError, ensure_signed_in};
    ///
    /// #[post("/organization/{id}")]
    /// #[ensure_signed_in]
    /// async fn switch(auth: Auth, id: web::Path<String>) -> Result<impl Responder, RefreshError> {
    ///     auth.switch_to_organization(&id).await?;
    ///     Ok(web::Redirect::to("/dashboard").see_other())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`RefreshError`]; the session stays as it was. Where the organization asks for single
    /// sign-on or a second factor, the error as a response leads there.
    pub async fn switch_to_organization(
        &self,
        organization_id: &str,
    ) -> Result<AuthUser, RefreshError> {
        self.refresh(Some(organization_id)).await
    }

    /// Ends the session: here when the response leaves, at WorkOS when the browser follows it.
    pub fn sign_out(&self) -> SignOut {
        SignOut {
            auth: self.clone(),
            return_to: None,
        }
    }

    fn url(&self, screen: Screen) -> SignInUrl {
        SignInUrl {
            auth: self.clone(),
            return_to: None,
            options: SignInOptions {
                screen,
                ..SignInOptions::default()
            },
        }
    }

    async fn refresh(&self, organization_id: Option<&str>) -> Result<AuthUser, RefreshError> {
        let signed_in = self.signed_in().ok_or(RefreshError::SignedOut)?;
        if self.session.is_closed() {
            return Err(RefreshError::ResponseBegun);
        }
        let refreshed = self
            .authkit()
            .inner
            .sessions
            .refresh(&signed_in, organization_id, request_info(&self.request))
            .await;
        let resolution = match refreshed {
            Ok(resolution) => resolution,
            Err(RefreshFailure::Ended) => return Err(RefreshError::Ended),
            Err(RefreshFailure::Unavailable { retry_after, .. }) => {
                return Err(RefreshError::Unavailable { retry_after });
            }
            Err(RefreshFailure::StepUp(step_up))
                if organization_id.is_some() && step_up.is_a_refusal() =>
            {
                return Err(RefreshError::OrganizationRefused);
            }
            Err(RefreshFailure::StepUp(step_up)) => {
                let organization_id = organization_id.map(str::to_owned);
                let organization_id = organization_id.or_else(|| signed_in.claims.org_id.clone());
                let (url, rejection) = match step_up.authkit_redirect_url {
                    Some(address) => (address.clone(), Rejection::StepUp { address }),
                    None => {
                        let mut sign_in = self.sign_in_url();
                        sign_in.options.organization_id = organization_id.clone();
                        let rejection = Rejection::SignedOut {
                            screen: Screen::SignIn,
                            organization_id,
                        };
                        (sign_in.to_string(), rejection)
                    }
                };
                return Err(RefreshError::StepUp(StepUpRequired {
                    code: step_up.code,
                    url,
                    answer: RefCell::new(Some(rejection.response(self.authkit(), &self.request))),
                }));
            }
        };
        let outcome = resolution.outcome.clone();
        self.session.replace(resolution);
        match outcome {
            Outcome::SignedIn(signed_in) => Ok(AuthUser::plain(signed_in)),
            Outcome::SignedOut { .. } => Err(RefreshError::Ended),
            Outcome::CannotTell { retry_after } => Err(RefreshError::Unavailable { retry_after }),
        }
    }

    pub(super) fn of(session: Rc<RequestSession>, request: &HttpRequest) -> Self {
        Self {
            session,
            request: request.clone(),
        }
    }

    fn signed_in(&self) -> Option<Arc<SignedIn>> {
        match self.session.resolution_now(&self.request)?.outcome {
            Outcome::SignedIn(signed_in) => Some(signed_in),
            _ => None,
        }
    }

    fn authkit(&self) -> &AuthKit {
        self.session.authkit()
    }
}

impl FromRequest for Auth {
    type Error = Error;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(
            request,
            "Auth",
            |session, request, resolution| match resolution.outcome {
                Outcome::SignedIn(_) | Outcome::SignedOut { .. } => {
                    Answer::Value(Auth::of(Rc::clone(session), request))
                }
                Outcome::CannotTell { retry_after } => {
                    Answer::Instead(rejection::unavailable(request, retry_after))
                }
            },
        )
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("user", &self.user())
            .finish_non_exhaustive()
    }
}

/// When the user last proved who they are; from [`Auth::recent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecentAuth {
    /// In seconds since the Unix epoch; `None` where the access token does not say.
    pub authenticated_at: Option<i64>,
    /// Whether that is too long ago, or unknown; also when the session is served in
    /// [grace](AuthUser::freshness).
    pub is_stale: bool,
}

/// Why a session was not refreshed; as a response it leads to the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// Nobody is signed in. As a response: `401`.
    #[error("nobody is signed in")]
    SignedOut,
    /// The session has ended at WorkOS. As a response: `401`.
    #[error("the session has ended")]
    Ended,
    /// The user does not belong to that organization. As a response: `403`.
    #[error("the user may not enter that organization")]
    OrganizationRefused,
    /// AuthKit asks for another step first. As a response: to that step.
    #[error("AuthKit asks for another step ({})", .0.code)]
    StepUp(StepUpRequired),
    /// WorkOS gave no usable answer. As a response: `503`.
    #[error("the session cannot be refreshed now")]
    #[non_exhaustive]
    Unavailable {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// The response has begun, so that no cookie can follow. As a response: `500`.
    #[error("a session cannot be refreshed once the response has begun")]
    ResponseBegun,
}

/// Why a session was not saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaveSessionError {
    /// The access token does not verify as that user's, or the keys to tell are out of reach. As a
    /// response: `502`.
    #[error("the session does not verify")]
    Unverifiable,
    /// The place for sessions is out of reach. As a response: `503`.
    #[error("the session cannot be kept now")]
    Unavailable,
    /// The response has begun, so that no cookie can follow. As a response: `500`.
    #[error("a session cannot be saved once the response has begun")]
    ResponseBegun,
}

impl From<BeginError> for SaveSessionError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Unavailable => Self::Unavailable,
            _ => Self::Unverifiable,
        }
    }
}

impl ResponseError for SaveSessionError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Unverifiable => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::ResponseBegun => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl AuthKit {
    /// The `Set-Cookie` values of a session that another flow has begun, for use outside a request.
    ///
    /// # Errors
    ///
    /// When the access token does not verify as that user's.
    pub async fn session_cookies(
        &self,
        authentication: impl Into<Authentication>,
    ) -> Result<Vec<String>, SaveSessionError> {
        let begun = self.inner.beginnings.adopt(authentication.into()).await?;
        let cookie = &self.inner.config.cookie;
        Ok(set_cookie::session_cookies(cookie, &begun.sealed, &[]))
    }
}

/// The step that AuthKit asks for.
#[derive(Debug)]
pub struct StepUpRequired {
    code: String,
    url: String,
    answer: RefCell<Option<HttpResponse>>,
}

impl StepUpRequired {
    /// WorkOS's name for it, such as `sso_required` or `mfa_enrollment`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Where the user takes it: the application's own sign-in route, or an address of AuthKit's.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl ResponseError for RefreshError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignedOut | Self::Ended | Self::StepUp(_) => StatusCode::UNAUTHORIZED,
            Self::OrganizationRefused => StatusCode::FORBIDDEN,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::ResponseBegun => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::StepUp(step_up) = self
            && let Some(answer) = step_up.answer.borrow_mut().take()
        {
            return answer;
        }
        let mut response = HttpResponse::build(self.status_code());
        if let Self::Unavailable { retry_after } = self {
            response.insert_header(("retry-after", retry_after.to_string()));
        }
        response
            .content_type("text/plain; charset=utf-8")
            .body(self.to_string())
    }
}

impl ResponseError for UserSessionsError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NoSuchSession => StatusCode::NOT_FOUND,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Self::Unavailable { retry_after } = self {
            response.insert_header(("retry-after", retry_after.to_string()));
        }
        response.finish()
    }
}

/// A way to sign in: shows itself as an address of the application's own sign-in route, where the
/// flow starts on the click, or starts at once as a response.
///
/// ```
/// use actix_web::{Responder, get, web};
/// use authkit_actix::{Auth, SignInError};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct Invitation {
///     token: String,
/// }
///
/// #[derive(Serialize)]
/// struct Team {
///     team: u32,
/// }
///
/// #[get("/accept-invitation")]
/// async fn accept(
///     auth: Auth,
///     invitation: web::Query<Invitation>,
/// ) -> Result<impl Responder, SignInError> {
///     let sign_up = auth.sign_up_url().invitation_token(&invitation.token);
///     Ok(sign_up.state(&Team { team: 7 })?.start())
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a way to sign in does nothing until it is shown or started"]
pub struct SignInUrl {
    auth: Auth,
    return_to: Option<ReturnTo>,
    options: SignInOptions,
}

/// Why a sign-in cannot be offered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The custom state is larger than a kilobyte of JSON, which no cookie would hold.
    #[error("the custom state is larger than {LARGEST_STATE} bytes of JSON")]
    StateTooLarge,
    /// The custom state cannot be written as JSON.
    #[error("the custom state cannot be written as JSON")]
    StateNotJson,
}

impl ResponseError for SignInError {
    fn status_code(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}

impl SignInUrl {
    /// The path to come back to. One that leads off the application's origin is ignored.
    ///
    /// Defaults to `/`.
    pub fn return_to(mut self, path: &str) -> Self {
        self.return_to = ReturnTo::parse(path);
        self
    }

    /// The organization to sign in to: `org_…`.
    pub fn organization_id(mut self, organization_id: impl Into<String>) -> Self {
        self.options.organization_id = Some(organization_id.into());
        self
    }

    /// The email address to expect.
    pub fn login_hint(mut self, login_hint: impl Into<String>) -> Self {
        self.options.login_hint = Some(login_hint.into());
        self
    }

    /// The email domain by which to find a single sign-on connection.
    pub fn domain_hint(mut self, domain: impl Into<String>) -> Self {
        self.options.domain_hint = Some(domain.into());
        self
    }

    /// An invitation to accept on the way.
    pub fn invitation_token(mut self, token: impl Into<String>) -> Self {
        self.options.invitation_token = Some(token.into());
        self
    }

    /// How AuthKit should behave, such as `login` or `consent`.
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.options.prompt = Some(prompt.into());
        self
    }

    /// How long ago the user may have proved who they are; zero asks again in any case.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.options.max_age = Some(u32::try_from(max_age.as_secs()).unwrap_or(u32::MAX));
        self
    }

    /// A single sign-on connection instead of AuthKit's own pages: `conn_…`.
    pub fn connection(mut self, connection_id: impl Into<String>) -> Self {
        self.options.selector = Selector::Connection(connection_id.into());
        self
    }

    /// A provider such as `GoogleOAuth` instead of AuthKit's own pages.
    pub fn provider(self, provider: impl Into<String>) -> Self {
        self.provider_with_scopes(provider, std::iter::empty::<String>())
    }

    /// The same, asked for scopes beyond its usual ones.
    pub fn provider_with_scopes<S: Into<String>>(
        mut self,
        provider: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.options.selector = Selector::Provider {
            name: provider.into(),
            scopes: scopes.into_iter().map(Into::into).collect(),
        };
        self
    }

    /// Anything that the application wants to find again after the sign-in, sealed on the way.
    ///
    /// # Errors
    ///
    /// When it is no JSON, or more than 1,024 bytes of it.
    pub fn state<S: Serialize + ?Sized>(mut self, state: &S) -> Result<Self, SignInError> {
        let state = serde_json::to_value(state).map_err(|_| SignInError::StateNotJson)?;
        if state.to_string().len() > LARGEST_STATE {
            return Err(SignInError::StateTooLarge);
        }
        self.options.custom = Some(state);
        Ok(self)
    }

    /// The response that sends the browser to AuthKit at once.
    pub fn start(self) -> HttpResponse {
        let sign_in = SignInStart {
            return_to: self.return_to.unwrap_or_else(ReturnTo::root),
            options: self.options,
            restarted: false,
        };
        sign_in.response(self.auth.authkit(), &self.auth.request)
    }
}

impl fmt::Display for SignInUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let return_to = self.return_to.as_ref().map(ReturnTo::as_str);
        let authkit = self.auth.authkit();
        let origin = authkit.origin(&self.auth.request);
        f.write_str(&authkit.sign_in_address(&origin, &self.options, return_to))
    }
}

impl Responder for SignInUrl {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.start()
    }
}

/// A sign-out that is about to happen; see [`Auth::sign_out`].
///
/// As a response: `303` to WorkOS, which ends the session there and sends the browser back.
///
/// ```
/// use actix_web::{Responder, post};
/// use authkit_actix::Auth;
///
/// #[post("/leave")]
/// async fn leave(auth: Auth) -> impl Responder {
///     auth.sign_out().return_to("/goodbye")
/// }
/// ```
///
/// # Security
///
/// Whoever can make the browser send the request signs the user out. The ready-made `/sign-out`
/// refuses requests of other sites; a handler of your own has to.
#[derive(Clone, Debug)]
#[must_use = "nobody is signed out until this is returned as the response"]
pub struct SignOut {
    auth: Auth,
    return_to: Option<String>,
}

impl SignOut {
    /// Where to go afterwards: a path of the application, or an address on one of the origins that the
    /// configuration lists. Anything else is ignored.
    ///
    /// Defaults to what the WorkOS dashboard says.
    pub fn return_to(mut self, address: &str) -> Self {
        self.return_to = allowed_return_to(self.auth.authkit(), &self.auth.request, address);
        self
    }
}

impl Responder for SignOut {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        end_session(
            &self.auth.session,
            &self.auth.request,
            self.auth.signed_in(),
            self.return_to,
        )
    }
}

/// Removes the session's cookies, and leads to where WorkOS ends it.
pub(super) fn end_session(
    session: &RequestSession,
    request: &HttpRequest,
    signed_in: Option<Arc<SignedIn>>,
    return_to: Option<String>,
) -> HttpResponse {
    let mut response = HttpResponse::SeeOther().finish();
    let address = end_session_in(&mut response, session, request, signed_in, return_to);
    if let Ok(address) = address.parse() {
        response.headers_mut().insert(LOCATION, address);
    }
    response
}

/// The same in a response of one's own; gives the address that has to be gone to.
pub(super) fn end_session_in(
    response: &mut HttpResponse,
    session: &RequestSession,
    request: &HttpRequest,
    signed_in: Option<Arc<SignedIn>>,
    return_to: Option<String>,
) -> String {
    let authkit = session.authkit();
    let config = &authkit.inner.config;
    if let Some(signed_in) = &signed_in {
        authkit.inner.notices.session_ended(&signed_in.claims.sid);
        let hooks = &authkit.inner.hooks;
        hooks.signed_out(signed_in, request_info(request));
    }
    session.replace(Resolution::signed_out(
        if session.found_cookies().is_empty() {
            CookieChange::Keep
        } else {
            CookieChange::Clear
        },
    ));
    let at_workos = signed_in.and_then(|signed_in| {
        let workos = &authkit.inner.workos;
        let session_id = &signed_in.claims.sid;
        workos.logout_url(session_id, return_to.clone()).ok()
    });
    let headers = response.headers_mut();
    // Browsers keep whole pages for the Back button, also those that say `no-store`.
    headers.insert(CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\""));
    for pending in verifier_cookies(authkit, request) {
        let removal = set_cookie::verifier_removal(&config.cookie, &pending.name);
        if let Ok(removal) = removal.parse() {
            headers.append(SET_COOKIE, removal);
        }
    }
    let forgotten = rounds::forgotten(&config.cookie, request);
    if let Some(Ok(removal)) = forgotten.map(|removal| removal.parse()) {
        headers.append(SET_COOKIE, removal);
    }
    CachePolicy::private(request.headers()).apply(headers);
    at_workos
        .or(return_to)
        .unwrap_or_else(|| ReturnTo::root().on(&authkit.origin(request)))
}

/// Where a sign-out may lead, as an absolute URL: on this application, or on an origin that the
/// configuration lists.
pub(super) fn allowed_return_to(
    authkit: &AuthKit,
    request: &HttpRequest,
    address: &str,
) -> Option<String> {
    let own = authkit.origin(request);
    if let Some(path) = ReturnTo::parse(address) {
        return Some(path.on(&own));
    }
    let config = &authkit.inner.config;
    let url = url::Url::parse(address).ok()?;
    // The origin of a `blob:` URL is that of the URL inside it.
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let origin = Origin::of(&url);
    let is_listed =
        origin == own || origin == config.base_url || config.return_to_origins.contains(&origin);
    (is_listed && url.username().is_empty() && url.password().is_none()).then(|| url.into())
}

const LARGEST_STATE: usize = 1024;
