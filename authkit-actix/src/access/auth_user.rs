use std::{any::Any, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    feature_flags::EvaluationContext,
    session::{Freshness, SignedIn},
    token::{self, AccessTokenClaims},
    workos::{Impersonator, User},
};

/// The signed-in user of a request.
///
/// It dereferences to the WorkOS [`User`] (`id`, `email`, `first_name`, …) and adds what the verified
/// access token says about the session. As an extractor it answers for you when nobody is signed in:
/// a document is sent to sign in, an API call gets `401`, and while WorkOS cannot be asked, `503`.
/// `Option<AuthUser>` is `None` for strangers; what cannot be told is `503` there as well.
///
/// Claims of a JWT template are read into a type of your own:
///
/// ```
/// use actix_web::{Responder, get};
/// use authkit_actix::AuthUser;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Plan {
///     plan: String,
/// }
///
/// #[get("/plan")]
/// async fn plan(user: AuthUser<Plan>) -> impl Responder {
///     format!("{} is on the {} plan", user.email, user.claims().plan)
/// }
/// ```
///
/// A token that lacks those claims is answered with `403`, and an error in the log.
pub struct AuthUser<C = NoClaims> {
    signed_in: Arc<SignedIn>,
    claims: C,
}

/// No claims of one's own: what [`AuthUser`] reads unless told otherwise.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct NoClaims {}

impl<C> AuthUser<C> {
    /// The user, as WorkOS knows them.
    pub fn user(&self) -> &User {
        &self.signed_in.session.user
    }

    /// The id of the WorkOS session: `session_…`. It stays the same when the session is refreshed.
    pub fn session_id(&self) -> &str {
        &self.token().sid
    }

    /// The organization the session is for: `org_…`.
    pub fn organization_id(&self) -> Option<&str> {
        self.token().org_id.as_deref()
    }

    /// The user's role in that organization.
    pub fn role(&self) -> Option<&str> {
        self.token().role.as_deref()
    }

    /// All roles of the user in that organization.
    pub fn roles(&self) -> &[String] {
        &self.token().roles
    }

    /// What the user may do in that organization.
    pub fn permissions(&self) -> &[String] {
        &self.token().permissions
    }

    /// What that organization has paid for.
    pub fn entitlements(&self) -> &[String] {
        &self.token().entitlements
    }

    /// The feature flags that are on for the user.
    pub fn feature_flags(&self) -> &[String] {
        &self.token().feature_flags
    }

    /// Whether the user has a role, as their main role or as one of several. Nobody is known to have
    /// one while the session is served in [grace](Self::freshness).
    pub fn has_role(&self, role: &str) -> bool {
        self.is_current() && self.token().has_role(role)
    }

    /// Whether the user has a permission. Nobody is known to have one while the session is served in
    /// [grace](Self::freshness).
    pub fn has_permission(&self, permission: &str) -> bool {
        self.is_current() && contains(self.permissions(), permission)
    }

    /// Whether the session is known to hold, or is served on trust while WorkOS is down; only ever
    /// the latter with [`outage_grace`](crate::AuthKitBuilder::outage_grace).
    pub fn freshness(&self) -> Freshness {
        self.signed_in.freshness
    }

    fn is_current(&self) -> bool {
        self.freshness() == Freshness::Current
    }

    /// Who acts for the user, if it is not the user.
    ///
    /// The access token decides; the reason is known from the sign-in.
    pub fn impersonator(&self) -> Option<Impersonator> {
        let sealed = self.signed_in.session.impersonator.as_ref();
        match &self.token().act {
            Some(actor) => Some(Impersonator {
                email: actor.sub.clone(),
                reason: sealed
                    .filter(|sealed| sealed.email == actor.sub)
                    .and_then(|sealed| sealed.reason.clone()),
            }),
            None => sealed.cloned(),
        }
    }

    /// How the user signed in: `Password`, `GoogleOAuth`, `SSO`, ….
    pub fn authentication_method(&self) -> Option<&str> {
        self.signed_in.session.authentication_method.as_deref()
    }

    /// When the user last proved who they are, in seconds since the Unix epoch.
    pub fn authenticated_at(&self) -> Option<i64> {
        self.token().auth_time
    }

    /// The access token, for calls to services of your own that verify it.
    ///
    /// # Security
    ///
    /// Whoever holds it is this user until it expires. It belongs in no page and no log.
    pub fn access_token(&self) -> &str {
        self.signed_in.session.access_token.expose_secret()
    }

    pub(crate) fn signed_in(&self) -> &SignedIn {
        &self.signed_in
    }

    /// The verified claims of the access token.
    pub fn token(&self) -> &AccessTokenClaims {
        &self.signed_in.claims
    }

    /// The claims of your own JWT template.
    pub fn claims(&self) -> &C {
        &self.claims
    }
}

impl<C: DeserializeOwned + 'static> AuthUser<C> {
    /// # Errors
    ///
    /// When the verified token lacks a claim that `C` asks for.
    pub(crate) fn new(signed_in: Arc<SignedIn>) -> Result<Self, serde_json::Error> {
        let none: Box<dyn Any> = Box::new(NoClaims {});
        let claims = match none.downcast() {
            Ok(none) => *none,
            Err(_) => token::custom_claims(&signed_in.session.access_token)?,
        };
        Ok(Self { signed_in, claims })
    }
}

impl AuthUser {
    /// The user of a session, whatever its token says beyond the usual claims.
    pub(crate) fn plain(signed_in: Arc<SignedIn>) -> Self {
        Self {
            signed_in,
            claims: NoClaims {},
        }
    }
}

impl<C> Deref for AuthUser<C> {
    type Target = User;

    fn deref(&self) -> &User {
        self.user()
    }
}

/// The user, in the organization of the session.
impl<'a, C> From<&'a AuthUser<C>> for EvaluationContext<'a> {
    fn from(user: &'a AuthUser<C>) -> Self {
        Self::new()
            .user_id(user.id.as_str())
            .organization_id(user.organization_id())
    }
}

/// The user, or nobody known.
impl<'a, C> From<Option<&'a AuthUser<C>>> for EvaluationContext<'a> {
    fn from(user: Option<&'a AuthUser<C>>) -> Self {
        user.map(Self::from).unwrap_or_default()
    }
}

impl<C: Clone> Clone for AuthUser<C> {
    fn clone(&self) -> Self {
        Self {
            signed_in: Arc::clone(&self.signed_in),
            claims: self.claims.clone(),
        }
    }
}

impl<C> fmt::Debug for AuthUser<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthUser")
            .field("id", &self.id)
            .field("session_id", &self.session_id())
            .finish_non_exhaustive()
    }
}

impl AccessTokenClaims {
    pub(crate) fn has_role(&self, role: &str) -> bool {
        self.role.as_deref() == Some(role) || contains(&self.roles, role)
    }
}

pub(super) fn contains(values: &[String], value: &str) -> bool {
    values.iter().any(|candidate| candidate == value)
}
