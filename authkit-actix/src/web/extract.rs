//! The session as handler parameters.

use std::{
    future::{Ready, ready},
    rc::Rc,
    sync::Arc,
};

use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, dev::Payload, http::StatusCode};
use futures::future::{Either, LocalBoxFuture};
use serde::de::DeserializeOwned;
use tracing::error;

use super::{
    rejection::{self, Problem, Rejection, missing_middleware},
    request_session::RequestSession,
};
use crate::{
    access::AuthUser,
    oauth::Screen,
    session::{Outcome, Resolution, SignedIn},
};

/// Ready at once on the hot path, boxed where WorkOS has to be asked.
pub(super) type Extraction<T> =
    Either<Ready<Result<T, Error>>, LocalBoxFuture<'static, Result<T, Error>>>;

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

impl<C: DeserializeOwned + 'static> FromRequest for AuthUser<C> {
    type Error = Error;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, "AuthUser", |session, request, resolution| {
            of_user(
                session,
                request,
                resolution,
                |signed_in| match AuthUser::new(signed_in) {
                    Ok(user) => Answer::Value(user),
                    Err(error) => Answer::Instead(unfit_claims(request, &error)),
                },
            )
        })
    }
}

impl FromRequest for AuthStatus {
    type Error = Error;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, "AuthStatus", |_, _, resolution| {
            Answer::Value(match resolution.outcome {
                Outcome::SignedIn(signed_in) => AuthStatus::SignedIn(AuthUser::plain(signed_in)),
                Outcome::SignedOut { .. } => AuthStatus::SignedOut,
                Outcome::CannotTell { .. } => AuthStatus::CannotTell,
            })
        })
    }
}

/// What a resolution means for an extractor.
pub(super) enum Answer<T> {
    Value(T),
    Error(Error),
    /// `Option` would make `None` of an error, so the middleware has to answer.
    Instead(HttpResponse),
}

/// What an extractor that wants a user gives.
pub(super) fn of_user<T>(
    session: &RequestSession,
    request: &HttpRequest,
    resolution: Resolution,
    read: impl FnOnce(Arc<SignedIn>) -> Answer<T>,
) -> Answer<T> {
    match Rejection::unless_signed_in(resolution.outcome, Screen::SignIn) {
        Ok(signed_in) => read(signed_in),
        Err(Rejection::CannotTell { retry_after }) => {
            Answer::Instead(rejection::unavailable(request, retry_after))
        }
        Err(rejection) => Answer::Error(rejection.error(session.authkit(), request)),
    }
}

pub(super) fn extract<T: 'static>(
    request: &HttpRequest,
    name: &str,
    read: impl FnOnce(&Rc<RequestSession>, &HttpRequest, Resolution) -> Answer<T> + 'static,
) -> Extraction<T> {
    let Some(session) = RequestSession::of(request) else {
        return Either::Left(ready(Err(missing_middleware(request, name))));
    };
    let Some(resolution) = session.resolution_now(request) else {
        let request = request.clone();
        return Either::Right(Box::pin(async move {
            let resolution = session.resolution(&request).await;
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
        Answer::Instead(response) => session.answer_instead(&request, response).await,
    }
}

fn unfit_claims(request: &HttpRequest, problem: &serde_json::Error) -> HttpResponse {
    error!(
        category = ?problem.classify(),
        path = request.path(),
        "the access token lacks claims that AuthUser<C> asks for: check the JWT template",
    );
    rejection::refusal(
        request,
        &Problem {
            code: "claims_missing",
            title: "Not allowed",
            detail: "Your session lacks what this page needs. Signing in again may help.",
            ..Problem::new(StatusCode::FORBIDDEN)
        },
    )
}
