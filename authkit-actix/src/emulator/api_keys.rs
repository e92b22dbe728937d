use std::fmt;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::EmulatorError;
use super::api::{is_server, unauthorized};
use super::faults::Endpoint;
use super::state::{State, Store, rfc3339};

/// An API key that the emulator knows as a customer's.
///
/// ```
/// use authkit_actix::emulator::{Emulator, EmulatorApiKey};
///
/// let emulator = Emulator::builder()
///     .issue_api_key(
///         EmulatorApiKey::of_organization("org_acme", "sk_live_reports").permission("reports:read"),
///     )
///     .quiet()
///     # .allow_in_release()
///     .start()?;
/// assert!(emulator.revoke_api_key("sk_live_reports"));
/// assert!(!emulator.revoke_api_key("sk_live_reports"));
/// # Ok::<(), authkit_actix::emulator::EmulatorError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct EmulatorApiKey {
    value: SecretString,
    owner: Owner,
    id: Option<String>,
    name: String,
    permissions: Vec<String>,
}

#[derive(Clone)]
enum Owner {
    Organization(String),
    User {
        email: String,
        organization_id: Option<String>,
    },
}

impl EmulatorApiKey {
    /// The key that goes with the sample users.
    pub(super) fn sample() -> Self {
        Self::of_organization("org_acme", "sk_sample_acme")
            .name("Sample key")
            .permission("reports:read")
    }

    pub(super) fn value(&self) -> &str {
        self.value.expose_secret()
    }

    /// A key of an organization, by the organization's id and the text of the key.
    pub fn of_organization(
        organization_id: impl Into<String>,
        value: impl Into<SecretString>,
    ) -> Self {
        Self::new(Owner::Organization(organization_id.into()), value.into())
    }

    /// A key of a user, by the user's address and the text of the key. It acts in the user's only
    /// organization, or in none.
    pub fn of_user(email: impl Into<String>, value: impl Into<SecretString>) -> Self {
        let owner = Owner::User {
            email: email.into(),
            organization_id: None,
        };
        Self::new(owner, value.into())
    }

    /// The organization in which a user's key acts; nothing for an organization's own.
    pub fn in_organization(mut self, id: impl Into<String>) -> Self {
        if let Owner::User {
            organization_id, ..
        } = &mut self.owner
        {
            *organization_id = Some(id.into());
        }
        self
    }

    /// The id. Defaults to one derived from the text of the key.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What its owner calls it. Defaults to `API key`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Something that the key permits.
    pub fn permission(mut self, slug: impl Into<String>) -> Self {
        self.permissions.push(slug.into());
        self
    }

    fn new(owner: Owner, value: SecretString) -> Self {
        Self {
            value,
            owner,
            id: None,
            name: "API key".to_owned(),
            permissions: Vec::new(),
        }
    }
}

/// Leaves the text of the key out.
impl fmt::Debug for EmulatorApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorApiKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A key that was issued.
pub(super) struct IssuedKey {
    value: SecretString,
    /// What the API says of it.
    json: Value,
}

impl Store {
    /// Issues a key; one of the same text is replaced.
    pub(super) fn issue(&mut self, key: EmulatorApiKey, now: i64) -> Result<(), EmulatorError> {
        let unknown_owner = |owner: &str| EmulatorError::UnknownKeyOwner(owner.to_owned());
        let owner = match &key.owner {
            Owner::Organization(id) => {
                self.seeds
                    .organization(id)
                    .ok_or_else(|| unknown_owner(id))?;
                json!({"type": "organization", "id": id})
            }
            Owner::User {
                email,
                organization_id,
            } => {
                let account = self
                    .account_by_email(email)
                    .ok_or_else(|| unknown_owner(email))?;
                let organization_id = match (organization_id, account.user.memberships.as_slice()) {
                    (None, [only]) => Some(&only.organization_id),
                    (chosen, _) => chosen.as_ref(),
                };
                json!({"type": "user", "id": account.id, "organization_id": organization_id})
            }
        };
        let value = key.value.expose_secret();
        let now = rfc3339(now);
        let json = json!({
            "object": "api_key",
            "id": key.id.unwrap_or_else(|| derived_id(value)),
            "owner": owner,
            "name": key.name,
            "obfuscated_value": obfuscated(value),
            "permissions": key.permissions,
            "last_used_at": null,
            "expires_at": null,
            "created_at": now,
            "updated_at": now,
        });
        self.revoke_key(value);
        self.api_keys.push(IssuedKey {
            value: key.value,
            json,
        });
        Ok(())
    }

    /// Forgets a key. `false` when there is none of this text.
    pub(super) fn revoke_key(&mut self, value: &str) -> bool {
        let before = self.api_keys.len();
        self.api_keys
            .retain(|key| key.value.expose_secret() != value);
        self.api_keys.len() < before
    }
}

/// `POST /api_keys/validations`.
pub(super) async fn validate(state: Data<State>, http: HttpRequest, body: Bytes) -> HttpResponse {
    state
        .faults
        .answer(Endpoint::ApiKeyValidation, |_| {
            if !is_server(&state.settings, &http) {
                return unauthorized();
            }
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let Some(value) = body["value"].as_str().filter(|value| !value.is_empty()) else {
                return HttpResponse::UnprocessableEntity().json(json!({
                    "message": "Validation failed",
                    "errors": [{"field": "value", "code": "required"}],
                }));
            };
            let now = rfc3339(state.now());
            let mut store = state.store();
            let key = store
                .api_keys
                .iter_mut()
                .find(|key| key.value.expose_secret() == value);
            let answer = key.map(|key| {
                let answer = key.json.clone();
                key.json["last_used_at"] = json!(now);
                answer
            });
            HttpResponse::Ok().json(json!({"api_key": answer}))
        })
        .await
}

fn derived_id(value: &str) -> String {
    let digest = digest(&SHA256, value.as_bytes());
    let hex: String = digest.as_ref()[..13]
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    format!("api_key_{hex}")
}

fn obfuscated(value: &str) -> String {
    let characters: Vec<char> = value.chars().collect();
    match characters.len() {
        0..12 => "…".to_owned(),
        length => {
            let (start, end) = (&characters[..3], &characters[length - 4..]);
            start.iter().chain(&['…']).chain(end).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Emulator;
    use super::*;

    #[test]
    fn a_key_needs_an_owner_who_exists() {
        let emulator = Emulator::builder().quiet().allow_in_release().start();
        let emulator = emulator.expect("an emulator");
        for key in [
            EmulatorApiKey::of_organization("org_gone", "sk_1"),
            EmulatorApiKey::of_user("nobody@example.com", "sk_1"),
        ] {
            assert!(matches!(
                emulator.issue_api_key(key),
                Err(EmulatorError::UnknownKeyOwner(_))
            ));
        }
    }

    #[test]
    fn little_of_a_key_is_shown_and_nothing_of_a_short_one() {
        assert_eq!(obfuscated("sk_live_0123456789"), "sk_…6789");
        assert_eq!(obfuscated("sk_live_012"), "…");
        let key = EmulatorApiKey::of_organization("org_acme", "sk_live_0123456789");
        assert!(!format!("{key:?}").contains("sk_live"));
    }
}
