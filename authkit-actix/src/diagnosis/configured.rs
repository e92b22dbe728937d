//! What can be told from the configuration alone. What it refuses at the start is not looked for
//! again.

use url::Url;

use super::{CONFIGURATION, COOKIE_SIZE, COOKIES, REDIRECT_URI, report::Finding};
use crate::{
    config::{Config, LARGEST_COOKIE, Origin, SameSite, SealFormat, belongs_to},
    session::{SAMPLE_TOKEN, Sessions},
    web::set_cookie,
};

pub(super) fn configuration(config: &Config) -> Finding {
    let Config {
        client_id,
        base_url,
        api_url,
        ..
    } = config;
    if api_url.is_loopback() && !base_url.is_loopback() {
        return Finding::warning(
            CONFIGURATION,
            format!("{base_url} signs people in against {api_url}, on this machine: an emulator?"),
            "unset WORKOS_API_HOSTNAME, WORKOS_API_HTTPS and WORKOS_API_PORT, and leave out \
             `.emulator(…)`",
        );
    }
    let seal = match config.seal_format {
        SealFormat::ChaCha => "for this library alone",
        SealFormat::Iron => "to share with other AuthKit libraries",
    };
    let mut seen = format!("{base_url} as {client_id} at {api_url}; cookies sealed {seal}");
    if let [_, older @ ..] = config.cookie_passwords.as_slice()
        && !older.is_empty()
    {
        seen += &format!(", and opened by {} older passwords too", older.len());
    }
    Finding::fine(CONFIGURATION, seen)
}

/// Whether a sign-in that begins at the base URL can end at the redirect URI: its cookie has to come
/// along.
pub(super) fn redirect_uri(config: &Config) -> Vec<Finding> {
    let Config {
        redirect_uri: uri,
        base_url: base,
        cookie,
        ..
    } = config;
    let origin = Origin::of(uri);
    let mut findings = Vec::new();
    if config.hosts_share_no_cookies() {
        findings.push(Finding::fault(
            REDIRECT_URI,
            format!(
                "sign-ins begin at `{}` and end at `{}`, where browsers do not send the cookies of \
                 the former: none can be finished",
                base.host(),
                origin.host()
            ),
            "give AUTHKIT_BASE_URL the host of WORKOS_REDIRECT_URI, or name a WORKOS_COOKIE_DOMAIN \
             that both belong to",
        ));
    } else if cookie.secure && !origin.is_https() && !origin.is_loopback() {
        findings.push(Finding::fault(
            REDIRECT_URI,
            format!("cookies go over https only, and `{origin}` is plain http"),
            "use https in WORKOS_REDIRECT_URI, and register the new address in the WorkOS dashboard",
        ));
    } else if origin.is_https() && !base.is_https() {
        findings.push(Finding::warning(
            REDIRECT_URI,
            format!("the redirect URI is https, and the base URL `{base}` is not"),
            "use https in AUTHKIT_BASE_URL too: redirects and the cookies' `Secure` derive from it",
        ));
    } else if !origin.is_https() && !origin.is_loopback() {
        findings.push(Finding::warning(
            REDIRECT_URI,
            format!("`{origin}` is plain http: the codes of sign-ins can be read on the way"),
            "use https; WorkOS takes plain http in staging environments only",
        ));
    } else if origin != *base && origin.host() == base.host() {
        findings.push(Finding::warning(
            REDIRECT_URI,
            format!("people come back to `{origin}`, and go on to `{base}`"),
            "give AUTHKIT_BASE_URL and WORKOS_REDIRECT_URI one port, unless two servers share this \
             host",
        ));
    }
    if uri.path() == "/" {
        findings.push(Finding::warning(
            REDIRECT_URI,
            "the callback is at `/`, where no page of the application can be",
            "use a path of its own, such as `/callback`",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::fine(
            REDIRECT_URI,
            format!("{uri}, to be registered at \"Redirects\" in the WorkOS dashboard"),
        ));
    }
    findings
}

/// Whether browsers keep the cookies, and send them where they belong.
pub(super) fn cookies(config: &Config) -> Vec<Finding> {
    let Config {
        cookie,
        base_url: base,
        ..
    } = config;
    let mut findings = Vec::new();
    if cookie.secure && !base.is_https() {
        let seen = format!("`Secure` cookies from `{base}`, which is plain http");
        let cure = "use https, or leave WORKOS_COOKIE_SAMESITE at `lax`: `none` is what asks for \
                    `Secure`";
        findings.push(if base.is_loopback() {
            let seen = format!("{seen}: not every browser keeps those, even on this machine");
            Finding::warning(COOKIES, seen, cure)
        } else {
            let seen = format!("{seen}: browsers drop those, and nobody stays signed in");
            Finding::fault(COOKIES, seen, cure)
        });
    }
    if !cookie.secure && !base.is_loopback() {
        findings.push(Finding::warning(
            COOKIES,
            format!("sessions travel readable, since `{base}` is plain http"),
            "use https, and set AUTHKIT_BASE_URL to what browsers see if a proxy does the https",
        ));
    }
    if cookie.same_site == SameSite::None {
        findings.push(Finding::warning(
            COOKIES,
            "SameSite=None: requests that other sites cause come with the session",
            "protect what changes something against forged requests, or use `lax`",
        ));
    }
    if let Some(domain) = &cookie.domain {
        let is_outside = |uri: &&Url| !belongs_to(Origin::of(uri).host(), domain);
        for uri in config.redirect_uris.iter().filter(is_outside) {
            findings.push(Finding::fault(
                COOKIES,
                format!(
                    "browsers refuse cookies for `{domain}` from `{}`, one of the redirect URIs",
                    Origin::of(uri)
                ),
                "leave WORKOS_COOKIE_DOMAIN unset, or that redirect URI out",
            ));
        }
    }
    if findings.is_empty() {
        let secure = if cookie.secure { ", Secure" } else { "" };
        let scope = match &cookie.domain {
            Some(domain) => format!("{domain} and its subdomains"),
            None => format!("{} alone", base.host()),
        };
        findings.push(Finding::fine(
            COOKIES,
            format!(
                "`{}`, SameSite={:?}{secure}, for {scope}",
                cookie.name, cookie.same_site
            ),
        ));
    }
    findings
}

/// How much of its cookies, and of what proxies let through, an ordinary session takes.
pub(super) fn cookie_size(config: &Config, sessions: &Sessions) -> Finding {
    let Ok(sealed) = sessions.sample_cookie() else {
        return Finding::fault(
            COOKIE_SIZE,
            "no session could be sealed",
            "the operating system gives no random bytes: look there",
        );
    };
    let cookies = set_cookie::split(&config.cookie.name, &sealed);
    let bytes: usize = cookies
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let mut seen = format!(
        "an ordinary session with a token of {SAMPLE_TOKEN} bytes makes {bytes} bytes in {}",
        match cookies.len() {
            1 => "1 cookie".to_owned(),
            count => format!("{count} cookies"),
        }
    );
    if bytes > WARN_BYTES {
        return Finding::warning(
            COOKIE_SIZE,
            seen,
            "proxies often take 8 kB of request headers: keep fewer `user_fields`, or the sessions \
             on the server (`session_store`, `sessions_in_redis`)",
        );
    }
    if sessions.are_stored() {
        let seen = format!("{bytes} bytes, which only say which session it is");
        return Finding::fine(COOKIE_SIZE, seen);
    }
    let room = LARGEST_COOKIE.saturating_sub(bytes) * 3 / 4;
    let room = match config.seal_format {
        SealFormat::ChaCha => room,
        // Base64 twice: in the token, and in the seal.
        SealFormat::Iron => room * 3 / 4,
    };
    seen += &format!(
        "; about {room} bytes of further claims fit, and beyond that there are more cookies (proxies \
         often take 8 kB of request headers)"
    );
    Finding::fine(COOKIE_SIZE, seen)
}

const WARN_BYTES: usize = 7 * 1024;
