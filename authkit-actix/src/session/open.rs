//! From the sealed value of a cookie to the next step, without waiting for anything.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Once},
};

use tracing::warn;

use super::{
    AgeLimits, Arrival, CookieChange, Freshness, Notices, Outcome, Resolution, Session, SignedIn,
    age::{Age, begun_at},
    arrivals::Arrivals,
    refresh::{RefreshSettings, Refreshes},
    revocation::Standing,
    seal::SessionSeal,
    stored::{Handle, StoredSessions},
    watchers::{Watch, WatchLimits},
};
use crate::{
    clock::Clock,
    sharing::Unreachable,
    token::{AccessTokenClaims, Check, KeysUnavailable, Tokens, Verdict},
};

/// Opens, verifies and refreshes sessions; one for the process.
pub(crate) struct Sessions {
    pub(crate) seal: Arc<SessionSeal>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) refreshes: Refreshes,
    pub(super) notices: Arc<Notices>,
    arrivals: Arrivals,
    clock_warning: Once,
    /// Where the server keeps sessions, if the browser does not.
    pub(super) stored: Option<Arc<StoredSessions>>,
    limits: AgeLimits,
    pub(super) clock: Arc<dyn Clock>,
}

/// A session that came out of its seal or from WorkOS, with what its cookie should become if
/// nothing else changes.
pub(crate) struct Opened {
    pub(super) session: Arc<Session>,
    pub(super) cookie: CookieChange,
    /// It came from a refresh just now: not to be refreshed again before it expires.
    pub(super) is_successor: bool,
}

/// What [`Sessions::open`] leaves to do.
pub(crate) enum Step {
    Done(Resolution),
    /// The keys to verify the token with, its successor, or the session itself have to be fetched.
    Waits(Unsettled),
}

/// What a cookie holds.
enum Content {
    Session {
        session: Arc<Session>,
        is_outdated: bool,
    },
    Handle {
        handle: Handle,
        is_outdated: bool,
    },
}

/// A session that cannot be judged without waiting.
pub(crate) enum Unsettled {
    Opened {
        opened: Opened,
        needs: Need,
    },
    /// The cookie says where the session is, and should become this.
    Stored {
        handle: Handle,
        cookie: CookieChange,
    },
}

pub(crate) enum Need {
    Keys,
    /// A place in the store, where it does not matter whether it waits.
    Place,
    /// With the verified claims of the token that has expired or is about to.
    Refresh {
        claims: Arc<AccessTokenClaims>,
        expired: bool,
    },
}

impl Sessions {
    pub(crate) fn new(
        seal: Arc<SessionSeal>,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
        limits: AgeLimits,
        refresh: RefreshSettings,
        stored: Option<Arc<StoredSessions>>,
    ) -> Self {
        Self {
            notices: Arc::clone(&refresh.notices),
            stored,
            limits,
            clock: Arc::clone(&clock),
            refreshes: Refreshes::new(Arc::clone(&seal), Arc::clone(&tokens), clock, refresh),
            seal,
            tokens,
            arrivals: Arrivals::default(),
            clock_warning: Once::new(),
        }
    }

    /// Opens the one of the cookie's values that opens.
    ///
    /// Nothing is believed of several that open: one of them may have been planted.
    pub(crate) fn open(&self, candidates: &[Cow<'_, [u8]>]) -> Step {
        let mut opened = candidates.iter().filter_map(|sealed| self.content(sealed));
        let Some(mut content) = opened.next() else {
            warn!("a session cookie that does not open was refused");
            return Step::Done(Resolution::signed_out(CookieChange::Clear));
        };
        if opened.next().is_some() {
            warn!("several session cookies that open were refused");
            return Step::Done(Resolution::signed_out(CookieChange::Clear));
        }
        let is_written_again = content.is_outdated() || candidates.len() > 1;
        let cookie = if is_written_again {
            self.seal(&mut content)
                .map_or(CookieChange::Keep, CookieChange::Set)
        } else {
            CookieChange::Keep
        };
        match content {
            Content::Handle { handle, .. } => Step::Waits(Unsettled::Stored { handle, cookie }),
            Content::Session { session, .. } => {
                let opened = Opened {
                    session,
                    cookie,
                    is_successor: false,
                };
                if self.stored.is_some() {
                    let needs = Need::Place;
                    return Step::Waits(Unsettled::Opened { opened, needs });
                }
                self.check(opened)
            }
        }
    }

    /// Watches a session for an open connection.
    pub(crate) fn watch(&self, signed_in: &SignedIn) -> Watch {
        let SignedIn {
            session, claims, ..
        } = signed_in;
        let limits = WatchLimits {
            buffer: self.refreshes.buffer(claims),
            ends_at: self.limits.ends_at(session, claims),
        };
        self.notices.watch(claims, limits)
    }

    /// Awaits a session that has just begun; says what has become of its user's one before it.
    pub(crate) fn awaits(&self, session: &Session) -> Arrival {
        self.arrivals.awaits(session, self.clock.unix_seconds())
    }

    /// What has become of the latest sign-in of a user.
    pub(crate) fn arrival_of(&self, user_id: &str) -> Arrival {
        self.arrivals.of(user_id, self.clock.unix_seconds())
    }

    /// The session of a cookie whose token is genuine, expired or not: for signing out.
    pub(crate) async fn genuine(&self, candidates: &[Cow<'_, [u8]>]) -> Option<Arc<SignedIn>> {
        for sealed in candidates {
            let session = match self.content(sealed) {
                Some(Content::Session { session, .. }) => session,
                Some(Content::Handle { handle, .. }) => match self.load(&handle).await {
                    Ok(Some(session)) => Arc::new(session),
                    Ok(None) | Err(Unreachable) => continue,
                },
                None => continue,
            };
            if let Ok(
                Verdict::Valid(claims) | Verdict::Expired(claims) | Verdict::NotYetValid(claims),
            ) = session.verdict(&self.tokens).await
            {
                return Some(Arc::new(SignedIn {
                    session,
                    claims,
                    freshness: Freshness::Current,
                }));
            }
        }
        None
    }

    pub(super) fn check(&self, opened: Opened) -> Step {
        let now = self.clock.unix_seconds();
        let session = &opened.session;
        match self
            .tokens
            .check(&session.access_token, &session.user.id, now)
        {
            Check::Done(verdict) => self.judge(opened, Ok(verdict), now),
            Check::NeedsKeys => Step::Waits(Unsettled::Opened {
                opened,
                needs: Need::Keys,
            }),
        }
    }

    /// What a verdict on its access token means for a session at a time, in Unix seconds.
    pub(super) fn judge(
        &self,
        mut opened: Opened,
        verdict: Result<Verdict, KeysUnavailable>,
        now: i64,
    ) -> Step {
        let (claims, expired) = match verdict {
            Ok(Verdict::Valid(claims)) => (claims, false),
            Ok(Verdict::Expired(claims)) => (claims, true),
            Ok(Verdict::NotYetValid(_)) => {
                self.clocks_are_apart();
                return Step::Done(Resolution {
                    outcome: Outcome::CannotTell {
                        retry_after: CLOCKS_APART_RETRY,
                    },
                    cookie: opened.cookie,
                });
            }
            Err(KeysUnavailable { retry_after }) => {
                return Step::Done(Resolution {
                    outcome: Outcome::CannotTell { retry_after },
                    cookie: opened.cookie,
                });
            }
            Ok(Verdict::Forged(error)) => {
                warn!(%error, "a session with a forged access token was refused");
                return Step::Done(Resolution::signed_out(CookieChange::Clear));
            }
        };
        let expired = match self.notices.standing(&claims) {
            Standing::Good => expired,
            // A successor may be as old, to the second, as what it was refreshed for.
            Standing::Outdated { until } if opened.is_successor && claims.iat >= until => expired,
            Standing::Outdated { .. } => true,
            Standing::Unknown => {
                return Step::Done(Resolution {
                    outcome: Outcome::CannotTell {
                        retry_after: UNHEARD_RETRY,
                    },
                    cookie: opened.cookie,
                });
            }
            Standing::Ended => {
                decision!(
                    self.refreshes.lifts_decisions(),
                    session_id = %claims.sid,
                    "a session that has been ended was refused"
                );
                return Step::Done(Resolution::signed_out(CookieChange::Clear));
            }
        };
        let age = self.limits.age(&opened.session, &claims, now);
        match age {
            Age::Fine => {}
            Age::Unnoted => {
                let mut session = Session::clone(&opened.session);
                let begun_at = begun_at(&session, &claims);
                self.limits.note_use(&mut session, begun_at, now);
                let session = Arc::new(session);
                self.note_use(&opened.session, &session);
                opened.session = session;
            }
            Age::Over => {
                self.is_over(&claims.sid);
                return Step::Done(Resolution::signed_out(CookieChange::Clear));
            }
        }
        if !opened.is_successor {
            self.refreshes.arrived(&opened.session);
            self.arrivals.arrived(&opened.session, now);
        }
        if expired || (!opened.is_successor && self.refreshes.is_due(&claims, now)) {
            decision!(
                self.refreshes.lifts_decisions(),
                session_id = %claims.sid,
                expired,
                "the access token is due for a refresh"
            );
            return Step::Waits(Unsettled::Opened {
                opened,
                needs: Need::Refresh { claims, expired },
            });
        }
        if age == Age::Unnoted && opened.session.handle().is_none() {
            let session = Arc::make_mut(&mut opened.session);
            if let Ok(sealed) = self.seal.seal(session) {
                opened.cookie = CookieChange::Set(sealed);
            }
        }
        Step::Done(opened.signed_in(claims, Freshness::Current))
    }

    /// Ends a session that is older than the application allows: else the sign-in page of WorkOS would
    /// let the browser in again without a question.
    pub(super) fn is_over(&self, session_id: &str) {
        if self.notices.has_ended(session_id) {
            return;
        }
        decision!(
            self.refreshes.lifts_decisions(),
            session_id,
            "a session that is older than the application allows has ended"
        );
        self.notices.session_ended(session_id);
        self.refreshes.end_at_workos(session_id.to_owned());
    }

    /// Whether a session is known to have been refreshed since: its cookie may not be set any more,
    /// in place of its successor's.
    pub(crate) fn is_succeeded(&self, session: &Session) -> bool {
        self.refreshes.knows_successor(session)
    }

    /// Says so once: it would be said with every request otherwise.
    pub(super) fn clocks_are_apart(&self) {
        self.clock_warning.call_once(|| {
            warn!("genuine tokens come from the future or out of date: check this machine's clock");
        });
    }

    fn content(&self, sealed: &[u8]) -> Option<Content> {
        if let Some(unsealed) = self.seal.open(sealed) {
            return Some(Content::Session {
                session: unsealed.session,
                is_outdated: unsealed.is_outdated,
            });
        }
        let (handle, is_outdated) = self.stored.as_ref()?.open(sealed)?;
        Some(Content::Handle {
            handle,
            is_outdated,
        })
    }

    /// The value of the cookie, written anew.
    fn seal(&self, content: &mut Content) -> Option<Arc<str>> {
        match content {
            Content::Session { session, .. } => self.seal.seal(Arc::make_mut(session)).ok(),
            Content::Handle { handle, .. } => self.stored.as_ref()?.seal(handle).ok(),
        }
    }
}

impl Content {
    fn is_outdated(&self) -> bool {
        let (Self::Session { is_outdated, .. } | Self::Handle { is_outdated, .. }) = self;
        *is_outdated
    }
}

impl Opened {
    pub(super) fn signed_in(
        self,
        claims: Arc<AccessTokenClaims>,
        freshness: Freshness,
    ) -> Resolution {
        Resolution {
            outcome: Outcome::SignedIn(Arc::new(SignedIn {
                session: self.session,
                claims,
                freshness,
            })),
            cookie: self.cookie,
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

/// Seconds after which clocks that are apart are worth another look.
pub(super) const CLOCKS_APART_RETRY: u64 = 30;
/// Seconds after which other instances may be heard again.
pub(crate) const UNHEARD_RETRY: u64 = 5;
