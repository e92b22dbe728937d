//! Feature flags, kept current in the background and evaluated in memory.

mod flag;

use std::{
    collections::BTreeMap,
    fmt,
    pin::pin,
    sync::{Arc, Once},
    time::Duration,
};

use futures::future;
use tokio::{sync::watch, time};
use tracing::{debug, error, info, warn};

use self::flag::Flags;
pub use self::flag::{EvaluationContext, FeatureFlag};
use crate::{
    background::Background,
    workos::{TransientReason, WorkOs, WorkOsError},
};

/// The feature flags of a WorkOS environment, current to half a minute; see
/// [`AuthKit::feature_flags`](crate::AuthKit::feature_flags).
///
/// All flags are fetched every 30 seconds (give or take a tenth, so that the instances of an
/// application spread out), and every question is answered from memory: nothing here calls WorkOS
/// for a request. While WorkOS cannot be reached, the flags stay as they were, and it is asked again
/// after 1, 2, 4, … 60 seconds. A refused API key ends the polling, with an error in the log.
///
/// | WorkOS Node SDK | Here |
/// |---|---|
/// | `waitUntilReady` | [`wait_until_ready`](Self::wait_until_ready) |
/// | `isEnabled` | [`is_enabled`](Self::is_enabled) |
/// | `getAllFlags`, `getFlag` | [`all_flags`](Self::all_flags), [`flag`](Self::flag) |
/// | `on('change', …)` | [`changes`](Self::changes) |
/// | `on('failed', …)` | `changes().changed()` gives `None` |
/// | `close` | [`close`](Self::close) |
/// | `bootstrapFlags` | [`bootstrap_feature_flags`](crate::AuthKitBuilder::bootstrap_feature_flags) |
///
/// The flags of [`AuthUser::feature_flags`](crate::AuthUser::feature_flags), and of
/// `#[ensure_signed_in(feature_flag = "…")]`, are those of the access token instead: they need no
/// polling, are as old as the token, and are there for signed-in users only.
///
/// Clones are handles to the same client.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use actix_web::{App, HttpServer, Responder, get, web};
/// use authkit_actix::{AuthKit, AuthUser, FeatureFlags};
///
/// #[get("/reports")]
/// async fn reports(user: AuthUser, flags: web::Data<FeatureFlags>) -> impl Responder {
///     if flags.is_enabled("new-reports", &user) {
///         "The new reports"
///     } else {
///         "Reports"
///     }
/// }
///
/// #[actix_web::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let authkit = AuthKit::from_env()?;
///     let flags = authkit.feature_flags().clone();
///     if let Err(error) = flags.wait_until_ready(Duration::from_secs(5)).await {
///         tracing::warn!("{error}: until they do, all flags are off");
///     }
///     HttpServer::new(move || {
///         App::new()
///             .wrap(authkit.middleware())
///             .app_data(web::Data::new(flags.clone()))
///             .service(authkit.handle_auth())
///             .service(authkit.routes())
///             .service(reports)
///     })
///     .bind(("127.0.0.1", 3000))?
///     .run()
///     .await?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct FeatureFlags(Arc<Client>);

struct Client {
    workos: Arc<WorkOs>,
    background: Arc<Background>,
    pace: Pace,
    state: watch::Sender<State>,
    started: Once,
}

struct State {
    flags: Arc<Flags>,
    /// Whether the flags came from somewhere: from WorkOS, or from the application.
    is_ready: bool,
    end: Option<End>,
}

/// Why there will be no more polls.
#[derive(Clone, Copy)]
enum End {
    Closed,
    Unauthorized,
}

impl FeatureFlags {
    pub(crate) fn new(
        workos: Arc<WorkOs>,
        background: Arc<Background>,
        bootstrap: Option<Vec<FeatureFlag>>,
    ) -> Self {
        Self::paced(workos, background, bootstrap, PACE)
    }

    fn paced(
        workos: Arc<WorkOs>,
        background: Arc<Background>,
        bootstrap: Option<Vec<FeatureFlag>>,
        pace: Pace,
    ) -> Self {
        let state = State {
            is_ready: bootstrap.is_some(),
            flags: Arc::new(
                bootstrap
                    .into_iter()
                    .flatten()
                    .map(|flag| (flag.slug().to_owned(), Arc::new(flag)))
                    .collect(),
            ),
            end: None,
        };
        Self(Arc::new(Client {
            workos,
            background,
            pace,
            state: watch::Sender::new(state),
            started: Once::new(),
        }))
    }

    /// Begins to poll, the first time it is called.
    pub(crate) fn start(&self) {
        self.0.started.call_once(|| {
            let client = Arc::clone(&self.0);
            let mut state = client.state.subscribe();
            let task = self.0.background.spawn(async move {
                let polling = pin!(client.poll());
                let ended = pin!(async {
                    let _ = state.wait_for(|state| state.end.is_some()).await;
                });
                future::select(polling, ended).await;
            });
            drop(task);
        });
    }

    /// Whether a flag is on for somebody, as far as is known now.
    ///
    /// `false` when the flag is switched off; else what is said of the user, else what is said of
    /// the organization, else the default of the flag. A flag that nobody knows is off, as are all
    /// before the first answer of WorkOS, unless there are
    /// [bootstrap flags](crate::AuthKitBuilder::bootstrap_feature_flags). For an unknown flag that
    /// shall be on, ask for it first:
    /// `flags.flag("beta").is_none_or(|beta| beta.is_enabled(&user))`.
    ///
    /// `context` is an [`EvaluationContext`], a reference to an [`AuthUser`](crate::AuthUser), or an
    /// `Option` of that.
    pub fn is_enabled<'a>(&self, flag: &str, context: impl Into<EvaluationContext<'a>>) -> bool {
        self.0
            .flags()
            .get(flag)
            .is_some_and(|flag| flag.is_enabled(context))
    }

    /// All known flags, and whether each is on for somebody: for a page that evaluates them itself.
    pub fn all_flags<'a>(
        &self,
        context: impl Into<EvaluationContext<'a>>,
    ) -> BTreeMap<String, bool> {
        let context = context.into();
        self.0
            .flags()
            .iter()
            .map(|(slug, flag)| (slug.clone(), flag.is_enabled(context)))
            .collect()
    }

    /// A flag with its targets, or `None` if nobody knows it.
    pub fn flag(&self, slug: &str) -> Option<Arc<FeatureFlag>> {
        self.0.flags().get(slug).cloned()
    }

    /// Waits until there are flags: bootstrap flags, or the first answer of WorkOS.
    ///
    /// # Errors
    ///
    /// When the time is up, or at once when there will be no answer any more.
    pub async fn wait_until_ready(&self, timeout: Duration) -> Result<(), FeatureFlagsError> {
        let mut state = self.0.state.subscribe();
        if let Some(outcome) = state.borrow().readiness() {
            return outcome;
        }
        // On the background thread, which has a timer whatever runtime this one is.
        let wait = self.0.background.spawn(async move {
            time::timeout(timeout, async {
                let settled = state.wait_for(|state| state.readiness().is_some()).await;
                settled.ok().and_then(|state| state.readiness())
            })
            .await
        });
        match wait.await {
            Some(Ok(outcome)) => outcome.unwrap_or(Err(FeatureFlagsError::Closed)),
            Some(Err(_)) => Err(FeatureFlagsError::Timeout),
            None => Err(FeatureFlagsError::Closed),
        }
    }

    /// What changes in the flags from now on.
    pub fn changes(&self) -> FeatureFlagChanges {
        let state = self.0.state.subscribe();
        let seen = Arc::clone(&state.borrow().flags);
        FeatureFlagChanges { state, seen }
    }

    /// Ends the polling for good, for all clones; the flags stay as they are.
    ///
    /// Dropping the last handle of the [`AuthKit`](crate::AuthKit) does the same.
    pub fn close(&self) {
        self.0.end(End::Closed);
    }
}

impl fmt::Debug for FeatureFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.borrow();
        f.debug_struct("FeatureFlags")
            .field("flags", &state.flags.len())
            .field("is_ready", &state.is_ready)
            .finish_non_exhaustive()
    }
}

impl Client {
    fn flags(&self) -> Arc<Flags> {
        Arc::clone(&self.state.borrow().flags)
    }

    async fn poll(&self) {
        let (mut failures, mut unreadable_before) = (0_u32, 0);
        loop {
            let answer = self.workos.feature_flags().await.and_then(|body| {
                flag::parse(&body).ok_or(WorkOsError::transient(TransientReason::Unreadable))
            });
            let retry_after = match answer {
                Ok((flags, unreadable)) => {
                    if failures > 0 {
                        info!(failures, "WorkOS serves its feature flags again");
                    }
                    if unreadable > unreadable_before {
                        warn!(
                            unreadable,
                            "some feature flags cannot be read: they are off"
                        );
                    }
                    (failures, unreadable_before) = (0, unreadable);
                    self.publish(flags);
                    None
                }
                Err(WorkOsError::OurFault { status: 401, .. }) => {
                    error!(
                        "WorkOS refuses the API key: feature flags stay as they are and are \
                         fetched no more"
                    );
                    return self.end(End::Unauthorized);
                }
                Err(error) => {
                    if failures == 0 {
                        error!(%error, "the feature flags cannot be fetched");
                    } else {
                        debug!(%error, failures, "the feature flags still cannot be fetched");
                    }
                    failures = failures.saturating_add(1);
                    match error {
                        WorkOsError::Transient { retry_after, .. } => retry_after,
                        _ => None,
                    }
                }
            };
            let wait = self
                .pace
                .wait(failures)
                .max(retry_after.unwrap_or_default());
            time::sleep(jittered(wait, random())).await;
        }
    }

    fn publish(&self, flags: Flags) {
        self.state.send_if_modified(|state| {
            let is_new = !state.is_ready || *state.flags != flags;
            if is_new {
                state.flags = Arc::new(flags);
                state.is_ready = true;
            }
            is_new
        });
    }

    fn end(&self, end: End) {
        self.state.send_if_modified(|state| {
            let is_first = state.end.is_none();
            state.end.get_or_insert(end);
            is_first
        });
    }
}

impl State {
    fn readiness(&self) -> Option<Result<(), FeatureFlagsError>> {
        match self.end {
            _ if self.is_ready => Some(Ok(())),
            Some(End::Unauthorized) => Some(Err(FeatureFlagsError::Unauthorized)),
            Some(End::Closed) => Some(Err(FeatureFlagsError::Closed)),
            None => None,
        }
    }
}

/// Why there are no feature flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureFlagsError {
    /// WorkOS gave no usable answer in time; it is asked on.
    #[error("the feature flags did not arrive in time")]
    Timeout,
    /// WorkOS refuses the API key; it is not asked again.
    #[error("the feature flags cannot be had: WorkOS refuses the API key")]
    Unauthorized,
    /// The client was closed, or the AuthKit dropped, before flags arrived.
    #[error("the feature flags were closed before they arrived")]
    Closed,
}

/// Tells what changes in the feature flags; see [`FeatureFlags::changes`].
///
/// ```
/// # use authkit_actix::FeatureFlags;
/// async fn log_changes(flags: FeatureFlags) {
///     let mut changes = flags.changes();
///     while let Some(changed) = changes.changed().await {
///         for change in changed {
///             tracing::info!(flag = change.slug, "a feature flag has changed");
///         }
///     }
/// }
/// ```
#[must_use = "changes are told to those who wait for them"]
pub struct FeatureFlagChanges {
    state: watch::Receiver<State>,
    seen: Arc<Flags>,
}

/// A flag that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureFlagChange {
    /// The name of the flag.
    pub slug: String,
    /// What it was; `None` for a new one.
    pub previous: Option<Arc<FeatureFlag>>,
    /// What it is; `None` for one that is gone.
    pub current: Option<Arc<FeatureFlag>>,
}

impl FeatureFlagChanges {
    /// Waits until flags differ from what was last told here, and tells how, in the order of their
    /// names. The first answer of WorkOS is a change as well if it differs from what was known.
    ///
    /// Who comes late misses the steps between, never the outcome. `None` when the polling has ended
    /// for good.
    pub async fn changed(&mut self) -> Option<Vec<FeatureFlagChange>> {
        loop {
            let (current, has_ended) = {
                let state = self.state.borrow_and_update();
                (Arc::clone(&state.flags), state.end.is_some())
            };
            let changes = differences(&self.seen, &current);
            self.seen = current;
            if !changes.is_empty() {
                return Some(changes);
            }
            if has_ended {
                return None;
            }
            self.state.changed().await.ok()?;
        }
    }
}

impl fmt::Debug for FeatureFlagChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FeatureFlagChanges")
    }
}

fn differences(previous: &Flags, current: &Flags) -> Vec<FeatureFlagChange> {
    let mut slugs: Vec<&String> = previous.keys().chain(current.keys()).collect();
    slugs.sort_unstable();
    slugs.dedup();
    slugs
        .into_iter()
        .map(|slug| FeatureFlagChange {
            slug: slug.clone(),
            previous: previous.get(slug).cloned(),
            current: current.get(slug).cloned(),
        })
        .filter(|change| change.previous != change.current)
        .collect()
}

/// How long to wait between polls.
#[derive(Clone, Copy, Debug)]
struct Pace {
    interval: Duration,
    first_retry: Duration,
    longest_retry: Duration,
}

impl Pace {
    /// Before jitter, after so many failures in a row.
    fn wait(&self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            None => self.interval,
            Some(retries) => self
                .first_retry
                .saturating_mul(2_u32.saturating_pow(retries))
                .min(self.longest_retry),
        }
    }
}

/// From nine to eleven tenths, by a random number.
fn jittered(wait: Duration, random: u16) -> Duration {
    let thousandths = 900 + u32::from(random % 201);
    wait.saturating_mul(thousandths) / 1000
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    // Without random bytes there is still a time to wait.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u16::from_ne_bytes(bytes)
}

const PACE: Pace = Pace {
    interval: Duration::from_secs(30),
    first_retry: Duration::from_secs(1),
    longest_retry: Duration::from_secs(60),
};

#[cfg(test)]
mod tests;
