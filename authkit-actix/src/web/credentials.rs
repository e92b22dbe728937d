//! Who a request says it is by its `Authorization` header, on the routes that look at it.

use std::future::ready;

use actix_web::{
    Error, FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError,
    dev::Payload,
    http::{
        StatusCode,
        header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use futures::future::LocalBoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::debug;

use super::{
    extract::{Answer, Extraction, extract, of_user},
    rejection::{self, Problem, Rejection, as_error, missing_middleware},
    request_session::RequestSession,
};
use crate::{
    access::{AuthUser, BearerUser, Caller, Credential, Decision, ProfileError, Rule},
    api_keys::is_jwt,
    authkit::AuthKit,
    lookups::Unavailable,
    session::{Standing, UNHEARD_RETRY},
    token::{AccessToken, Verdict},
    workos::ApiKey,
};

/// What the `Authorization` header of a request holds.
pub(super) enum Authorization {
    /// There is none, or nothing in it that could be a bearer token.
    NoToken,
    /// A bearer token, RFC 6750 section 2.1: an access token, an API key, or neither.
    Token(SecretString),
}

impl Authorization {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION);
        // Of two, this library would take the one and a proxy before it the other.
        let (Some(value), None) = (values.next(), values.next()) else {
            return Self::NoToken;
        };
        // Characters that no token has make one that is not known.
        let value = String::from_utf8_lossy(value.as_bytes());
        match value.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Self::Token(token.trim_start().into())
            }
            _ => Self::NoToken,
        }
    }

    /// The caller, if it is one that a route accepts.
    async fn caller(self, accept: &[Credential], authkit: &AuthKit) -> Result<Caller, Refused> {
        let Self::Token(token) = self else {
            return Err(Refused::NoToken);
        };
        let credential = if is_jwt(token.expose_secret()) {
            Credential::Bearer
        } else {
            Credential::ApiKey
        };
        if !accept.contains(&credential) {
            return Err(Refused::Invalid);
        }
        match credential {
            Credential::Bearer => bearer(&token, authkit).await.map(Caller::Bearer),
            _ => api_key(&token, authkit).await.map(Caller::ApiKey),
        }
    }
}

async fn api_key(value: &SecretString, authkit: &AuthKit) -> Result<ApiKey, Refused> {
    match authkit.inner.api_keys.validate(value).await {
        Ok(Some(key)) => Ok(key),
        Ok(None) => Err(Refused::Invalid),
        Err(Unavailable { retry_after }) => Err(Refused::CannotTell { retry_after }),
    }
}

async fn bearer(token: &SecretString, authkit: &AuthKit) -> Result<BearerUser, Refused> {
    let inner = &authkit.inner;
    let token = AccessToken::new(token.expose_secret());
    let verdict = inner.tokens.settle(&token, None).await;
    let verdict = verdict.map_err(|keys| Refused::CannotTell {
        retry_after: keys.retry_after,
    })?;
    match verdict {
        Verdict::Valid(claims) => match inner.notices.standing(&claims) {
            Standing::Good => Ok(BearerUser::new(token, claims, inner.profiles.clone())),
            Standing::Unknown => Err(Refused::CannotTell {
                retry_after: UNHEARD_RETRY,
            }),
            Standing::Outdated { .. } | Standing::Ended => {
                debug!(
                    "an access token of an ended session, or older than its rights, was refused"
                );
                Err(Refused::Invalid)
            }
        },
        Verdict::Expired(_) => {
            debug!("an expired access token was refused");
            Err(Refused::Invalid)
        }
        Verdict::NotYetValid(_) => {
            debug!("an access token from the future was refused");
            Err(Refused::Invalid)
        }
        Verdict::Forged(error) => {
            debug!(%error, "an access token was refused");
            Err(Refused::Invalid)
        }
    }
}

/// The caller whom a guard let in by the `Authorization` header; stands in the request's extensions.
struct Admitted(Caller);

impl Admitted {
    fn of(request: &HttpRequest) -> Option<Caller> {
        let extensions = request.extensions();
        extensions.get::<Self>().map(|admitted| admitted.0.clone())
    }
}

/// Lets a request pass a guard by its `Authorization` header, or refuses it: a session beside that
/// header helps nobody, and is out of sight for whatever the handler extracts.
pub(super) async fn admit(
    rule: &Rule,
    session: &RequestSession,
    request: &HttpRequest,
    authorization: Authorization,
) -> Result<(), Error> {
    let refused = |refused: Refused| as_error(refused.response(request));
    let authkit = session.authkit();
    let caller = authorization.caller(rule.accept, authkit).await;
    let caller = caller.map_err(refused)?;
    let now = authkit.inner.clock.unix_seconds();
    let decision = match &caller {
        Caller::Bearer(user) => rule.decide_bearer(user, now),
        Caller::ApiKey(key) => rule.decide_api_key(key, now),
        Caller::User(_) => Decision::Forbidden,
    };
    match decision {
        Decision::Pass => {
            session.set_aside();
            request.extensions_mut().insert(Admitted(caller));
            Ok(())
        }
        Decision::Stale { max_age } => Err(refused(Refused::Stale { max_age })),
        Decision::Forbidden | Decision::StaleForGood | Decision::CannotTell => {
            Err(Rejection::Forbidden.error(authkit, request))
        }
    }
}

/// Why nobody is let in by an `Authorization` header.
enum Refused {
    NoToken,
    /// Unknown, expired, or of a kind that the route does not accept: all the same to strangers.
    Invalid,
    /// The proof of identity behind it is older than this many seconds.
    Stale {
        max_age: u32,
    },
    CannotTell {
        retry_after: u64,
    },
}

impl Refused {
    /// RFC 6750 section 3.1: no error code where no token was given.
    fn response(&self, request: &HttpRequest) -> HttpResponse {
        let (problem, name, value) = match *self {
            Self::NoToken => (
                Problem {
                    code: "credentials_missing",
                    title: "Credentials are needed",
                    detail: "The request carries no bearer token.",
                    ..Problem::new(StatusCode::UNAUTHORIZED)
                },
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer"),
            ),
            Self::Invalid => (
                Problem {
                    code: "invalid_token",
                    title: "These credentials are not valid",
                    detail: "The bearer token is unknown, expired or not accepted here.",
                    ..Problem::new(StatusCode::UNAUTHORIZED)
                },
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer error=\"invalid_token\""),
            ),
            Self::Stale { max_age } => (
                Problem {
                    code: "insufficient_user_authentication",
                    title: "A recent sign-in is needed",
                    detail: "This needs an access token from a more recent sign-in.",
                    max_age: Some(max_age),
                    ..Problem::new(StatusCode::UNAUTHORIZED)
                },
                WWW_AUTHENTICATE,
                rejection::stale_challenge("Bearer", max_age),
            ),
            Self::CannotTell { retry_after } => (
                Problem {
                    code: "credentials_unavailable",
                    title: "Please try again in a moment",
                    detail: "The credentials cannot be checked right now.",
                    ..Problem::new(StatusCode::SERVICE_UNAVAILABLE)
                },
                RETRY_AFTER,
                HeaderValue::from(retry_after),
            ),
        };
        let mut response = rejection::problem_details(request, &problem);
        response.headers_mut().insert(name, value);
        response
    }
}

impl FromRequest for ApiKey {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        credential(
            request,
            "ApiKey",
            Credential::ApiKey,
            |caller| match caller {
                Caller::ApiKey(key) => Some(key),
                _ => None,
            },
        )
    }
}

impl FromRequest for BearerUser {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        credential(
            request,
            "BearerUser",
            Credential::Bearer,
            |caller| match caller {
                Caller::Bearer(user) => Some(user),
                _ => None,
            },
        )
    }
}

/// The caller by one kind of credential: whom the guard let in, else whom the header names.
fn credential<T: 'static>(
    request: &HttpRequest,
    name: &str,
    accepted: Credential,
    read: fn(Caller) -> Option<T>,
) -> LocalBoxFuture<'static, Result<T, Error>> {
    let Some(session) = RequestSession::of(request) else {
        return Box::pin(ready(Err(missing_middleware(request, name))));
    };
    let request = request.clone();
    Box::pin(async move {
        let caller = match Admitted::of(&request) {
            Some(caller) => Ok(caller),
            None => {
                let authorization = Authorization::of(request.headers());
                authorization.caller(&[accepted], session.authkit()).await
            }
        };
        let refused = match caller.map(read) {
            Ok(Some(caller)) => return Ok(caller),
            Ok(None) => Refused::Invalid,
            Err(refused) => refused,
        };
        let response = refused.response(&request);
        if matches!(refused, Refused::CannotTell { .. }) {
            return session.answer_instead(&request, response).await;
        }
        Err(as_error(response))
    })
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, "Caller", |session, request, resolution| {
            if let Some(caller) = Admitted::of(request) {
                return Answer::Value(caller);
            }
            of_user(session, request, resolution, |signed_in| {
                Answer::Value(Caller::User(AuthUser::plain(signed_in)))
            })
        })
    }
}

impl ResponseError for ProfileError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NoSuchUser => StatusCode::FORBIDDEN,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Self::Unavailable { retry_after } = self {
            response.insert_header((RETRY_AFTER, retry_after.to_string()));
        }
        response.finish()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn token(values: &[&[u8]]) -> Option<String> {
        let request = values
            .iter()
            .fold(TestRequest::default(), |request, value| {
                let value = HeaderValue::from_bytes(value).expect("a header value");
                request.append_header((AUTHORIZATION, value))
            });
        match Authorization::of(request.to_http_request().headers()) {
            Authorization::NoToken => None,
            Authorization::Token(token) => Some(token.expose_secret().to_owned()),
        }
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        for value in ["Bearer sk_1", "bearer sk_1", "BEARER  sk_1 "] {
            assert_eq!(
                token(&[value.as_bytes()]).as_deref(),
                Some("sk_1"),
                "{value}"
            );
        }
    }

    #[test]
    fn other_schemes_empty_values_and_several_headers_hold_no_token() {
        for values in [
            &[][..],
            &[&b""[..]],
            &[b"Bearer"],
            &[b"Bearer "],
            &[b"Basic c2tfMTo="],
            &[b"sk_1"],
            &[b"Bearersk_1"],
            &[b"Bearer sk_1", b"Bearer sk_1"],
            &[b"Basic c2tfMTo=", b"Bearer sk_1"],
        ] {
            assert_eq!(token(values), None, "{values:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_a_token_that_nobody_has() {
        assert_eq!(token(&[b"Bearer sk_\xff"]).as_deref(), Some("sk_\u{fffd}"));
    }
}
