//! The call that spends a refresh token.

use std::time::Duration;

use tokio::time::{self, Instant};
use tracing::debug;

use super::{
    RefreshFailure,
    failure::{lost, refused},
    flight::Flight,
};
use crate::workos::{Authentication, TransientReason, WorkOsError};

impl Flight {
    /// Asks WorkOS for the next tokens, unless that has been no use for a while.
    pub(super) async fn spend(&self, deadline: Instant) -> Result<Authentication, RefreshFailure> {
        let means = &self.means;
        if let Err(retry_after) = means.breaker.admit() {
            debug!(retry_after, "WorkOS is not asked to refresh a session");
            return Err(RefreshFailure::Unavailable {
                retry_after,
                is_outage: true,
                asked_to_wait: false,
            });
        }
        let answer = time::timeout_at(deadline, self.ask_twice())
            .await
            .unwrap_or(Err(WorkOsError::transient(TransientReason::Timeout)));
        means.breaker.tell(&answer);
        answer.map_err(|failure| refused(failure, means.settings.lift_decisions))
    }

    /// WorkOS may have spent the token though its answer was lost, and then gives the same answer
    /// again for some seconds.
    async fn ask_twice(&self) -> Result<Authentication, WorkOsError> {
        match self.ask().await {
            Err(failure) if lost(&failure) => {
                time::sleep(SECOND_TRY_AFTER).await;
                self.ask().await
            }
            answer => answer,
        }
    }

    async fn ask(&self) -> Result<Authentication, WorkOsError> {
        let workos = &self.means.settings.workos;
        workos
            .refresh(
                &self.previous.refresh_token,
                self.organization_id.as_deref(),
                &self.request,
            )
            .await
    }
}

const SECOND_TRY_AFTER: Duration = Duration::from_millis(200);
