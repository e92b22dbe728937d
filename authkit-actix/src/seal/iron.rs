//! The shared seal: `Fe26.2`, as iron-session and the other AuthKit libraries write it.

use std::{fmt, num::NonZeroU32};

use aws_lc_rs::{
    cipher::{
        AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
        PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    error::Unspecified,
    hmac, pbkdf2, rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

use super::{MAX_SEALED_LENGTH, Opened, SealError};

/// Seals and opens values as other libraries do that know the password.
///
/// The format has no purposes: whatever those libraries seal with the password opens here.
pub(crate) struct IronSealer {
    /// Newest first; the newest seals, all of them open.
    ring: Vec<SecretString>,
    /// What seals of others name by another id than ours.
    by_id: Vec<(String, SecretString)>,
}

impl IronSealer {
    pub(crate) fn new(ring: Vec<SecretString>, by_id: Vec<(String, SecretString)>) -> Self {
        Self { ring, by_id }
    }

    /// Whether a value claims to be of this format.
    pub(crate) fn is_iron(sealed: &[u8]) -> bool {
        sealed.starts_with(PREFIX.as_bytes())
    }

    /// Seals `plaintext` with the newest password, for as long as that is in use.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Result<String, SealError> {
        let fresh = Fresh::random().map_err(|Unspecified| SealError::NoRandomness)?;
        self.seal_with(&fresh, plaintext, "")
    }

    /// An initialization vector that repeats would tell which plaintexts begin alike, so only
    /// [`seal`](Self::seal) and the known-answer test come here.
    fn seal_with(
        &self,
        fresh: &Fresh,
        plaintext: &[u8],
        expiry: &str,
    ) -> Result<String, SealError> {
        let password = self.ring.first().ok_or(SealError::Refused)?;
        let ciphertext = encrypt(
            &derive(password, &fresh.encryption_salt),
            fresh.iv,
            plaintext,
        )
        .map_err(|Unspecified| SealError::TooLarge)?;

        // Fe26.2*<password id>*<salt>*<iv>*<ciphertext>*<expiry>*<MAC's salt>*<MAC>~2
        let authenticated = format!(
            "{PREFIX}*{OUR_PASSWORD_ID}*{}*{}*{}*{expiry}",
            fresh.encryption_salt,
            URL_SAFE_NO_PAD.encode(fresh.iv),
            URL_SAFE_NO_PAD.encode(ciphertext),
        );
        let key = mac_key(password, &fresh.mac_salt);
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&key, authenticated.as_bytes()));
        let sealed = format!("{authenticated}*{}*{mac}{SUFFIX}", fresh.mac_salt);
        if sealed.len() > MAX_SEALED_LENGTH {
            return Err(SealError::TooLarge);
        }
        Ok(sealed)
    }

    /// Opens a value, whoever sealed it with a password of ours; `now` is in Unix seconds.
    pub(crate) fn open(&self, sealed: &str, now: i64) -> Result<Opened, SealError> {
        if sealed.len() > MAX_SEALED_LENGTH {
            return Err(SealError::TooLarge);
        }
        let envelope = Envelope::parse(sealed)?;
        if envelope.has_expired(now) {
            return Err(SealError::Expired);
        }
        let is_ours = matches!(envelope.password_id, "" | OUR_PASSWORD_ID);
        let (age, password) = if is_ours {
            let mut ring = self.ring.iter().enumerate();
            ring.find(|(_, password)| envelope.is_genuine(password))
        } else {
            let mut named = self.by_id.iter();
            named
                .find(|(id, password)| id == envelope.password_id && envelope.is_genuine(password))
                .map(|(_, password)| (0, password))
        }
        .ok_or(SealError::Refused)?;
        let key = derive(password, envelope.encryption_salt);
        let plaintext = decrypt(&key, envelope.iv, envelope.ciphertext)
            .map_err(|Unspecified| SealError::Refused)?;
        Ok(Opened {
            plaintext: plaintext.into(),
            with_previous_password: age > 0,
        })
    }
}

impl fmt::Debug for IronSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IronSealer")
            .field("passwords", &self.ring.len())
            .field("by_id", &self.by_id.len())
            .finish()
    }
}

/// A sealed value taken apart, not yet known to be genuine.
struct Envelope<'a> {
    password_id: &'a str,
    encryption_salt: &'a str,
    iv: [u8; IV_LENGTH],
    ciphertext: Vec<u8>,
    /// Unix milliseconds.
    expires_at: Option<u64>,
    mac_salt: &'a str,
    mac: Vec<u8>,
    /// What the MAC is over: everything before the MAC's salt, as it was received.
    authenticated: &'a str,
}

impl<'a> Envelope<'a> {
    fn parse(sealed: &'a str) -> Result<Self, SealError> {
        let sealed = sealed.strip_suffix(SUFFIX).unwrap_or(sealed);
        let mut ends = sealed.rsplitn(3, '*');
        let (Some(mac), Some(mac_salt), Some(authenticated)) =
            (ends.next(), ends.next(), ends.next())
        else {
            return Err(SealError::Malformed);
        };
        let parts: Vec<_> = authenticated.splitn(7, '*').collect();
        let &[PREFIX, password_id, encryption_salt, iv, ciphertext, expiry] = parts.as_slice()
        else {
            return Err(SealError::Malformed);
        };
        let are_salts = [encryption_salt, mac_salt].into_iter().all(is_salt);
        let decode = |text| URL_SAFE_NO_PAD.decode(text).ok();
        let (true, Some(iv), Some(ciphertext), Some(mac), Some(expires_at)) = (
            are_salts,
            decode(iv).and_then(|iv| iv.try_into().ok()),
            decode(ciphertext),
            decode(mac),
            parse_expiry(expiry),
        ) else {
            return Err(SealError::Malformed);
        };
        Ok(Self {
            password_id,
            encryption_salt,
            iv,
            ciphertext,
            expires_at,
            mac_salt,
            mac,
            authenticated,
        })
    }

    fn has_expired(&self, now: i64) -> bool {
        let now = u64::try_from(now).unwrap_or(0).saturating_mul(1000);
        self.expires_at
            .is_some_and(|expires_at| expires_at.saturating_add(EXPIRY_LEEWAY) <= now)
    }

    /// Compares in constant time.
    fn is_genuine(&self, password: &SecretString) -> bool {
        let key = mac_key(password, self.mac_salt);
        hmac::verify(&key, self.authenticated.as_bytes(), &self.mac).is_ok()
    }
}

/// What must be new in every seal.
struct Fresh {
    encryption_salt: String,
    iv: [u8; IV_LENGTH],
    mac_salt: String,
}

impl Fresh {
    fn random() -> Result<Self, Unspecified> {
        let mut iv = [0; IV_LENGTH];
        rand::fill(&mut iv)?;
        Ok(Self {
            encryption_salt: random_salt()?,
            iv,
            mac_salt: random_salt()?,
        })
    }
}

fn random_salt() -> Result<String, Unspecified> {
    let mut bytes = [0; SALT_LENGTH / 2];
    rand::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The text of a salt is the salt; nobody writes one in capitals.
fn is_salt(text: &str) -> bool {
    text.len() == SALT_LENGTH
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Milliseconds without sign or leading zero, or nothing, which is for ever.
fn parse_expiry(text: &str) -> Option<Option<u64>> {
    match text.as_bytes() {
        [] => Some(None),
        [b'1'..=b'9', ..] => text.parse().ok().map(Some),
        _ => None,
    }
}

/// One iteration stretches nothing: the password itself has to be strong.
fn derive(password: &SecretString, salt: &str) -> [u8; KEY_LENGTH] {
    let mut key = [0; KEY_LENGTH];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA1,
        NonZeroU32::MIN,
        salt.as_bytes(),
        password.expose_secret().as_bytes(),
        &mut key,
    );
    key
}

fn mac_key(password: &SecretString, salt: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &derive(password, salt))
}

fn encrypt(
    key: &[u8; KEY_LENGTH],
    iv: [u8; IV_LENGTH],
    plaintext: &[u8],
) -> Result<Vec<u8>, Unspecified> {
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key)?)?;
    let mut bytes = plaintext.to_vec();
    key.less_safe_encrypt(&mut bytes, EncryptionContext::Iv128(iv.into()))?;
    Ok(bytes)
}

fn decrypt(
    key: &[u8; KEY_LENGTH],
    iv: [u8; IV_LENGTH],
    mut ciphertext: Vec<u8>,
) -> Result<Vec<u8>, Unspecified> {
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key)?)?;
    let length = key
        .decrypt(&mut ciphertext, DecryptionContext::Iv128(iv.into()))?
        .len();
    ciphertext.truncate(length);
    Ok(ciphertext)
}

const PREFIX: &str = "Fe26.2";
/// iron-session's version, which no MAC covers.
const SUFFIX: &str = "~2";
/// What libraries write that know one password.
const OUR_PASSWORD_ID: &str = "1";
/// Hexadecimal digits.
const SALT_LENGTH: usize = 64;
const IV_LENGTH: usize = 16;
const KEY_LENGTH: usize = 32;
/// Milliseconds by which other machines' clocks may be off.
const EXPIRY_LEEWAY: u64 = 60_000;

#[cfg(test)]
mod tests;
