//! The API keys that an application's customers hold.

use serde::{Deserialize, Deserializer, Serialize};

use super::user::or_default;

/// A valid API key of a customer: whose it is and what it may.
///
/// As an extractor it asks WorkOS whether the `Authorization: Bearer …` header of the request holds
/// such a key. Without one, or with any other, the answer is `401`; while WorkOS cannot be asked,
/// `503`. Cookies play no part.
///
/// ```
/// use actix_web::{Responder, get};
/// use authkit_actix::{ApiKey, require_api_key};
///
/// #[get("/v1/reports")]
/// #[require_api_key(permission = "reports:read")]
/// async fn reports(key: ApiKey) -> impl Responder {
///     format!("reports of {}", key.organization_id().unwrap_or("nobody"))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApiKey {
    /// The id of the key: `api_key_…`. It names the key and does not open anything.
    pub id: String,
    /// What its owner calls it.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Whose it is.
    #[serde(default, deserialize_with = "or_other")]
    pub owner: ApiKeyOwner,
    /// What it permits.
    #[serde(default, deserialize_with = "or_default")]
    pub permissions: Vec<String>,
    /// So much of the key as may be shown: `sk_…3kF9`.
    #[serde(default, deserialize_with = "or_default")]
    pub obfuscated_value: String,
    /// When it was last used, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// When it ends, in RFC 3339; `None` for a key without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was made, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was last changed, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

/// Whose an API key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
#[non_exhaustive]
pub enum ApiKeyOwner {
    /// An organization's.
    Organization {
        /// The organization's id: `org_…`.
        id: String,
    },
    /// A user's.
    User {
        /// The user's id: `user_…`.
        id: String,
        /// The organization in which the key acts for the user: `org_…`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        organization_id: Option<String>,
    },
    /// Somebody's of a kind that this version does not know.
    #[serde(other)]
    Other,
}

impl ApiKey {
    /// Whether the key permits something.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions.iter().any(|held| held == permission)
    }

    /// The organization that the key acts in: its owner, or the one that a user's key is for.
    pub fn organization_id(&self) -> Option<&str> {
        match &self.owner {
            ApiKeyOwner::Organization { id } => Some(id),
            ApiKeyOwner::User {
                organization_id, ..
            } => organization_id.as_deref(),
            ApiKeyOwner::Other => None,
        }
    }

    /// The user that the key acts for, if it is a user's.
    pub fn user_id(&self) -> Option<&str> {
        match &self.owner {
            ApiKeyOwner::User { id, .. } => Some(id),
            ApiKeyOwner::Organization { .. } | ApiKeyOwner::Other => None,
        }
    }
}

/// The answer to a validation. Its member may be `null`, but an answer without it is no answer.
#[derive(Deserialize)]
pub(super) struct Validation {
    #[serde(deserialize_with = "null_is_none")]
    pub(super) api_key: Option<ApiKey>,
}

/// Unlike serde's own `Option`, does not take a missing member for `None`.
fn null_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ApiKey>, D::Error> {
    Option::deserialize(deserializer)
}

/// An owner that cannot be read is nobody that we know of; the key is valid all the same.
fn or_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ApiKeyOwner, D::Error> {
    let owner = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(owner).unwrap_or_default())
}

impl Default for ApiKeyOwner {
    /// Nobody that we know of.
    fn default() -> Self {
        Self::Other
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(api_key: Value) -> Option<ApiKey> {
        let answer = json!({"api_key": api_key, "agent_registration_id": null});
        serde_json::from_value::<Validation>(answer)
            .expect("an answer")
            .api_key
    }

    #[test]
    fn a_key_is_read_with_its_owner() {
        let key = read(json!({
            "object": "api_key",
            "id": "api_key_1",
            "owner": {"type": "user", "id": "user_1", "organization_id": "org_1"},
            "name": "CI",
            "obfuscated_value": "sk_…abcd",
            "permissions": ["reports:read"],
            "last_used_at": null,
            "created_at": "2026-01-31T12:00:00.000Z",
        }))
        .expect("a key");
        assert_eq!(key.user_id(), Some("user_1"));
        assert_eq!(key.organization_id(), Some("org_1"));
        assert!(key.has_permission("reports:read") && !key.has_permission("reports"));
    }

    #[test]
    fn whatever_is_not_needed_may_be_missing_or_null() {
        for key in [
            json!({"id": "api_key_1"}),
            json!({"id": "api_key_1", "name": null, "owner": null, "permissions": null}),
            json!({"id": "api_key_1", "owner": {"type": "robot", "id": "r2"}}),
            json!({"id": "api_key_1", "owner": {"type": "user"}}),
        ] {
            let key = read(key).expect("a key");
            assert_eq!(key.owner, ApiKeyOwner::Other);
            assert!(key.permissions.is_empty());
        }
    }

    #[test]
    fn no_key_is_not_the_same_as_no_answer() {
        assert_eq!(read(Value::Null), None);
        for answer in ["{}", "[]", r#"{"api_key":{}}"#, r#"{"api_key":true}"#] {
            assert!(serde_json::from_str::<Validation>(answer).is_err());
        }
    }

    #[test]
    fn an_owner_is_written_as_the_api_writes_it() {
        let owner = ApiKeyOwner::Organization { id: "org_1".into() };
        assert_eq!(
            serde_json::to_value(owner).expect("JSON"),
            json!({"type": "organization", "id": "org_1"})
        );
    }
}
