//! The people of WorkOS.

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Deref, DerefMut},
    sync::OnceLock,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A user of WorkOS AuthKit, as the session keeps it.
///
/// Only the id and the email are certain to be there. The rest of what WorkOS knows stands in a
/// [`UserProfile`], to which the user dereferences: `user.first_name`. Members are read in `snake_case`,
/// as WorkOS writes them, or in `camelCase`, as its libraries for JavaScript do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[non_exhaustive]
pub struct User {
    /// The user's id: `user_…`.
    pub id: String,
    /// The email address.
    pub email: String,
    /// Whether that address has been verified.
    #[serde(default, alias = "emailVerified", deserialize_with = "or_default")]
    pub email_verified: bool,
    #[serde(flatten)]
    profile: LazyProfile,
}

/// What WorkOS knows of a [`User`] besides the id and the email address; a session can do without.
///
/// A session's is read from its cookie when it is first looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[non_exhaustive]
pub struct UserProfile {
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

/// A profile, or the bytes it can be read from.
#[derive(Clone)]
struct LazyProfile {
    unread: Option<UnreadProfile>,
    read: OnceLock<Box<UserProfile>>,
}

/// A profile as bytes, and what reads them; none that can be read is an empty one.
#[derive(Clone)]
pub(crate) struct UnreadProfile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) read: fn(&[u8]) -> UserProfile,
}

impl User {
    pub(crate) fn with_unread_profile(
        id: String,
        email: String,
        email_verified: bool,
        unread: UnreadProfile,
    ) -> Self {
        Self {
            id,
            email,
            email_verified,
            profile: LazyProfile {
                unread: Some(unread),
                read: OnceLock::new(),
            },
        }
    }

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

impl Deref for User {
    type Target = UserProfile;

    fn deref(&self) -> &UserProfile {
        self.profile.read()
    }
}

impl DerefMut for User {
    fn deref_mut(&mut self) -> &mut UserProfile {
        self.profile.read();
        self.profile.read.get_mut().expect("it was read just now")
    }
}

impl LazyProfile {
    fn read(&self) -> &UserProfile {
        let read = |unread: &UnreadProfile| (unread.read)(&unread.bytes);
        self.read
            .get_or_init(|| Box::new(self.unread.as_ref().map(read).unwrap_or_default()))
    }
}

impl From<UserProfile> for LazyProfile {
    fn from(profile: UserProfile) -> Self {
        Self {
            unread: None,
            read: OnceLock::from(Box::new(profile)),
        }
    }
}

impl PartialEq for LazyProfile {
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

impl Eq for LazyProfile {}

impl fmt::Debug for LazyProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

#[cfg(test)]
impl ts_rs::TS for LazyProfile {
    type WithoutGenerics = UserProfile;
    type OptionInnerType = UserProfile;

    fn name(config: &ts_rs::Config) -> String {
        UserProfile::name(config)
    }

    fn inline(config: &ts_rs::Config) -> String {
        UserProfile::inline(config)
    }

    fn inline_flattened(config: &ts_rs::Config) -> String {
        UserProfile::inline_flattened(config)
    }
}

impl Serialize for LazyProfile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.read().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LazyProfile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        UserProfile::deserialize(deserializer).map(Self::from)
    }
}

/// A member of [`UserProfile`]; the id, the email address and whether that is verified are always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserField {
    /// [`UserProfile::first_name`].
    FirstName,
    /// [`UserProfile::last_name`].
    LastName,
    /// [`UserProfile::name`].
    Name,
    /// [`UserProfile::profile_picture_url`].
    ProfilePictureUrl,
    /// [`UserProfile::last_sign_in_at`].
    LastSignInAt,
    /// [`UserProfile::locale`].
    Locale,
    /// [`UserProfile::external_id`].
    ExternalId,
    /// [`UserProfile::metadata`].
    Metadata,
    /// [`UserProfile::created_at`].
    CreatedAt,
    /// [`UserProfile::updated_at`].
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
