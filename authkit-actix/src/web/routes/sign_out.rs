use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{HeaderMap, LOCATION, ORIGIN, SET_COOKIE},
    },
    web,
};
use tracing::{debug, warn};

use super::method_not_allowed;
use crate::{
    authkit::AuthKit,
    config::Origin,
    oauth::ReturnTo,
    session::{CookieChange, Resolution},
    web::{
        authorize::verifier_cookies,
        cache_control::CachePolicy,
        negotiate::{header, is_prefetch},
        rejection::{Problem, refusal},
        request_session::RequestSession,
        set_cookie,
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
    if !is_asked_for || !is_same_origin(&authkit, headers) {
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
    let return_to = return_to(&authkit, request.query_string());
    let mut session_id = None;
    if let Some(session) = RequestSession::of(&request) {
        let found = session.found_cookies();
        let sessions = &authkit.inner.sessions;
        let claims = sessions.genuine_claims(&found.candidates()).await;
        session_id = claims.map(|claims| claims.sid);
        if session_id.is_none() && !found.is_empty() {
            warn!("a session was ended here only: its token could not be verified");
        }
        let cookie = if found.is_empty() {
            CookieChange::Keep
        } else {
            CookieChange::Clear
        };
        session.replace(Resolution::signed_out(cookie));
    }
    let location = match session_id {
        Some(session_id) => authkit
            .inner
            .workos
            .logout_url(&session_id, return_to.clone())
            .ok(),
        None => None,
    };
    let location = location
        .or(return_to)
        .unwrap_or_else(|| ReturnTo::root().on(&authkit.inner.config.base_url));
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, location));
    for pending in verifier_cookies(&authkit, &request) {
        let removal = set_cookie::verifier_removal(&authkit.inner.config.cookie, &pending.name);
        response.append_header((SET_COOKIE, removal));
    }
    let mut response = response.finish();
    CachePolicy::private(request.headers()).apply(response.headers_mut());
    response
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

/// Where the query asks to go afterwards, as an absolute URL: on this application, or on an origin
/// that the configuration lists.
fn return_to(authkit: &AuthKit, query: &str) -> Option<String> {
    let config = &authkit.inner.config;
    let (_, asked) =
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "return_to")?;
    if let Some(path) = ReturnTo::parse(&asked) {
        return Some(path.on(&config.base_url));
    }
    let url = url::Url::parse(&asked).ok()?;
    // The origin of a `blob:` URL is that of the URL inside it.
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let origin = Origin::of(&url);
    let is_listed = origin.as_str() == config.base_url.as_str()
        || config
            .return_to_origins
            .iter()
            .any(|listed| listed.as_str() == origin.as_str());
    (is_listed && url.username().is_empty() && url.password().is_none()).then(|| url.into())
}
