//! Open connections, and the sessions that they belong to.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time};

use super::notices::{Notice, rights};
use crate::{clock::Clock, token::AccessTokenClaims};

/// The connections of this process that live as long as a session.
#[derive(Default)]
pub(super) struct Watchers {
    by_session: Mutex<HashMap<String, Vec<Watcher>>>,
    next_number: AtomicU64,
}

struct Watcher {
    number: u64,
    user_id: String,
    organization_id: Option<String>,
    rights: u64,
    state: watch::Sender<State>,
}

/// How things stand for one connection.
#[derive(Clone, Copy)]
struct State {
    /// The newest token of the session that gives the same rights. Unix seconds.
    issued_at: i64,
    expires_at: i64,
    ending: Option<Ending>,
}

/// How long a connection may live.
#[derive(Clone, Copy)]
pub(super) struct WatchLimits {
    /// Seconds by which it may outlive its token, so that a refresh finds it alive.
    pub(super) buffer: i64,
    /// When the session is over whatever its token says, in Unix seconds.
    pub(super) ends_at: Option<i64>,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The token ran out, or outgrew the rights that it gave; the session may go on.
    Expired,
    /// The session has ended.
    Revoked,
}

/// One connection's look at its session; when it is dropped, nobody looks any more.
pub(crate) struct Watch {
    watchers: Arc<Watchers>,
    session_id: String,
    number: u64,
    state: watch::Receiver<State>,
    /// What was known of the session when the watch began.
    pub(super) known: Option<Ending>,
    limits: WatchLimits,
    clock: Arc<dyn Clock>,
}

impl Watchers {
    pub(super) fn watch(
        self: &Arc<Self>,
        claims: &AccessTokenClaims,
        limits: WatchLimits,
        clock: Arc<dyn Clock>,
    ) -> Watch {
        let (sender, state) = watch::channel(State {
            issued_at: claims.iat,
            expires_at: claims.exp,
            ending: None,
        });
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let watcher = Watcher {
            number,
            user_id: claims.sub.clone(),
            organization_id: claims.org_id.clone(),
            rights: rights(claims),
            state: sender,
        };
        self.lock()
            .entry(claims.sid.clone())
            .or_default()
            .push(watcher);
        Watch {
            watchers: Arc::clone(self),
            session_id: claims.sid.clone(),
            number,
            state,
            known: None,
            limits,
            clock,
        }
    }

    pub(super) fn apply(&self, notice: &Notice) {
        let by_session = self.lock();
        match notice {
            Notice::SessionEnded { session_id, until } => {
                for watcher in by_session.get(session_id).into_iter().flatten() {
                    watcher.end(*until, Ending::Revoked);
                }
            }
            Notice::UserEnded { user_id, until } => {
                let watchers = by_session.values().flatten();
                for watcher in watchers.filter(|watcher| watcher.user_id == *user_id) {
                    watcher.end(*until, Ending::Revoked);
                }
            }
            Notice::MembershipChanged {
                user_id,
                organization_id,
                until,
            } => {
                let is_meant = |watcher: &&Watcher| {
                    watcher.user_id == *user_id
                        && watcher.organization_id.as_ref() == Some(organization_id)
                };
                for watcher in by_session.values().flatten().filter(is_meant) {
                    watcher.end(*until, Ending::Expired);
                }
            }
            Notice::Renewed {
                session_id,
                rights,
                issued_at,
                expires_at,
            } => {
                let watchers = by_session.get(session_id).into_iter().flatten();
                for watcher in watchers.filter(|watcher| watcher.rights == *rights) {
                    watcher.renew(*issued_at, *expires_at);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Watcher>>> {
        self.by_session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    fn end(&self, until: i64, ending: Ending) {
        self.state.send_if_modified(|state| {
            let ends = state.issued_at <= until && state.ending.is_none();
            if ends {
                state.ending = Some(ending);
            }
            ends
        });
    }

    fn renew(&self, issued_at: i64, expires_at: i64) {
        self.state.send_if_modified(|state| {
            state.issued_at = state.issued_at.max(issued_at);
            state.expires_at = state.expires_at.max(expires_at);
            // It is looked at when the time has come.
            false
        });
    }
}

impl Watch {
    /// Waits until the connection has to end.
    pub(crate) async fn ended(&mut self) -> Ending {
        loop {
            let state = *self.state.borrow_and_update();
            if let Some(ending) = self.known.or(state.ending) {
                return ending;
            }
            let now = self.clock.unix_seconds();
            if self.limits.ends_at.is_some_and(|ends_at| now > ends_at) {
                return Ending::Revoked;
            }
            if now > state.expires_at.saturating_add(self.limits.buffer) {
                return Ending::Expired;
            }
            // The clock may be moved, by hand or by a suspended machine.
            let _ = time::timeout(LOOK, self.state.changed()).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut by_session = self.watchers.lock();
        if let Some(watchers) = by_session.get_mut(&self.session_id) {
            watchers.retain(|watcher| watcher.number != self.number);
            if watchers.is_empty() {
                by_session.remove(&self.session_id);
            }
        }
    }
}

/// How late a connection may notice that its time has come.
const LOOK: Duration = Duration::from_secs(1);
