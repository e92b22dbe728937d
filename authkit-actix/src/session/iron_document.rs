//! What the session cookie holds, as the other AuthKit libraries write it: in camelCase.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::Session;
use crate::{
    token::AccessToken,
    workos::{Impersonator, User},
};

/// The JSON of a session for a cookie that other libraries read.
pub(super) fn to_json(session: &Session) -> Vec<u8> {
    let document = IronDocument {
        access_token: &session.access_token,
        refresh_token: session.refresh_token.expose_secret(),
        user: IronUser::of(&session.user),
        impersonator: session.impersonator.as_ref(),
        authentication_method: session.authentication_method.as_deref(),
        reauthenticated_at: session.reauthenticated_at,
        signed_in_at: session.signed_in_at,
        last_used_at: session.last_used_at,
    };
    serde_json::to_vec(&document).expect("strings, numbers and maps with string keys are JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IronDocument<'a> {
    access_token: &'a AccessToken,
    refresh_token: &'a str,
    user: IronUser<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonator: Option<&'a Impersonator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reauthenticated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
}

/// Their type says that every member is there, if only as `null`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IronUser<'a> {
    object: &'static str,
    id: &'a str,
    email: &'a str,
    email_verified: bool,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    /// Theirs has none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    profile_picture_url: Option<&'a str>,
    last_sign_in_at: Option<&'a str>,
    locale: Option<&'a str>,
    created_at: Option<&'a str>,
    updated_at: Option<&'a str>,
    external_id: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
}

impl<'a> IronUser<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            object: "user",
            id: &user.id,
            email: &user.email,
            email_verified: user.email_verified,
            first_name: user.first_name.as_deref(),
            last_name: user.last_name.as_deref(),
            name: user.name.as_deref(),
            profile_picture_url: user.profile_picture_url.as_deref(),
            last_sign_in_at: user.last_sign_in_at.as_deref(),
            locale: user.locale.as_deref(),
            created_at: user.created_at.as_deref(),
            updated_at: user.updated_at.as_deref(),
            external_id: user.external_id.as_deref(),
            metadata: &user.metadata,
        }
    }
}
