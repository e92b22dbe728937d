//! What the session cookie holds under the default seal: a Protocol Buffers message, shorter than JSON
//! and sooner read.
//!
//! Machines with other versions of this library read each other's cookies: a tag keeps its meaning for
//! ever, and readers pass over those they do not know.

use std::collections::BTreeMap;

use prost::{Message as _, bytes::Bytes};
use secrecy::ExposeSecret as _;

use super::Session;
use crate::{
    token::AccessToken,
    workos::{Impersonator, UnreadProfile, User, UserProfile},
};

#[derive(prost::Message)]
#[prost(skip_debug)]
struct SessionMessage {
    #[prost(bytes = "bytes", optional, tag = "1")]
    access_token: Option<Bytes>,
    #[prost(string, optional, tag = "2")]
    refresh_token: Option<String>,
    #[prost(string, optional, tag = "3")]
    user_id: Option<String>,
    #[prost(string, optional, tag = "4")]
    email: Option<String>,
    #[prost(bool, tag = "5")]
    email_verified: bool,
    /// A [`ProfileMessage`].
    #[prost(bytes = "bytes", tag = "6")]
    profile: Bytes,
    #[prost(message, optional, tag = "7")]
    impersonator: Option<ImpersonatorMessage>,
    #[prost(string, optional, tag = "8")]
    authentication_method: Option<String>,
    #[prost(int64, optional, tag = "9")]
    reauthenticated_at: Option<i64>,
    #[prost(int64, optional, tag = "10")]
    signed_in_at: Option<i64>,
    #[prost(int64, optional, tag = "11")]
    last_used_at: Option<i64>,
}

#[derive(prost::Message)]
#[prost(skip_debug)]
struct ProfileMessage {
    #[prost(string, optional, tag = "1")]
    first_name: Option<String>,
    #[prost(string, optional, tag = "2")]
    last_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    name: Option<String>,
    #[prost(string, optional, tag = "4")]
    profile_picture_url: Option<String>,
    #[prost(string, optional, tag = "5")]
    last_sign_in_at: Option<String>,
    #[prost(string, optional, tag = "6")]
    locale: Option<String>,
    #[prost(string, optional, tag = "7")]
    external_id: Option<String>,
    #[prost(btree_map = "string, string", tag = "8")]
    metadata: BTreeMap<String, String>,
    #[prost(string, optional, tag = "9")]
    created_at: Option<String>,
    #[prost(string, optional, tag = "10")]
    updated_at: Option<String>,
}

#[derive(prost::Message)]
#[prost(skip_debug)]
struct ImpersonatorMessage {
    #[prost(string, optional, tag = "1")]
    email: Option<String>,
    #[prost(string, optional, tag = "2")]
    reason: Option<String>,
}

pub(super) fn write(session: &Session) -> Vec<u8> {
    let user = &session.user;
    let impersonator = session.impersonator.clone();
    let message = SessionMessage {
        access_token: Some(Bytes::copy_from_slice(session.access_token.packed())),
        refresh_token: Some(session.refresh_token.expose_secret().to_owned()),
        user_id: Some(user.id.clone()),
        email: Some(user.email.clone()),
        email_verified: user.email_verified,
        profile: write_profile(user).into(),
        impersonator: impersonator.map(|impersonator| ImpersonatorMessage {
            email: Some(impersonator.email),
            reason: impersonator.reason,
        }),
        authentication_method: session.authentication_method.clone(),
        reauthenticated_at: session.reauthenticated_at,
        signed_in_at: session.signed_in_at,
        last_used_at: session.last_used_at,
    };
    message.encode_to_vec()
}

pub(super) fn read(message: &[u8]) -> Option<Session> {
    let session = SessionMessage::decode(message).ok()?;
    let profile = UnreadProfile {
        bytes: session.profile.into(),
        read: read_profile,
    };
    let impersonator = match session.impersonator {
        Some(impersonator) => Some(Impersonator {
            email: impersonator.email?,
            reason: impersonator.reason,
        }),
        None => None,
    };
    Some(Session {
        access_token: AccessToken::from_packed(session.access_token?.into())?,
        refresh_token: session.refresh_token?.into(),
        user: User::with_unread_profile(
            session.user_id?,
            session.email?,
            session.email_verified,
            profile,
        ),
        impersonator,
        authentication_method: session.authentication_method,
        reauthenticated_at: session.reauthenticated_at,
        signed_in_at: session.signed_in_at,
        last_used_at: session.last_used_at,
        place: None,
    })
}

fn write_profile(profile: &UserProfile) -> Vec<u8> {
    let profile = profile.clone();
    let message = ProfileMessage {
        first_name: profile.first_name,
        last_name: profile.last_name,
        name: profile.name,
        profile_picture_url: profile.profile_picture_url,
        last_sign_in_at: profile.last_sign_in_at,
        locale: profile.locale,
        external_id: profile.external_id,
        metadata: profile.metadata,
        created_at: profile.created_at,
        updated_at: profile.updated_at,
    };
    message.encode_to_vec()
}

fn read_profile(message: &[u8]) -> UserProfile {
    let profile = ProfileMessage::decode(message).unwrap_or_default();
    UserProfile {
        first_name: profile.first_name,
        last_name: profile.last_name,
        name: profile.name,
        profile_picture_url: profile.profile_picture_url,
        last_sign_in_at: profile.last_sign_in_at,
        locale: profile.locale,
        external_id: profile.external_id,
        metadata: profile.metadata,
        created_at: profile.created_at,
        updated_at: profile.updated_at,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn session(json: Value) -> Session {
        serde_json::from_value(json).expect("a session")
    }

    fn whole() -> Session {
        session(json!({
            "access_token": "e30.e30.AAEC",
            "refresh_token": "r",
            "user": {
                "id": "user_1",
                "email": "ada@example.com",
                "email_verified": true,
                "first_name": "Ada",
                "last_name": "Lovelace",
                "name": "Ada Lovelace",
                "profile_picture_url": "https://example.com/ada",
                "last_sign_in_at": "2026-01-01T00:00:00.000Z",
                "locale": "en-GB",
                "external_id": "",
                "metadata": { "plan": "pro", "": "caf\u{e9}" },
                "created_at": "2025-01-01T00:00:00.000Z",
                "updated_at": "2025-06-01T00:00:00.000Z",
            },
            "impersonator": { "email": "admin@example.com", "reason": "a ticket" },
            "authentication_method": "Password",
            "reauthenticated_at": 1_800_000_000,
            "signed_in_at": 0,
            "last_used_at": -1,
        }))
    }

    #[test]
    fn every_member_comes_back() {
        let smallest = session(json!({
            "access_token": "no token", "refresh_token": "", "user": { "id": "", "email": "" },
        }));
        for session in [whole(), smallest] {
            let read = read(&write(&session)).expect("a session");
            assert_eq!(
                serde_json::from_slice::<Value>(&read.to_json()).expect("JSON"),
                serde_json::from_slice::<Value>(&session.to_json()).expect("JSON"),
            );
        }
    }

    #[test]
    fn a_profile_that_cannot_be_read_is_an_empty_one() {
        assert_eq!(read_profile(b"\x0a\x02x"), UserProfile::default());
        assert_eq!(read_profile(b"\x0a\x01\xff"), UserProfile::default());
    }

    #[test]
    fn fields_of_later_versions_are_passed_over() {
        let later = b"\xfa\x01\x03new\x80\x02\x07";
        let message = [later, &*write(&whole()), later].concat();
        assert_eq!(
            read(&message).map(|session| session.to_json()),
            Some(whole().to_json())
        );
    }
}
