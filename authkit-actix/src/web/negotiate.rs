use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{ACCEPT, HeaderMap, ORIGIN, UPGRADE},
    },
};

use crate::authkit::AuthKit;

/// What a request wants back: a page to show, or an answer for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Document,
    ApiCall,
}

impl RequestKind {
    /// The first mark that fits counts: a page that a script fetches names `text/html` as well.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let is_navigation = headers.get("sec-fetch-mode").map(|mode| mode == "navigate");
        if is_prefetch(headers)
            || headers.contains_key(UPGRADE)
            || is_htmx(headers)
            || headers.contains_key("x-requested-with")
            || is_navigation == Some(false)
        {
            return Self::ApiCall;
        }
        if is_navigation == Some(true) || names_html(headers) {
            return Self::Document;
        }
        Self::ApiCall
    }
}

/// The browser asks ahead of the user: nothing may begin or end by it.
pub(crate) fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose"]
        .into_iter()
        .filter_map(|name| headers.get(name))
        .any(|purpose| starts_with_ignoring_case(purpose.as_bytes(), b"prefetch"))
}

pub(crate) fn is_htmx(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// Whether the user asked for this on a page of the application or by typing, and not a page of
/// somebody else's.
pub(crate) fn is_same_origin(authkit: &AuthKit, request: &HttpRequest) -> bool {
    let headers = request.headers();
    if is_prefetch(headers) {
        return false;
    }
    match header(headers, "sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => header(headers, ORIGIN.as_str()) == Some(authkit.origin(request).as_str()),
    }
}

/// Whether another site, or nobody at all, is behind a request that only reads: browsers of old name
/// no site then.
pub(crate) fn is_from_elsewhere(authkit: &AuthKit, request: &HttpRequest) -> bool {
    let headers = request.headers();
    let names_a_site = headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN);
    is_prefetch(headers) || names_a_site && !is_same_origin(authkit, request)
}

/// A question of the browser about another origin's request; the application's CORS layer answers.
pub(crate) fn is_cors_preflight(request: &HttpRequest) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key("access-control-request-method")
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn names_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .filter_map(|accept| accept.to_str().ok())
        .flat_map(|accept| accept.split(','))
        .any(|range| {
            let media_type = range.split(';').next().unwrap_or_default();
            media_type.trim().eq_ignore_ascii_case("text/html")
        })
}

fn starts_with_ignoring_case(value: &[u8], start: &[u8]) -> bool {
    value
        .trim_ascii_start()
        .get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn kind(headers: &[(&str, &str)]) -> RequestKind {
        let request = headers
            .iter()
            .fold(TestRequest::default(), |request, &header| {
                request.append_header(header)
            });
        RequestKind::of(request.to_http_request().headers())
    }

    #[test]
    fn a_navigation_or_a_wish_for_html_is_a_document() {
        for headers in [
            [("Sec-Fetch-Mode", "navigate")],
            [("Accept", "text/html")],
            [("Accept", "application/xhtml+xml, TEXT/HTML;q=0.9")],
        ] {
            assert_eq!(kind(&headers), RequestKind::Document, "{headers:?}");
        }
    }

    #[test]
    fn marks_of_a_program_win_over_a_wish_for_html() {
        for mark in [
            ("Sec-Purpose", "prefetch;prerender"),
            ("Purpose", "Prefetch"),
            ("Upgrade", "websocket"),
            ("HX-Request", "true"),
            ("X-Requested-With", "XMLHttpRequest"),
            ("Sec-Fetch-Mode", "cors"),
        ] {
            assert_eq!(
                kind(&[mark, ("Accept", "text/html")]),
                RequestKind::ApiCall,
                "{mark:?}"
            );
        }
    }

    #[test]
    fn anything_else_is_an_api_call() {
        for headers in [&[][..], &[("Accept", "*/*")], &[("Accept", "text/htmlx")]] {
            assert_eq!(kind(headers), RequestKind::ApiCall, "{headers:?}");
        }
    }
}
