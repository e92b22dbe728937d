//! The part of opening a session that waits for WorkOS.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret as _;
use tokio::time::{self, Instant};
use tracing::warn;

use super::{
    CookieChange, Outcome, Resolution, Sessions, SignedIn,
    open::{CLOCKS_APART_RETRY, Need, Opened, Step, Unsettled},
    refresh::{RefreshFailure, Successor, Target},
};
use crate::{
    request_info::RequestInfo,
    token::{AccessTokenClaims, KeysUnavailable, Verdict},
};

impl Sessions {
    /// Settles a session that could not be judged at once, within five seconds.
    pub(crate) async fn resolve(&self, unsettled: Unsettled, request: RequestInfo) -> Resolution {
        let deadline = Instant::now() + DEADLINE;
        let mut step = Step::Waits(unsettled);
        // A straggler's cookie may be several refreshes old: it is led from successor to successor.
        for _ in 0..MOST_STEPS {
            step = match step {
                Step::Done(resolution) => return resolution,
                Step::Waits(Unsettled {
                    opened,
                    needs: Need::Keys,
                }) => {
                    let token = opened.session.access_token.expose_secret();
                    let verdict = time::timeout_at(deadline, self.tokens.settle(token)).await;
                    self.judge(opened, verdict.unwrap_or(TOO_LATE))
                }
                Step::Waits(Unsettled {
                    opened,
                    needs: Need::Refresh { claims, expired },
                }) => {
                    let target = Target::renewal(&claims);
                    let refresh = self
                        .refreshes
                        .refresh(&opened.session, target, request.clone());
                    let refreshed = time::timeout_at(deadline + MOMENT, refresh).await;
                    let refreshed = refreshed.unwrap_or(Err(RefreshFailure::TOO_LATE));
                    match refreshed {
                        Ok(successor) => self.succeed(&successor),
                        Err(RefreshFailure::Ended) if self.seal.is_shared() => {
                            Step::Done(Resolution::signed_out(CookieChange::ClearUnlessRenewed))
                        }
                        Err(failure) => Step::Done(unrefreshed(opened, *claims, expired, failure)),
                    }
                }
            };
        }
        match step {
            Step::Done(resolution) => resolution,
            Step::Waits(_) => {
                warn!("a session was refreshed again and again without becoming valid");
                cannot_tell(RETRY_AFTER, CookieChange::Keep)
            }
        }
    }

    /// Refreshes a session since a handler asks for it, into another organization if one is named.
    pub(crate) async fn refresh(
        &self,
        signed_in: &SignedIn,
        organization_id: Option<&str>,
        request: RequestInfo,
    ) -> Result<Resolution, RefreshFailure> {
        let target = match organization_id {
            Some(organization_id) => Target::switch(&signed_in.claims, organization_id),
            None => Target::renewal(&signed_in.claims),
        };
        let successor = self
            .refreshes
            .refresh(&signed_in.session, target, request.clone())
            .await?;
        Ok(match self.succeed(&successor) {
            Step::Done(resolution) => resolution,
            Step::Waits(unsettled) => self.resolve(unsettled, request).await,
        })
    }

    /// Whether a session was refreshed, if that was tried within the last two seconds.
    pub(crate) fn refreshed_lately(&self, signed_in: &SignedIn) -> Option<bool> {
        let session_id = &signed_in.claims.sid;
        self.refreshes.lately(&signed_in.session, session_id)
    }

    /// The step that follows when a refresh has given a successor.
    fn succeed(&self, successor: &Successor) -> Step {
        let cookie = CookieChange::Set(Arc::clone(&successor.sealed));
        if successor.untimely {
            self.clocks_are_apart();
            return Step::Done(cannot_tell(CLOCKS_APART_RETRY, cookie));
        }
        self.check(Opened {
            session: Arc::clone(&successor.session),
            cookie,
            is_successor: true,
        })
    }
}

/// What is left of a session that could not be refreshed.
fn unrefreshed(
    opened: Opened,
    claims: AccessTokenClaims,
    expired: bool,
    failure: RefreshFailure,
) -> Resolution {
    match failure {
        RefreshFailure::Ended => Resolution::signed_out(CookieChange::Clear),
        RefreshFailure::StepUp(_) => Resolution {
            outcome: Outcome::SignedOut {
                organization_id: claims.org_id,
            },
            cookie: CookieChange::Clear,
        },
        RefreshFailure::Unavailable { .. } if !expired => opened.signed_in(claims),
        RefreshFailure::Unavailable { retry_after, .. } => cannot_tell(retry_after, opened.cookie),
    }
}

fn cannot_tell(retry_after: u64, cookie: CookieChange) -> Resolution {
    Resolution {
        outcome: Outcome::CannotTell { retry_after },
        cookie,
    }
}

/// For keys and refreshes together, however many it takes.
const DEADLINE: Duration = Duration::from_secs(5);
/// A flight that began with the request is waited for to its end: the next to ask would board it.
const MOMENT: Duration = Duration::from_millis(250);
const TOO_LATE: Result<Verdict, KeysUnavailable> = Err(KeysUnavailable { retry_after: 1 });
const MOST_STEPS: usize = 8;
const RETRY_AFTER: u64 = 5;
