use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{HeaderMap, ORIGIN},
    },
    web,
};
use tracing::{debug, warn};

use super::method_not_allowed;
use crate::{
    authkit::AuthKit,
    web::{
        auth::{allowed_return_to, end_session},
        negotiate::{header, is_prefetch},
        rejection::{self, Problem, refusal},
        request_session::RequestSession,
    },
};

/// Ends the session here and at WorkOS, and sends the browser on.
pub(super) async fn sign_out(request: HttpRequest, authkit: web::Data<AuthKit>) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return method_not_allowed(&request, "GET, POST");
    }
    if !is_same_origin(&authkit, request.headers()) {
        debug!("a sign-out that another site asked for was refused");
        return refusal(
            &request,
            &Problem {
                code: "cross_site",
                title: "You are still signed in",
                detail: "Another site asked to sign you out. To sign out, use this site's own button.",
                ..Problem::new(StatusCode::FORBIDDEN)
            },
        );
    }
    let Some(session) = RequestSession::of(&request) else {
        return rejection::unavailable(&request, 1);
    };
    let found = session.found_cookies();
    let claims = authkit
        .inner
        .sessions
        .genuine_claims(&found.candidates())
        .await;
    if claims.is_none() && !found.is_empty() {
        warn!("a session was ended here only: its token could not be verified");
    }
    let return_to = url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "return_to")
        .and_then(|(_, address)| allowed_return_to(&authkit, &address));
    end_session(
        &session,
        &request,
        claims.map(|claims| claims.sid),
        return_to,
    )
}

/// Whether the user asked for this, not a page of somebody else's.
fn is_same_origin(authkit: &AuthKit, headers: &HeaderMap) -> bool {
    if is_prefetch(headers) {
        return false;
    }
    match header(headers, "sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => header(headers, ORIGIN.as_str())
            .is_some_and(|origin| origin == authkit.inner.config.base_url.as_str()),
    }
}
