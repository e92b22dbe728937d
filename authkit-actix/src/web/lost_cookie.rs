//! Why a browser comes without a cookie that it was given, as far as that can be told.

use actix_web::HttpRequest;

use crate::{
    authkit::AuthKit,
    config::{belongs_to, host_of},
};

/// What may have become of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// It is `Secure`, and the application is open over plain http.
    NotSecure,
    /// It is for another domain than the one that the application is open at.
    OtherDomain,
    /// It is for the host of the base URL, and the application is open at another.
    OtherHost,
    /// It is in several pieces, of which the browser or a proxy has not kept all.
    TooLarge,
    /// The response to the callback came without its `Set-Cookie` headers.
    Stripped,
    /// It came, and did not open or was not believed.
    Refused,
    /// Nothing else explains it.
    Overwritten,
    /// Two instances of the application, whose clocks are apart, judge the same sign-in.
    ClocksApart,
}

impl Loss {
    /// What to tell whoever looks at the page, who may be the developer.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::NotSecure => {
                "This site seems to be open over http, but its cookies are for https only (Secure): open it over https."
            }
            Self::OtherDomain => {
                "The cookies are set for a domain that this site is not part of (WORKOS_COOKIE_DOMAIN)."
            }
            Self::OtherHost => {
                "This site seems to be open at another host than the one it is configured for (AUTHKIT_BASE_URL): cookies do not follow from one host to another."
            }
            Self::TooLarge => {
                "The session cookie is too large for the browser, or for a proxy on the way."
            }
            Self::Stripped => {
                "A proxy or cache on the way takes the cookies (Set-Cookie) out of the answer to a sign-in."
            }
            Self::Refused => {
                "The session cookie arrives but is not accepted: instances of this site have different cookie passwords, or another site on this host uses a cookie of the same name."
            }
            Self::Overwritten => {
                "The session cookie is lost on its way, though another cookie arrives: another site on this domain may remove it, or the browser keeps too many cookies of this domain."
            }
            Self::ClocksApart => "The clocks of the servers of this site are apart.",
        }
    }
}

/// What there is in the request and the configuration that keeps a browser from sending any cookie of
/// ours.
pub(super) fn of_any_cookie(authkit: &AuthKit, request: &HttpRequest) -> Vec<Loss> {
    let cookie = &authkit.inner.config.cookie;
    let connection = request.connection_info();
    let host = host_of(connection.host());
    let mut losses = Vec::new();
    if cookie.secure && connection.scheme() == "http" {
        losses.push(Loss::NotSecure);
    }
    match &cookie.domain {
        Some(domain) if !belongs_to(host, domain) => losses.push(Loss::OtherDomain),
        None if authkit.origin(request).host() != host => losses.push(Loss::OtherHost),
        _ => {}
    }
    losses
}
