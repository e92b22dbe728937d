use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The signing keys: one that signs, all that are published, and a stranger's that never is.
pub(crate) struct KeyRing {
    active: Key,
    retired: Vec<Key>,
    stranger: OnceLock<Key>,
    published: Option<String>,
}

/// Which key an answer is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    Active,
    Stranger,
}

impl KeyRing {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        Ok(Self {
            active: Key::generate()?,
            retired: Vec::new(),
            stranger: OnceLock::new(),
            published: None,
        })
    }

    /// Makes a new key the signing one; the old one stays published if it should.
    pub(super) fn rotate(&mut self, keep_old: bool) {
        let old = std::mem::replace(&mut self.active, Key::new());
        if keep_old {
            self.retired.push(old);
        } else {
            self.retired.clear();
        }
    }

    pub(super) fn publish(&mut self, body: Option<String>) {
        self.published = body;
    }

    /// The body of the key set's answer.
    pub(crate) fn jwks(&self, signer: Signer) -> String {
        if signer == Signer::Stranger {
            return json!({"keys": [self.key(signer).jwk()]}).to_string();
        }
        self.published.clone().unwrap_or_else(|| {
            let keys: Vec<Value> = std::iter::once(&self.active)
                .chain(&self.retired)
                .map(Key::jwk)
                .collect();
            json!({"keys": keys}).to_string()
        })
    }

    /// A token with the usual header.
    pub(crate) fn sign(&self, signer: Signer, claims: &Value) -> String {
        let kid = &self.key(signer).kid;
        self.sign_with(
            signer,
            &json!({"alg": "RS256", "typ": "JWT", "kid": kid}),
            claims,
        )
    }

    /// A token with any header, signed with RS256 whatever that header says.
    pub(super) fn sign_with(&self, signer: Signer, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.key(signer).sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(super) fn kid(&self) -> String {
        self.active.kid.clone()
    }

    pub(super) fn public_key_pem(&self) -> String {
        self.active.pem()
    }

    fn key(&self, signer: Signer) -> &Key {
        match signer {
            Signer::Active => &self.active,
            Signer::Stranger => self.stranger.get_or_init(Key::new),
        }
    }
}

struct Key {
    kid: String,
    pair: RsaKeyPair,
}

impl Key {
    fn generate() -> Result<Self, Unspecified> {
        Ok(Self {
            kid: random_id("sso_oidc_key_pair"),
            pair: RsaKeyPair::generate(KeySize::Rsa2048)?,
        })
    }

    fn new() -> Self {
        Self::generate().expect("the first key was generated the same way at the start")
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .expect("a freshly generated RSA key signs any message");
        signature
    }

    fn jwk(&self) -> Value {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.pair.public_key());
        json!({
            "kty": "RSA",
            "n": URL_SAFE_NO_PAD.encode(public.n),
            "e": URL_SAFE_NO_PAD.encode(public.e),
            "kid": self.kid,
            "alg": "RS256",
            "use": "sig",
        })
    }

    fn pem(&self) -> String {
        let der = self
            .pair
            .public_key()
            .as_der()
            .expect("the public half of a generated key has an X.509 form");
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .filter_map(|line| std::str::from_utf8(line).ok())
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }
}

/// `prefix_` and 26 random characters, as WorkOS's ids look.
pub(crate) fn random_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bytes = [0; 26];
    aws_lc_rs::rand::fill(&mut bytes).expect("aws-lc aborts rather than run out of random bytes");
    let id: String = bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    format!("{prefix}_{id}")
}
