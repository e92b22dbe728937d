//! Sealed values: bytes in, a cookie-safe string out, and back only with the same key and purpose.

mod chacha;
mod iron;
mod secret;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

pub(crate) use self::{chacha::Plaintext, iron::IronSealer, secret::SecretSeal};

/// Seals and opens values under a ring of passwords.
///
/// The keys are derived once, at construction. The first password seals; all of them open.
pub(crate) struct Sealer {
    /// Newest first; within an entry one key per [`Purpose`].
    ring: Vec<[chacha::Key; PURPOSES.len()]>,
}

/// What a sealed value is for. A value of one purpose never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The session cookie.
    Session,
    /// The `state` parameter and its verifier cookie.
    SignInState,
    /// A sign-in that waits for the choice of an organization.
    PendingAuthentication,
    /// What a link to the sign-in route asks for.
    SignInOptions,
    /// Where a session is that the server keeps.
    SessionHandle,
}

/// What was inside a sealed value.
pub(crate) struct Opened {
    pub(crate) plaintext: Plaintext,
    /// An older password opened it: the value should be sealed again.
    pub(crate) with_previous_password: bool,
}

/// Why a value could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("the value is too large to be sealed")]
    TooLarge,
    #[error("the value is not in the format of a sealed value")]
    Malformed,
    #[error("the value was altered, or sealed with another password or for another purpose")]
    Refused,
    #[error("the value was sealed for a time that has passed")]
    Expired,
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl Sealer {
    /// Derives the keys of `passwords`, the newest of which comes first.
    pub(crate) fn new(passwords: &[SecretString]) -> Self {
        let ring = passwords
            .iter()
            .map(|password| {
                let password = password.expose_secret().as_bytes();
                PURPOSES.map(|purpose| chacha::Key::derive(password, purpose.context()))
            })
            .collect();
        Self { ring }
    }

    /// Seals `plaintext` with the newest password.
    pub(crate) fn seal(&self, purpose: Purpose, plaintext: &[u8]) -> Result<String, SealError> {
        let newest = self.ring.first().ok_or(SealError::Refused)?;
        let sealed = newest[purpose as usize].seal(purpose.context(), plaintext)?;
        if sealed.len() > MAX_SEALED_LENGTH {
            return Err(SealError::TooLarge);
        }
        Ok(sealed)
    }

    /// Opens a value that [`seal`](Self::seal) made for the same purpose, with any of the
    /// passwords.
    pub(crate) fn open(
        &self,
        purpose: Purpose,
        sealed: impl AsRef<[u8]>,
    ) -> Result<Opened, SealError> {
        let mut plaintext = Plaintext::default();
        let with_previous_password = self.open_into(&mut plaintext, purpose, sealed.as_ref())?;
        Ok(Opened {
            plaintext,
            with_previous_password,
        })
    }

    /// The same, with `plaintext` where it is to stay. Whether an older password opened it.
    pub(crate) fn open_into(
        &self,
        plaintext: &mut Plaintext,
        purpose: Purpose,
        sealed: &[u8],
    ) -> Result<bool, SealError> {
        if sealed.len() > MAX_SEALED_LENGTH {
            return Err(SealError::TooLarge);
        }
        for (age, keys) in self.ring.iter().enumerate() {
            match keys[purpose as usize].open(purpose.context(), sealed, plaintext) {
                Ok(()) => return Ok(age > 0),
                Err(SealError::Refused) => {}
                Err(error) => return Err(error),
            }
        }
        Err(SealError::Refused)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("passwords", &self.ring.len())
            .finish_non_exhaustive()
    }
}

impl Purpose {
    fn context(self) -> &'static str {
        match self {
            Self::Session => "authkit-actix seal v1 session",
            Self::SignInState => "authkit-actix seal v1 sign-in-state",
            Self::PendingAuthentication => "authkit-actix seal v1 pending-authentication",
            Self::SignInOptions => "authkit-actix seal v1 sign-in-options",
            Self::SessionHandle => "authkit-actix seal v1 session-handle",
        }
    }
}

/// In the order of their discriminants, which index the keys of a password.
const PURPOSES: [Purpose; 5] = [
    Purpose::Session,
    Purpose::SignInState,
    Purpose::PendingAuthentication,
    Purpose::SignInOptions,
    Purpose::SessionHandle,
];

/// A bound on the work that a stranger's value can cause.
const MAX_SEALED_LENGTH: usize = 64 * 1024;

#[cfg(test)]
mod tests;
