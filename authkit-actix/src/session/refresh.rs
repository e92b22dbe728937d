//! One call to WorkOS for each refresh token, however many requests ask.

use std::{future::Future, sync::Arc, time::Duration};

use secrecy::ExposeSecret as _;
use tokio::time::{self, Instant};
use tracing::{Instrument as _, error, info_span, warn};

use super::{Notices, Session, SignedIn, hooks::Hooks, seal::SessionSeal};
use crate::{
    background::Background,
    clock::Clock,
    flights::{FlightKey, Flights, Landing},
    request_info::RequestInfo,
    token::{AccessTokenClaims, KeysUnavailable, Tokens, Verdict},
    workos::{StepUp, TransientReason, WorkOs, WorkOsError},
};

/// The refreshes under way and those of the last minute.
pub(crate) struct Refreshes {
    flights: Flights<Refreshed>,
    settings: RefreshSettings,
    seal: Arc<SessionSeal>,
    tokens: Arc<Tokens>,
    clock: Arc<dyn Clock>,
}

/// What refreshes are made with.
pub(crate) struct RefreshSettings {
    pub(crate) workos: Arc<WorkOs>,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) background: Arc<Background>,
    /// How long before its expiry a token is refreshed; `None` for the default of 60 seconds, or
    /// 30 for tokens that live at most five minutes.
    pub(crate) buffer: Option<Duration>,
    /// Whether decisions are logged at INFO.
    pub(crate) lift_decisions: bool,
}

/// The session that follows on a spent refresh token.
pub(crate) struct Successor {
    pub(crate) session: Arc<Session>,
    pub(crate) sealed: Arc<str>,
    /// The organization that was asked for.
    organization_id: Option<String>,
    /// Its token was genuine but not valid when it came: clocks are apart.
    pub(crate) untimely: bool,
}

/// A refresh that gave no successor, and the organization it was for.
#[derive(Clone)]
struct Failed {
    organization_id: Option<String>,
    failure: RefreshFailure,
}

/// Why a session was not refreshed.
#[derive(Clone, Debug)]
pub(crate) enum RefreshFailure {
    /// The session has ended.
    Ended,
    /// The user has to take another step at AuthKit.
    StepUp(StepUp),
    /// Nothing is known; worth another try after so many seconds.
    Unavailable { retry_after: u64 },
}

type Refreshed = Result<Arc<Successor>, Failed>;

/// The organization that a refresh is for.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    session_id: &'a str,
    organization_id: Option<&'a str>,
    is_switch: bool,
}

impl Refreshes {
    pub(super) fn new(
        seal: Arc<SessionSeal>,
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
            seal,
            tokens,
            clock,
        }
    }

    pub(super) fn lifts_decisions(&self) -> bool {
        self.settings.lift_decisions
    }

    /// Whether a valid token is so near its end that it should be refreshed.
    pub(super) fn is_due(&self, claims: &AccessTokenClaims) -> bool {
        let buffer = self.buffer(claims);
        buffer > 0 && claims.exp.saturating_sub(self.clock.unix_seconds()) <= buffer
    }

    /// How many seconds before its end a token is refreshed.
    pub(super) fn buffer(&self, claims: &AccessTokenClaims) -> i64 {
        let lifetime = claims.exp.saturating_sub(claims.iat);
        let buffer = match self.settings.buffer {
            Some(buffer) => i64::try_from(buffer.as_secs()).unwrap_or(i64::MAX),
            None if lifetime <= SHORT_LIFE => SHORT_BUFFER,
            None => BUFFER,
        };
        // A buffer as long as the token's life would refresh it with every request.
        if buffer < lifetime {
            buffer
        } else {
            lifetime / 2
        }
    }

    /// Spends the session's refresh token, or joins whoever does or did so within the last minute.
    ///
    /// A switch waits for a refresh under way and goes on from its successor; a renewal takes what
    /// a switch brought, so that the organization which was asked for wins.
    pub(super) async fn refresh(
        &self,
        session: &Arc<Session>,
        target: Target<'_>,
        request: RequestInfo,
    ) -> Result<Arc<Successor>, RefreshFailure> {
        let mut session = Arc::clone(session);
        for _ in 0..MOST_ROUNDS {
            let key = key_of(&session);
            let flight = || self.flight(&session, target, request.clone());
            match self.flights.join_or_start(key, flight).await {
                Some(Ok(successor)) => {
                    let is_meant =
                        !target.is_switch || successor.organization_id == target.organization_id();
                    // A straggler follows the refreshes since, lest an older session replace a newer.
                    if is_meant && !self.flights.knows(key_of(&successor.session)) {
                        return Ok(successor);
                    }
                    session = Arc::clone(&successor.session);
                }
                Some(Err(failed)) => {
                    if failed.organization_id == target.organization_id() {
                        return Err(failed.failure);
                    }
                }
                None => break,
            }
        }
        Err(RefreshFailure::Unavailable {
            retry_after: RETRY_AFTER,
        })
    }

    fn flight(
        &self,
        session: &Arc<Session>,
        target: Target<'_>,
        request: RequestInfo,
    ) -> impl Future<Output = Landing<Refreshed>> + Send + 'static {
        let refresh = Refresh {
            previous: Arc::clone(session),
            organization_id: target.organization_id(),
            request: request.clone(),
            workos: Arc::clone(&self.settings.workos),
            seal: Arc::clone(&self.seal),
            tokens: Arc::clone(&self.tokens),
            hooks: Arc::clone(&self.settings.hooks),
            notices: Arc::clone(&self.settings.notices),
            lift_decisions: self.settings.lift_decisions,
        };
        let hooks = Arc::clone(&self.settings.hooks);
        let is_switch = target.is_switch;
        let organization_id = target.organization_id();
        async move {
            match refresh.fly().await {
                Ok(successor) => Landing::Keep(Ok(successor)),
                Err(failure) => {
                    hooks.refresh_failed(&failure, request);
                    // A refused switch says nothing about the session as it is.
                    let is_final =
                        !is_switch && !matches!(failure, RefreshFailure::Unavailable { .. });
                    let failed = Err(Failed {
                        organization_id,
                        failure,
                    });
                    if is_final {
                        Landing::Keep(failed)
                    } else {
                        Landing::Forget(failed)
                    }
                }
            }
        }
        .instrument(info_span!(
            "authkit.session.refresh",
            session_id = target.session_id,
            user_id = %session.user.id,
        ))
    }
}

/// WorkOS may answer with the same refresh token again, so the access token belongs to the key: with
/// the next one, the refresh token is spent anew.
fn key_of(session: &Session) -> FlightKey {
    let refresh_token = session.refresh_token.expose_secret();
    let access_token = session.access_token.expose_secret();
    FlightKey::of(&format!("{refresh_token}\0{access_token}"))
}

impl<'a> Target<'a> {
    /// The session as it is, in its organization; whatever successor there is will do.
    pub(crate) fn renewal(claims: &'a AccessTokenClaims) -> Self {
        Self {
            session_id: &claims.sid,
            organization_id: claims.org_id.as_deref(),
            is_switch: false,
        }
    }

    /// That organization and no other.
    pub(crate) fn switch(claims: &'a AccessTokenClaims, organization_id: &'a str) -> Self {
        Self {
            session_id: &claims.sid,
            organization_id: Some(organization_id),
            is_switch: true,
        }
    }

    fn organization_id(&self) -> Option<String> {
        self.organization_id.map(str::to_owned)
    }
}

/// One refresh, with everything it needs on the background thread.
struct Refresh {
    previous: Arc<Session>,
    organization_id: Option<String>,
    request: RequestInfo,
    workos: Arc<WorkOs>,
    seal: Arc<SessionSeal>,
    tokens: Arc<Tokens>,
    hooks: Arc<Hooks>,
    notices: Arc<Notices>,
    lift_decisions: bool,
}

impl Refresh {
    async fn fly(self) -> Result<Arc<Successor>, RefreshFailure> {
        let deadline = Instant::now() + DEADLINE;
        let answer = self.workos.refresh(
            &self.previous.refresh_token,
            self.organization_id.as_deref(),
            &self.request,
        );
        let answer = time::timeout_at(deadline, answer)
            .await
            .map_err(|_| unavailable(TransientReason::Timeout, None))?
            .map_err(|failure| refused(failure, self.lift_decisions))?;
        if answer.user.id != self.previous.user.id {
            error!("WorkOS answered a refresh with another user's session");
            return Err(unavailable(TransientReason::Unverifiable, None));
        }
        let session = Session::from_authentication(answer, Some(&self.previous));
        let token = session.access_token.expose_secret();
        let mut verified = None;
        let verdict = time::timeout_at(deadline, self.tokens.settle(token)).await;
        let untimely = match verdict.unwrap_or(Err(KeysUnavailable { retry_after: 1 })) {
            Ok(Verdict::Valid(claims)) if claims.sub == session.user.id => {
                verified = Some(claims);
                false
            }
            // Dropping WorkOS's answer would lose the session; it is verified when it is opened.
            Err(KeysUnavailable { .. }) => false,
            Ok(Verdict::Expired(claims) | Verdict::NotYetValid(claims))
                if claims.sub == session.user.id =>
            {
                warn!(
                    "a token is not valid at the moment it was issued: check this machine's clock"
                );
                true
            }
            Ok(_) => {
                error!("WorkOS answered a refresh with a token that does not verify");
                return Err(unavailable(TransientReason::Unverifiable, None));
            }
        };
        let Ok(sealed) = self.seal.seal(&session) else {
            return Err(unavailable(TransientReason::Unreadable, None));
        };
        decision!(self.lift_decisions, "the session was refreshed");
        let session = Arc::new(session);
        if let Some(claims) = verified {
            self.notices.renewed(&claims);
            let signed_in = SignedIn {
                session: Arc::clone(&session),
                claims,
            };
            self.hooks.refreshed(&Arc::new(signed_in), self.request);
        }
        Ok(Arc::new(Successor {
            session,
            sealed,
            organization_id: self.organization_id,
            untimely,
        }))
    }
}

fn refused(failure: WorkOsError, lift_decisions: bool) -> RefreshFailure {
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
            RefreshFailure::Unavailable {
                retry_after: RETRY_AFTER,
            }
        }
    }
}

fn unavailable(reason: TransientReason, retry_after: Option<Duration>) -> RefreshFailure {
    warn!(%reason, "a session could not be refreshed");
    RefreshFailure::Unavailable {
        retry_after: retry_after.map_or(RETRY_AFTER, |wait| wait.as_secs().max(1)),
    }
}

/// Seconds for which requests with the old cookie get the successor without a call.
const SERVES_STRAGGLERS: i64 = 60;
const BUFFER: i64 = 60;
const SHORT_BUFFER: i64 = 30;
const SHORT_LIFE: i64 = 300;
const RETRY_AFTER: u64 = 5;
/// Refreshes and switches of one session that meet.
const MOST_ROUNDS: usize = 8;
/// The key fetch for the new token included.
const DEADLINE: Duration = Duration::from_secs(5);
