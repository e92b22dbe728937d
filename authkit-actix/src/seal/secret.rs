use super::{Plaintext, SealError, chacha};

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
        let mut plaintext = Plaintext::default();
        let opened = self.key.open(self.label, sealed.as_bytes(), &mut plaintext);
        opened.ok().map(|()| plaintext.to_vec())
    }
}

/// Bytes: no answer of WorkOS is larger.
const LARGEST: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_and_label_open_what_was_sealed() {
        let seal = SecretSeal::new(b"a secret", "answers");
        let sealed = seal.seal(b"some answer").expect("seals");
        let open = |secret: &[u8], label| SecretSeal::new(secret, label).open(&sealed);
        assert_eq!(open(b"a secret", "answers"), Some(b"some answer".to_vec()));
        assert_eq!(open(b"another secret", "answers"), None);
        assert_eq!(open(b"a secret", "sessions"), None);
        assert_eq!(seal.open("some answer"), None);
    }

    #[test]
    fn a_mebibyte_fits_and_a_byte_more_does_not() {
        let seal = SecretSeal::new(b"a secret", "answers");
        let largest = vec![b'x'; 1024 * 1024];
        let sealed = seal.seal(&largest).expect("seals");
        assert_eq!(seal.open(&sealed), Some(largest));
        assert_eq!(
            seal.seal(&vec![b'x'; 1024 * 1024 + 1]),
            Err(SealError::TooLarge)
        );
    }
}
