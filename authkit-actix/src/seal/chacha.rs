//! The default seal: XChaCha20-Poly1305 under a key from HKDF-SHA-256 (RFC 5869).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;

use super::SealError;

/// The key of one password and one purpose.
pub(super) struct Key(XChaCha20Poly1305);

/// A sealed value taken apart, not yet known to be genuine.
pub(super) struct Envelope {
    nonce: XNonce,
    ciphertext: Vec<u8>,
}

impl Key {
    pub(super) fn derive(password: &[u8], label: &str) -> Self {
        let mut key = chacha20poly1305::Key::default();
        Hkdf::<Sha256>::new(None, password)
            .expand(&context(label), &mut key)
            .expect("HKDF-SHA-256 gives up to 8160 bytes, and 32 are asked for");
        Self(XChaCha20Poly1305::new(&key))
    }

    pub(super) fn seal(&self, label: &str, plaintext: &[u8]) -> Result<String, SealError> {
        let nonce = XNonce::try_generate().map_err(|_| SealError::NoRandomness)?;
        self.seal_with_nonce(&nonce, label, plaintext)
    }

    /// A random nonce of 24 bytes never repeats in practice; a repeated one would give the
    /// plaintexts away, so only [`seal`](Self::seal) and the known-answer test come here.
    pub(super) fn seal_with_nonce(
        &self,
        nonce: &XNonce,
        label: &str,
        plaintext: &[u8],
    ) -> Result<String, SealError> {
        let ciphertext = self
            .0
            .encrypt(nonce, payload(plaintext, &context(label)))
            .map_err(|_| SealError::TooLarge)?;

        // base64url without padding of:  version (1) | nonce (24) | ciphertext | tag (16)
        let mut bytes = Vec::with_capacity(1 + nonce.len() + ciphertext.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(&ciphertext);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn open(&self, label: &str, envelope: &Envelope) -> Option<Vec<u8>> {
        self.0
            .decrypt(
                &envelope.nonce,
                payload(&envelope.ciphertext, &context(label)),
            )
            .ok()
    }
}

impl Envelope {
    /// Takes `sealed` apart. The decoder refuses padding and stray trailing bits, so every value
    /// has one spelling.
    pub(super) fn decode(sealed: &str) -> Result<Self, SealError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(sealed)
            .map_err(|_| SealError::Malformed)?;
        let Some((&VERSION, rest)) = bytes.split_first() else {
            return Err(SealError::Malformed);
        };
        let (nonce, ciphertext) = rest
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or(SealError::Malformed)?;
        Ok(Self {
            nonce: XNonce::from(*nonce),
            ciphertext: ciphertext.to_vec(),
        })
    }
}

/// Format version and purpose, as HKDF's info and as associated data.
fn context(label: &str) -> Vec<u8> {
    format!("authkit-actix seal v{VERSION} {label}").into_bytes()
}

fn payload<'a>(msg: &'a [u8], aad: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg, aad }
}

const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;
