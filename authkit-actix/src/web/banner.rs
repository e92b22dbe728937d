use std::fmt;

use super::pages::escape;
use crate::{access::AuthUser, authkit::AuthKit};

/// A strip for server-rendered pages that says who is really behind the keyboard, with a button that
/// ends it; shows itself as an HTML fragment.
///
/// Its look follows the CSS variables `--authkit-banner-background`, `--authkit-banner-color` and
/// `--authkit-banner-border`.
///
/// ```
/// use actix_web::{Responder, get, web::Html};
/// use authkit_actix::{Auth, AuthUser, ensure_signed_in};
///
/// #[get("/account")]
/// #[ensure_signed_in]
/// async fn account(auth: Auth, user: AuthUser) -> impl Responder {
///     let banner = auth.impersonation_banner().map(|it| it.to_string());
///     Html::new(format!("{}<h1>Account</h1>", banner.unwrap_or_default()))
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a banner does nothing until it is shown"]
pub struct ImpersonationBanner {
    authkit: AuthKit,
    user: AuthUser,
    impersonator: String,
    nonce: Option<String>,
}

impl ImpersonationBanner {
    pub(super) fn of(authkit: &AuthKit, user: AuthUser) -> Option<Self> {
        Some(Self {
            impersonator: user.impersonator()?.email,
            authkit: authkit.clone(),
            user,
            nonce: None,
        })
    }

    /// The nonce of the page's Content-Security-Policy, for the banner's style.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }
}

impl fmt::Display for ImpersonationBanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nonce = self.nonce.as_deref().map_or(String::new(), |nonce| {
            format!(" nonce=\"{}\"", escape(nonce))
        });
        let sign_out = &self.authkit.inner.config.paths.sign_out;
        write!(
            f,
            "<style{nonce}>{STYLE}</style>\
             <aside class=\"authkit-impersonation\" role=\"status\">\
             <span><strong>{}</strong> is acting as <strong>{}</strong>{}</span>\
             <form method=\"post\" action=\"{}\"><button>Stop</button></form></aside>",
            escape(&self.impersonator),
            escape(&self.user.email),
            self.organization(),
            escape(sign_out),
        )
    }
}

impl ImpersonationBanner {
    fn organization(&self) -> String {
        self.user.organization_id().map_or(String::new(), |id| {
            format!(" in <code>{}</code>", escape(id))
        })
    }
}

/// The client's banner has the same.
const STYLE: &str = include_str!("banner.css");
