//! The part of opening a session that waits for WorkOS.

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};
use tracing::warn;

use super::{
    CookieChange, Freshness, Outcome, Resolution, Sessions, SignedIn,
    open::{CLOCKS_APART_RETRY, Need, Opened, Step, Unsettled},
    refresh::{RefreshFailure, Successor, Target},
    revocation::Standing,
};
use crate::{
    request_info::RequestInfo,
    sharing::Unreachable,
    token::{AccessTokenClaims, KeysUnavailable, Verdict},
};

impl Sessions {
    /// Settles a session that could not be judged at once, within five seconds; in an outage by
    /// a token that expired up to so many seconds of `grace` ago.
    pub(crate) async fn resolve(
        &self,
        unsettled: Unsettled,
        request: RequestInfo,
        grace: Duration,
    ) -> Resolution {
        let step = Step::Waits(unsettled);
        let resolution = self.settle(step, request, grace).await;
        self.placed(resolution).await
    }

    async fn settle(&self, mut step: Step, request: RequestInfo, grace: Duration) -> Resolution {
        let deadline = Instant::now() + DEADLINE;
        // A straggler's cookie may be several refreshes old: it is led from successor to successor.
        for _ in 0..MOST_STEPS {
            step = match step {
                Step::Done(resolution) => return resolution,
                Step::Waits(Unsettled::Stored { handle, cookie }) => {
                    match self.load(&handle).await {
                        Ok(Some(session)) => self.check(Opened {
                            session: Arc::new(session),
                            cookie,
                            is_successor: false,
                        }),
                        Ok(None) => {
                            match handle.session_id() {
                                // As a rule its time was over.
                                Some(session_id) => self.is_over(session_id),
                                None => warn!("a session that its store does not know was refused"),
                            }
                            Step::Done(Resolution::signed_out(CookieChange::Clear))
                        }
                        Err(Unreachable) => Step::Done(cannot_tell(RETRY_AFTER, cookie)),
                    }
                }
                Step::Waits(Unsettled::Opened {
                    opened,
                    needs: Need::Place,
                }) => self.check(opened),
                Step::Waits(Unsettled::Opened {
                    opened,
                    needs: Need::Keys,
                }) => {
                    let settled = opened.session.verdict(&self.tokens);
                    let verdict = time::timeout_at(deadline, settled).await;
                    let now = self.clock.unix_seconds();
                    self.judge(opened, verdict.unwrap_or(TOO_LATE), now)
                }
                Step::Waits(Unsettled::Opened {
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
                        Ok(successor) => self.follow(opened, &claims, expired, &successor).await,
                        Err(failure) if expired && self.is_in_grace(&claims, &failure, grace) => {
                            let expired_at = claims.exp;
                            Step::Done(opened.signed_in(claims, Freshness::Grace { expired_at }))
                        }
                        Err(RefreshFailure::Ended)
                            if self.seal.is_shared() && opened.session.handle().is_none() =>
                        {
                            Step::Done(Resolution::signed_out(CookieChange::ClearUnlessRenewed))
                        }
                        Err(failure) => self.stay(opened, &claims, expired, failure).await,
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
        let opened = Opened {
            session: Arc::clone(&signed_in.session),
            cookie: CookieChange::Keep,
            is_successor: false,
        };
        let step = self
            .follow(opened, &signed_in.claims, true, &successor)
            .await;
        let resolution = self.settle(step, request, Duration::ZERO).await;
        Ok(self.placed(resolution).await)
    }

    /// Whether a session was refreshed, if that was tried within the last two seconds.
    pub(crate) fn refreshed_lately(&self, signed_in: &SignedIn) -> Option<bool> {
        let session_id = &signed_in.claims.sid;
        self.refreshes.lately(&signed_in.session, session_id)
    }

    fn is_in_grace(
        &self,
        claims: &AccessTokenClaims,
        failure: &RefreshFailure,
        grace: Duration,
    ) -> bool {
        let is_outage = matches!(
            failure,
            RefreshFailure::Unavailable {
                is_outage: true,
                ..
            }
        );
        let expired_for = self.refreshes.seconds_since(claims.exp);
        // A token that has not expired was called in question for another reason; for that reason, one
        // that has is no better.
        let is_current = self.notices.standing(claims) == Standing::Good;
        is_outage
            && is_current
            && u64::try_from(expired_for).is_ok_and(|seconds| seconds <= grace.as_secs())
    }

    /// The step that follows when a refresh has given a successor.
    async fn follow(
        &self,
        previous: Opened,
        claims: &Arc<AccessTokenClaims>,
        expired: bool,
        successor: &Arc<Successor>,
    ) -> Step {
        let Some(handle) = previous.session.handle() else {
            let cookie = CookieChange::Set(Arc::clone(&successor.sealed));
            if successor.untimely {
                self.clocks_are_apart();
                return Step::Done(cannot_tell(self.clocks_apart_retry(), cookie));
            }
            return self.check(Opened {
                session: Arc::clone(&successor.session),
                cookie,
                is_successor: true,
            });
        };
        if successor.untimely {
            self.clocks_are_apart();
            return Step::Done(cannot_tell(self.clocks_apart_retry(), previous.cookie));
        }
        let session = match self.load(handle).await {
            // Whichever instance made the refresh has put what came of it there.
            Ok(Some(current)) if !current.has_tokens_of(&previous.session) => Arc::new(current),
            Ok(Some(_)) => {
                self.put(&previous.session, &successor.session).await;
                Arc::clone(&successor.session)
            }
            Ok(None) => return Step::Done(Resolution::signed_out(CookieChange::Clear)),
            Err(Unreachable) => {
                let failure = RefreshFailure::TOO_LATE;
                return Step::Done(unrefreshed(previous, claims.clone(), expired, failure));
            }
        };
        self.check(Opened {
            session,
            cookie: previous.cookie,
            is_successor: true,
        })
    }

    /// Seconds until the next refresh, which may bring a token that fits this machine's clock.
    fn clocks_apart_retry(&self) -> u64 {
        self.refreshes.pause().unwrap_or(CLOCKS_APART_RETRY)
    }

    /// The step that follows when there is no successor.
    async fn stay(
        &self,
        opened: Opened,
        claims: &Arc<AccessTokenClaims>,
        expired: bool,
        mut failure: RefreshFailure,
    ) -> Step {
        let has_ended = !matches!(failure, RefreshFailure::Unavailable { .. });
        if let (true, Some(handle)) = (has_ended, opened.session.handle()) {
            match self.load(handle).await {
                // Its token was spent by another instance meanwhile.
                Ok(Some(current)) if !current.has_tokens_of(&opened.session) => {
                    return self.check(Opened {
                        session: Arc::new(current),
                        cookie: opened.cookie,
                        is_successor: true,
                    });
                }
                Ok(_) => {}
                Err(Unreachable) => failure = RefreshFailure::TOO_LATE,
            }
        }
        Step::Done(unrefreshed(opened, claims.clone(), expired, failure))
    }
}

/// What is left of a session that could not be refreshed.
fn unrefreshed(
    opened: Opened,
    claims: Arc<AccessTokenClaims>,
    expired: bool,
    failure: RefreshFailure,
) -> Resolution {
    match failure {
        RefreshFailure::Ended => Resolution::signed_out(CookieChange::Clear),
        RefreshFailure::StepUp(_) => Resolution {
            outcome: Outcome::SignedOut {
                organization_id: claims.org_id.clone(),
            },
            cookie: CookieChange::Clear,
        },
        RefreshFailure::Unavailable { .. } if !expired => {
            opened.signed_in(claims, Freshness::Current)
        }
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
