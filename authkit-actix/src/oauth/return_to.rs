//! Where the browser goes back to: always on the app's own origin.

use url::Url;

use crate::config::Origin;

/// A path on the app's own origin to send the browser back to.
///
/// It begins with exactly one slash and may have a query; a fragment is dropped. Whatever would
/// lead a browser elsewhere (`//evil.example`, `/\evil.example`, `https:evil.example`, control
/// characters, `/..//evil.example`, `javascript:`) is not a `ReturnTo`, nor is anything longer
/// than 1024 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Reads a path as it came from outside, and normalises it as a browser would: dot segments
    /// are resolved, and what is not ASCII is percent-encoded.
    ///
    /// # Examples
    ///
    /// ```
    /// use authkit_actix::ReturnTo;
    ///
    /// let path = ReturnTo::parse("/search?q=tea#results").expect("a local path");
    /// assert_eq!(path.as_str(), "/search?q=tea");
    /// assert_eq!(ReturnTo::parse("//evil.example"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('/')?.chars();
        let leads_off = rest.next().is_some_and(|c| c == '/' || c == '\\');
        if leads_off || text.len() > MAX_LENGTH || text.contains(char::is_control) {
            return None;
        }

        // Browsers resolve dot segments and turn backslashes before they look for a host, so the
        // checks are made on what the same algorithm (WHATWG URL) makes of the text.
        let base = Url::parse(ANY_ORIGIN).ok()?;
        let url = base.join(text).ok()?;
        if url.origin() != base.origin() || url.path().starts_with("//") {
            return None;
        }
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        (path.len() <= MAX_LENGTH).then_some(Self(path))
    }

    /// Reads a path as [`parse`](Self::parse) does, and takes `/` where that refuses.
    pub fn parse_or_root(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(Self::root)
    }

    /// The path `/`.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// The path with its query, percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The absolute URL on `origin`. An origin has no trailing slash and the path begins with one,
    /// so the host ends where the path begins.
    pub(crate) fn on(&self, origin: &Origin) -> String {
        format!("{origin}{}", self.0)
    }
}

/// Longer ones would not fit the verifier cookie.
const MAX_LENGTH: usize = 1024;

/// Only its being http-like matters.
const ANY_ORIGIN: &str = "https://origin.invalid";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Option<String> {
        ReturnTo::parse(text).map(|path| path.0)
    }

    /// What every result must be, whatever went in.
    fn assert_local(text: &str) {
        let origin = Origin::parse("https://app.example.com:8443").expect("an origin");
        let path = ReturnTo::parse_or_root(text);
        assert!(
            path.0.starts_with('/') && !path.0.starts_with("//"),
            "{text:?}"
        );
        assert!(!path.0.starts_with("/\\"), "{text:?}");
        assert!(
            path.0.bytes().all(|byte| byte.is_ascii_graphic()),
            "{text:?}"
        );
        assert!(path.0.len() <= 1024, "{text:?}");
        assert!(!path.0.contains('#'), "{text:?}");

        let absolute = Url::parse(&path.on(&origin)).expect("an absolute URL");
        assert_eq!(Origin::of(&absolute), origin, "{text:?}");
        assert_eq!(absolute.as_str(), path.on(&origin), "{text:?}");
        let relative = Url::parse(origin.as_str())
            .and_then(|base| base.join(path.as_str()))
            .expect("a relative URL");
        assert_eq!(relative, absolute, "{text:?}");
        assert_eq!(ReturnTo::parse(path.as_str()), Some(path), "{text:?}");
    }

    #[test]
    fn local_paths_keep_their_query_and_lose_their_fragment() {
        for (text, expected) in [
            ("/", "/"),
            ("/account", "/account"),
            ("/a/b/?q=1&r=%20x", "/a/b/?q=1&r=%20x"),
            ("/a?next=//evil.example", "/a?next=//evil.example"),
            (
                "/a?u=https://evil.example\\x",
                "/a?u=https://evil.example\\x",
            ),
            ("/a#b", "/a"),
            ("/a?b#c?d", "/a?b"),
            ("/#//evil.example", "/"),
            ("/a//b", "/a//b"),
            ("/@evil.example", "/@evil.example"),
            ("/:80", "/:80"),
            ("/a:b", "/a:b"),
            ("/%0d%0aSet-Cookie:%20a=b", "/%0d%0aSet-Cookie:%20a=b"),
            ("/%2f%2fevil.example", "/%2f%2fevil.example"),
            ("/%5cevil.example", "/%5cevil.example"),
        ] {
            assert_eq!(path(text).as_deref(), Some(expected));
            assert_local(text);
        }
    }

    #[test]
    fn paths_are_normalised_as_browsers_do() {
        for (text, expected) in [
            ("/a/../b", "/b"),
            ("/a/./b", "/a/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/../../b", "/b"),
            ("/a\\b", "/a/b"),
            ("/caf\u{e9}?q=\u{e9}", "/caf%C3%A9?q=%C3%A9"),
            ("/a b", "/a%20b"),
            ("/<script>\"", "/%3Cscript%3E%22"),
            ("/\u{ff0f}evil.example", "/%EF%BC%8Fevil.example"),
        ] {
            assert_eq!(path(text).as_deref(), Some(expected));
            assert_local(text);
        }
    }

    #[test]
    fn what_leads_off_site_is_refused() {
        for text in [
            "",
            "account",
            "?a",
            "#a",
            ".",
            "..",
            "./a",
            " /a",
            "\t/a",
            "\n//evil.example",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "//",
            "/\\evil.example",
            "//origin.invalid/a",
            "/\\origin.invalid/a",
            "\\\\evil.example",
            "\\/evil.example",
            "/\\/evil.example",
            "/\\\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "HTTPS:evil.example",
            "http://app.example.com@evil.example",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "mailto:a@b",
            "/..//evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "/a/../..//evil.example",
            "/..\\/evil.example",
            "/.\\\\evil.example",
            "/%2e%2e//evil.example",
            "/%2E//evil.example",
            "/././/evil.example",
            "/a/..\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\n/evil.example",
            "/a\r\nSet-Cookie: a=b",
            "/a\0b",
            "/\u{7f}",
            "/\u{85}/evil.example",
            "/\u{1b}",
            "\u{feff}/a",
            "\u{2028}//evil.example",
        ] {
            assert_eq!(path(text), None, "{text:?}");
            assert_eq!(ReturnTo::parse_or_root(text), ReturnTo::root());
        }
    }

    #[test]
    fn the_root_is_the_only_path_that_names_no_page() {
        assert!(ReturnTo::root().is_root() && ReturnTo::parse_or_root("/a/..").is_root());
        assert!(!ReturnTo::parse_or_root("/a").is_root());
        assert!(!ReturnTo::parse_or_root("/?a").is_root());
    }

    #[test]
    fn paths_of_1024_bytes_are_kept_and_longer_ones_are_not() {
        let longest = format!("/{}", "a".repeat(1023));
        assert_eq!(path(&longest), Some(longest.clone()));
        assert_eq!(path(&format!("{longest}a")), None);
        // Within the limit as written, beyond it once encoded.
        assert_eq!(path(&format!("/{}", "é".repeat(500))), None);
        assert_eq!(path(&format!("/a/..{longest}")), None);
    }

    #[test]
    fn every_combination_of_hostile_pieces_stays_local() {
        const PIECES: [&str; 16] = [
            "/",
            "\\",
            ".",
            "..",
            "%2e",
            "%2f",
            "%5C",
            "@",
            ":",
            "?",
            "#",
            "\t",
            "evil.example",
            "https:",
            "é",
            "%",
        ];
        for a in PIECES {
            for b in PIECES {
                for c in PIECES {
                    assert_local(&format!("{a}{b}{c}"));
                    assert_local(&format!("/{a}{b}{c}/evil.example"));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_stays_local(text in ".*") {
            assert_local(&text);
            assert_local(&format!("/{text}"));
        }

        #[test]
        fn any_mixture_of_what_browsers_treat_specially_stays_local(
            text in r#"[/\\.%25ef@:?#;&= "<'|^`{\[aé\u{202e}\u{ff0e}\t]{0,16}"#,
        ) {
            assert_local(&format!("/{text}"));
        }
    }
}
