//! The default seal, written from its description: so that a mistake in the library is not made here
//! as well, and so that tests can seal what no library would.

use authkit_actix::emulator::{Emulator, NewSession};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::PASSWORD;

pub const SESSION: &str = "session";
pub const SIGN_IN_STATE: &str = "sign-in-state";

/// base64url of version (1), nonce (24), ciphertext and tag (16).
pub fn seal(password: &str, purpose: &str, plaintext: &[u8]) -> String {
    let nonce = XNonce::from(rand_nonce());
    let context = context(purpose);
    let sealed = cipher(password, &context)
        .encrypt(
            &nonce,
            Payload {
                msg: plaintext,
                aad: &context,
            },
        )
        .expect("a short plaintext");
    URL_SAFE_NO_PAD.encode([&[1], nonce.as_slice(), &sealed].concat())
}

/// The content of a session cookie for a user of the emulator, made without a sign-in.
pub fn session(emulator: &Emulator, session: impl Into<NewSession>) -> Value {
    let session = emulator.session_for(session).expect("a known user");
    json!({
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "user": session.user,
    })
}

/// The value of such a cookie.
pub fn cookie(emulator: &Emulator, session: impl Into<NewSession>) -> String {
    seal_session(PASSWORD, &self::session(emulator, session))
}

/// The value of the cookie of a session with this content.
pub fn seal_session(password: &str, session: &Value) -> String {
    seal(password, SESSION, &packed(session))
}

/// A session as the library writes it, a Protocol Buffers message: what is of the wrong kind becomes a
/// field of the wrong wire type, and what has no name here one that is unknown.
pub fn packed(session: &Value) -> Vec<u8> {
    let mut session = session.clone();
    if let Some(mut profile) = session["user"].as_object().cloned() {
        session
            .as_object_mut()
            .expect("it has a user")
            .remove("user");
        for (name, stands_as) in USER_FIELDS {
            session[stands_as] = profile.remove(name).unwrap_or_default();
        }
        session["profile"] = profile.into();
    }
    message(&session, &SESSION_FIELDS)
}

/// The session in a plaintext that the library wrote.
pub fn unpacked(plaintext: &[u8]) -> Value {
    let mut session = fields(plaintext, &SESSION_FIELDS);
    let members = session.as_object_mut().expect("an object");
    let mut user = members.remove("profile").unwrap_or_default();
    for (name, stands_as) in USER_FIELDS {
        user[name] = members.remove(stands_as).unwrap_or_default();
    }
    members.insert("user".to_owned(), user);
    session
}

/// The names of the fields, whose numbers begin with 1.
const SESSION_FIELDS: [&str; 11] = [
    "access_token",
    "refresh_token",
    "user_id",
    "email",
    "email_verified",
    "profile",
    "impersonator",
    "authentication_method",
    "reauthenticated_at",
    "signed_in_at",
    "last_used_at",
];
const PROFILE_FIELDS: [&str; 10] = [
    "first_name",
    "last_name",
    "name",
    "profile_picture_url",
    "last_sign_in_at",
    "locale",
    "external_id",
    "metadata",
    "created_at",
    "updated_at",
];
/// What of a user stands beside the profile, and as what.
const USER_FIELDS: [(&str, &str); 3] = [
    ("id", "user_id"),
    ("email", "email"),
    ("email_verified", "email_verified"),
];

fn names_in(name: &str) -> &'static [&'static str] {
    match name {
        "profile" => &PROFILE_FIELDS,
        "impersonator" => &["email", "reason"],
        _ => &[],
    }
}

fn message(value: &Value, names: &[&str]) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let number = names.iter().position(|known| known == name);
        let number = number.map_or(UNKNOWN, |index| index as u64 + 1);
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            (_, Value::Bool(value)) => field(&mut message, number, VARINT, u64::from(*value)),
            (_, Value::Array(_)) => field(&mut message, number, VARINT, 0),
            (_, Value::Number(value)) => {
                field(&mut message, number, VARINT, value.as_u64().unwrap_or(0));
            }
            ("access_token", Value::String(token)) => {
                bytes(&mut message, number, &token_bytes(token))
            }
            (_, Value::String(value)) => bytes(&mut message, number, value.as_bytes()),
            ("metadata", Value::Object(entries)) => {
                for (key, value) in entries {
                    let entry = json!({"key": key, "value": value});
                    bytes(
                        &mut message,
                        number,
                        &self::message(&entry, &["key", "value"]),
                    );
                }
            }
            (name, value) => bytes(&mut message, number, &self::message(value, names_in(name))),
        }
    }
    message
}

fn fields(mut message: &[u8], names: &[&str]) -> Value {
    let mut value = json!({});
    while !message.is_empty() {
        let key = read_varint(&mut message);
        let name = names.get(usize::try_from(key >> 3).expect("a field") - 1);
        let name = name.copied().unwrap_or("unknown");
        let number = read_varint(&mut message);
        if key & 7 == VARINT {
            value[name] = match name {
                "email_verified" => json!(number == 1),
                _ => json!(number),
            };
            continue;
        }
        let (content, rest) = message.split_at(usize::try_from(number).expect("a length"));
        message = rest;
        match name {
            "access_token" => value[name] = token_text(content).into(),
            "profile" | "impersonator" => value[name] = fields(content, names_in(name)),
            "metadata" => {
                let entry = fields(content, &["key", "value"]);
                let key = entry["key"].as_str().unwrap_or_default();
                value[name][key] = entry["value"].clone();
            }
            _ => value[name] = String::from_utf8(content.to_vec()).expect("text").into(),
        }
    }
    value
}

fn bytes(message: &mut Vec<u8>, number: u64, content: &[u8]) {
    field(message, number, LENGTH_DELIMITED, content.len() as u64);
    message.extend_from_slice(content);
}

fn field(message: &mut Vec<u8>, number: u64, wire_type: u64, value: u64) {
    for mut value in [number << 3 | wire_type, value] {
        while value > 0x7f {
            message.push(value as u8 | 0x80);
            value >>= 7;
        }
        message.push(value as u8);
    }
}

fn read_varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = message.split_first().expect("a byte");
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

const UNKNOWN: u64 = 99;
const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

/// The lengths of header and payload, two bytes each, and the bytes of the three parts; what is no JWT
/// after lengths of zero.
fn token_bytes(token: &str) -> Vec<u8> {
    let parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part));
    let parts: Vec<_> = parts.collect::<Result<_, _>>().unwrap_or_default();
    let [header, payload, _] = &parts[..] else {
        return [&[0; 4], token.as_bytes()].concat();
    };
    let length = |part: &[u8]| {
        u16::try_from(part.len())
            .expect("a short token")
            .to_be_bytes()
    };
    [[length(header), length(payload)].concat(), parts.concat()].concat()
}

fn token_text(bytes: &[u8]) -> String {
    let length = |at: usize| usize::from(bytes[at]) * 256 + usize::from(bytes[at + 1]);
    let (header, rest) = bytes[4..].split_at(length(0));
    let (payload, signature) = rest.split_at(length(2));
    [header, payload, signature]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".")
}

/// The plaintext of a sealed value, if it is genuine.
pub fn open(password: &str, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (nonce, ciphertext) = rest.split_first_chunk::<24>()?;
    let context = context(purpose);
    let payload = Payload {
        msg: ciphertext,
        aad: &context,
    };
    (*version == 1).then_some(())?;
    cipher(password, &context)
        .decrypt(&XNonce::from(*nonce), payload)
        .ok()
}

fn cipher(password: &str, context: &[u8]) -> XChaCha20Poly1305 {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, password.as_bytes())
        .expand(context, &mut key)
        .expect("32 bytes are few");
    XChaCha20Poly1305::new(&key.into())
}

fn context(purpose: &str) -> Vec<u8> {
    format!("authkit-actix seal v1 {purpose}").into_bytes()
}

/// Different for every call in a process, which is all that a test needs.
fn rand_nonce() -> [u8; 24] {
    use std::hash::{BuildHasher as _, RandomState};
    let mut nonce = [0; 24];
    for part in nonce.chunks_mut(8) {
        part.copy_from_slice(&RandomState::new().hash_one(0).to_ne_bytes());
    }
    nonce
}
