use super::{SealError, chacha};

/// Seals what is kept elsewhere under a secret that whoever has it brings along, so that the place
/// opens nothing by itself.
pub(crate) struct SecretSeal {
    key: chacha::Key,
    label: &'static str,
}

impl SecretSeal {
    /// Derives the key. The secret must be one that cannot be guessed; the label says what it is for.
    pub(crate) fn new(secret: &[u8], label: &'static str) -> Self {
        Self {
            key: chacha::Key::derive(secret, label),
            label,
        }
    }

    pub(crate) fn seal(&self, plaintext: &[u8]) -> Result<String, SealError> {
        if plaintext.len() > LARGEST {
            return Err(SealError::TooLarge);
        }
        self.key.seal(self.label, plaintext)
    }

    /// What [`seal`](Self::seal) has sealed with the same secret and label.
    pub(crate) fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let envelope = chacha::Envelope::decode(sealed).ok()?;
        self.key.open(self.label, envelope)
    }
}

/// Bytes: no answer of WorkOS is larger.
const LARGEST: usize = 1024 * 1024;
