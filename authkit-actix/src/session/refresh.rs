//! One call to WorkOS for each refresh token, however many requests ask.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret as _;
use tokio::time;
use tracing::{Instrument as _, debug, error, info_span, warn};

use super::Session;
use crate::{
    background::Background,
    clock::Clock,
    flights::{FlightKey, Flights, Landing},
    seal::{Purpose, Sealer},
    token::{AccessTokenClaims, KeysUnavailable, Tokens, Verdict},
    workos::{Peer, TransientReason, WorkOs, WorkOsError},
};

/// The refreshes under way and those of the last minute.
pub(crate) struct Refreshes {
    flights: Flights<Refreshed>,
    settings: RefreshSettings,
    sealer: Arc<Sealer>,
    tokens: Arc<Tokens>,
    clock: Arc<dyn Clock>,
}

/// What refreshes are made with.
pub(crate) struct RefreshSettings {
    pub(crate) workos: Arc<WorkOs>,
    pub(crate) background: Arc<Background>,
    /// How long before its expiry a token is refreshed; `None` for the default of 60 seconds, or
    /// 30 for tokens that live at most five minutes.
    pub(crate) buffer: Option<Duration>,
}

pub(super) type Refreshed = Result<Arc<Successor>, RefreshError>;

/// The session that follows on a spent refresh token.
pub(super) struct Successor {
    pub(super) session: Arc<Session>,
    pub(super) sealed: Arc<str>,
    /// Its token was genuine but not valid when it came: clocks are apart.
    pub(super) untimely: bool,
}

/// Why a session was not refreshed.
#[derive(Clone, Copy, Debug)]
pub(super) enum RefreshError {
    /// The session has ended.
    Ended,
    /// The user has to take another step at AuthKit.
    StepUp,
    /// Nothing is known; worth another try after so many seconds.
    Unavailable { retry_after: u64 },
}

impl Refreshes {
    pub(super) fn new(
        sealer: Arc<Sealer>,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
        settings: RefreshSettings,
    ) -> Self {
        Self {
            flights: Flights::new(
                Arc::clone(&settings.background),
                Arc::clone(&clock),
                SERVES_STRAGGLERS,
            ),
            settings,
            sealer,
            tokens,
            clock,
        }
    }

    /// Whether a valid token is so near its end that it should be refreshed.
    pub(super) fn is_due(&self, claims: &AccessTokenClaims) -> bool {
        let lifetime = claims.exp.saturating_sub(claims.iat);
        let buffer = match self.settings.buffer {
            Some(buffer) => i64::try_from(buffer.as_secs()).unwrap_or(i64::MAX),
            // A token is left at least half of its life.
            None if lifetime <= SHORT_LIFE => SHORT_BUFFER.min(lifetime / 2),
            None => BUFFER,
        };
        buffer > 0 && claims.exp.saturating_sub(self.clock.unix_seconds()) <= buffer
    }

    /// Spends the session's refresh token, or joins whoever does or did so within the last minute.
    pub(super) async fn refresh(
        &self,
        session: &Arc<Session>,
        claims: &AccessTokenClaims,
        peer: Peer,
    ) -> Refreshed {
        let key = FlightKey::of(session.refresh_token.expose_secret());
        let flight = || {
            let refresh = Refresh {
                previous: Arc::clone(session),
                organization_id: claims.org_id.clone(),
                peer,
                workos: Arc::clone(&self.settings.workos),
                sealer: Arc::clone(&self.sealer),
                tokens: Arc::clone(&self.tokens),
            };
            let span = info_span!("authkit.session.refresh", session_id = %claims.sid);
            async move {
                match time::timeout(DEADLINE, refresh.fly()).await {
                    Ok(landing) => landing,
                    Err(_) => unavailable(TransientReason::Timeout, None),
                }
            }
            .instrument(span)
        };
        self.flights
            .join_or_start(key, flight)
            .await
            .unwrap_or(Err(RefreshError::Unavailable {
                retry_after: RETRY_AFTER,
            }))
    }
}

/// One refresh, with everything it needs on the background thread.
struct Refresh {
    previous: Arc<Session>,
    organization_id: Option<String>,
    peer: Peer,
    workos: Arc<WorkOs>,
    sealer: Arc<Sealer>,
    tokens: Arc<Tokens>,
}

impl Refresh {
    async fn fly(self) -> Landing<Refreshed> {
        let answer = self
            .workos
            .refresh(
                &self.previous.refresh_token,
                self.organization_id.as_deref(),
                self.peer,
            )
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => return refused(failure),
        };
        if answer.user.id != self.previous.user.id {
            error!("WorkOS answered a refresh with another user's session");
            return unavailable(TransientReason::Unverifiable, None);
        }
        let session = Session::from_authentication(answer, Some(&self.previous));
        let untimely = match self
            .tokens
            .settle(session.access_token.expose_secret())
            .await
        {
            Ok(Verdict::Valid(claims)) if claims.sub == session.user.id => false,
            // Dropping WorkOS's answer would lose the session; it is verified when it is opened.
            Err(KeysUnavailable { .. }) => false,
            Ok(Verdict::Expired(_) | Verdict::NotYetValid(_)) => {
                warn!(
                    "a token is not valid at the moment it was issued: check this machine's clock"
                );
                true
            }
            Ok(Verdict::Valid(_) | Verdict::Forged(_)) => {
                error!("WorkOS answered a refresh with a token that does not verify");
                return unavailable(TransientReason::Unverifiable, None);
            }
        };
        let Ok(sealed) = self.sealer.seal(Purpose::Session, &session.to_json()) else {
            return unavailable(TransientReason::Unreadable, None);
        };
        debug!("the session was refreshed");
        Landing::Keep(Ok(Arc::new(Successor {
            session: Arc::new(session),
            sealed: sealed.into(),
            untimely,
        })))
    }
}

fn refused(failure: WorkOsError) -> Landing<Refreshed> {
    match failure {
        WorkOsError::Terminal { code } => {
            debug!(code, "the session has ended");
            Landing::Keep(Err(RefreshError::Ended))
        }
        WorkOsError::StepUp(step_up) => {
            debug!(
                code = step_up.code,
                "the session needs another step at AuthKit"
            );
            Landing::Keep(Err(RefreshError::StepUp))
        }
        WorkOsError::Transient {
            reason,
            retry_after,
        } => unavailable(reason, retry_after),
        failure @ WorkOsError::OurFault { .. } => {
            error!(%failure, "check the API key and the client id; sessions are kept, but none can be refreshed");
            Landing::Forget(Err(RefreshError::Unavailable {
                retry_after: RETRY_AFTER,
            }))
        }
    }
}

fn unavailable(reason: TransientReason, retry_after: Option<Duration>) -> Landing<Refreshed> {
    warn!(%reason, "a session could not be refreshed");
    Landing::Forget(Err(RefreshError::Unavailable {
        retry_after: retry_after.map_or(RETRY_AFTER, |wait| wait.as_secs().max(1)),
    }))
}

/// Seconds for which requests with the old cookie get the successor without a call.
const SERVES_STRAGGLERS: i64 = 60;
const BUFFER: i64 = 60;
const SHORT_BUFFER: i64 = 30;
const SHORT_LIFE: i64 = 300;
const RETRY_AFTER: u64 = 5;
/// The key fetch for the new token included.
const DEADLINE: Duration = Duration::from_secs(5);
