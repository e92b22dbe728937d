//! The session that begins with an authorization code, or with the choice of an organization.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time;
use tracing::{Instrument as _, Span, error, field::Empty, info_span, warn};

use super::{
    AgeLimits, Freshness, Session, SignedIn,
    hooks::Hooks,
    seal::SessionSeal,
    shared::{SPENT_STATES, SharedBeginning},
    stored::StoredSessions,
};
use crate::{
    background::Background,
    clock::Clock,
    flights::{FlightKey, Flights, Landing},
    metrics,
    request_info::RequestInfo,
    sharing::{Shared, Sharing, Terms, Unreachable},
    token::{KeysUnavailable, Tokens, Verdict},
    workos::{Authentication, OauthTokens, StepUp, TransientReason, WorkOs, WorkOsError},
};

/// The sign-ins of the last ten minutes: one call for each state, whatever comes of it.
pub(crate) struct Beginnings {
    flights: Flights<Result<Arc<Begun>, BeginError>>,
    means: Arc<Means>,
    background: Arc<Background>,
}

/// What sign-ins are finished with.
pub(crate) struct Means {
    pub(crate) workos: Arc<WorkOs>,
    pub(crate) seal: Arc<SessionSeal>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sharing: Sharing,
    pub(crate) stored: Option<Arc<StoredSessions>>,
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
    /// With the whole user, of whom the cookie may keep less.
    pub(crate) newcomer: Arc<SignedIn>,
    pub(crate) signed_in: Arc<SignedIn>,
    pub(crate) sealed: Arc<str>,
    /// Unix seconds.
    pub(super) at: i64,
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
    /// The place for sessions is out of reach.
    Unavailable,
    /// WorkOS did not answer in time.
    TooLate,
    /// WorkOS did not answer, or with something that is no session of this user and client.
    Unusable,
}

impl BeginError {
    fn name(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::StepUp(_) => "step_up",
            Self::NotAdmitted { .. } => "not_admitted",
            Self::Spent => "spent",
            Self::Unavailable => "unavailable",
            Self::TooLate => "too_late",
            Self::Unusable => "unusable",
        }
    }
}

impl Beginnings {
    pub(crate) fn new(background: Arc<Background>, means: Means) -> Self {
        Self {
            flights: Flights::new(
                Arc::clone(&background),
                Arc::clone(&means.clock),
                SPENT_STATES.as_secs().try_into().unwrap_or(i64::MAX),
            ),
            means: Arc::new(means),
            background,
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
            async move {
                // The code would be spent for nothing.
                if !means.has_a_place().await {
                    return Landing::Forget(Err(BeginError::Unavailable));
                }
                Landing::Keep(means.begin_once(beginning).await)
            }
            .instrument(info_span!(
                "authkit.callback.exchange",
                outcome = Empty,
                user_id = Empty,
                session_id = Empty,
                organization_id = Empty,
            ))
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

    /// Whether the sign-in of this state has come back here within the last ten minutes.
    pub(crate) fn has_begun(&self, once: &str) -> bool {
        self.flights.knows(FlightKey::of(once))
    }

    /// Verifies and seals a session that another flow has begun.
    pub(crate) async fn adopt(&self, answer: Authentication) -> Result<Arc<Begun>, BeginError> {
        let means = Arc::clone(&self.means);
        let verified = self
            .background
            .spawn(async move { means.verified(answer, None).await });
        let begun = verified.await.unwrap_or(Err(BeginError::Unusable))?;
        Ok(Arc::new(begun))
    }
}

impl Means {
    /// Finishes the sign-in, or has what another instance has made of it.
    async fn begin_once(&self, beginning: Beginning) -> Result<Arc<Begun>, BeginError> {
        let secret = beginning.grant.secret().clone();
        let terms = Terms {
            topic: "sign-in",
            // A code is sent once, whatever becomes of the instance that sent it.
            lease: SPENT_STATES,
            patience: PATIENCE,
        };
        let work = self.begin(beginning);
        let shared = self
            .sharing
            .once(terms, secret.expose_secret(), work, SharedBeginning::read)
            .await;
        match shared {
            Some(Shared::Own(begun)) => begun,
            Some(Shared::Others(shared)) => self.follow(shared).await,
            None => Err(BeginError::TooLate),
        }
    }

    async fn follow(&self, shared: SharedBeginning) -> Result<Arc<Begun>, BeginError> {
        let (session, sealed, at) = match shared {
            SharedBeginning::Begun {
                session,
                sealed,
                at,
            } => (session, sealed, at),
            SharedBeginning::Refused => return Err(BeginError::Refused),
            SharedBeginning::StepUp(step_up) => return Err(BeginError::StepUp(step_up.into())),
            SharedBeginning::NotAdmitted { session_id } => {
                return Err(BeginError::NotAdmitted { session_id });
            }
            SharedBeginning::Unavailable => return Err(BeginError::Unavailable),
            SharedBeginning::TooLate => return Err(BeginError::TooLate),
            SharedBeginning::Unusable => return Err(BeginError::Unusable),
        };
        let session: Session = serde_json::from_str(&session).map_err(|_| BeginError::Unusable)?;
        let Ok(Verdict::Valid(claims)) = session.verdict(&self.tokens).await else {
            error!("a sign-in that another instance finished does not verify here");
            return Err(BeginError::Unusable);
        };
        let organization_id = claims.org_id.clone();
        let signed_in = Arc::new(SignedIn {
            session: Arc::new(session),
            claims,
            freshness: Freshness::Current,
        });
        Ok(Arc::new(Begun {
            organization_id,
            // Those are for the hooks, which ran where the sign-in was finished.
            oauth_tokens: None,
            newcomer: Arc::clone(&signed_in),
            signed_in,
            sealed: sealed.into(),
            at,
        }))
    }

    async fn begin(&self, beginning: Beginning) -> Result<Arc<Begun>, BeginError> {
        let begun = self.finish(beginning).await;
        let outcome = match &begun {
            Ok(begun) => {
                begun.signed_in.record(&Span::current());
                "signed_in"
            }
            Err(error) => error.name(),
        };
        Span::current().record("outcome", outcome);
        metrics::sign_in_ended(outcome);
        begun
    }

    async fn finish(&self, beginning: Beginning) -> Result<Arc<Begun>, BeginError> {
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
        self.hooks.signed_in(&begun.newcomer, request);
        Ok(begun)
    }

    /// The value of the cookie of a new session.
    async fn cookie_for(
        &self,
        session: &mut Session,
        session_id: &str,
    ) -> Result<Arc<str>, BeginError> {
        let Some(stored) = &self.stored else {
            return self.seal.seal(session).map_err(|error| {
                error!(%error, "a session could not be sealed");
                BeginError::Unusable
            });
        };
        let kept = time::timeout(STORE_PATIENCE, async {
            loop {
                match stored.insert(session, session_id).await {
                    Ok(cookie) => break cookie,
                    // The code is spent, so the store is given a moment to come back.
                    Err(Unreachable) => time::sleep(STORE_RETRY).await,
                }
            }
        });
        kept.await.map_err(|_| BeginError::Unavailable)
    }

    /// Whether a session can be kept that begins now.
    async fn has_a_place(&self) -> bool {
        match &self.stored {
            Some(stored) => stored.is_in_reach().await,
            None => true,
        }
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
        let problem = match session.verdict(&self.tokens).await {
            Ok(Verdict::Valid(claims)) => {
                let newcomer = SignedIn {
                    session: Arc::new(session.clone()),
                    claims: Arc::clone(&claims),
                    freshness: Freshness::Current,
                };
                let sealed = self.cookie_for(&mut session, &claims.sid).await?;
                return Ok(Begun {
                    at: now,
                    organization_id: organization_id.or_else(|| claims.org_id.clone()),
                    oauth_tokens,
                    newcomer: Arc::new(newcomer),
                    signed_in: Arc::new(SignedIn {
                        session: Arc::new(session),
                        claims,
                        freshness: Freshness::Current,
                    }),
                    sealed,
                });
            }
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

impl Grant {
    /// What only those have who hold the cookie of the sign-in.
    fn secret(&self) -> &SecretString {
        match self {
            Self::Code { code_verifier, .. } => code_verifier,
            Self::Organization {
                pending_authentication_token,
                ..
            } => pending_authentication_token,
        }
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
/// The key fetch included.
const DEADLINE: Duration = Duration::from_secs(10);
const STORE_PATIENCE: Duration = Duration::from_secs(3);
const STORE_RETRY: Duration = Duration::from_millis(250);
/// For an instance that finishes the same sign-in, some of its hooks included.
const PATIENCE: Duration = Duration::from_secs(15);
