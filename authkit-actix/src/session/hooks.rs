//! The application's own code around sessions, kept where it can harm none.

use std::{
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time;
use tracing::{error, warn};

use super::{RefreshFailure, SignedIn};
use crate::{background::Background, metrics, request_info::RequestInfo};

/// How a refresh failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshFailureClass {
    /// The session has ended: the user is signed out.
    Ended,
    /// The user has to take another step at AuthKit.
    StepUp,
    /// Nothing is known; the session is kept.
    Unavailable,
}

/// What the application does when something happens to a session.
#[derive(Clone, Default)]
pub(crate) struct SessionHooks {
    pub(crate) refreshed: Option<SessionHook>,
    pub(crate) refresh_failed: Option<FailureHook>,
    pub(crate) signed_in: Option<SessionHook>,
    pub(crate) signed_out: Option<SessionHook>,
}

pub(crate) type SessionHook =
    Arc<dyn Fn(Arc<SignedIn>, RequestInfo) -> BoxFuture<'static, ()> + Send + Sync>;
pub(crate) type FailureHook =
    Arc<dyn Fn(RefreshFailureClass, RequestInfo) -> BoxFuture<'static, ()> + Send + Sync>;

/// The hooks, and the thread that runs them, each for ten seconds at most.
///
/// A hook that blocks its thread delays other hooks, and neither a request nor a refresh.
#[derive(Default)]
pub(crate) struct Hooks {
    thread: OnceLock<Option<Background>>,
    of_sessions: SessionHooks,
}

impl Hooks {
    pub(crate) fn new(of_sessions: SessionHooks) -> Self {
        Self {
            thread: OnceLock::new(),
            of_sessions,
        }
    }

    pub(super) fn refreshed(&self, signed_in: &Arc<SignedIn>, request: RequestInfo) {
        if let Some(hook) = self.of_sessions.refreshed.clone() {
            let signed_in = Arc::clone(signed_in);
            self.start("on_refreshed", move || hook(signed_in, request));
        }
    }

    pub(super) fn refresh_failed(&self, failure: &RefreshFailure, request: RequestInfo) {
        if let Some(hook) = self.of_sessions.refresh_failed.clone() {
            let class = failure.into();
            self.start("on_refresh_failed", move || hook(class, request));
        }
    }

    pub(super) fn signed_in(&self, signed_in: &Arc<SignedIn>, request: RequestInfo) {
        if let Some(hook) = self.of_sessions.signed_in.clone() {
            let signed_in = Arc::clone(signed_in);
            self.start("on_signed_in", move || hook(signed_in, request));
        }
    }

    pub(crate) fn signed_out(&self, signed_in: &Arc<SignedIn>, request: RequestInfo) {
        if let Some(hook) = self.of_sessions.signed_out.clone() {
            let signed_in = Arc::clone(signed_in);
            self.start("on_signed_out", move || hook(signed_in, request));
        }
    }

    /// Runs a hook that nobody waits for.
    fn start(
        &self,
        name: &'static str,
        hook: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static,
    ) {
        let ended = self.run(name, hook);
        if let Some(thread) = self.thread() {
            drop(thread.spawn(ended));
        }
    }

    /// What a hook gave; `None` when it panicked or took too long, which is logged.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        hook: impl FnOnce() -> BoxFuture<'static, T> + Send + 'static,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        // Called there as well: what a hook does before its first await may panic or block too.
        let ended = self.thread().map(|thread| {
            thread.spawn(async move { time::timeout(DEADLINE, async { hook().await }).await })
        });
        async move {
            // A hook that blocks its thread never sees its own deadline.
            match time::timeout(DEADLINE + GRACE, ended?).await {
                Ok(Some(Ok(output))) => Some(output),
                Ok(Some(Err(_))) | Err(_) => {
                    metrics::hook_failed(name);
                    warn!(hook = name, "a hook took more than ten seconds");
                    None
                }
                Ok(None) => {
                    metrics::hook_failed(name);
                    error!(hook = name, "a hook panicked");
                    None
                }
            }
        }
    }

    fn thread(&self) -> Option<&Background> {
        self.thread
            .get_or_init(|| {
                Background::start("authkit-hooks")
                    .inspect_err(|error| error!(%error, "no thread for hooks could be started"))
                    .ok()
            })
            .as_ref()
    }
}

impl From<&RefreshFailure> for RefreshFailureClass {
    fn from(failure: &RefreshFailure) -> Self {
        match failure {
            RefreshFailure::Ended => Self::Ended,
            RefreshFailure::StepUp(_) => Self::StepUp,
            RefreshFailure::Unavailable { .. } => Self::Unavailable,
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

const DEADLINE: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(1);
