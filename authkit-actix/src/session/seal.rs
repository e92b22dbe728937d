//! A session as the sealed value of its cookie, and back.

use std::sync::Arc;

use super::Session;
use crate::seal::{Purpose, SealError, Sealer};

/// How sessions are sealed for their cookies.
pub(crate) struct SessionSeal {
    sealer: Arc<Sealer>,
}

/// A session that came out of its seal.
pub(super) struct Unsealed {
    pub(super) session: Session,
    /// It is not sealed as a new one would be: the cookie should be written again.
    pub(super) is_outdated: bool,
}

impl SessionSeal {
    pub(crate) fn new(sealer: Arc<Sealer>) -> Self {
        Self { sealer }
    }

    pub(crate) fn seal(&self, session: &Session) -> Result<Arc<str>, SealError> {
        let sealed = self.sealer.seal(Purpose::Session, &session.to_json())?;
        Ok(sealed.into())
    }

    pub(super) fn open(&self, sealed: &str) -> Option<Unsealed> {
        let opened = self.sealer.open(Purpose::Session, sealed).ok()?;
        // UTF-8 is checked as a whole: string by string costs a third more.
        let plaintext = str::from_utf8(&opened.plaintext).ok()?;
        Some(Unsealed {
            session: serde_json::from_str(plaintext).ok()?,
            is_outdated: opened.with_previous_password,
        })
    }
}
