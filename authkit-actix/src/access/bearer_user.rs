use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;

use super::auth_user::contains;
use crate::{
    lookups::Unavailable,
    profiles::Profiles,
    token::{self, AccessToken, AccessTokenClaims},
    workos::{Impersonator, User},
};

/// A user who is known by an access token in the `Authorization` header alone.
///
/// The token is verified as that of a session is, and says who the user is and what they may; it
/// carries no profile. [`profile`](Self::profile) fetches one where a handler needs the name or the
/// address.
///
/// As an extractor it stands for itself: without a valid token the answer is `401`, and cookies play
/// no part. For routes that take a session as well, see [`Caller`](crate::Caller).
///
/// # Security
///
/// An access token is good until it expires, also after its session has ended: keep its life short.
#[derive(Clone)]
pub struct BearerUser {
    access_token: AccessToken,
    claims: Arc<AccessTokenClaims>,
    profiles: Arc<Profiles>,
}

/// Why there is no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The user does not exist any more. As a response: `403`.
    #[error("the user does not exist any more")]
    NoSuchUser,
    /// WorkOS gave no usable answer. As a response: `503`.
    #[error("the user's profile cannot be fetched now")]
    #[non_exhaustive]
    Unavailable {
        /// Seconds to wait.
        retry_after: u64,
    },
}

impl BearerUser {
    pub(crate) fn new(
        access_token: AccessToken,
        claims: Arc<AccessTokenClaims>,
        profiles: Arc<Profiles>,
    ) -> Self {
        Self {
            access_token,
            claims,
            profiles,
        }
    }

    /// The id of the user: `user_…`.
    pub fn user_id(&self) -> &str {
        &self.claims.sub
    }

    /// The user's profile, asked of WorkOS: one call at a time for each user.
    ///
    /// [`profile_cache`](crate::AuthKitBuilder::profile_cache) spares calls.
    ///
    /// # Errors
    ///
    /// When the user was deleted meanwhile, or when WorkOS cannot be asked.
    pub async fn profile(&self) -> Result<Arc<User>, ProfileError> {
        match self.profiles.profile(self.user_id()).await {
            Ok(Some(user)) => Ok(user),
            Ok(None) => Err(ProfileError::NoSuchUser),
            Err(Unavailable { retry_after }) => Err(ProfileError::Unavailable { retry_after }),
        }
    }

    /// The id of the WorkOS session that the token belongs to: `session_…`.
    pub fn session_id(&self) -> &str {
        &self.claims.sid
    }

    /// The organization that the token is for: `org_…`.
    pub fn organization_id(&self) -> Option<&str> {
        self.claims.org_id.as_deref()
    }

    /// The user's role in that organization.
    pub fn role(&self) -> Option<&str> {
        self.claims.role.as_deref()
    }

    /// All roles of the user in that organization.
    pub fn roles(&self) -> &[String] {
        &self.claims.roles
    }

    /// What the user may do in that organization.
    pub fn permissions(&self) -> &[String] {
        &self.claims.permissions
    }

    /// What that organization has paid for.
    pub fn entitlements(&self) -> &[String] {
        &self.claims.entitlements
    }

    /// The feature flags that are on for the user.
    pub fn feature_flags(&self) -> &[String] {
        &self.claims.feature_flags
    }

    /// Whether the user has a role, as their main role or as one of several.
    pub fn has_role(&self, role: &str) -> bool {
        self.claims.has_role(role)
    }

    /// Whether the user has a permission.
    pub fn has_permission(&self, permission: &str) -> bool {
        contains(self.permissions(), permission)
    }

    /// Who acts for the user, if it is not the user. A token does not say why.
    pub fn impersonator(&self) -> Option<Impersonator> {
        let actor = self.claims.act.as_ref()?;
        Some(Impersonator {
            email: actor.sub.clone(),
            reason: None,
        })
    }

    /// When the user last proved who they are, in seconds since the Unix epoch.
    pub fn authenticated_at(&self) -> Option<i64> {
        self.claims.auth_time
    }

    /// The access token, for calls to services of your own that verify it.
    ///
    /// # Security
    ///
    /// Whoever holds it is this user until it expires. It belongs in no page and no log.
    pub fn access_token(&self) -> &str {
        self.access_token.expose_secret()
    }

    /// The verified claims of the access token.
    pub fn token(&self) -> &AccessTokenClaims {
        &self.claims
    }

    /// The claims of your own JWT template, read from the verified access token.
    ///
    /// # Errors
    ///
    /// When the token lacks a claim that `C` asks for. The error quotes claims: it is for the log.
    pub fn claims<C: DeserializeOwned>(&self) -> Result<C, serde_json::Error> {
        token::custom_claims(&self.access_token)
    }
}

impl fmt::Debug for BearerUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerUser")
            .field("user_id", &self.user_id())
            .field("session_id", &self.session_id())
            .finish_non_exhaustive()
    }
}
