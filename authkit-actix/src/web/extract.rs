//! The session as handler parameters.

use std::{
    fmt,
    future::{Ready, pending, ready},
    rc::Rc,
};

use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, http::StatusCode};
use futures::future::{Either, LocalBoxFuture};
use serde::de::DeserializeOwned;
use tracing::error;

use super::{
    rejection::{self, Problem, Rejection, missing_middleware},
    request_session::RequestSession,
};
use crate::{
    access::AuthUser,
    authkit::AuthKit,
    oauth::{ReturnTo, Screen},
    session::{Outcome, Resolution},
};

/// Ready at once on the hot path, boxed where WorkOS has to be asked.
type Extraction<T> = Either<Ready<Result<T, Error>>, LocalBoxFuture<'static, Result<T, Error>>>;

/// The session of a request, for pages that show something to everybody.
///
/// ```
/// use actix_web::{Responder, get, web::Html};
/// use authkit_actix::Auth;
///
/// #[get("/")]
/// async fn home(auth: Auth) -> impl Responder {
///     Html::new(match auth.user() {
///         Some(_) => "<a href='/dashboard'>Dashboard</a>".to_owned(),
///         None => format!("<a href='{}'>Sign in</a>", auth.sign_in_url().return_to("/dashboard")),
///     })
/// }
/// ```
///
/// While nothing is known about the session (WorkOS is out of reach and the access token has
/// expired) the request is answered with `503`; pages that can do without use [`AuthStatus`].
#[derive(Clone, Debug)]
pub struct Auth {
    authkit: AuthKit,
    user: Option<AuthUser>,
}

/// The session of a request in its three outcomes, for pages that can degrade.
///
/// ```
/// use actix_web::{Responder, get};
/// use authkit_actix::AuthStatus;
///
/// #[get("/")]
/// async fn home(status: AuthStatus) -> impl Responder {
///     match status {
///         AuthStatus::SignedIn(user) => format!("Welcome back, {}", user.display_name()),
///         AuthStatus::SignedOut => "Hello, stranger".to_owned(),
///         AuthStatus::CannotTell => "Hello".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub enum AuthStatus {
    /// Somebody is signed in.
    SignedIn(AuthUser),
    /// Nobody is signed in.
    SignedOut,
    /// Nobody knows: WorkOS, or the key set, is out of reach. Treat the visitor as a stranger, and
    /// do not call them signed out.
    CannotTell,
}

/// An address of the application's own sign-in or sign-up route; shows itself as the URL.
///
/// It is percent-encoded: safe in a quoted HTML attribute and in JSON as it stands.
#[derive(Clone, Debug)]
#[must_use = "an address does nothing until it is shown"]
pub struct SignInUrl {
    authkit: AuthKit,
    screen: Screen,
    return_to: Option<ReturnTo>,
}

impl Auth {
    /// Who is signed in.
    pub fn user(&self) -> Option<&AuthUser> {
        self.user.as_ref()
    }

    /// Where to sign in: for a link on a page, or for JSON. The flow starts on the click.
    pub fn sign_in_url(&self) -> SignInUrl {
        self.url(Screen::SignIn)
    }

    /// Where to sign up: the same, with AuthKit's sign-up page first.
    pub fn sign_up_url(&self) -> SignInUrl {
        self.url(Screen::SignUp)
    }

    fn url(&self, screen: Screen) -> SignInUrl {
        SignInUrl {
            authkit: self.authkit.clone(),
            screen,
            return_to: None,
        }
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
}

impl fmt::Display for SignInUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let return_to = self.return_to.as_ref().map(ReturnTo::as_str);
        f.write_str(&self.authkit.sign_in_address(self.screen, return_to))
    }
}

impl<C: DeserializeOwned + 'static> FromRequest for AuthUser<C> {
    type Error = Error;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(
            request,
            "AuthUser",
            |session, request, resolution| match resolution.outcome {
                Outcome::SignedIn(signed_in) => match AuthUser::new(signed_in) {
                    Ok(user) => Answer::Value(user),
                    Err(error) => Answer::Error(unfit_claims(request, &error)),
                },
                Outcome::SignedOut { organization_id } => Answer::Error(
                    Rejection::SignedOut {
                        screen: Screen::SignIn,
                        organization_id,
                    }
                    .error(session.authkit(), request),
                ),
                Outcome::CannotTell { retry_after } => Answer::GiveUp { retry_after },
            },
        )
    }
}

impl FromRequest for Auth {
    type Error = Error;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, "Auth", |session, request, resolution| {
            let user = match resolution.outcome {
                Outcome::SignedIn(signed_in) => match AuthUser::new(signed_in) {
                    Ok(user) => Some(user),
                    Err(error) => return Answer::Error(unfit_claims(request, &error)),
                },
                Outcome::SignedOut { .. } => None,
                Outcome::CannotTell { retry_after } => return Answer::GiveUp { retry_after },
            };
            Answer::Value(Auth {
                authkit: session.authkit().clone(),
                user,
            })
        })
    }
}

impl FromRequest for AuthStatus {
    type Error = Error;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, "AuthStatus", |_, request, resolution| {
            Answer::Value(match resolution.outcome {
                Outcome::SignedIn(signed_in) => match AuthUser::new(signed_in) {
                    Ok(user) => AuthStatus::SignedIn(user),
                    Err(error) => return Answer::Error(unfit_claims(request, &error)),
                },
                Outcome::SignedOut { .. } => AuthStatus::SignedOut,
                Outcome::CannotTell { .. } => AuthStatus::CannotTell,
            })
        })
    }
}

/// What a resolution means for an extractor.
enum Answer<T> {
    Value(T),
    Error(Error),
    /// `Option` would make `None` of an error, so the middleware has to answer.
    GiveUp {
        retry_after: u64,
    },
}

fn extract<T: 'static>(
    request: &HttpRequest,
    name: &str,
    read: impl FnOnce(&RequestSession, &HttpRequest, Resolution) -> Answer<T> + 'static,
) -> Extraction<T> {
    let Some(session) = RequestSession::of(request) else {
        return Either::Left(ready(Err(missing_middleware(request, name))));
    };
    let Some(resolution) = session.resolution_now() else {
        let request = request.clone();
        return Either::Right(Box::pin(async move {
            let resolution = session.resolution().await;
            give(read(&session, &request, resolution), &session, request).await
        }));
    };
    match read(&session, request, resolution) {
        Answer::Value(value) => Either::Left(ready(Ok(value))),
        Answer::Error(error) => Either::Left(ready(Err(error))),
        given_up => {
            let request = request.clone();
            Either::Right(Box::pin(
                async move { give(given_up, &session, request).await },
            ))
        }
    }
}

async fn give<T>(
    answer: Answer<T>,
    session: &Rc<RequestSession>,
    request: HttpRequest,
) -> Result<T, Error> {
    match answer {
        Answer::Value(value) => Ok(value),
        Answer::Error(error) => Err(error),
        Answer::GiveUp { retry_after } => {
            if session.give_up(&request, retry_after) {
                pending().await
            } else {
                Err(rejection::as_error(rejection::unavailable(
                    &request,
                    retry_after,
                )))
            }
        }
    }
}

fn unfit_claims(request: &HttpRequest, problem: &serde_json::Error) -> Error {
    error!(
        category = ?problem.classify(),
        path = request.path(),
        "the access token lacks claims that AuthUser<C> asks for: check the JWT template",
    );
    rejection::as_error(rejection::refusal(
        request,
        &Problem {
            code: "claims_missing",
            title: "Not allowed",
            detail: "Your session lacks what this page needs. Signing in again may help.",
            ..Problem::new(StatusCode::FORBIDDEN)
        },
    ))
}
