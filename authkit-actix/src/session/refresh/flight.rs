//! One refresh, from the spent token to the sealed successor.

use std::sync::{Arc, OnceLock};

use tokio::time::{self, Instant};
use tracing::error;

use super::{
    super::{Freshness, open::CLOCKS_APART_RETRY},
    DEADLINE, Means, RefreshFailure, Session, SignedIn, Successor,
    failure::unavailable,
};
use crate::{
    request_info::RequestInfo,
    seal::SealError,
    token::{AccessTokenClaims, KeysUnavailable, Verdict},
    workos::{Authentication, TransientReason},
};

/// A refresh under way on the background thread.
pub(super) struct Flight {
    pub(super) means: Arc<Means>,
    pub(super) previous: Arc<Session>,
    pub(super) organization_id: Option<String>,
    pub(super) request: RequestInfo,
}

impl Flight {
    /// Spends the token of the previous session and makes its successor of the answer, within
    /// five seconds.
    pub(super) async fn fly(self) -> Result<Arc<Successor>, RefreshFailure> {
        let deadline = Instant::now() + DEADLINE;
        let answer = self.spend(deadline).await?;
        self.land(answer, deadline).await
    }

    async fn land(
        self,
        answer: Authentication,
        deadline: Instant,
    ) -> Result<Arc<Successor>, RefreshFailure> {
        let means = &self.means;
        if answer.user.id != self.previous.user.id {
            error!("WorkOS answered a refresh with another user's session");
            return Err(unavailable(TransientReason::Unverifiable, None));
        }
        let mut session = Session::from_authentication(answer, Some(&self.previous));
        let mut renewed = None;
        let mut verified = OnceLock::from(());
        let verdict = time::timeout_at(deadline, session.verdict(&means.tokens)).await;
        let untimely = match verdict.unwrap_or(Err(KeysUnavailable { retry_after: 1 })) {
            Ok(Verdict::Valid(claims)) => {
                renewed = Some(claims);
                false
            }
            // Dropping WorkOS's answer would lose the session, and in a cookie a key set that is not up
            // to date would have it forged.
            Err(KeysUnavailable { .. }) => {
                verified = OnceLock::new();
                false
            }
            Ok(Verdict::Expired(_) | Verdict::NotYetValid(_)) => {
                // The next token would be no better.
                means.breaker.pause(CLOCKS_APART_RETRY);
                true
            }
            Ok(Verdict::Forged(error)) => {
                error!(%error, "WorkOS answered a refresh with a token that does not verify");
                return Err(unavailable(TransientReason::Unverifiable, None));
            }
        };
        let Ok(sealed) = means.cookie_of(&mut session) else {
            return Err(unavailable(TransientReason::Unreadable, None));
        };
        decision!(means.settings.lift_decisions, "the session was refreshed");
        let session = Arc::new(session);
        if let Some(stored) = &means.settings.stored
            && verified.get().is_some()
        {
            stored.advance(&self.previous, &session).await;
        }
        if let Some(claims) = renewed {
            means.renewed(&session, claims, self.request);
        }
        Ok(Arc::new(Successor {
            session,
            sealed,
            organization_id: self.organization_id,
            untimely,
            verified,
        }))
    }
}

impl Means {
    /// Tells whoever waits for it that a session has a new token.
    pub(super) fn renewed(
        &self,
        session: &Arc<Session>,
        claims: Arc<AccessTokenClaims>,
        request: RequestInfo,
    ) {
        self.settings.notices.renewed(&claims);
        let signed_in = SignedIn {
            session: Arc::clone(session),
            claims,
            freshness: Freshness::Current,
        };
        let hooks = &self.settings.hooks;
        hooks.refreshed(&Arc::new(signed_in), request);
    }

    /// The value of a session's cookie.
    pub(super) fn cookie_of(&self, session: &mut Session) -> Result<Arc<str>, SealError> {
        match (session.handle(), &self.settings.stored) {
            (Some(handle), Some(stored)) => stored.seal(handle),
            _ => self.seal.seal(session),
        }
    }
}
