use actix_web::http::header::{
    AUTHORIZATION, CACHE_CONTROL, EXPIRES, HeaderMap, HeaderValue, PRAGMA, VARY,
};

/// How far a response may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CachePolicy {
    /// The session had no part in it.
    Untouched,
    /// Somebody asked for a session, and there was none: right for everybody without one.
    VaryByCookie,
    /// For this browser only, and to be kept nowhere.
    Private { by_authorization: bool },
}

impl CachePolicy {
    pub(crate) fn private(request: &HeaderMap) -> Self {
        Self::Private {
            by_authorization: request.contains_key(AUTHORIZATION),
        }
    }

    /// Applies the policy over whatever the handler set.
    pub(crate) fn apply(self, headers: &mut HeaderMap) {
        match self {
            Self::Untouched => {}
            Self::VaryByCookie => vary_by(headers, BY_COOKIE),
            Self::Private { by_authorization } => {
                headers.reserve(4);
                headers.insert(CACHE_CONTROL, NOWHERE);
                headers.insert(PRAGMA, NO_CACHE);
                headers.insert(EXPIRES, EXPIRED);
                vary_by(headers, BY_COOKIE);
                if by_authorization {
                    vary_by(headers, BY_AUTHORIZATION);
                }
            }
        }
    }
}

fn vary_by(headers: &mut HeaderMap, name: HeaderValue) {
    let is_named = headers
        .get_all(VARY)
        .flat_map(|vary| vary.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|named| named.eq_ignore_ascii_case(name.as_bytes()) || named == b"*");
    if !is_named {
        headers.append(VARY, name);
    }
}

// Constants, so that their bytes are looked over by the compiler and not for every response.
const NOWHERE: HeaderValue =
    HeaderValue::from_static("private, no-cache, no-store, must-revalidate, max-age=0");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const EXPIRED: HeaderValue = HeaderValue::from_static("0");
const BY_COOKIE: HeaderValue = HeaderValue::from_static("Cookie");
const BY_AUTHORIZATION: HeaderValue = HeaderValue::from_static("Authorization");

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn headers(of_handler: &[(HeaderName, &'static str)], policy: CachePolicy) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in of_handler {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        policy.apply(&mut headers);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        lines.sort();
        lines.join("\n")
    }

    #[test]
    fn a_private_response_is_so_whatever_the_handler_says() {
        assert_eq!(
            headers(
                &[
                    (CACHE_CONTROL, "public, max-age=3600"),
                    (VARY, "Accept, cookie")
                ],
                CachePolicy::Private {
                    by_authorization: true
                },
            ),
            "cache-control: private, no-cache, no-store, must-revalidate, max-age=0\n\
             expires: 0\npragma: no-cache\nvary: Accept, cookie\nvary: Authorization"
        );
    }

    #[test]
    fn a_response_for_everybody_without_a_session_keeps_its_cache_control() {
        let public = [(CACHE_CONTROL, "public")];
        assert_eq!(
            headers(&public, CachePolicy::VaryByCookie),
            "cache-control: public\nvary: Cookie"
        );
        assert_eq!(
            headers(&public, CachePolicy::Untouched),
            "cache-control: public"
        );
    }
}
