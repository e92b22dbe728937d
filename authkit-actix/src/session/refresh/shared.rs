//! One refresh for all instances.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::{
    super::shared::SharedStepUp, DEADLINE, Failed, KEPT_UNDELIVERED, KEPT_UNVERIFIED,
    RefreshFailure, Refreshed, SERVES_STRAGGLERS, Session, Successor, TOPIC, failure::outcome,
    flight::Flight, tokens_of,
};
use crate::{
    metrics,
    sharing::{Keep, Shareable, Shared, Terms},
};

/// What came of a refresh, and for how many seconds it serves others; without, they try again.
pub(super) struct Flown {
    pub(super) refreshed: Refreshed,
    pub(super) keep: Option<i64>,
}

/// The same, as other instances are told of it.
#[derive(Serialize, Deserialize)]
struct SharedRefresh {
    organization_id: Option<String>,
    keep: Option<i64>,
    /// When it failed, if it did: Unix seconds.
    at: Option<i64>,
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
enum Outcome {
    Successor {
        session: String,
        untimely: bool,
        verified: bool,
    },
    Ended,
    StepUp(SharedStepUp),
    Unavailable {
        retry_after: u64,
        asked_to_wait: bool,
        is_outage: bool,
    },
}

impl Flight {
    /// Makes the refresh, or has the result of the instance that does.
    pub(super) async fn once_for_all(self, is_switch: bool) -> Flown {
        let (means, previous) = (Arc::clone(&self.means), Arc::clone(&self.previous));
        let organization_id = self.organization_id.clone();
        let terms = Terms {
            topic: TOPIC,
            // WorkOS repeats its answer for ten seconds at least.
            lease: Duration::from_secs(3),
            patience: DEADLINE,
        };
        let tokens = tokens_of(&previous);
        let read = |json: &[u8]| serde_json::from_slice::<SharedRefresh>(json).ok();
        let shared = means
            .settings
            .sharing
            .once(terms, tokens.expose_secret(), self.flown(is_switch), read)
            .await;
        match shared {
            Some(Shared::Own(flown)) => flown,
            Some(Shared::Others(shared)) => shared.into_flown(&means, &previous),
            None => Flown {
                refreshed: Err(Failed {
                    organization_id,
                    failure: RefreshFailure::TOO_LATE,
                    at: means.clock.unix_seconds(),
                }),
                keep: None,
            },
        }
    }

    async fn flown(self, is_switch: bool) -> Flown {
        let (means, request) = (Arc::clone(&self.means), self.request.clone());
        let organization_id = self.organization_id.clone();
        let refreshed = self.fly().await;
        metrics::session_refreshed(outcome(refreshed.as_ref()));
        let failure = match refreshed {
            Ok(successor) => {
                let keep = match successor.verified.get() {
                    Some(()) => KEPT_UNDELIVERED,
                    None => KEPT_UNVERIFIED,
                };
                return Flown {
                    refreshed: Ok(successor),
                    keep: Some(keep),
                };
            }
            Err(failure) => failure,
        };
        means.settings.hooks.refresh_failed(&failure, request);
        // A refused switch says nothing about the session as it is.
        let keep = match failure {
            _ if is_switch => 0,
            RefreshFailure::Ended | RefreshFailure::StepUp(_) => SERVES_STRAGGLERS,
            RefreshFailure::Unavailable {
                retry_after,
                asked_to_wait: true,
                ..
            } => retry_after.cast_signed().saturating_sub(1),
            RefreshFailure::Unavailable { .. } => 0,
        };
        Flown {
            refreshed: Err(Failed {
                organization_id,
                failure,
                at: means.clock.unix_seconds(),
            }),
            keep: (keep > 0).then_some(keep),
        }
    }
}

impl Shareable for Flown {
    fn publish(&self) -> Option<(Vec<u8>, Keep)> {
        let shared = SharedRefresh::of(self)?;
        let keep = match self.keep.map(u64::try_from) {
            Some(Ok(seconds)) => Keep::For(Duration::from_secs(seconds)),
            _ => Keep::ForWaiters,
        };
        Some((serde_json::to_vec(&shared).ok()?, keep))
    }
}

impl SharedRefresh {
    fn of(flown: &Flown) -> Option<Self> {
        let (organization_id, at, outcome) = match &flown.refreshed {
            Ok(successor) => {
                let session = String::from_utf8(successor.session.to_json()).ok()?;
                let untimely = successor.untimely;
                let outcome = Outcome::Successor {
                    session,
                    untimely,
                    verified: successor.verified.get().is_some(),
                };
                (&successor.organization_id, None, outcome)
            }
            Err(Failed {
                organization_id,
                failure,
                at,
            }) => {
                let outcome = match failure {
                    RefreshFailure::Ended => Outcome::Ended,
                    RefreshFailure::StepUp(step_up) => Outcome::StepUp(step_up.into()),
                    &RefreshFailure::Unavailable {
                        retry_after,
                        asked_to_wait,
                        is_outage,
                    } => Outcome::Unavailable {
                        retry_after,
                        asked_to_wait,
                        is_outage,
                    },
                };
                (organization_id, Some(*at), outcome)
            }
        };
        Some(Self {
            organization_id: organization_id.clone(),
            keep: flown.keep,
            at,
            outcome,
        })
    }

    fn into_flown(self, means: &super::Means, previous: &Session) -> Flown {
        let organization_id = self.organization_id;
        let failed = |failure| Failed {
            organization_id: organization_id.clone(),
            failure,
            at: self.at.unwrap_or_else(|| means.clock.unix_seconds()),
        };
        let refreshed = match self.outcome {
            Outcome::Successor {
                session,
                untimely,
                verified,
            } => means
                .successor(&session, previous)
                .map(|(session, sealed)| {
                    Arc::new(Successor {
                        session,
                        sealed,
                        organization_id: organization_id.clone(),
                        untimely,
                        verified: if verified {
                            OnceLock::from(())
                        } else {
                            OnceLock::new()
                        },
                    })
                })
                .ok_or_else(|| failed(RefreshFailure::UNEXPLAINED)),
            Outcome::Ended => Err(failed(RefreshFailure::Ended)),
            Outcome::StepUp(step_up) => Err(failed(RefreshFailure::StepUp(step_up.into()))),
            Outcome::Unavailable {
                retry_after,
                asked_to_wait,
                is_outage,
            } => Err(failed(RefreshFailure::Unavailable {
                retry_after,
                asked_to_wait,
                is_outage,
            })),
        };
        let waited = self.at.map_or(0, |at| means.clock.unix_seconds() - at);
        Flown {
            refreshed,
            keep: self
                .keep
                .map(|keep| keep - waited.clamp(0, keep))
                .filter(|keep| *keep > 0),
        }
    }
}

impl super::Means {
    /// The session that another instance has got, and its cookie.
    fn successor(&self, json: &str, previous: &Session) -> Option<(Arc<Session>, Arc<str>)> {
        let mut session: Session = serde_json::from_str(json).ok()?;
        if session.user.id != previous.user.id {
            return None;
        }
        session.place = previous.place.clone();
        let sealed = self.cookie_of(&mut session).ok()?;
        Some((Arc::new(session), sealed))
    }
}
