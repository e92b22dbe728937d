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
    let content = self::session(emulator, session).to_string();
    seal(PASSWORD, SESSION, content.as_bytes())
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
