//! The default seal: XChaCha20-Poly1305 under a key from HKDF-SHA-256 (RFC 5869).
//!
//! XChaCha20-Poly1305 is ChaCha20-Poly1305 (RFC 8439) under a subkey that HChaCha20 makes of the key
//! and the first 16 bytes of the nonce (draft-irtf-cfrg-xchacha-03, section 2). AWS-LC, which is in
//! every application's tree for TLS, does the former at three times the speed of the crate that does
//! both at once; the tests hold the two against each other.

use std::ops::{Deref, Range};

use aws_lc_rs::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    rand,
};
use base64_simd::{AsOut as _, URL_SAFE_NO_PAD};
use chacha20::{R20, hchacha};
use hkdf::Hkdf;
use sha2::Sha256;
use smallvec::SmallVec;

use super::SealError;

/// The key of one password and one purpose.
pub(super) struct Key(chacha20::Key);

/// What was sealed, among the bytes it was opened in; on the stack where they are no more than usual.
pub(crate) struct Plaintext {
    bytes: Bytes,
    range: Range<usize>,
}

type Bytes = SmallVec<[u8; USUAL]>;

impl Key {
    /// `context` names format version and purpose. It is HKDF's info and associated data.
    pub(super) fn derive(password: &[u8], context: &str) -> Self {
        let mut key = chacha20::Key::default();
        Hkdf::<Sha256>::new(None, password)
            .expand(context.as_bytes(), &mut key)
            .expect("HKDF-SHA-256 gives up to 8160 bytes, and 32 are asked for");
        Self(key)
    }

    pub(super) fn seal(&self, context: &str, plaintext: &[u8]) -> Result<String, SealError> {
        let mut nonce = [0; NONCE];
        rand::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        self.seal_with_nonce(&nonce, context, plaintext)
    }

    /// A random nonce of 24 bytes never repeats in practice; a repeated one would give the
    /// plaintexts away, so only [`seal`](Self::seal) and the tests come here.
    pub(super) fn seal_with_nonce(
        &self,
        nonce: &[u8; NONCE],
        context: &str,
        plaintext: &[u8],
    ) -> Result<String, SealError> {
        // base64url without padding of:  version (1) | nonce (24) | ciphertext | tag (16)
        let mut bytes = Vec::with_capacity(PREFIX + plaintext.len() + CHACHA20_POLY1305.tag_len());
        bytes.push(VERSION);
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(plaintext);
        let (key, nonce) = self.under(nonce).ok_or(SealError::TooLarge)?;
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(context), &mut bytes[PREFIX..])
            .map_err(|_| SealError::TooLarge)?;
        bytes.extend_from_slice(tag.as_ref());
        Ok(URL_SAFE_NO_PAD.encode_to_string(bytes))
    }

    /// Leaves what was sealed in `plaintext`; where that fails, anything.
    pub(super) fn open(
        &self,
        context: &str,
        sealed: &[u8],
        plaintext: &mut Plaintext,
    ) -> Result<(), SealError> {
        let Plaintext { bytes, range } = plaintext;
        decode(sealed, bytes)?;
        let (prefix, ciphertext) = bytes
            .split_at_mut_checked(PREFIX)
            .ok_or(SealError::Malformed)?;
        let nonce = prefix
            .strip_prefix(&[VERSION])
            .and_then(|nonce| nonce.first_chunk())
            .ok_or(SealError::Malformed)?;
        let (key, nonce) = self.under(nonce).ok_or(SealError::Refused)?;
        let opened = key
            .open_in_place(nonce, Aad::from(context), ciphertext)
            .map_err(|_| SealError::Refused)?;
        *range = PREFIX..PREFIX + opened.len();
        Ok(())
    }

    /// ChaCha20-Poly1305's key and nonce for one nonce of XChaCha20-Poly1305.
    fn under(&self, nonce: &[u8; NONCE]) -> Option<(LessSafeKey, Nonce)> {
        let (first, last) = nonce.split_first_chunk::<16>()?;
        let subkey = hchacha::<R20>(&self.0, &(*first).into());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &subkey).ok()?;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(last);
        Some((LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce)))
    }
}

impl Default for Plaintext {
    fn default() -> Self {
        // Cleared at once: growing clears byte by byte.
        let bytes = Bytes::from_buf([0; USUAL]);
        Self { bytes, range: 0..0 }
    }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

impl From<Vec<u8>> for Plaintext {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        let bytes = bytes.into();
        Self { bytes, range }
    }
}

/// The decoder refuses padding and stray trailing bits, so every value has one spelling.
fn decode(sealed: &[u8], bytes: &mut Bytes) -> Result<(), SealError> {
    let length = URL_SAFE_NO_PAD.decoded_length(sealed);
    bytes.resize(length.map_err(|_| SealError::Malformed)?, 0);
    URL_SAFE_NO_PAD
        .decode(sealed, bytes.as_mut_slice().as_out())
        .map_err(|_| SealError::Malformed)?;
    Ok(())
}

const USUAL: usize = 2048;
const VERSION: u8 = 1;
const NONCE: usize = 24;
const PREFIX: usize = 1 + NONCE;
