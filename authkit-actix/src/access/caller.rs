use super::{auth_user::AuthUser, bearer_user::BearerUser};
use crate::workos::ApiKey;

/// Whoever a route let in, on routes that take several kinds of credentials.
///
/// ```
/// use actix_web::{Responder, get};
/// use authkit_actix::{Caller, ensure_signed_in};
///
/// #[get("/v1/me")]
/// #[ensure_signed_in(accept(session, bearer, api_key))]
/// async fn me(caller: Caller) -> impl Responder {
///     match caller {
///         Caller::User(user) => format!("{} in a browser", user.email),
///         Caller::Bearer(user) => format!("{} by an access token", user.user_id()),
///         Caller::ApiKey(key) => format!("the API key {}", key.name),
///     }
/// }
/// ```
///
/// Where a request carries an `Authorization` header, that header decides, and a session beside it
/// is as good as none: `AuthUser` does not find it either. Routes whose guard does not name `bearer`
/// or `api_key`, and routes without a guard, know nobody but the session's user.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Somebody with a session.
    User(AuthUser),
    /// Somebody with an access token.
    Bearer(BearerUser),
    /// A program with an API key.
    ApiKey(ApiKey),
}

impl Caller {
    /// The id of the user who calls, or for whom an API key does: `user_…`.
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(&user.id),
            Self::Bearer(user) => Some(user.user_id()),
            Self::ApiKey(key) => key.user_id(),
        }
    }

    /// The organization that the call is made in: `org_…`.
    pub fn organization_id(&self) -> Option<&str> {
        match self {
            Self::User(user) => user.organization_id(),
            Self::Bearer(user) => user.organization_id(),
            Self::ApiKey(key) => key.organization_id(),
        }
    }

    /// What the caller may do.
    pub fn permissions(&self) -> &[String] {
        match self {
            Self::User(user) => user.permissions(),
            Self::Bearer(user) => user.permissions(),
            Self::ApiKey(key) => &key.permissions,
        }
    }

    /// Whether the caller has a permission.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions().iter().any(|held| held == permission)
    }
}
