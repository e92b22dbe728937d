//! The answers for requests that may not pass: a page for people, problem details for programs.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde::Serialize;
use tracing::error;

use super::{
    authorize::{SignInStart, redirect, same_origin_path},
    cache_control::CachePolicy,
    middleware::Forbidden,
    negotiate::{RequestKind, is_htmx},
    pages::Page,
    request_session::RequestSession,
};
use crate::{
    authkit::AuthKit,
    oauth::{ReturnTo, Screen, SignInOptions},
    session::{Outcome, SignedIn},
};

/// Why a request stops before its handler.
pub(super) enum Rejection {
    /// Nobody is signed in; the sign-in begins on this screen, for this organization.
    SignedOut {
        screen: Screen,
        organization_id: Option<String>,
    },
    /// The user has to take a step at this address first.
    StepUp { address: String },
    /// The user may not do this.
    Forbidden,
    /// The user's last proof of identity is older than this many seconds.
    Stale {
        max_age: u32,
        organization_id: Option<String>,
    },
    /// It stays too old though the user has just signed in again.
    StaleForGood { max_age: Option<u32> },
    /// Nothing is known about the user; worth another try after so many seconds.
    CannotTell { retry_after: u64 },
}

impl Rejection {
    /// Who is signed in, or why the request stops.
    pub(super) fn unless_signed_in(
        outcome: Outcome,
        screen: Screen,
    ) -> Result<Arc<SignedIn>, Self> {
        match outcome {
            Outcome::SignedIn(signed_in) => Ok(signed_in),
            Outcome::SignedOut { organization_id } => Err(Self::SignedOut {
                screen,
                organization_id,
            }),
            Outcome::CannotTell { retry_after } => Err(Self::CannotTell { retry_after }),
        }
    }

    pub(super) fn response(self, authkit: &AuthKit, request: &HttpRequest) -> HttpResponse {
        self.response_by("AuthKit", authkit, request)
    }

    /// The answer of a route whose credentials go by this authentication scheme.
    pub(super) fn response_by(
        self,
        scheme: &'static str,
        authkit: &AuthKit,
        request: &HttpRequest,
    ) -> HttpResponse {
        match self {
            Self::SignedOut {
                screen,
                organization_id,
            } => {
                let options = SignInOptions {
                    organization_id,
                    ..SignInOptions::of_screen(screen)
                };
                if can_be_redirected(request) {
                    let start = SignInStart::for_request(authkit, request, options);
                    return match &authkit.inner.config.paths.login_page {
                        Some(page) if start.options == SignInOptions::default() => {
                            let query = url::form_urlencoded::Serializer::new(String::new())
                                .append_pair("return_to", start.return_to.as_str())
                                .finish();
                            let origin = authkit.origin(request);
                            redirect(request, &format!("{}{page}?{query}", origin.as_str()))
                        }
                        _ => start.response(authkit, request),
                    };
                }
                signed_out(scheme, authkit, request, &options)
            }
            Self::StepUp { address } => {
                if can_be_redirected(request) {
                    return redirect(request, &address);
                }
                challenge(
                    request,
                    address,
                    HeaderValue::from_static(scheme),
                    Problem {
                        code: "step_required",
                        title: "One more step is needed",
                        detail: "AuthKit asks for another way of signing in.",
                        ..Problem::new(StatusCode::UNAUTHORIZED)
                    },
                )
            }
            Self::Stale {
                max_age,
                organization_id,
            } => {
                let options = SignInOptions {
                    max_age: Some(max_age),
                    organization_id,
                    ..SignInOptions::default()
                };
                if can_be_redirected(request) {
                    return SignInStart::for_request(authkit, request, options)
                        .response(authkit, request);
                }
                challenge(
                    request,
                    sign_in_address(authkit, request, &options),
                    stale_challenge(scheme, max_age),
                    Problem {
                        code: "insufficient_user_authentication",
                        title: "Sign in again to go on",
                        detail: "This needs a more recent sign-in.",
                        max_age: Some(max_age),
                        ..Problem::new(StatusCode::UNAUTHORIZED)
                    },
                )
            }
            Self::Forbidden => forbidden(
                Forbidden::Rights,
                request,
                &Problem {
                    code: "forbidden",
                    title: "Not allowed",
                    detail: "Your account may not open this.",
                    ..Problem::new(StatusCode::FORBIDDEN)
                },
            ),
            Self::StaleForGood { max_age } => forbidden(
                Forbidden::SignInTooOld,
                request,
                &Problem {
                    code: "insufficient_user_authentication",
                    title: "A recent sign-in is needed",
                    detail: "Signing in again did not make your sign-in recent enough for this.",
                    max_age,
                    ..Problem::new(StatusCode::FORBIDDEN)
                },
            ),
            Self::CannotTell { retry_after } => unavailable(request, retry_after),
        }
    }

    /// The same for an extractor.
    pub(super) fn error(self, authkit: &AuthKit, request: &HttpRequest) -> actix_web::Error {
        as_error(self.response(authkit, request))
    }
}

/// A prepared answer on its way out of an extractor.
pub(super) fn as_error(response: HttpResponse) -> actix_web::Error {
    InternalError::from_response("refused by authkit", response).into()
}

/// `401` for a program, with where its user signs in.
pub(super) fn signed_out(
    scheme: &'static str,
    authkit: &AuthKit,
    request: &HttpRequest,
    options: &SignInOptions,
) -> HttpResponse {
    challenge(
        request,
        sign_in_address(authkit, request, options),
        HeaderValue::from_static(scheme),
        Problem {
            code: "signed_out",
            title: "Sign in to go on",
            detail: "The request carries no live session.",
            ..Problem::new(StatusCode::UNAUTHORIZED)
        },
    )
}

/// `503` with `Retry-After`: the session stays as it is.
pub(super) fn unavailable(request: &HttpRequest, retry_after: u64) -> HttpResponse {
    let mut response = refusal(
        request,
        &Problem {
            code: "sign_in_unavailable",
            title: "Please try again in a moment",
            detail: "Your sign-in cannot be checked right now, and nothing about it has changed.",
            ..Problem::new(StatusCode::SERVICE_UNAVAILABLE)
        },
    );
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(retry_after));
    response
}

/// The application's own answer, or ours.
fn forbidden(why: Forbidden, request: &HttpRequest, problem: &Problem<'_>) -> HttpResponse {
    RequestSession::of(request)
        .and_then(|session| session.forbidden_response(why, request))
        .unwrap_or_else(|| refusal(request, problem))
}

/// The answer to a browser that asks ahead of its user: nothing happens, and nothing is kept.
pub(super) fn nothing_yet(request: &HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    CachePolicy::private(request.headers()).apply(response.headers_mut());
    response
}

/// `403` for what another site asked for: nothing changes.
pub(super) fn cross_site(request: &HttpRequest) -> HttpResponse {
    refusal(
        request,
        &Problem {
            code: "cross_site",
            title: "Nothing has changed",
            detail: "Another site asked for this. If you want it, use this site's own button.",
            ..Problem::new(StatusCode::FORBIDDEN)
        },
    )
}

/// Closes a route that forgot its middleware, and says so where the developer looks.
pub(super) fn missing_middleware(request: &HttpRequest, what: &str) -> actix_web::Error {
    error!(
        path = request.path(),
        "{what} was used on a route without AuthKit's middleware: add \
         .wrap(authkit.middleware()) to the App or scope around it",
    );
    as_error(refusal(
        request,
        &Problem {
            code: "internal_error",
            title: "Something went wrong",
            detail: "The server is not set up to answer this.",
            ..Problem::new(StatusCode::INTERNAL_SERVER_ERROR)
        },
    ))
}

/// Problem details, RFC 9457.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub(super) struct Problem<'a> {
    pub(super) r#type: &'static str,
    pub(super) title: &'a str,
    pub(super) status: u16,
    pub(super) code: &'a str,
    pub(super) detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sign_in_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sign_out_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_age: Option<u32>,
}

impl Problem<'_> {
    pub(super) fn new(status: StatusCode) -> Self {
        Self {
            r#type: "about:blank",
            title: "",
            status: status.as_u16(),
            code: "",
            detail: "",
            sign_in_url: None,
            sign_out_url: None,
            max_age: None,
        }
    }
}

/// A page or problem details, by the kind of request.
pub(super) fn refusal(request: &HttpRequest, problem: &Problem<'_>) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match RequestKind::of(request.headers()) {
        RequestKind::Document => Page {
            title: problem.title,
            sentence: problem.detail,
            link: match (&problem.sign_out_url, &problem.sign_in_url) {
                (Some(address), _) => Some(("Sign out", address)),
                (None, Some(address)) => Some(("Sign in", address)),
                (None, None) => None,
            },
        }
        .response(status),
        RequestKind::ApiCall => return problem_details(request, problem),
    };
    CachePolicy::private(request.headers()).apply(response.headers_mut());
    response
}

/// Problem details, whatever the kind of request.
pub(super) fn problem_details(request: &HttpRequest, problem: &Problem<'_>) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status)
        .content_type("application/problem+json")
        .body(serde_json::to_string(problem).unwrap_or_default());
    CachePolicy::private(request.headers()).apply(response.headers_mut());
    response
}

/// The challenge for a proof of identity that is too old, RFC 9470 section 3.
pub(super) fn stale_challenge(scheme: &str, max_age: u32) -> HeaderValue {
    let challenge =
        format!("{scheme} error=\"insufficient_user_authentication\", max_age={max_age}");
    HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("AuthKit"))
}

/// `401` with the address where the user goes on; no flow starts before somebody goes there.
fn challenge(
    request: &HttpRequest,
    address: String,
    scheme: HeaderValue,
    problem: Problem<'_>,
) -> HttpResponse {
    let headers = request.headers();
    let mut response = HttpResponse::Unauthorized();
    if is_htmx(headers) {
        response.insert_header((HeaderName::from_static("hx-redirect"), address.as_str()));
    }
    let mut response = response
        .insert_header((WWW_AUTHENTICATE, scheme))
        .content_type("application/problem+json")
        .body(
            serde_json::to_string(&Problem {
                sign_in_url: Some(address),
                ..problem
            })
            .unwrap_or_default(),
        );
    CachePolicy::private(headers).apply(response.headers_mut());
    response
}

/// The sign-in route, coming back to the page that htmx shows.
fn sign_in_address(authkit: &AuthKit, request: &HttpRequest, options: &SignInOptions) -> String {
    let return_to = same_origin_path(authkit, request, "hx-current-url");
    let return_to = return_to.as_ref().map(ReturnTo::as_str);
    authkit.sign_in_address(&authkit.origin(request), options, return_to)
}

/// Whether the browser may be led to AuthKit and back.
fn can_be_redirected(request: &HttpRequest) -> bool {
    matches!(*request.method(), Method::GET | Method::POST)
        && RequestKind::of(request.headers()) == RequestKind::Document
}
