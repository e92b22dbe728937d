//! What the attribute macros wrap around a handler's parameters.

use std::{future::ready, marker::PhantomData};

use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, http::header::AUTHORIZATION};
use futures::{
    FutureExt as _,
    future::{Either, LocalBoxFuture, Map},
};

use super::{
    credentials::{Authorization, admit},
    rejection::{Rejection, as_error, missing_middleware},
    request_session::RequestSession,
};
use crate::{
    access::{Credential, Decision, Rule},
    session::Resolution,
};

/// A rule as a type: the macros write one for each handler.
pub trait Guard: 'static {
    /// What the handler asks for.
    const RULE: Rule;
}

/// A handler's parameters behind a [`Guard`].
///
/// Actix polls all extractors of a handler in turn, so a guard among them would not keep a
/// stranger's malformed body from being answered first. This one extracts nothing before it passes.
#[derive(Debug)]
pub struct Guarded<G, T>(pub T, pub PhantomData<fn() -> G>);

type Extracted<G, T> = Result<Guarded<G, T>, Error>;

impl<G: Guard, T: FromRequest + 'static> FromRequest for Guarded<G, T> {
    type Error = Error;
    /// The parameters' own future on the hot path, boxed where WorkOS has to be asked.
    type Future = Either<
        Map<T::Future, fn(Result<T, T::Error>) -> Extracted<G, T>>,
        LocalBoxFuture<'static, Extracted<G, T>>,
    >;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let Some(session) = RequestSession::of(request) else {
            let error = missing_middleware(request, "#[ensure_signed_in] or #[require_api_key]");
            return Either::Right(Box::pin(ready(Err(error))));
        };
        let rule = &G::RULE;
        let has_authorization = request.headers().contains_key(AUTHORIZATION);
        if !rule.accepts(Credential::Session) || rule.reads_authorization() && has_authorization {
            let authorization = Authorization::of(request.headers());
            let request = request.clone();
            let mut payload = payload.take();
            return Either::Right(Box::pin(async move {
                admit(rule, &session, &request, authorization).await?;
                guarded(T::from_request(&request, &mut payload).await)
            }));
        }
        if let Some(resolution) = session.resolution_now(request) {
            return match refusal(rule, &session, request, resolution) {
                Some(error) => Either::Right(Box::pin(ready(Err(error)))),
                None => Either::Left(T::from_request(request, payload).map(guarded)),
            };
        }
        let request = request.clone();
        let mut payload = payload.take();
        Either::Right(Box::pin(async move {
            let resolution = session.resolution(&request).await;
            match refusal(rule, &session, &request, resolution) {
                Some(error) => Err(error),
                None => guarded(T::from_request(&request, &mut payload).await),
            }
        }))
    }
}

fn guarded<G, T, E: Into<Error>>(parameters: Result<T, E>) -> Extracted<G, T> {
    match parameters {
        Ok(parameters) => Ok(Guarded(parameters, PhantomData)),
        Err(error) => Err(error.into()),
    }
}

/// Why a request may not pass by its session, if it may not.
fn refusal(
    rule: &Rule,
    session: &RequestSession,
    request: &HttpRequest,
    resolution: Resolution,
) -> Option<Error> {
    let authkit = session.authkit();
    let rejection = match Rejection::unless_signed_in(resolution.outcome, rule.screen) {
        Ok(signed_in) => match rule.decide(&signed_in, authkit.inner.clock.unix_seconds()) {
            Decision::Pass => return None,
            Decision::Forbidden => Rejection::Forbidden,
            Decision::CannotTell => Rejection::CannotTell {
                retry_after: OUTAGE_RETRY,
            },
            Decision::Stale { max_age } => Rejection::Stale {
                max_age,
                organization_id: signed_in.claims.org_id.clone(),
            },
            Decision::StaleForGood => Rejection::StaleForGood {
                max_age: rule.max_age,
            },
        },
        Err(rejection) => rejection,
    };
    let scheme = if rule.reads_authorization() {
        "Bearer"
    } else {
        "AuthKit"
    };
    Some(as_error(rejection.response_by(scheme, authkit, request)))
}

/// Seconds after which an outage may be over.
const OUTAGE_RETRY: u64 = 5;
