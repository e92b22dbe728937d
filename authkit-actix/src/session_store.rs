//! Where sessions are kept on the server, if not in the browser's cookie.

use std::{
    error::Error,
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::time;
use tracing::{error, info};

use crate::sharing::Unreachable;

/// A place on the server for sessions, instead of the browser's cookie; see
/// [`AuthKitBuilder::session_store`](crate::AuthKitBuilder::session_store).
///
/// It keeps short texts under short keys, both ASCII, and understands neither: a value is sealed with a
/// key that only the browser's cookie has, and its own key is a hash. Whoever copies the place can open
/// no session.
///
/// Its futures run on the thread that AuthKit makes its calls on, so they must not block it. One that
/// takes longer than a second counts as failed. A failure signs nobody out and lets nobody in: who has
/// a session gets `503` until the place answers again.
///
/// # Examples
///
/// Sessions in the memory of the process, for an application that runs once and may forget them:
///
/// ```
/// use std::{
///     collections::HashMap,
///     sync::{Mutex, PoisonError},
///     time::{Duration, Instant},
/// };
///
/// use authkit_actix::{AuthKit, ConfigError, SessionStore, SessionStoreError};
///
/// #[derive(Default)]
/// struct InMemory(Mutex<HashMap<String, (String, Instant)>>);
///
/// impl InMemory {
///     fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, (String, Instant)>) -> T) -> T {
///         let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         sessions.retain(|_, (_, end)| *end > Instant::now());
///         work(&mut sessions)
///     }
/// }
///
/// impl SessionStore for InMemory {
///     async fn load(&self, key: &str) -> Result<Option<String>, SessionStoreError> {
///         Ok(self.with(|sessions| sessions.get(key).map(|(value, _)| value.clone())))
///     }
///
///     async fn insert(
///         &self,
///         key: &str,
///         value: &str,
///         lifetime: Duration,
///     ) -> Result<(), SessionStoreError> {
///         let entry = (value.to_owned(), Instant::now() + lifetime);
///         self.with(|sessions| sessions.insert(key.to_owned(), entry));
///         Ok(())
///     }
///
///     async fn replace(
///         &self,
///         key: &str,
///         old: &str,
///         new: &str,
///         lifetime: Duration,
///     ) -> Result<bool, SessionStoreError> {
///         Ok(self.with(|sessions| match sessions.get_mut(key) {
///             Some(entry) if entry.0 == old => {
///                 *entry = (new.to_owned(), Instant::now() + lifetime);
///                 true
///             }
///             _ => false,
///         }))
///     }
///
///     async fn remove(&self, key: &str) -> Result<(), SessionStoreError> {
///         self.with(|sessions| sessions.remove(key));
///         Ok(())
///     }
/// }
///
/// fn authkit() -> Result<AuthKit, ConfigError> {
///     AuthKit::builder().session_store(InMemory::default()).build()
/// }
/// # fn used() { let _ = authkit; }
/// ```
#[diagnostic::on_unimplemented(
    message = "sessions cannot be kept in `{Self}`",
    label = "no session store",
    note = "implement `SessionStore` for it, whose documentation has a whole one; \
            for Redis there is `.redis(…).sessions_in_redis()`, with the feature `redis`"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// The value under a key, if there is one.
    fn load(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<String>, SessionStoreError>> + Send;

    /// Puts a value under a key that has none yet. After its lifetime it may be forgotten.
    fn insert(
        &self,
        key: &str,
        value: &str,
        lifetime: Duration,
    ) -> impl Future<Output = Result<(), SessionStoreError>> + Send;

    /// Puts a new value in the place of an old one, if exactly that stands there, in one step;
    /// `false` if not. Of several instances that write at once, one must win.
    fn replace(
        &self,
        key: &str,
        old: &str,
        new: &str,
        lifetime: Duration,
    ) -> impl Future<Output = Result<bool, SessionStoreError>> + Send;

    /// Forgets a key, known or not.
    fn remove(&self, key: &str) -> impl Future<Output = Result<(), SessionStoreError>> + Send;
}

/// Why a [`SessionStore`] has not answered; for the log.
pub type SessionStoreError = Box<dyn Error + Send + Sync>;

/// A [`SessionStore`] as the library calls it: bounded, and with its failures logged.
pub(crate) trait Store: Send + Sync {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, Unreachable>>;

    fn insert<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<(), Unreachable>>;

    fn replace<'a>(
        &'a self,
        key: &'a str,
        old: &'a str,
        new: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<bool, Unreachable>>;

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Unreachable>>;
}

/// A store of the application's own.
pub(crate) struct OwnStore<S> {
    store: S,
    is_failing: AtomicBool,
}

impl<S: SessionStore> OwnStore<S> {
    pub(crate) fn new(store: S) -> Self {
        Self {
            store,
            is_failing: AtomicBool::new(false),
        }
    }

    async fn answer<T>(
        &self,
        answer: impl Future<Output = Result<T, SessionStoreError>>,
    ) -> Result<T, Unreachable> {
        let answer = time::timeout(LIMIT, answer).await;
        match answer.unwrap_or_else(|_| Err("no answer within a second".into())) {
            Ok(value) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    info!("the session store is back");
                }
                Ok(value)
            }
            Err(error) => {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    error!(%error, "the session store fails: its sessions are kept, but nobody can use one");
                }
                Err(Unreachable)
            }
        }
    }
}

impl<S: SessionStore> Store for OwnStore<S> {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, Unreachable>> {
        self.answer(self.store.load(key)).boxed()
    }

    fn insert<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<(), Unreachable>> {
        self.answer(self.store.insert(key, value, lifetime)).boxed()
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        old: &'a str,
        new: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<bool, Unreachable>> {
        self.answer(self.store.replace(key, old, new, lifetime))
            .boxed()
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Unreachable>> {
        self.answer(self.store.remove(key)).boxed()
    }
}

const LIMIT: Duration = Duration::from_secs(1);
