//! The part of opening a session that waits for WorkOS.

use secrecy::ExposeSecret as _;
use tracing::warn;

use super::{
    CookieChange, Outcome, Resolution, Sessions,
    open::{Need, Opened, Step, Unsettled},
    refresh::RefreshError,
};
use crate::{token::AccessTokenClaims, workos::Peer};

impl Sessions {
    /// Settles a session that could not be judged at once.
    pub(crate) async fn resolve(&self, unsettled: Unsettled, peer: Peer) -> Resolution {
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
                }) => self.renew(opened, *claims, peer.clone()).await,
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

    async fn renew(&self, opened: Opened, claims: AccessTokenClaims, peer: Peer) -> Step {
        let refreshed = self.refreshes.refresh(&opened.session, &claims, peer).await;
        let still_valid = claims.exp > self.clock.unix_seconds();
        Step::Done(match refreshed {
            Ok(successor) => {
                let cookie = CookieChange::Set(successor.sealed.clone());
                if successor.untimely {
                    cannot_tell(RETRY_AFTER, cookie)
                } else {
                    return self.check(Opened {
                        session: successor.session.clone(),
                        cookie,
                        is_successor: true,
                    });
                }
            }
            Err(RefreshError::Ended) => Resolution::signed_out(CookieChange::Clear),
            Err(RefreshError::StepUp) => Resolution {
                outcome: Outcome::SignedOut {
                    organization_id: claims.org_id,
                },
                cookie: CookieChange::Clear,
            },
            Err(RefreshError::Unavailable { .. }) if still_valid => opened.signed_in(claims),
            Err(RefreshError::Unavailable { retry_after }) => {
                cannot_tell(retry_after, opened.cookie)
            }
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
