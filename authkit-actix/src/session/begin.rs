//! The session that begins with an authorization code.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time;
use tracing::{Instrument as _, error, info_span, warn};

use super::{Session, SignedIn};
use crate::{
    background::Background,
    clock::Clock,
    flights::{FlightKey, Flights, Landing},
    seal::{Purpose, Sealer},
    token::{KeysUnavailable, Tokens, Verdict},
    workos::{Peer, StepUp, TransientReason, WorkOs, WorkOsError},
};

/// The code exchanges of the last ten minutes: one for each state, whatever comes of it.
pub(crate) struct Exchanges {
    flights: Flights<Result<Arc<Begun>, ExchangeError>>,
    workos: Arc<WorkOs>,
    sealer: Arc<Sealer>,
    tokens: Arc<Tokens>,
}

/// What a code is exchanged with.
pub(crate) struct CodeExchange {
    pub(crate) code: SecretString,
    pub(crate) code_verifier: SecretString,
    pub(crate) invitation_token: Option<String>,
    pub(crate) peer: Peer,
    /// Set when the user was sent to prove their identity again: Unix seconds.
    pub(crate) reauthenticated_at: Option<i64>,
}

/// A session that has just begun.
pub(crate) struct Begun {
    pub(crate) signed_in: Arc<SignedIn>,
    pub(crate) sealed: Arc<str>,
}

/// Why no session began.
#[derive(Clone, Debug)]
pub(crate) enum ExchangeError {
    /// The code is wrong, spent or old.
    Refused,
    StepUp(StepUp),
    /// WorkOS did not answer in time.
    TooLate,
    /// WorkOS did not answer, or with something that is no session of this user and client.
    Unusable,
}

impl Exchanges {
    pub(crate) fn new(
        workos: Arc<WorkOs>,
        background: Arc<Background>,
        sealer: Arc<Sealer>,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            flights: Flights::new(background, clock, SPENT_STATES),
            workos,
            sealer,
            tokens,
        }
    }

    /// Exchanges the code of a callback, once for each state.
    pub(crate) async fn exchange(
        &self,
        sealed_state: &str,
        exchange: CodeExchange,
    ) -> Result<Arc<Begun>, ExchangeError> {
        let workos = Arc::clone(&self.workos);
        let sealer = Arc::clone(&self.sealer);
        let tokens = Arc::clone(&self.tokens);
        let flight = || {
            async move {
                let begun = time::timeout(DEADLINE, begin(&workos, &sealer, &tokens, exchange));
                Landing::Keep(begun.await.unwrap_or_else(|_| {
                    warn!("WorkOS did not exchange a code in time");
                    Err(ExchangeError::TooLate)
                }))
            }
            .instrument(info_span!("authkit.callback.exchange"))
        };
        self.flights
            .join_or_start(FlightKey::of(sealed_state), flight)
            .await
            .unwrap_or(Err(ExchangeError::Unusable))
    }
}

async fn begin(
    workos: &WorkOs,
    sealer: &Sealer,
    tokens: &Tokens,
    exchange: CodeExchange,
) -> Result<Arc<Begun>, ExchangeError> {
    let answer = workos
        .exchange_code(
            exchange.code.expose_secret(),
            exchange.code_verifier.expose_secret(),
            exchange.invitation_token.as_deref(),
            exchange.peer,
        )
        .await
        .map_err(refused)?;
    let mut session = Session::from_authentication(answer, None);
    session.reauthenticated_at = exchange.reauthenticated_at;
    let claims = match tokens.settle(session.access_token.expose_secret()).await {
        Ok(Verdict::Valid(claims)) if claims.sub == session.user.id => claims,
        Ok(Verdict::Expired(_) | Verdict::NotYetValid(_)) => {
            error!("a token is not valid at the moment it was issued: check this machine's clock");
            return Err(ExchangeError::Unusable);
        }
        Ok(Verdict::Valid(_)) => {
            error!("WorkOS exchanged a code for tokens of another user");
            return Err(ExchangeError::Unusable);
        }
        Ok(Verdict::Forged(error)) => {
            error!(%error, "WorkOS exchanged a code for a token that does not verify");
            return Err(ExchangeError::Unusable);
        }
        Err(KeysUnavailable { .. }) => {
            error!("a sign-in failed since the keys to verify it are out of reach");
            return Err(ExchangeError::Unusable);
        }
    };
    let sealed = sealer
        .seal(Purpose::Session, &session.to_json())
        .map_err(|error| {
            error!(%error, "a session could not be sealed");
            ExchangeError::Unusable
        })?;
    Ok(Arc::new(Begun {
        signed_in: Arc::new(SignedIn {
            session: Arc::new(session),
            claims,
        }),
        sealed: sealed.into(),
    }))
}

fn refused(failure: WorkOsError) -> ExchangeError {
    match failure {
        WorkOsError::Terminal { code } => {
            warn!(code, "WorkOS refused a code");
            ExchangeError::Refused
        }
        WorkOsError::StepUp(step_up) => ExchangeError::StepUp(step_up),
        WorkOsError::Transient {
            reason: TransientReason::Timeout,
            ..
        } => {
            warn!("WorkOS did not exchange a code in time");
            ExchangeError::TooLate
        }
        failure => {
            error!(%failure, "a code could not be exchanged");
            ExchangeError::Unusable
        }
    }
}

/// Seconds for which a state counts as spent: as long as one lives.
const SPENT_STATES: i64 = 600;
/// The key fetch included.
const DEADLINE: Duration = Duration::from_secs(10);
