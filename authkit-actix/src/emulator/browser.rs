use std::collections::HashMap;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use url::{Url, form_urlencoded};

use super::state::State;

fn cookie_name(state: &State) -> String {
    format!("authkit-emulator-{}", state.settings.port)
}

/// The value of the emulator's own cookie.
pub(super) fn browser_of(state: &State, http: &HttpRequest) -> Option<String> {
    http.cookie(&cookie_name(state))
        .map(|cookie| cookie.value().to_owned())
}

/// The emulator's own cookie. Cookies ignore ports, so its name has the port and its path keeps it from applications.
pub(super) fn browser_cookie(state: &State, value: &str) -> Cookie<'static> {
    Cookie::build(cookie_name(state), value.to_owned())
        .path(COOKIE_PATH)
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

pub(super) fn page(status: StatusCode, html: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("Content-Security-Policy", CONTENT_SECURITY_POLICY))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .body(html)
}

pub(super) fn redirect(uri: &Url) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, uri.as_str()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}

/// What was typed into a form, and what is wrong with it.
#[derive(Default)]
pub(super) struct Typed {
    fields: HashMap<String, String>,
    pub(super) problem: Option<&'static str>,
}

impl Typed {
    pub(super) fn parse(body: &[u8]) -> Self {
        Self {
            fields: form_urlencoded::parse(body).into_owned().collect(),
            problem: None,
        }
    }

    /// A field's text, empty when there is no such field.
    pub(super) fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }

    pub(super) fn with_problem(self, problem: &'static str) -> Self {
        Self {
            problem: Some(problem),
            ..self
        }
    }
}

const COOKIE_PATH: &str = "/user_management";
/// Styles stand in the page. No `form-action`: browsers hold redirects after a form against it.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
