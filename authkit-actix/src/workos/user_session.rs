//! The sessions of users, as WorkOS knows them.

use serde::{Deserialize, Serialize};

use super::Impersonator;

/// A session of a user at WorkOS.
///
/// Only the ids are certain to be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UserSession {
    /// The session's id: `session_…`.
    pub id: String,
    /// The id of its user: `user_…`.
    pub user_id: String,
    /// The organization that the session is signed in to: `org_…`.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// Who acts for the user, if it is not the user.
    #[serde(default)]
    pub impersonator: Option<Impersonator>,
    /// The address that the user signed in from.
    #[serde(default)]
    pub ip_address: Option<String>,
    /// The browser that the user signed in with.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// How the user signed in: `password`, `oauth`, `sso`, ….
    #[serde(default)]
    pub auth_method: Option<String>,
    /// `active`, `expired` or `revoked`.
    #[serde(default)]
    pub status: Option<String>,
    /// When the session ends at the latest, in RFC 3339.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// When the session ended, in RFC 3339.
    #[serde(default)]
    pub ended_at: Option<String>,
    /// When the user signed in, in RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
}

impl UserSession {
    /// Whether the session goes on; one that WorkOS says nothing of does.
    pub fn is_active(&self) -> bool {
        self.ended_at.is_none() && self.status.as_deref().is_none_or(|it| it == "active")
    }
}
