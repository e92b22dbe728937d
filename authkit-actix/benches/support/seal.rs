//! The default seal, written from its description with the crate that defines it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Generate as _, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;

/// base64url of version (1), nonce (24), ciphertext and tag (16).
pub(super) fn seal(password: &str, plaintext: &[u8]) -> String {
    let mut key = chacha20poly1305::Key::default();
    Hkdf::<Sha256>::new(None, password.as_bytes())
        .expand(CONTEXT, &mut key)
        .expect("32 bytes are few");
    let nonce = XNonce::generate();
    let payload = Payload {
        msg: plaintext,
        aad: CONTEXT,
    };
    let ciphertext = XChaCha20Poly1305::new(&key)
        .encrypt(&nonce, payload)
        .expect("a short plaintext");
    URL_SAFE_NO_PAD.encode([&[1], nonce.as_slice(), &ciphertext].concat())
}

const CONTEXT: &[u8] = b"authkit-actix seal v1 session";
