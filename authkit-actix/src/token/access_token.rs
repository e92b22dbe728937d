//! An access token at rest: the bytes of its parts, a quarter shorter than its text.

use std::{borrow::Cow, fmt, sync::OnceLock};

use base64_simd::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::flights::FlightKey;

/// An access token, not yet known to be genuine.
pub(crate) struct AccessToken {
    packed: SecretSlice<u8>,
    /// Made when somebody asks.
    text: OnceLock<SecretString>,
}

/// The parts of a JWS in its compact serialization, decoded; RFC 7515 section 7.1.
pub(super) struct Parts<'a> {
    pub(super) header: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl AccessToken {
    pub(crate) fn new(text: &str) -> Self {
        let packed = pack(text).unwrap_or_else(|| [&OPAQUE, text.as_bytes()].concat());
        Self {
            packed: packed.into(),
            text: OnceLock::new(),
        }
    }

    /// Reads [packed](Self::packed) bytes.
    pub(crate) fn from_packed(packed: Vec<u8>) -> Option<Self> {
        let is_packed = Parts::of(&packed).is_some()
            || packed
                .strip_prefix(&OPAQUE)
                .is_some_and(|text| str::from_utf8(text).is_ok());
        is_packed.then(|| Self {
            packed: packed.into(),
            text: OnceLock::new(),
        })
    }

    /// The token as WorkOS sent it.
    pub(crate) fn expose_secret(&self) -> &str {
        let text = || match self.parts() {
            Some(parts) => parts.text().into(),
            None => String::from_utf8_lossy(&self.packed()[OPAQUE.len()..])
                .into_owned()
                .into(),
        };
        self.text.get_or_init(text).expose_secret()
    }

    /// What tells the token apart from all others, and those that should be this user's from those that
    /// may be anybody's; it keeps no secret.
    pub(super) fn key(&self, user_id: Option<&str>) -> FlightKey {
        match user_id {
            Some(user_id) => FlightKey::of_all([user_id.as_bytes(), self.packed()]),
            None => FlightKey::of(self.packed()),
        }
    }

    /// Its last bytes, those of the signature.
    pub(crate) fn end<const N: usize>(&self) -> Option<[u8; N]> {
        self.packed().last_chunk().copied()
    }

    /// How many bytes its text has.
    pub(super) fn length(&self) -> usize {
        match self.parts() {
            Some(parts) => parts.signed_length() + 1 + encoded_length(parts.signature),
            None => self.packed().len() - OPAQUE.len(),
        }
    }

    pub(super) fn parts(&self) -> Option<Parts<'_>> {
        Parts::of(self.packed())
    }

    /// The lengths of header and payload, two bytes each with the higher one first, and the bytes of
    /// header, payload and signature. What is no JWT stands there as text, after lengths of zero.
    pub(crate) fn packed(&self) -> &[u8] {
        self.packed.expose_secret()
    }
}

impl<'a> Parts<'a> {
    fn of(packed: &'a [u8]) -> Option<Self> {
        let (header_length, rest) = packed.split_first_chunk()?;
        let (payload_length, rest) = rest.split_first_chunk()?;
        let (header, rest) = rest.split_at_checked(u16::from_be_bytes(*header_length).into())?;
        let (payload, signature) =
            rest.split_at_checked(u16::from_be_bytes(*payload_length).into())?;
        (!header.is_empty()).then_some(Self {
            header,
            payload,
            signature,
        })
    }

    /// Header and payload as they were signed, RFC 7515 section 5.1.
    pub(super) fn signed(&self) -> String {
        let mut text = String::with_capacity(self.signed_length());
        URL_SAFE_NO_PAD.encode_append(self.header, &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_append(self.payload, &mut text);
        text
    }

    fn text(&self) -> String {
        let mut text = self.signed();
        text.push('.');
        URL_SAFE_NO_PAD.encode_append(self.signature, &mut text);
        text
    }

    fn signed_length(&self) -> usize {
        encoded_length(self.header) + 1 + encoded_length(self.payload)
    }
}

/// The decoder refuses padding and stray trailing bits, so that every part has one spelling: what it
/// takes, the encoder gives back.
fn pack(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if header.is_empty() || parts.next().is_some() {
        return None;
    }
    let mut packed = Vec::with_capacity(text.len());
    packed.extend_from_slice(&OPAQUE);
    URL_SAFE_NO_PAD.decode_append(header, &mut packed).ok()?;
    let header_length = packed.len() - OPAQUE.len();
    URL_SAFE_NO_PAD.decode_append(payload, &mut packed).ok()?;
    let payload_length = packed.len() - OPAQUE.len() - header_length;
    URL_SAFE_NO_PAD.decode_append(signature, &mut packed).ok()?;
    packed[..2].copy_from_slice(&u16::try_from(header_length).ok()?.to_be_bytes());
    packed[2..4].copy_from_slice(&u16::try_from(payload_length).ok()?.to_be_bytes());
    Some(packed)
}

fn encoded_length(bytes: &[u8]) -> usize {
    URL_SAFE_NO_PAD.encoded_length(bytes.len())
}

impl Clone for AccessToken {
    fn clone(&self) -> Self {
        Self {
            packed: self.packed.clone(),
            text: OnceLock::new(),
        }
    }
}

impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        self.packed() == other.packed()
    }
}

impl Serialize for AccessToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose_secret())
    }
}

impl<'de> Deserialize<'de> for AccessToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Ok(Self::new(&text))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken")
    }
}

const OPAQUE: [u8; 4] = [0; 4];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_comes_back(text in ".{0,200}|[a-zA-Z0-9_-]{0,40}(\\.[a-zA-Z0-9_-]{0,40}){0,3}") {
            let token = AccessToken::new(&text);
            prop_assert_eq!(token.expose_secret(), &text);
            prop_assert_eq!(token.length(), text.len());
            let again = AccessToken::from_packed(token.packed().to_vec());
            prop_assert_eq!(again.as_ref().map(AccessToken::expose_secret), Some(&*text));
            prop_assert!(again == Some(token));
        }

        #[test]
        fn no_bytes_panic(packed in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(token) = AccessToken::from_packed(packed) {
                prop_assert_eq!(token.expose_secret().len(), token.length());
            }
        }
    }

    #[test]
    fn a_token_is_its_text_in_json_and_its_bytes_in_a_message() {
        let json = r#""e30.e30.AAEC""#;
        let token: AccessToken = serde_json::from_str(json).expect("a string");
        assert_eq!(token.packed(), b"\0\x02\0\x02{}{}\0\x01\x02");
        assert_eq!(serde_json::to_string(&token).expect("JSON"), json);
    }

    #[test]
    fn two_tokens_or_users_never_have_the_same_key() {
        let keys = [
            "",
            "e30..",
            "e30.e30.",
            "e30e.30.",
            "\0",
            "e30.e30.AAEC",
            "e30.e30.AAED",
        ]
        .map(AccessToken::new)
        .map(|token| [None, Some(""), Some("user_1")].map(|user_id| token.key(user_id)));
        let keys = keys.as_flattened();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{index}");
        }
    }
}
