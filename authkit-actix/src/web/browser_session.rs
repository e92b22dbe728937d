use std::fmt;

use serde::Serialize;

use super::auth::Auth;
use crate::{
    access::AuthUser,
    workos::{Impersonator, User},
};

/// What the scripts of a page may know about the session: who is signed in, where, with which rights,
/// and no token. From [`Auth::browser_session`].
///
/// It is what `GET /authkit/session` answers. A page that carries it spares its scripts that question:
/// it shows itself as JSON that is safe inside a `script` element.
///
/// ```
/// use actix_web::{Responder, get, web::Html};
/// use authkit_actix::Auth;
///
/// #[get("/app")]
/// async fn page(auth: Auth) -> impl Responder {
///     let session = auth
///         .browser_session()
///         .map_or("null".to_owned(), |session| session.to_string());
///     Html::new(format!(
///         r#"<script type="application/json" id="session">{session}</script>"#
///     ))
/// }
/// ```
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[non_exhaustive]
pub struct BrowserSession {
    /// Who is signed in.
    pub user: User,
    /// The id of the WorkOS session: `session_…`.
    pub session_id: String,
    /// The organization that the session is for: `org_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// The user's role in that organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// All roles of the user in that organization.
    pub roles: Vec<String>,
    /// What the user may do in that organization.
    pub permissions: Vec<String>,
    /// What that organization has paid for.
    pub entitlements: Vec<String>,
    /// The feature flags that are on for the user.
    pub feature_flags: Vec<String>,
    /// Who acts for the user, if it is not the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impersonator: Option<Impersonator>,
    /// How the user signed in: `Password`, `GoogleOAuth`, `SSO`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_method: Option<String>,
    /// The application's own sign-in route.
    pub sign_in_url: String,
}

impl Auth {
    /// What the page's scripts may know about the session; `None` when nobody is signed in.
    pub fn browser_session(&self) -> Option<BrowserSession> {
        Some(BrowserSession::new(
            &self.user()?,
            self.sign_in_url().to_string(),
        ))
    }
}

impl BrowserSession {
    fn new(user: &AuthUser, sign_in_url: String) -> Self {
        Self {
            user: user.user().clone(),
            session_id: user.session_id().to_owned(),
            organization_id: user.organization_id().map(str::to_owned),
            role: user.role().map(str::to_owned),
            roles: user.roles().to_vec(),
            permissions: user.permissions().to_vec(),
            entitlements: user.entitlements().to_vec(),
            feature_flags: user.feature_flags().to_vec(),
            impersonator: user.impersonator(),
            authentication_method: user.authentication_method().map(str::to_owned),
            sign_in_url,
        }
    }
}

impl fmt::Display for BrowserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        // A name may contain `</script>` or `<!--`, which would end the element or hide its end.
        f.write_str(&json.replace('<', "\\u003c"))
    }
}
