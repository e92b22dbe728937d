//! Origins, and the hosts in them.

use std::{
    fmt::{self, Display},
    net::IpAddr,
};

use url::Url;

use super::error::shown;

/// Scheme, host and port, such as `https://app.example.com`; without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// The origin of an http or https URL.
    pub(crate) fn of(url: &Url) -> Self {
        Self(url.origin().ascii_serialization())
    }

    /// Reads an origin as a person writes it, or says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = http_url(text)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if is_bare {
            Ok(Self::of(&url))
        } else {
            Err(format!(
                "`{}` is more than an origin; write `{}`",
                shown(text),
                Self::of(&url)
            ))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether the host is this machine, by name or by address.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    /// The host as it stands in a URL: an IPv6 address is in brackets.
    pub(crate) fn host(&self) -> &str {
        host_of(self.0.split_once("://").map_or("", |(_, rest)| rest))
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host of `host:port`, as it stands in a URL.
pub(crate) fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether browsers send the cookies of a domain to a host (RFC 6265, 5.1.3).
pub(crate) fn belongs_to(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Reads an absolute http or https URL, or says what is wrong with it.
pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let refused = || {
        format!(
            "`{}` is not an absolute http or https URL, such as `https://app.example.com`",
            shown(text)
        )
    };
    let url = Url::parse(text).map_err(|_| refused())?;
    // The parser mends what browsers mend: missing slashes, backslashes, stray tabs.
    let has_slashes = text
        .split_once("://")
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(url.scheme()));
    let is_clean = !text.contains(|c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '\\' | char::REPLACEMENT_CHARACTER)
    });
    if !has_slashes || !is_clean || !matches!(url.scheme(), "http" | "https") {
        return Err(refused());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the URL contains a user name or password; leave out what stands before `@`".to_owned(),
        );
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_name_and_by_address() {
        for (origin, host, loopback) in [
            ("http://localhost:3000", "localhost", true),
            ("https://127.0.0.1", "127.0.0.1", true),
            ("http://[::1]:3000", "[::1]", true),
            ("http://[::1]", "[::1]", true),
            ("https://app.example.com:8443", "app.example.com", false),
            ("https://[2001:db8::1]", "[2001:db8::1]", false),
        ] {
            let origin = Origin::parse(origin).expect("an origin");
            assert_eq!(origin.host(), host);
            assert_eq!(origin.is_loopback(), loopback);
        }
    }

    #[test]
    fn a_host_belongs_to_its_own_domain_and_those_above() {
        for (host, domain, belongs) in [
            ("app.example.com", "app.example.com", true),
            ("app.example.com", "example.com", true),
            ("example.com", "app.example.com", false),
            ("notexample.com", "example.com", false),
            ("app.example.com", "other.com", false),
        ] {
            assert_eq!(belongs_to(host, domain), belongs, "{host} in {domain}");
        }
    }
}
