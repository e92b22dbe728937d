//! The session that begins with an authorization code, or with the choice of an organization.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time;
use tracing::{Instrument as _, error, info_span, warn};

use super::{AgeLimits, Session, SignedIn, hooks::Hooks, seal::SessionSeal};
use crate::{
    background::Background,
    clock::Clock,
    flights::{FlightKey, Flights, Landing},
    request_info::RequestInfo,
    token::{KeysUnavailable, Tokens, Verdict},
    workos::{Authentication, OauthTokens, StepUp, TransientReason, WorkOs, WorkOsError},
};

/// The sign-ins of the last ten minutes: one call for each state, whatever comes of it.
pub(crate) struct Beginnings {
    flights: Flights<Result<Arc<Begun>, BeginError>>,
    means: Arc<Means>,
}

/// What sign-ins are finished with.
pub(crate) struct Means {
    pub(crate) workos: Arc<WorkOs>,
    pub(crate) seal: Arc<SessionSeal>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: AgeLimits,
}

/// A sign-in that waits for its tokens.
pub(crate) struct Beginning {
    pub(crate) grant: Grant,
    pub(crate) request: RequestInfo,
    /// Set when the user was sent to prove their identity again: Unix seconds.
    pub(crate) reauthenticated_at: Option<i64>,
    /// Whether the application admits the user.
    pub(crate) admit: Option<BeginHook<Admission>>,
    /// What the application does about a new session.
    pub(crate) begun: Option<BeginHook<()>>,
}

/// What WorkOS gives tokens for.
pub(crate) enum Grant {
    Code {
        code: SecretString,
        code_verifier: SecretString,
        invitation_token: Option<String>,
    },
    Organization {
        pending_authentication_token: SecretString,
        organization_id: String,
    },
}

pub(crate) type BeginHook<T> = Box<dyn FnOnce(Arc<Begun>) -> BoxFuture<'static, T> + Send>;

/// Whether a user who has signed in at AuthKit gets a session here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// They do.
    Allow,
    /// They do not; the reason is for the log.
    Refuse {
        /// Why not.
        reason: String,
    },
}

impl Admission {
    /// Refuses, with a reason for the log.
    pub fn refuse(reason: impl Into<String>) -> Self {
        Self::Refuse {
            reason: reason.into(),
        }
    }
}

/// A session that has just begun.
pub(crate) struct Begun {
    pub(crate) signed_in: Arc<SignedIn>,
    pub(crate) sealed: Arc<str>,
    /// Unix seconds.
    at: i64,
    pub(crate) organization_id: Option<String>,
    pub(crate) oauth_tokens: Option<OauthTokens>,
}

/// Why no session began.
#[derive(Clone, Debug)]
pub(crate) enum BeginError {
    /// The code is wrong, spent or old.
    Refused,
    StepUp(StepUp),
    /// The application does not admit the user.
    NotAdmitted {
        session_id: String,
    },
    /// The sign-in was finished a while ago: what it brought is no answer to a replay.
    Spent,
    /// WorkOS did not answer in time.
    TooLate,
    /// WorkOS did not answer, or with something that is no session of this user and client.
    Unusable,
}

impl Beginnings {
    pub(crate) fn new(background: Arc<Background>, means: Means) -> Self {
        Self {
            flights: Flights::new(background, Arc::clone(&means.clock), SPENT_STATES),
            means: Arc::new(means),
        }
    }

    /// Finishes a sign-in, once for each state or pending authentication.
    pub(crate) async fn begin(
        &self,
        once: &str,
        beginning: Beginning,
    ) -> Result<Arc<Begun>, BeginError> {
        let means = Arc::clone(&self.means);
        let flight = || {
            async move { Landing::Keep(means.begin(beginning).await) }
                .instrument(info_span!("authkit.callback.exchange"))
        };
        let begun = self
            .flights
            .join_or_start(FlightKey::of(once), flight)
            .await
            .unwrap_or(Err(BeginError::Unusable))?;
        let age = self.means.clock.unix_seconds().saturating_sub(begun.at);
        if (0..=SERVES_DOUBLES).contains(&age) {
            Ok(begun)
        } else {
            Err(BeginError::Spent)
        }
    }

    /// Verifies and seals a session that another flow has begun.
    pub(crate) async fn adopt(&self, answer: Authentication) -> Result<Arc<Begun>, BeginError> {
        self.means.verified(answer, None).await.map(Arc::new)
    }
}

impl Means {
    async fn begin(&self, beginning: Beginning) -> Result<Arc<Begun>, BeginError> {
        let request = beginning.request;
        let reauthenticated_at = beginning.reauthenticated_at;
        let exchange = async {
            let answer = self
                .workos
                .authenticate(beginning.grant, &request)
                .await
                .map_err(refused)?;
            self.verified(answer, reauthenticated_at).await
        };
        let begun = time::timeout(DEADLINE, exchange).await.map_err(|_| {
            warn!("WorkOS did not finish a sign-in in time");
            BeginError::TooLate
        })?;
        let begun = Arc::new(begun?);
        if let Some(admit) = beginning.admit {
            let candidate = Arc::clone(&begun);
            let admission = self.hooks.run("on_authenticated", move || admit(candidate));
            let reason = match admission.await {
                Some(Admission::Allow) => None,
                Some(Admission::Refuse { reason }) => Some(reason),
                None => Some("on_authenticated gave no answer".to_owned()),
            };
            if let Some(reason) = reason {
                return Err(self.turn_away(&begun, &reason).await);
            }
        }
        if let Some(hook) = beginning.begun {
            let newcomer = Arc::clone(&begun);
            self.hooks.run("on_success", move || hook(newcomer)).await;
        }
        self.hooks.signed_in(&begun.signed_in, request);
        Ok(begun)
    }

    async fn turn_away(&self, begun: &Begun, reason: &str) -> BeginError {
        let claims = &begun.signed_in.claims;
        warn!(user_id = %claims.sub, reason, "the application did not admit a user");
        if let Err(failure) = self.workos.revoke_session(&claims.sid).await {
            warn!(%failure, "the session of a user who was not admitted lives on at WorkOS");
        }
        BeginError::NotAdmitted {
            session_id: claims.sid.clone(),
        }
    }

    async fn verified(
        &self,
        answer: Authentication,
        reauthenticated_at: Option<i64>,
    ) -> Result<Begun, BeginError> {
        let organization_id = answer.organization_id.clone();
        let oauth_tokens = answer.oauth_tokens.clone();
        let mut session = Session::from_authentication(answer, None);
        session.reauthenticated_at = reauthenticated_at;
        let now = self.clock.unix_seconds();
        self.limits.note_use(&mut session, now, now);
        let token = session.access_token.expose_secret();
        let problem = match self.tokens.settle(token).await {
            Ok(Verdict::Valid(claims)) if claims.sub == session.user.id => {
                let sealed = self.seal.seal(&session).map_err(|error| {
                    error!(%error, "a session could not be sealed");
                    BeginError::Unusable
                })?;
                return Ok(Begun {
                    at: now,
                    organization_id: organization_id.or_else(|| claims.org_id.clone()),
                    oauth_tokens,
                    signed_in: Arc::new(SignedIn {
                        session: Arc::new(session),
                        claims,
                    }),
                    sealed,
                });
            }
            Ok(Verdict::Valid(_)) => "its tokens are another user's".to_owned(),
            Ok(Verdict::Expired(_) | Verdict::NotYetValid(_)) => {
                "its token is not valid at the moment it was issued: check this machine's clock"
                    .to_owned()
            }
            Ok(Verdict::Forged(error)) => format!("its token does not verify: {error}"),
            Err(KeysUnavailable { .. }) => {
                "the keys to verify its token are out of reach".to_owned()
            }
        };
        error!(problem, "a sign-in gave no session");
        Err(BeginError::Unusable)
    }
}

impl WorkOs {
    async fn authenticate(
        &self,
        grant: Grant,
        request: &RequestInfo,
    ) -> Result<Authentication, WorkOsError> {
        match grant {
            Grant::Code {
                code,
                code_verifier,
                invitation_token,
            } => {
                self.exchange_code(
                    code.expose_secret(),
                    code_verifier.expose_secret(),
                    invitation_token.as_deref(),
                    request,
                )
                .await
            }
            Grant::Organization {
                pending_authentication_token,
                organization_id,
            } => {
                self.select_organization(&pending_authentication_token, &organization_id, request)
                    .await
            }
        }
    }
}

fn refused(failure: WorkOsError) -> BeginError {
    match failure {
        WorkOsError::Terminal { code } => {
            warn!(code, "WorkOS refused to finish a sign-in");
            BeginError::Refused
        }
        WorkOsError::StepUp(step_up) => BeginError::StepUp(step_up),
        WorkOsError::Transient {
            reason: TransientReason::Timeout,
            ..
        } => {
            warn!("WorkOS did not finish a sign-in in time");
            BeginError::TooLate
        }
        failure => {
            error!(%failure, "a sign-in could not be finished");
            BeginError::Unusable
        }
    }
}

/// Seconds for which requests that were sent twice get one answer.
const SERVES_DOUBLES: i64 = 60;
/// Seconds for which a state counts as spent: as long as one lives.
const SPENT_STATES: i64 = 600;
/// The key fetch included.
const DEADLINE: Duration = Duration::from_secs(10);
