use serde::{Deserialize, Deserializer, de};

/// The claims of a verified WorkOS access token.
///
/// Claims that WorkOS leaves out or sends as `null` are `None` or empty, and claims of a JWT
/// template are ignored here: name a type of your own, as in `AuthUser<Plan>`, to read those. All
/// times are seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
// In this order: every check reads the times, which are fetched from memory together.
#[repr(C)]
pub struct AccessTokenClaims {
    /// When the token was issued.
    #[serde(deserialize_with = "numeric_date")]
    pub iat: i64,
    /// When the token expires.
    #[serde(deserialize_with = "numeric_date")]
    pub exp: i64,
    /// When the token begins to be valid, where that is not when it was issued.
    #[serde(default, deserialize_with = "some_numeric_date")]
    pub nbf: Option<i64>,
    /// When the user last proved who they are; `None` also where the claim is malformed, so that it
    /// never counts as recent.
    #[serde(default, deserialize_with = "numeric_date_or_none")]
    pub auth_time: Option<i64>,
    /// The id of the user (`user_…`); never empty.
    pub sub: String,
    /// The id of the WorkOS session (`session_…`); never empty, the same after every refresh.
    pub sid: String,
    /// Who issued the token, `https://api.workos.com/…` or a custom domain.
    pub iss: Option<String>,
    /// Whom the token is meant for, where the JWT template says so.
    #[serde(default, deserialize_with = "one_or_several")]
    pub aud: Vec<String>,
    /// The id of the token itself.
    pub jti: Option<String>,
    /// The WorkOS client that the token was made for.
    pub client_id: Option<String>,
    /// The organization that the session is signed in to (`org_…`).
    pub org_id: Option<String>,
    /// The user's role in that organization.
    pub role: Option<String>,
    /// All of the user's roles in that organization, where there can be several.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub roles: Vec<String>,
    /// What the roles permit.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub permissions: Vec<String>,
    /// What the organization has paid for.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub entitlements: Vec<String>,
    /// The feature flags that are on for the user.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub feature_flags: Vec<String>,
    /// Who acts as the user while they are impersonated, RFC 8693 section 4.1.
    pub act: Option<Actor>,
}

/// The person who impersonates the user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// Their email address.
    pub sub: String,
}

/// Reads an RFC 7519 NumericDate, narrowed to whole seconds from 1970 to 9999: a later one is a
/// mistake or an attack, milliseconds for instance.
pub(super) fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    if (0..=END_OF_9999).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(de::Error::custom("not a time in seconds"))
    }
}

/// Unlike `Option`, refuses a `null`.
fn some_numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    numeric_date(deserializer).map(Some)
}

fn numeric_date_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(numeric_date(value).ok())
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let mut values: Vec<_> = Option::deserialize(deserializer)?.unwrap_or_default();
    // Verified claims are kept by the hundred thousand.
    values.shrink_to_fit();
    Ok(values)
}

/// RFC 7519 section 4.1.3.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Audience::One(one)) => vec![one],
        Some(Audience::Several(several)) => several,
    })
}

const END_OF_9999: i64 = 253_402_300_799;
