//! The part of opening a session that waits for WorkOS.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tracing::warn;

use super::{
    CookieChange, Outcome, Resolution, Sessions, SignedIn,
    open::{Need, Opened, Step, Unsettled},
    refresh::{RefreshFailure, Successor, Target},
};
use crate::{request_info::RequestInfo, token::AccessTokenClaims};

impl Sessions {
    /// Settles a session that could not be judged at once.
    pub(crate) async fn resolve(&self, unsettled: Unsettled, request: RequestInfo) -> Resolution {
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
                    let verdict = self.tokens.settle(token).await;
                    self.judge(opened, verdict)
                }
                Step::Waits(Unsettled {
                    opened,
                    needs: Need::Refresh(claims),
                }) => self.renew(opened, *claims, request.clone()).await,
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
            Some(organization_id) => Target::switch(organization_id),
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

    async fn renew(&self, opened: Opened, claims: AccessTokenClaims, request: RequestInfo) -> Step {
        let target = Target::renewal(&claims);
        let refreshed = self
            .refreshes
            .refresh(&opened.session, target, request)
            .await;
        let still_valid = claims.exp > self.clock.unix_seconds();
        Step::Done(match refreshed {
            Ok(successor) => return self.succeed(&successor),
            Err(RefreshFailure::Ended) => Resolution::signed_out(CookieChange::Clear),
            Err(RefreshFailure::StepUp(_)) => Resolution {
                outcome: Outcome::SignedOut {
                    organization_id: claims.org_id,
                },
                cookie: CookieChange::Clear,
            },
            Err(RefreshFailure::Unavailable { .. }) if still_valid => opened.signed_in(claims),
            Err(RefreshFailure::Unavailable { retry_after }) => {
                cannot_tell(retry_after, opened.cookie)
            }
        })
    }

    /// The step that follows when a refresh has given a successor.
    fn succeed(&self, successor: &Successor) -> Step {
        let cookie = CookieChange::Set(Arc::clone(&successor.sealed));
        if successor.untimely {
            return Step::Done(cannot_tell(RETRY_AFTER, cookie));
        }
        self.check(Opened {
            session: Arc::clone(&successor.session),
            cookie,
            is_successor: true,
        })
    }
}

fn cannot_tell(retry_after: u64, cookie: CookieChange) -> Resolution {
    Resolution {
        outcome: Outcome::CannotTell { retry_after },
        cookie,
    }
}

const MOST_STEPS: usize = 8;
const RETRY_AFTER: u64 = 5;
