//! What WorkOS reports by itself: signed events.

use std::{
    ops::Deref,
    time::{Duration, UNIX_EPOCH},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use workos::webhook_verification::WebhookVerifier;

use super::{User, UserSession, user::or_default};

/// Tells what WorkOS has sent from what others have.
pub(crate) struct WebhookSignatures {
    /// The current secret, and those that are on their way out.
    pub(crate) secrets: Vec<SecretString>,
    /// How far the time of signing may be from now, either way.
    pub(crate) age_limit: Duration,
}

impl WebhookSignatures {
    /// The one of the secrets that a body is signed with, not too long ago and not in the future.
    ///
    /// # Errors
    ///
    /// A sentence for the log that says what is wrong.
    pub(crate) fn verify(
        &self,
        header: &str,
        body: &str,
        now: i64,
    ) -> Result<&SecretString, String> {
        let now = UNIX_EPOCH + Duration::from_secs(now.try_into().unwrap_or_default());
        let mut refused = "no secret is configured".to_owned();
        for secret in &self.secrets {
            let verifier = WebhookVerifier::new(secret.expose_secret())
                .with_tolerance(self.age_limit)
                .with_clock(move || now);
            match verifier.verify_payload(header, body) {
                Ok(_) => return Ok(secret),
                Err(error) => refused = error.to_string(),
            }
        }
        Err(refused)
    }
}

/// An event that WorkOS reports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct WebhookEvent<T = Value> {
    /// The event's id: `event_…`. It is the same however often the event is delivered.
    pub id: String,
    /// What has happened, such as `user.deleted`.
    pub event: String,
    /// What it has happened to.
    pub data: T,
    /// When it happened, in RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
}

/// What an event of one kind carries; to be implemented for events that have no type here.
///
/// ```
/// use authkit_actix::WebhookData;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct InvitationCreated {
///     id: String,
///     email: String,
/// }
///
/// impl WebhookData for InvitationCreated {
///     const EVENT: &'static str = "invitation.created";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not known as the data of an event",
    label = "no event has this data",
    note = "name one of this crate, such as `WebhookEvent<SessionRevoked>`, or say which event it belongs to: \
            `impl WebhookData for {Self} {{ const EVENT: &'static str = \"…\"; }}`"
)]
pub trait WebhookData: DeserializeOwned + Send + 'static {
    /// The name of the event, as in [`WebhookEvent::event`].
    const EVENT: &'static str;
}

impl WebhookEvent {
    /// When it happened, in Unix seconds.
    pub(crate) fn happened_at(&self) -> Option<i64> {
        let created_at = self.created_at.as_deref()?;
        let created_at = OffsetDateTime::parse(created_at, &Rfc3339).ok()?;
        Some(created_at.unix_timestamp())
    }

    /// The same event with data of a type.
    pub(crate) fn typed<T: DeserializeOwned>(&self) -> Result<WebhookEvent<T>, serde_json::Error> {
        Ok(WebhookEvent {
            id: self.id.clone(),
            event: self.event.clone(),
            data: T::deserialize(&self.data)?,
            created_at: self.created_at.clone(),
        })
    }
}

/// A user's place in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrganizationMembership {
    /// The membership's id: `om_…`.
    pub id: String,
    /// The user: `user_…`.
    pub user_id: String,
    /// The organization: `org_…`.
    pub organization_id: String,
    /// The name of the organization.
    #[serde(default)]
    pub organization_name: Option<String>,
    /// `active`, `inactive` or `pending`.
    #[serde(default)]
    pub status: Option<String>,
    /// The user's role there.
    #[serde(default)]
    pub role: Option<MembershipRole>,
    /// All roles of the user there, where there can be several.
    #[serde(default, deserialize_with = "or_default")]
    pub roles: Vec<MembershipRole>,
}

/// A role in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MembershipRole {
    /// Its name in tokens, such as `admin`.
    pub slug: String,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($data:ty) = $event:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(transparent)]
        pub struct $name(
            /// What the event carries.
            pub $data,
        );

        impl WebhookData for $name {
            const EVENT: &'static str = $event;
        }

        impl Deref for $name {
            type Target = $data;

            fn deref(&self) -> &$data {
                &self.0
            }
        }
    )*};
}

events! {
    /// `session.created`: somebody has signed in.
    SessionCreated(UserSession) = "session.created";
    /// `session.revoked`: a session was ended, by a sign-out, in the dashboard or by the API.
    SessionRevoked(UserSession) = "session.revoked";
    /// `user.created`: there is a new user.
    UserCreated(User) = "user.created";
    /// `user.updated`: a user was changed.
    UserUpdated(User) = "user.updated";
    /// `user.deleted`: a user was deleted.
    UserDeleted(User) = "user.deleted";
    /// `organization_membership.created`: a user has joined an organization, or was invited to it.
    OrganizationMembershipCreated(OrganizationMembership) = "organization_membership.created";
    /// `organization_membership.updated`: a user's role or status in an organization has changed.
    OrganizationMembershipUpdated(OrganizationMembership) = "organization_membership.updated";
    /// `organization_membership.deleted`: a user has left an organization.
    OrganizationMembershipDeleted(OrganizationMembership) = "organization_membership.deleted";
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_time_of_an_event_is_read_whatever_its_zone_and_fraction() {
        let at = |created_at: Option<&str>| {
            let created_at = created_at.map(str::to_owned);
            let event = WebhookEvent {
                id: "event_1".to_owned(),
                event: "user.deleted".to_owned(),
                data: json!({}),
                created_at,
            };
            event.happened_at()
        };
        assert_eq!(at(Some("2026-01-31T12:00:00.999Z")), Some(1_769_860_800));
        assert_eq!(at(Some("2026-01-31T13:00:00+01:00")), Some(1_769_860_800));
        for unreadable in [
            None,
            Some(""),
            Some("yesterday"),
            Some("2026-13-31T12:00:00Z"),
        ] {
            assert_eq!(at(unreadable), None, "{unreadable:?}");
        }
    }

    #[test]
    fn without_a_secret_nothing_is_genuine() {
        let none = WebhookSignatures {
            secrets: Vec::new(),
            age_limit: Duration::MAX,
        };
        assert!(none.verify("t=1, v1=00", "{}", 0).is_err());
    }
}
