//! Sessions that ended before their access tokens run out.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Once, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::warn;

use super::notices::Notice;
use crate::{clock::Clock, token::AccessTokenClaims};

/// The list of ended sessions, kept as long as an access token can live and bounded in number.
///
/// Afterwards it takes a refresh to go on, and WorkOS refuses it.
pub(super) struct Revocations {
    /// The one look that requests pay for while no session has ended.
    any: AtomicBool,
    list: RwLock<List>,
    clock: Arc<dyn Clock>,
}

/// What a genuine token is still worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// What it says holds no longer if it was issued until then: it has to be refreshed.
    Outdated {
        until: i64,
    },
    /// Its session has ended.
    Ended,
    /// Other instances may know that its session has ended, and cannot be heard.
    Unknown,
}

#[derive(Default)]
struct List {
    known: HashMap<Subject<'static>, Known>,
    /// Oldest first, each with the time until which it is needed.
    order: VecDeque<(i64, Subject<'static>)>,
}

/// Whose tokens are worth less than they say.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Subject<'a> {
    Session(Cow<'a, str>),
    User(Cow<'a, str>),
    Member {
        user_id: Cow<'a, str>,
        organization_id: Cow<'a, str>,
    },
}

struct Known {
    /// Tokens issued later are none of those meant.
    until: i64,
    needed_to: i64,
}

impl Revocations {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            any: AtomicBool::new(false),
            list: RwLock::default(),
            clock,
        }
    }

    pub(super) fn apply(&self, notice: &Notice) {
        let (subject, until) = match notice {
            Notice::SessionEnded { session_id, until } => {
                (Subject::Session(Cow::Owned(session_id.clone())), until)
            }
            Notice::UserEnded { user_id, until } => {
                (Subject::User(Cow::Owned(user_id.clone())), until)
            }
            Notice::MembershipChanged {
                user_id,
                organization_id,
                until,
            } => {
                let subject = Subject::Member {
                    user_id: Cow::Owned(user_id.clone()),
                    organization_id: Cow::Owned(organization_id.clone()),
                };
                (subject, until)
            }
            Notice::Renewed { .. } => return,
        };
        let now = self.clock.unix_seconds();
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        list.add(subject, *until, now.saturating_add(KEPT_FOR));
        list.forget(now);
        self.any.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self, session_id: &str) -> bool {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let subject = Subject::Session(Cow::Borrowed(session_id));
        list.known.contains_key(&subject)
    }

    pub(super) fn standing(&self, claims: &AccessTokenClaims) -> Standing {
        if !self.any.load(Ordering::Acquire) {
            return Standing::Good;
        }
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.standing(claims)
    }
}

impl List {
    fn standing(&self, claims: &AccessTokenClaims) -> Standing {
        let until = |subject: &Subject<'_>| {
            let until = self.known.get(subject)?.until;
            (claims.iat <= until).then_some(until)
        };
        let session = Subject::Session(Cow::Borrowed(&claims.sid));
        let user = Subject::User(Cow::Borrowed(&claims.sub));
        if until(&session).or_else(|| until(&user)).is_some() {
            return Standing::Ended;
        }
        let member = claims.org_id.as_deref().map(|organization_id| {
            let user_id = Cow::Borrowed(claims.sub.as_str());
            let organization_id = Cow::Borrowed(organization_id);
            Subject::Member {
                user_id,
                organization_id,
            }
        });
        match member.and_then(|member| until(&member)) {
            Some(until) => Standing::Outdated { until },
            None => Standing::Good,
        }
    }

    /// Of two times for one subject the later counts.
    fn add(&mut self, subject: Subject<'static>, until: i64, needed_to: i64) {
        let known = self.known.entry(subject.clone());
        let known = known.or_insert(Known { until, needed_to });
        known.until = until.max(known.until);
        known.needed_to = needed_to;
        self.order.push_back((needed_to, subject));
    }

    /// Drops what is not needed any more, and the oldest of too many.
    fn forget(&mut self, now: i64) {
        while let Some((needed_to, _)) = self.order.front()
            && (*needed_to < now || self.order.len() > MOST_SUBJECTS)
            && let Some((needed_to, subject)) = self.order.pop_front()
        {
            // Said again since, it stands once more further back.
            let known = self.known.get(&subject);
            if known.is_none_or(|known| known.needed_to != needed_to) {
                continue;
            }
            self.known.remove(&subject);
            if needed_to >= now {
                static WARNED: Once = Once::new();
                WARNED.call_once(|| {
                    warn!(
                        most = MOST_SUBJECTS,
                        "so many sessions have ended in a day that the oldest are forgotten"
                    );
                });
            }
        }
    }
}

/// Seconds for which an access token can be valid at most: WorkOS issues them for a day or less.
pub(crate) const KEPT_FOR: i64 = 24 * 60 * 60;
/// About 25 MB of them.
const MOST_SUBJECTS: usize = 100_000;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use serde_json::json;

    use super::*;

    fn at(now: i64) -> (Arc<AtomicI64>, Revocations) {
        let clock = Arc::new(AtomicI64::new(now));
        (clock.clone(), Revocations::new(clock))
    }

    fn token(sid: &str, iat: i64) -> AccessTokenClaims {
        let claims = json!({"sub": "user_ada", "sid": sid, "org_id": "org_acme", "iat": iat, "exp": iat + 300});
        serde_json::from_value(claims).expect("claims")
    }

    fn session_ended(session_id: &str, until: i64) -> Notice {
        Notice::SessionEnded {
            session_id: session_id.to_owned(),
            until,
        }
    }

    #[test]
    fn a_session_has_ended_for_its_tokens_until_that_time() {
        let (_, revocations) = at(1000);
        assert_eq!(revocations.standing(&token("s1", 900)), Standing::Good);
        revocations.apply(&session_ended("s1", 1000));
        revocations.apply(&session_ended("s1", 950));
        for (sid, iat, standing) in [
            ("s1", 900, Standing::Ended),
            ("s1", 1000, Standing::Ended),
            ("s1", 1001, Standing::Good),
            ("s2", 900, Standing::Good),
        ] {
            assert_eq!(
                revocations.standing(&token(sid, iat)),
                standing,
                "{sid} {iat}"
            );
        }
    }

    #[test]
    fn a_user_has_lost_every_session_and_a_member_needs_a_newer_token() {
        let (_, revocations) = at(1000);
        revocations.apply(&Notice::MembershipChanged {
            user_id: "user_ada".to_owned(),
            organization_id: "org_acme".to_owned(),
            until: 990,
        });
        let outdated = Standing::Outdated { until: 990 };
        assert_eq!(revocations.standing(&token("s1", 990)), outdated);
        assert_eq!(revocations.standing(&token("s1", 991)), Standing::Good);
        let mut elsewhere = token("s1", 900);
        elsewhere.org_id = Some("org_globex".to_owned());
        assert_eq!(revocations.standing(&elsewhere), Standing::Good);
        elsewhere.org_id = None;
        assert_eq!(revocations.standing(&elsewhere), Standing::Good);

        revocations.apply(&Notice::UserEnded {
            user_id: "user_ada".to_owned(),
            until: 1000,
        });
        assert_eq!(revocations.standing(&token("s1", 1000)), Standing::Ended);
        assert_eq!(revocations.standing(&token("s2", 900)), Standing::Ended);
        assert_eq!(revocations.standing(&token("s2", 1001)), Standing::Good);
    }

    #[test]
    fn an_entry_is_kept_as_long_as_a_token_can_live_and_longer_if_said_again() {
        let (clock, revocations) = at(1000);
        revocations.apply(&session_ended("s1", 1000));
        revocations.apply(&session_ended("s2", 1000));
        clock.fetch_add(KEPT_FOR, Ordering::SeqCst);
        revocations.apply(&session_ended("s2", 1000));
        assert_eq!(revocations.standing(&token("s1", 999)), Standing::Ended);
        clock.fetch_add(1, Ordering::SeqCst);
        revocations.apply(&session_ended("s3", 1000));
        assert_eq!(revocations.standing(&token("s1", 999)), Standing::Good);
        assert_eq!(revocations.standing(&token("s2", 999)), Standing::Ended);
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let (_, revocations) = at(1000);
        for number in 0..=MOST_SUBJECTS {
            revocations.apply(&session_ended(&number.to_string(), 1000));
        }
        assert_eq!(revocations.standing(&token("0", 999)), Standing::Good);
        assert_eq!(revocations.standing(&token("1", 999)), Standing::Ended);
        let list = revocations.list.read().expect("nobody panicked");
        assert_eq!(list.known.len(), MOST_SUBJECTS);
    }
}
