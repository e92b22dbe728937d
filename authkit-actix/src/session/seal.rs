//! A session as the sealed value of its cookie, and back.

use std::{
    cmp::Reverse,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::{debug, error};

use super::{Session, iron_document, message};
use crate::{
    clock::Clock,
    config::{Config, LARGEST_COOKIE, SealFormat},
    seal::{IronSealer, Plaintext, Purpose, SealError, Sealer},
    workos::UserField,
};

/// How sessions are sealed for their cookies.
pub(crate) struct SessionSeal {
    sealer: Arc<Sealer>,
    /// What the cookie does not keep of the user.
    left_out: Vec<UserField>,
    /// Where other libraries read the cookie as well.
    shared: Option<Shared>,
}

/// The seal of a cookie that other libraries read, of which they know no chunks.
struct Shared {
    iron: IronSealer,
    clock: Arc<dyn Clock>,
    /// What fits a single cookie, in bytes.
    room: usize,
    has_told: AtomicBool,
}

/// A session that came out of its seal.
pub(super) struct Unsealed {
    pub(super) session: Arc<Session>,
    /// It is not sealed as a new one would be: the cookie should be written again.
    pub(super) is_outdated: bool,
}

impl SessionSeal {
    /// `user_fields` is what cookies keep of their users, if not everything.
    pub(crate) fn new(
        config: &Config,
        user_fields: Option<&[UserField]>,
        sealer: Arc<Sealer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shared = (config.seal_format == SealFormat::Iron).then(|| Shared {
            iron: IronSealer::new(
                config.cookie_passwords.clone(),
                config.iron_passwords.clone(),
            ),
            clock,
            room: LARGEST_COOKIE.saturating_sub(config.cookie.name.len()),
            has_told: AtomicBool::new(false),
        });
        let is_left_out = |field: &UserField| user_fields.is_some_and(|kept| !kept.contains(field));
        Self {
            sealer,
            left_out: UserField::ALL.into_iter().filter(is_left_out).collect(),
            shared,
        }
    }

    /// Whether other applications may renew the session as well.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Seals a session, and takes from it what its cookie does not keep or has no room for.
    pub(crate) fn seal(&self, session: &mut Session) -> Result<Arc<str>, SealError> {
        for field in &self.left_out {
            session.user.forget(*field);
        }
        let sealed = match &self.shared {
            Some(shared) => shared.seal(session)?,
            None => self
                .sealer
                .seal(Purpose::Session, &message::write(session))?,
        };
        Ok(sealed.into())
    }

    pub(super) fn open(&self, sealed: &[u8]) -> Option<Unsealed> {
        let mut plaintext = Plaintext::default();
        let is_outdated = match &self.shared {
            Some(shared) if IronSealer::is_iron(sealed) => {
                let sealed = str::from_utf8(sealed).ok()?;
                let opened = shared.iron.open(sealed, shared.clock.unix_seconds()).ok()?;
                plaintext = opened.plaintext;
                opened.with_previous_password
            }
            shared => {
                let opened = self
                    .sealer
                    .open_into(&mut plaintext, Purpose::Session, sealed);
                opened.ok()? || shared.is_some()
            }
        };
        Some(Unsealed {
            session: Arc::new(Session::read(&plaintext)?),
            is_outdated,
        })
    }
}

impl Shared {
    /// Leaves out of the user what takes the most room, member by member, until one cookie holds it.
    fn seal(&self, session: &mut Session) -> Result<String, SealError> {
        let whole = self.iron.seal(&iron_document::to_json(session))?;
        if whole.len() <= self.room {
            return Ok(whole);
        }
        let user = session.user.clone();
        let mut fields = UserField::ALL;
        fields.sort_by_key(|field| Reverse(session.user.length_of(*field)));
        for (index, field) in fields.into_iter().enumerate() {
            session.user.forget(field);
            let trimmed = self.iron.seal(&iron_document::to_json(session))?;
            if trimmed.len() <= self.room {
                debug!(
                    left_out = ?&fields[..=index],
                    "the session's user was trimmed to fit one cookie"
                );
                return Ok(trimmed);
            }
        }
        session.user = user;
        if !self.has_told.swap(true, Ordering::Relaxed) {
            error!(
                bytes = whole.len(),
                room = self.room,
                "a session does not fit one cookie even without its user's profile: it is split, \
                 and applications with other AuthKit libraries cannot read it; shorten the JWT \
                 template"
            );
        }
        Ok(whole)
    }
}

impl fmt::Debug for SessionSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSeal")
            .field("is_shared", &self.is_shared())
            .finish_non_exhaustive()
    }
}
