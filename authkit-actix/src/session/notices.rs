//! What becomes known about sessions between two requests, here or on another instance.

use std::{
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};

use super::{
    revocation::{Revocations, Standing},
    watchers::{Ending, Watch, WatchLimits, Watchers},
};
use crate::{clock::Clock, token::AccessTokenClaims};

/// Something that became known about sessions. All times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub(crate) enum Notice {
    /// A session has ended: its tokens issued until then are worth nothing.
    SessionEnded { session_id: String, until: i64 },
    /// A user's sessions have ended: tokens issued to them until then are worth nothing.
    UserEnded { user_id: String, until: i64 },
    /// A user's place in an organization has changed: what tokens issued until then say about it
    /// holds no longer.
    MembershipChanged {
        user_id: String,
        organization_id: String,
        until: i64,
    },
    /// A session was given a newer token, with these rights; see [`rights`].
    Renewed {
        session_id: String,
        rights: u64,
        issued_at: i64,
        expires_at: i64,
    },
}

impl Notice {
    /// Whether those must hear of it too who are out of reach, or not there yet.
    #[cfg(feature = "redis")]
    pub(crate) fn lasts(&self) -> bool {
        !matches!(self, Self::Renewed { .. })
    }
}

/// The other instances of the application.
pub(crate) trait Elsewhere: Send + Sync {
    /// Passes a notice on; neither waits nor fails.
    fn tell(&self, notice: &Notice);

    /// Whether what they say is heard at present.
    fn is_heard(&self) -> bool;
}

/// Where notices come together: they end sessions and wake open connections, and go on to the
/// other instances.
pub(crate) struct Notices {
    revocations: Revocations,
    watchers: Arc<Watchers>,
    elsewhere: OnceLock<Arc<dyn Elsewhere>>,
    /// Nothing is known while the others are not heard.
    is_strict: bool,
    clock: Arc<dyn Clock>,
}

impl Notices {
    pub(crate) fn new(clock: Arc<dyn Clock>, is_strict: bool) -> Self {
        Self {
            revocations: Revocations::new(Arc::clone(&clock)),
            watchers: Arc::default(),
            elsewhere: OnceLock::new(),
            is_strict,
            clock,
        }
    }

    /// Connects this process with the others, once.
    #[cfg(feature = "redis")]
    pub(crate) fn connect(&self, elsewhere: Arc<dyn Elsewhere>) {
        let _ = self.elsewhere.set(elsewhere);
    }

    /// Acts on what became known here, and tells the others.
    pub(crate) fn announce(&self, notice: Notice) {
        if let Some(elsewhere) = self.elsewhere.get() {
            elsewhere.tell(&notice);
        }
        self.apply(&notice);
    }

    /// Acts on what became known, here or elsewhere; twice is as good as once.
    pub(crate) fn apply(&self, notice: &Notice) {
        // Whoever is woken and asks finds the session ended.
        self.revocations.apply(notice);
        self.watchers.apply(notice);
    }

    /// Whether a session is known to have ended.
    pub(super) fn has_ended(&self, session_id: &str) -> bool {
        self.revocations.has_ended(session_id)
    }

    /// Says that a session ends now: by a sign-out, or since somebody ended it.
    pub(crate) fn session_ended(&self, session_id: &str) {
        self.session_ended_at(session_id, self.clock.unix_seconds());
    }

    /// Says that a session has ended at a time in Unix seconds.
    ///
    /// A refresh that was under way then brings a token that is a little younger, so the notice
    /// covers the minute after, too.
    pub(crate) fn session_ended_at(&self, session_id: &str, at: i64) {
        self.announce(Notice::SessionEnded {
            session_id: session_id.to_owned(),
            until: at.saturating_add(UNDER_WAY),
        });
    }

    /// Says that all sessions of a user have ended at a time in Unix seconds.
    pub(crate) fn user_ended_at(&self, user_id: &str, at: i64) {
        self.announce(Notice::UserEnded {
            user_id: user_id.to_owned(),
            until: at.saturating_add(UNDER_WAY),
        });
    }

    /// Says that a session was given the token with these claims.
    pub(crate) fn renewed(&self, claims: &AccessTokenClaims) {
        self.announce(Notice::Renewed {
            session_id: claims.sid.clone(),
            rights: rights(claims),
            issued_at: claims.iat,
            expires_at: claims.exp,
        });
    }

    /// What a genuine token is still worth; almost free while no session has ended.
    pub(crate) fn standing(&self, claims: &AccessTokenClaims) -> Standing {
        if self.is_strict
            && let Some(elsewhere) = self.elsewhere.get()
            && !elsewhere.is_heard()
        {
            return Standing::Unknown;
        }
        self.revocations.standing(claims)
    }

    /// Watches a session for an open connection.
    pub(super) fn watch(&self, claims: &AccessTokenClaims, limits: WatchLimits) -> Watch {
        let mut watch = self.watchers.watch(claims, limits, Arc::clone(&self.clock));
        // What became known before the watch began wakes nobody any more.
        watch.known = match self.standing(claims) {
            Standing::Good => None,
            Standing::Outdated { .. } | Standing::Unknown => Some(Ending::Expired),
            Standing::Ended => Some(Ending::Revoked),
        };
        watch
    }
}

/// What the rights in a token come to, as a number to compare.
///
/// Instances that run different builds may differ about it; connections then end a little early.
pub(super) fn rights(claims: &AccessTokenClaims) -> u64 {
    let mut hasher = DefaultHasher::new();
    (
        &claims.org_id,
        &claims.role,
        &claims.roles,
        &claims.permissions,
        &claims.entitlements,
        &claims.feature_flags,
    )
        .hash(&mut hasher);
    hasher.finish()
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

/// Seconds that a refresh under way may take, clocks that differ included.
const UNDER_WAY: i64 = 60;
