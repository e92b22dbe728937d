//! The shared seal, written from its description, so that a mistake in the library is not made here as
//! well, and so that tests can seal what no library would.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{
        AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
        PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    hmac, pbkdf2, rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Seals as password `1`, until `expiry` in Unix milliseconds, or for ever where that is empty.
pub fn seal(password: &str, plaintext: &[u8], expiry: &str) -> String {
    seal_by_id(password, "1", plaintext, expiry)
}

pub fn seal_by_id(password: &str, id: &str, plaintext: &[u8], expiry: &str) -> String {
    let (salt, mac_salt) = (hex(&random::<32>()), hex(&random::<32>()));
    let iv = random::<16>();
    let key = UnboundCipherKey::new(&AES_256, &key(password, &salt)).expect("a key");
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).expect("a key");
    let mut bytes = plaintext.to_vec();
    key.less_safe_encrypt(&mut bytes, EncryptionContext::Iv128(iv.into()))
        .expect("encrypted");
    let (iv, bytes) = (URL_SAFE_NO_PAD.encode(iv), URL_SAFE_NO_PAD.encode(bytes));
    let sealed = format!("Fe26.2*{id}*{salt}*{iv}*{bytes}*{expiry}");
    let mac = mac(password, &mac_salt, &sealed);
    format!("{sealed}*{mac_salt}*{mac}~2")
}

/// The plaintext of a sealed value, if it is genuine.
pub fn open(password: &str, sealed: &str) -> Option<Vec<u8>> {
    let parts: Vec<_> = sealed.strip_suffix("~2")?.split('*').collect();
    let ["Fe26.2", "1", salt, iv, bytes, "", mac_salt, its_mac] = parts[..] else {
        return None;
    };
    if mac(password, mac_salt, &parts[..6].join("*")) != its_mac {
        return None;
    }
    let key = UnboundCipherKey::new(&AES_256, &key(password, salt)).ok()?;
    let iv: [u8; 16] = URL_SAFE_NO_PAD.decode(iv).ok()?.try_into().ok()?;
    let mut bytes = URL_SAFE_NO_PAD.decode(bytes).ok()?;
    PaddedBlockDecryptingKey::cbc_pkcs7(key)
        .and_then(|key| {
            let plaintext = key.decrypt(&mut bytes, DecryptionContext::Iv128(iv.into()))?;
            Ok(plaintext.to_vec())
        })
        .ok()
}

fn key(password: &str, salt: &str) -> [u8; 32] {
    let mut key = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA1,
        NonZeroU32::MIN,
        salt.as_bytes(),
        password.as_bytes(),
        &mut key,
    );
    key
}

fn mac(password: &str, salt: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key(password, salt));
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()))
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).expect("random bytes");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
