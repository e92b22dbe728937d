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
    workos::{Impersonator, User},
};

#[derive(prost::Message)]
#[prost(skip_debug)]
struct SessionMessage {
    #[prost(bytes = "bytes", optional, tag = "1")]
    access_token: Option<Bytes>,
    #[prost(string, optional, tag = "2")]
    refresh_token: Option<String>,
    #[prost(message, optional, tag = "3")]
    user: Option<UserMessage>,
    #[prost(message, optional, tag = "4")]
    impersonator: Option<ImpersonatorMessage>,
    #[prost(string, optional, tag = "5")]
    authentication_method: Option<String>,
    #[prost(int64, optional, tag = "6")]
    reauthenticated_at: Option<i64>,
    #[prost(int64, optional, tag = "7")]
    signed_in_at: Option<i64>,
    #[prost(int64, optional, tag = "8")]
    last_used_at: Option<i64>,
}

#[derive(prost::Message)]
#[prost(skip_debug)]
struct UserMessage {
    #[prost(string, optional, tag = "1")]
    id: Option<String>,
    #[prost(string, optional, tag = "2")]
    email: Option<String>,
    #[prost(bool, tag = "3")]
    email_verified: bool,
    #[prost(string, optional, tag = "4")]
    first_name: Option<String>,
    #[prost(string, optional, tag = "5")]
    last_name: Option<String>,
    #[prost(string, optional, tag = "6")]
    name: Option<String>,
    #[prost(string, optional, tag = "7")]
    profile_picture_url: Option<String>,
    #[prost(string, optional, tag = "8")]
    last_sign_in_at: Option<String>,
    #[prost(string, optional, tag = "9")]
    locale: Option<String>,
    #[prost(string, optional, tag = "10")]
    external_id: Option<String>,
    #[prost(btree_map = "string, string", tag = "11")]
    metadata: BTreeMap<String, String>,
    #[prost(string, optional, tag = "12")]
    created_at: Option<String>,
    #[prost(string, optional, tag = "13")]
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
    let user = session.user.clone();
    let impersonator = session.impersonator.clone();
    let message = SessionMessage {
        access_token: Some(Bytes::copy_from_slice(session.access_token.packed())),
        refresh_token: Some(session.refresh_token.expose_secret().to_owned()),
        user: Some(UserMessage {
            id: Some(user.id),
            email: Some(user.email),
            email_verified: user.email_verified,
            first_name: user.first_name,
            last_name: user.last_name,
            name: user.name,
            profile_picture_url: user.profile_picture_url,
            last_sign_in_at: user.last_sign_in_at,
            locale: user.locale,
            external_id: user.external_id,
            metadata: user.metadata,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }),
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
    let user = session.user?;
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
        user: User {
            id: user.id?,
            email: user.email?,
            email_verified: user.email_verified,
            first_name: user.first_name,
            last_name: user.last_name,
            name: user.name,
            profile_picture_url: user.profile_picture_url,
            last_sign_in_at: user.last_sign_in_at,
            locale: user.locale,
            external_id: user.external_id,
            metadata: user.metadata,
            created_at: user.created_at,
            updated_at: user.updated_at,
        },
        impersonator,
        authentication_method: session.authentication_method,
        reauthenticated_at: session.reauthenticated_at,
        signed_in_at: session.signed_in_at,
        last_used_at: session.last_used_at,
        place: None,
    })
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
    fn fields_of_later_versions_are_passed_over() {
        let later = b"\xfa\x01\x03new\x80\x02\x07";
        let message = [later, &*write(&whole()), later].concat();
        assert_eq!(
            read(&message).map(|session| session.to_json()),
            Some(whole().to_json())
        );
    }
}
