use std::{future::Future, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::error::Category;
use tracing::debug;

use crate::{
    authkit::AuthKit,
    flights::{FlightKey, Flights, Landing},
    sharing::{Keep, Shareable, Shared, Sharing, Terms},
};

/// Takes each event in once, however often and at however many instances it is delivered.
///
/// Whoever delivers it meanwhile waits and gets the same answer. An event that was not taken in is
/// as good as new.
pub(super) struct Deliveries {
    flights: Flights<Result<(), Failure>>,
    sharing: Sharing,
    kept: Duration,
}

/// Why an event was not taken in.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it lacks what its type or a handler needs: {0:?}")]
    Unreadable(Category),
    #[error("a handler failed, panicked or took too long")]
    NotHandled,
    #[error("another instance is still at it")]
    StillUnderWay,
}

impl Deliveries {
    pub(super) fn new(authkit: &AuthKit, age_limit: Duration) -> Self {
        // One that was signed in the future stays good for twice as long.
        let kept = age_limit.saturating_mul(2).max(KEPT);
        Self {
            flights: Flights::new(
                authkit.inner.background.clone(),
                authkit.inner.clock.clone(),
                i64::try_from(kept.as_secs()).unwrap_or(i64::MAX),
            ),
            sharing: authkit.inner.sharing.clone(),
            kept,
        }
    }

    /// Does the work for an event that is signed with a secret, to its end though the sender leaves.
    pub(super) async fn once<F>(
        &self,
        secret: &SecretString,
        event_id: &str,
        work: impl FnOnce() -> F,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        // Another application may share the Redis and hear of the same events; each has a secret of
        // its own.
        let name = SecretString::from(format!("{}\0{event_id}", secret.expose_secret()));
        let (sharing, kept) = (self.sharing.clone(), self.kept);
        let key = FlightKey::of(name.expose_secret());
        let mut is_new = false;
        let flight = || {
            is_new = true;
            let work = work();
            async move {
                let terms = Terms {
                    topic: "webhook",
                    lease: LEASE,
                    patience: PATIENCE,
                };
                let work = async { Taken(work.await, kept) };
                let shared = sharing.once(terms, name.expose_secret(), work, |_| Some(()));
                match shared.await {
                    Some(Shared::Own(Taken(Ok(()), _))) => Landing::Keep(Ok(())),
                    Some(Shared::Own(Taken(Err(failure), _))) => Landing::Forget(Err(failure)),
                    Some(Shared::Others(())) => {
                        debug!("an event that another instance has taken in was ignored");
                        Landing::Keep(Ok(()))
                    }
                    None => Landing::Forget(Err(Failure::StillUnderWay)),
                }
            }
        };
        let taken = self.flights.join_or_start(key, flight).await;
        if !is_new {
            debug!(event_id, "an event that came before was ignored");
        }
        taken.unwrap_or(Err(Failure::NotHandled))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(problem: serde_json::Error) -> Self {
        Self::Unreadable(problem.classify())
    }
}

/// What came of an event, and how long others remember it.
struct Taken(Result<(), Failure>, Duration);

impl Shareable for Taken {
    fn publish(&self) -> Option<(Vec<u8>, Keep)> {
        let Self(taken, kept) = self;
        // Where it failed others try, too, when WorkOS delivers it again.
        taken.is_ok().then(|| (Vec::new(), Keep::For(*kept)))
    }
}

/// WorkOS delivers again what it had no answer to, at first after minutes.
const KEPT: Duration = Duration::from_secs(60 * 60);
const LEASE: Duration = Duration::from_secs(3);
/// For an instance that handles the same event.
const PATIENCE: Duration = Duration::from_secs(15);
