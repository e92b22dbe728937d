//! What a failed refresh means for its session.

use std::time::Duration;

use tracing::{error, warn};

use crate::workos::{StepUp, TransientReason, WorkOsError};

/// Why a session was not refreshed.
#[derive(Clone, Debug)]
pub(crate) enum RefreshFailure {
    /// The session has ended.
    Ended,
    /// The user has to take another step at AuthKit.
    StepUp(StepUp),
    /// Nothing is known; worth another try after so many seconds.
    Unavailable {
        retry_after: u64,
        /// WorkOS does not answer, or not as itself.
        is_outage: bool,
        /// WorkOS named the time after which to ask again.
        asked_to_wait: bool,
    },
}

impl RefreshFailure {
    /// The refresh goes on, and nobody waits any longer.
    pub(crate) const TOO_LATE: Self = Self::Unavailable {
        retry_after: 1,
        is_outage: true,
        asked_to_wait: false,
    };
    /// Nothing can be said of why.
    pub(super) const UNEXPLAINED: Self = Self::Unavailable {
        retry_after: RETRY_AFTER,
        is_outage: false,
        asked_to_wait: false,
    };

    /// The same, for whoever asks so many seconds later.
    pub(super) fn later(self, seconds: i64) -> Self {
        match self {
            Self::Unavailable {
                retry_after,
                is_outage,
                asked_to_wait,
            } => Self::Unavailable {
                retry_after: retry_after
                    .saturating_sub(u64::try_from(seconds).unwrap_or(0))
                    .max(1),
                is_outage,
                asked_to_wait,
            },
            failure => failure,
        }
    }
}

/// How a refresh ended, in a word.
pub(super) fn outcome<T>(refreshed: Result<T, &RefreshFailure>) -> &'static str {
    match refreshed {
        Ok(_) => "refreshed",
        Err(RefreshFailure::Ended) => "ended",
        Err(RefreshFailure::StepUp(_)) => "step_up",
        Err(RefreshFailure::Unavailable { .. }) => "unavailable",
    }
}

/// Whether WorkOS may have done what was asked though no usable answer came.
pub(super) fn lost(failure: &WorkOsError) -> bool {
    matches!(failure, WorkOsError::Transient { reason, retry_after: None } if is_outage(*reason))
}

pub(super) fn refused(failure: WorkOsError, lift_decisions: bool) -> RefreshFailure {
    match failure {
        WorkOsError::Terminal { code } => {
            decision!(lift_decisions, code, "the session has ended");
            RefreshFailure::Ended
        }
        WorkOsError::StepUp(step_up) => {
            decision!(
                lift_decisions,
                code = step_up.code,
                "the session needs another step at AuthKit"
            );
            RefreshFailure::StepUp(step_up)
        }
        WorkOsError::Transient {
            reason,
            retry_after,
        } => unavailable(reason, retry_after),
        failure @ WorkOsError::OurFault { .. } => {
            error!(%failure, "check the API key and the client id; sessions are kept, but none can be refreshed");
            RefreshFailure::UNEXPLAINED
        }
    }
}

pub(super) fn unavailable(
    reason: TransientReason,
    retry_after: Option<Duration>,
) -> RefreshFailure {
    warn!(%reason, "a session could not be refreshed");
    let is_outage = is_outage(reason);
    // Where the answer may have been lost, it has to be asked for again while WorkOS still knows it.
    let longest = if is_outage { REPEATABLE } else { u64::MAX };
    RefreshFailure::Unavailable {
        retry_after: retry_after.map_or(RETRY_AFTER, |wait| wait.as_secs().clamp(1, longest)),
        is_outage,
        asked_to_wait: retry_after.is_some(),
    }
}

/// An answer that was not WorkOS's own, or none.
fn is_outage(reason: TransientReason) -> bool {
    matches!(
        reason,
        TransientReason::Network
            | TransientReason::Timeout
            | TransientReason::Status(500..)
            | TransientReason::Unreadable
    )
}

/// Seconds, where WorkOS names none.
const RETRY_AFTER: u64 = 5;
/// WorkOS repeats an answer for 30 seconds at most: this leaves time for the request.
const REPEATABLE: u64 = 20;
