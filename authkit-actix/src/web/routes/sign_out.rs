use actix_web::{HttpRequest, HttpResponse, http::Method, web};
use tracing::warn;

use super::method_not_allowed;
use crate::{
    authkit::AuthKit,
    web::{
        auth::{allowed_return_to, end_session},
        negotiate::{header, is_same_origin},
        rejection::{self, cross_site},
        request_session::RequestSession,
    },
};

/// Ends the session here and at WorkOS, and sends the browser on.
pub(super) async fn sign_out(request: HttpRequest, authkit: web::Data<AuthKit>) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return method_not_allowed(&request, "GET, POST");
    }
    let headers = request.headers();
    let is_asked_for = match header(headers, "sec-fetch-mode") {
        // A page may embed what its users write, such as an image with this address.
        Some(mode) if request.method() == Method::GET => mode == "navigate",
        _ => true,
    };
    if !is_asked_for || !is_same_origin(&authkit, &request) {
        return cross_site(&request);
    }
    let Some(session) = RequestSession::of(&request) else {
        return rejection::unavailable(&request, 1);
    };
    let found = session.found_cookies();
    let sessions = &authkit.inner.sessions;
    let signed_in = sessions.genuine(&found.candidates()).await;
    if signed_in.is_none() && !found.is_empty() {
        warn!("a session was ended here only: its token could not be verified");
    }
    let return_to = url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "return_to")
        .and_then(|(_, address)| allowed_return_to(&authkit, &request, &address));
    end_session(&session, &request, signed_in, return_to)
}
