//! The people of WorkOS.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// A user of WorkOS AuthKit, as the session keeps it.
///
/// Only the id and the email are certain to be there. Members are read in `snake_case`, as WorkOS
/// writes them, or in `camelCase`, as its libraries for JavaScript do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[non_exhaustive]
pub struct User {
    /// The user's id: `user_…`.
    pub id: String,
    /// The email address.
    pub email: String,
    /// Whether that address has been verified.
    #[serde(default, alias = "emailVerified", deserialize_with = "or_default")]
    pub email_verified: bool,
    /// The first name.
    #[serde(default, alias = "firstName", skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The last name.
    #[serde(default, alias = "lastName", skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// The full name, where WorkOS gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where a picture of the user is.
    #[serde(
        default,
        alias = "profilePictureUrl",
        skip_serializing_if = "Option::is_none"
    )]
    pub profile_picture_url: Option<String>,
    /// When the user last signed in, in RFC 3339.
    #[serde(
        default,
        alias = "lastSignInAt",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_sign_in_at: Option<String>,
    /// The preferred language, such as `en-GB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The id that this application gave the user.
    #[serde(default, alias = "externalId", skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What this application keeps with the user.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[cfg_attr(test, ts(as = "Option<BTreeMap<String, String>>"))]
    pub metadata: BTreeMap<String, String>,
    /// When the user was created, in RFC 3339.
    #[serde(default, alias = "createdAt", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When the user was last changed, in RFC 3339.
    #[serde(default, alias = "updatedAt", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

impl User {
    /// What to call the user on a page: the full name, else the email address.
    pub fn display_name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        match (&self.first_name, &self.last_name) {
            (Some(first), Some(last)) => format!("{first} {last}"),
            (Some(name), None) | (None, Some(name)) => name.clone(),
            (None, None) => self.email.clone(),
        }
    }

    /// Leaves a member out.
    pub(crate) fn forget(&mut self, field: UserField) {
        match self.text(field) {
            Some(text) => *text = None,
            None => self.metadata.clear(),
        }
    }

    /// About how many bytes a member takes up.
    pub(crate) fn length_of(&mut self, field: UserField) -> usize {
        match self.text(field) {
            Some(text) => text.as_ref().map_or(0, String::len),
            None => self
                .metadata
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum(),
        }
    }

    /// A member that is a text; the others are the metadata.
    fn text(&mut self, field: UserField) -> Option<&mut Option<String>> {
        Some(match field {
            UserField::FirstName => &mut self.first_name,
            UserField::LastName => &mut self.last_name,
            UserField::Name => &mut self.name,
            UserField::ProfilePictureUrl => &mut self.profile_picture_url,
            UserField::LastSignInAt => &mut self.last_sign_in_at,
            UserField::Locale => &mut self.locale,
            UserField::ExternalId => &mut self.external_id,
            UserField::CreatedAt => &mut self.created_at,
            UserField::UpdatedAt => &mut self.updated_at,
            UserField::Metadata => return None,
        })
    }
}

/// A member of [`User`] that a session can do without.
///
/// The id, the email address and whether that is verified are always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserField {
    /// [`User::first_name`].
    FirstName,
    /// [`User::last_name`].
    LastName,
    /// [`User::name`].
    Name,
    /// [`User::profile_picture_url`].
    ProfilePictureUrl,
    /// [`User::last_sign_in_at`].
    LastSignInAt,
    /// [`User::locale`].
    Locale,
    /// [`User::external_id`].
    ExternalId,
    /// [`User::metadata`].
    Metadata,
    /// [`User::created_at`].
    CreatedAt,
    /// [`User::updated_at`].
    UpdatedAt,
}

impl UserField {
    pub(crate) const ALL: [Self; 10] = [
        Self::FirstName,
        Self::LastName,
        Self::Name,
        Self::ProfilePictureUrl,
        Self::LastSignInAt,
        Self::Locale,
        Self::ExternalId,
        Self::Metadata,
        Self::CreatedAt,
        Self::UpdatedAt,
    ];
}

/// Who acts for the user: a WorkOS dashboard user with a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[non_exhaustive]
pub struct Impersonator {
    /// The email address of the person behind the keyboard.
    pub email: String,
    /// The reason that person gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A `null` is the default.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
