use std::{
    fmt,
    future::{Ready, ready},
    rc::Rc,
    sync::Arc,
};

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::header::{AUTHORIZATION, COOKIE},
};

use super::{
    negotiate::is_cors_preflight,
    passage::Passages,
    path_pattern::{PathPatterns, is_ambiguous},
    rejection::Rejection,
    request_session::RequestSession,
    response::{AuthKitResponse, Hold, finished},
    set_cookie,
};
use crate::{authkit::AuthKit, config::ConfigError, oauth::Screen, session::Outcome};

/// The middleware that gives an application its sessions.
///
/// It finds the session cookie, opens it when something asks for the session, refreshes it when its
/// access token runs out, and writes what became of it to every response, error responses included.
/// Routes that never ask pay for one look at a header.
///
/// Its own answers (redirects, `401`, `503`) are responses, not errors. A CORS middleware is wrapped
/// around it, that is: after it, so that these answers get the CORS headers too.
///
/// ```
/// # use actix_web::{App, web};
/// # use authkit_actix::AuthKit;
/// # fn app(authkit: AuthKit) {
/// App::new().wrap(authkit.middleware())
/// # ;}
/// ```
#[derive(Clone, Debug)]
#[must_use = "a middleware does nothing until it is passed to .wrap()"]
pub struct AuthKitMiddleware {
    authkit: AuthKit,
    protection: Option<Arc<Protection>>,
    on_forbidden: Option<OnForbidden>,
}

/// A middleware in the making that lets nobody pass but signed-in users; see
/// [`AuthKitMiddleware::protect`].
#[derive(Clone, Debug)]
#[must_use = "call .build() to get the middleware"]
pub struct ProtectBuilder {
    middleware: AuthKitMiddleware,
    unauthenticated_paths: Vec<String>,
    sign_up_paths: Vec<String>,
}

/// Why a signed-in user may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forbidden {
    /// The session does not grant what the route asks for.
    Rights,
    /// The sign-in stays older than the route allows, though the user has just signed in again.
    SignInTooOld,
}

/// The application's own answer to [`Forbidden`].
#[derive(Clone)]
pub(crate) struct OnForbidden(Arc<Respond>);

type Respond = dyn Fn(Forbidden, &HttpRequest) -> HttpResponse + Send + Sync;

impl OnForbidden {
    pub(super) fn respond(&self, why: Forbidden, request: &HttpRequest) -> HttpResponse {
        (self.0)(why, request)
    }
}

impl fmt::Debug for OnForbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnForbidden")
    }
}

#[derive(Debug)]
struct Protection {
    unauthenticated: PathPatterns,
    sign_up: PathPatterns,
}

impl AuthKit {
    /// The middleware for `App::wrap`, or for a scope's.
    pub fn middleware(&self) -> AuthKitMiddleware {
        AuthKitMiddleware {
            authkit: self.clone(),
            protection: None,
            on_forbidden: None,
        }
    }
}

impl AuthKitMiddleware {
    /// The response to a signed-in user who may not pass; with its status and headers, yours.
    ///
    /// Defaults to a short page, or problem details for programs, with status `403`.
    ///
    /// ```
    /// # use actix_web::HttpResponse;
    /// # use authkit_actix::AuthKit;
    /// # fn middleware(authkit: AuthKit) {
    /// authkit.middleware().on_forbidden(|_reason, request| {
    ///     HttpResponse::Forbidden().body(format!("Ask your admin to open {}", request.path()))
    /// })
    /// # ;}
    /// ```
    pub fn on_forbidden(
        mut self,
        respond: impl Fn(Forbidden, &HttpRequest) -> HttpResponse + Send + Sync + 'static,
    ) -> Self {
        self.on_forbidden = Some(OnForbidden(Arc::new(respond)));
        self
    }

    /// Protects every route, but for the paths that are named.
    ///
    /// The library's own routes stay reachable, and CORS preflights pass to the layer that answers
    /// them: give handlers a method, so that no preflight runs them. Make it outside the closure of `HttpServer::new`, so
    /// that a bad pattern stops the start.
    ///
    /// ```
    /// # use authkit_actix::{AuthKit, ConfigError};
    /// # fn middleware(authkit: AuthKit) -> Result<(), ConfigError> {
    /// let protected = authkit
    ///     .middleware()
    ///     .protect()
    ///     .unauthenticated_paths(["/", "/about", "/docs/:path*"])
    ///     .sign_up_paths(["/join"])
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn protect(self) -> ProtectBuilder {
        ProtectBuilder {
            middleware: self,
            unauthenticated_paths: Vec::new(),
            sign_up_paths: Vec::new(),
        }
    }
}

impl ProtectBuilder {
    /// Paths that everybody may open.
    ///
    /// A pattern is an Actix one (`/docs/{page}`, `/docs/{tail:.*}`) or one of the AuthKit
    /// documentation's (`/docs/:page`, `:page?`, `:page+`, `:page*`), and matches whole segments of the
    /// decoded path, in its case. Ambiguous paths, such as those with an encoded slash, never match:
    /// they count as protected.
    pub fn unauthenticated_paths<P: Into<String>>(
        mut self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Self {
        self.unauthenticated_paths
            .extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Paths where a visitor without a session is asked to sign up instead of to sign in.
    pub fn sign_up_paths<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.sign_up_paths
            .extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Reads the patterns and makes the middleware, which is cheap to clone into each worker.
    ///
    /// # Errors
    ///
    /// Every pattern that cannot be read, each with the way to say it.
    pub fn build(self) -> Result<AuthKitMiddleware, ConfigError> {
        let unauthenticated =
            PathPatterns::parse("unauthenticated_paths", &self.unauthenticated_paths);
        let sign_up = PathPatterns::parse("sign_up_paths", &self.sign_up_paths);
        match (unauthenticated, sign_up) {
            (Ok(unauthenticated), Ok(sign_up)) => Ok(AuthKitMiddleware {
                protection: Some(Arc::new(Protection {
                    unauthenticated,
                    sign_up,
                })),
                ..self.middleware
            }),
            (unauthenticated, sign_up) => {
                let mut problems = unauthenticated.err().unwrap_or_default();
                problems.extend(sign_up.err().unwrap_or_default());
                Err(ConfigError::from_problems(problems))
            }
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for AuthKitMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = AuthKitService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(AuthKitService {
            service: Rc::new(service),
            authkit: self.authkit.clone(),
            passages: Passages::default(),
            protection: self.protection.clone(),
            on_forbidden: self.on_forbidden.clone(),
        }))
    }
}

/// [`AuthKitMiddleware`] around a service.
#[derive(Debug)]
pub struct AuthKitService<S> {
    service: Rc<S>,
    authkit: AuthKit,
    passages: Passages,
    protection: Option<Arc<Protection>>,
    on_forbidden: Option<OnForbidden>,
}

impl<S> AuthKitService<S> {
    /// Whether the session need not be made before somebody asks for it: the request is a stranger's.
    fn may_wait(&self, request: &ServiceRequest) -> bool {
        let headers = request.headers();
        let name = &self.authkit.inner.config.cookie.name;
        let has_credentials = headers.contains_key(AUTHORIZATION)
            || set_cookie::is_sent(name, headers.get_all(COOKIE));
        // A router that has yet to see the request is the proof that nobody else holds it.
        let is_unrouted = || !request.match_info().unprocessed().is_empty();
        self.protection.is_none() && !has_credentials && is_unrouted()
    }
}

impl<S, B> Service<ServiceRequest> for AuthKitService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = AuthKitResponse<S::Future>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let is_outermost = !RequestSession::is_to_be_had(request.request());
        if is_outermost && self.may_wait(&request) {
            let on_forbidden = self.on_forbidden.as_ref();
            let entered = self
                .passages
                .enter(&self.authkit, on_forbidden, &mut request);
            let answer = self.service.call(request);
            return AuthKitResponse::serving(answer, Hold::Passage(entered));
        }
        let of_outer = if is_outermost {
            None
        } else {
            RequestSession::of(request.request())
        };
        let of_outer = of_outer.filter(|session| session.authkit().is_same(&self.authkit));
        let writes_cookies = of_outer.is_none();
        let session =
            of_outer.unwrap_or_else(|| RequestSession::put(&self.authkit, request.request()));
        session.watch(self.on_forbidden.as_ref());
        let Some(protection) = self.protection.clone() else {
            let hold = Hold::Session {
                session,
                writes_cookies,
            };
            return AuthKitResponse::serving(self.service.call(request), hold);
        };
        let service = Rc::clone(&self.service);
        AuthKitResponse::waiting(async move {
            let preflight = is_cors_preflight(request.request());
            let rejection = match preflight {
                true => None,
                false => protection.rejection(&session, &request).await,
            };
            let mut result = match rejection {
                Some(rejection) => {
                    let response = rejection.response(session.authkit(), request.request());
                    Ok(request.into_response(response))
                }
                None => {
                    let hold = Hold::Session {
                        session: Rc::clone(&session),
                        writes_cookies: false,
                    };
                    AuthKitResponse::serving(service.call(request), hold).await
                }
            };
            if preflight && let Ok(response) = result {
                result = Ok(Box::pin(preflight_answer(&session, response)).await);
            }
            if writes_cookies {
                result = finished(&session, result).await;
            }
            result
        })
    }
}

/// A preflight is for a CORS layer. One that no layer answered has reached a handler, whose answer is
/// not for strangers.
async fn preflight_answer(session: &RequestSession, response: ServiceResponse) -> ServiceResponse {
    let is_answered = response
        .headers()
        .contains_key("access-control-allow-origin");
    if is_answered || is_signed_in(session, response.request()).await {
        return response;
    }
    let request = response.into_parts().0;
    let rejection = Rejection::SignedOut {
        screen: Screen::SignIn,
        organization_id: None,
    };
    let refused = rejection.response(session.authkit(), &request);
    ServiceResponse::new(request, refused)
}

async fn is_signed_in(session: &RequestSession, request: &HttpRequest) -> bool {
    matches!(
        session.resolution(request).await.outcome,
        Outcome::SignedIn(_)
    )
}

impl Protection {
    async fn rejection(
        &self,
        session: &RequestSession,
        request: &ServiceRequest,
    ) -> Option<Rejection> {
        let raw = request.uri().path();
        let decoded = request.match_info().as_str();
        let is_ours = !is_ambiguous(raw) && session.authkit().owns_path(decoded);
        if is_ours || self.unauthenticated.matches(raw, decoded) {
            return None;
        }
        let screen = if self.sign_up.matches(raw, decoded) {
            Screen::SignUp
        } else {
            Screen::SignIn
        };
        let resolution = session.resolution(request.request()).await;
        Rejection::unless_signed_in(resolution.outcome, screen).err()
    }
}
