mod builder;
mod registration;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

pub use self::builder::AuthKitBuilder;
use self::registration::Registration;
#[cfg(feature = "emulator")]
use crate::emulator::Emulator;
#[cfg(feature = "redis")]
use crate::redis::Redis;
use crate::{
    api_keys::ApiKeys,
    background::Background,
    clock::Clock,
    config::{Config, ConfigError, Origin},
    feature_flags::FeatureFlags,
    lookups::Lookups,
    oauth::{Screen, SignInOptions},
    profiles::Profiles,
    request_info::RequestInfo,
    seal::Sealer,
    session::{Beginnings, Hooks, Notices, Sessions},
    sharing::Sharing,
    token::Tokens,
    workos::{self, OrganizationChoice, WorkOs},
};

/// AuthKit for one application: a handle, cheap to clone, that everything else is made from.
///
/// Build it once, outside the closure of `HttpServer::new`, and move clones into the workers: they
/// share key sets, refreshes and one thread for all calls to WorkOS.
///
/// ```no_run
/// use actix_web::{App, HttpServer};
/// use authkit_actix::AuthKit;
///
/// #[actix_web::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let authkit = AuthKit::from_env()?;
///     HttpServer::new(move || {
///         App::new()
///             .wrap(authkit.middleware())
///             .service(authkit.handle_auth())
///             .service(authkit.routes())
///     })
///     .bind(("127.0.0.1", 3000))?
///     .run()
///     .await?;
///     Ok(())
/// }
/// ```
pub struct AuthKit {
    #[expect(
        clippy::redundant_allocation,
        reason = "each clone counts its requests by itself: workers that share a count get in each \
                  other's way"
    )]
    pub(crate) inner: Arc<Arc<Inner>>,
}

impl Clone for AuthKit {
    fn clone(&self) -> Self {
        Self::around(Arc::clone(self.inner.as_ref()))
    }
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) workos: Arc<WorkOs>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) api_keys: ApiKeys,
    pub(crate) profiles: Arc<Profiles>,
    pub(crate) organizations: Lookups<OrganizationChoice>,
    pub(crate) sessions: Sessions,
    pub(crate) beginnings: Beginnings,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) sharing: Sharing,
    pub(crate) redirect_uri_for: Option<RedirectUriFor>,
    feature_flags: FeatureFlags,
    /// Where callbacks are registered besides the path of the redirect URI, and webhooks; every worker
    /// adds the same.
    own_paths: RwLock<BTreeSet<String>>,
    _registration: Registration,
    #[cfg(feature = "redis")]
    pub(crate) redis: Option<Redis>,
    /// An emulator that was started for this handle runs as long as it.
    #[cfg(feature = "emulator")]
    emulator: Option<Emulator>,
    pub(crate) background: Arc<Background>,
}

impl Drop for Inner {
    /// Lets the refreshes under way finish: their sessions would be lost.
    fn drop(&mut self) {
        self.feature_flags.close();
        #[cfg(feature = "redis")]
        if let Some(redis) = &self.redis {
            redis.close();
        }
        self.background.finish();
    }
}

type RedirectUriFor = Arc<dyn Fn(&RequestInfo) -> Option<String> + Send + Sync>;

impl AuthKit {
    fn around(inner: Arc<Inner>) -> Self {
        let inner = Arc::new(inner);
        Self { inner }
    }

    /// The same handle, for a request of the worker that has it.
    pub(crate) fn share(&self) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.inner.as_ref(), other.inner.as_ref())
    }

    /// AuthKit as the environment says.
    ///
    /// | Variable | Default |
    /// |---|---|
    /// | `WORKOS_CLIENT_ID`, `WORKOS_API_KEY` | required |
    /// | `WORKOS_COOKIE_PASSWORD` | required; at least 32 characters |
    /// | `WORKOS_COOKIE_PASSWORD_PREVIOUS` | none; older passwords that still open cookies, comma-separated |
    /// | `WORKOS_REDIRECT_URI` | required; `NEXT_PUBLIC_WORKOS_REDIRECT_URI` is an alias |
    /// | `AUTHKIT_BASE_URL` | the origin of the redirect URI |
    /// | `WORKOS_CLAIM_TOKEN` | none |
    /// | `WORKOS_COOKIE_NAME` | `wos-session` |
    /// | `WORKOS_COOKIE_MAX_AGE` | `34560000` (seconds; 400 days) |
    /// | `WORKOS_COOKIE_DOMAIN` | none |
    /// | `WORKOS_COOKIE_SAMESITE` | `lax` |
    /// | `WORKOS_API_HOSTNAME`, `WORKOS_API_HTTPS`, `WORKOS_API_PORT` | `api.workos.com`, `true`, none |
    ///
    /// An empty variable counts as unset. Without an account, build with the feature `emulator` and say
    /// `AuthKit::from_env_or_emulator("http://localhost:3000")`.
    ///
    /// # Errors
    ///
    /// Every problem of the configuration at once, each with its cure.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::builder().build()
    }

    /// AuthKit as the environment says, or against an emulator on a machine whose environment says
    /// nothing of WorkOS: for examples and first steps.
    ///
    /// The emulator starts when none of the required variables is set and the base URL is loopback;
    /// with some of them set, the others are missing. `base_url` is where the application listens;
    /// `AUTHKIT_BASE_URL` wins over it.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env), and in release builds, where no emulator starts.
    #[cfg(feature = "emulator")]
    pub fn from_env_or_emulator(base_url: &str) -> Result<Self, ConfigError> {
        Self::builder().or_emulator(base_url)?.build()
    }

    /// AuthKit as code says; what code leaves open, the environment decides.
    pub fn builder() -> AuthKitBuilder {
        AuthKitBuilder::default()
    }

    /// The client of the official WorkOS SDK, with this application's key.
    ///
    /// Its calls run on AuthKit's own thread, each try under a deadline of 30 seconds and a body limit
    /// of 16 MB; they are safe from any worker. They are not counted among the sixteen calls that AuthKit
    /// makes at once.
    ///
    /// ```no_run
    /// # async fn list(authkit: authkit_actix::AuthKit) -> Result<(), Box<dyn std::error::Error>> {
    /// let organizations = authkit
    ///     .workos()
    ///     .organizations()
    ///     .list_organizations(Default::default())
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn workos(&self) -> &workos::Client {
        self.inner.workos.sdk()
    }

    /// The emulator that people sign in against instead of WorkOS, if it is one of this process: what
    /// it reports and what it knows can then be looked at and changed.
    ///
    /// ```
    /// use authkit_actix::AuthKit;
    ///
    /// # fn tell(authkit: AuthKit) -> Result<(), authkit_actix::emulator::EmulatorError> {
    /// if let Some(emulator) = authkit.emulator() {
    ///     emulator.send_webhooks("http://localhost:3000/webhooks/workos", "a secret of both")?;
    /// }
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "emulator")]
    pub fn emulator(&self) -> Option<&Emulator> {
        self.inner.emulator.as_ref()
    }

    /// The feature flags of the WorkOS environment, evaluated in memory.
    ///
    /// One client serves the whole application. It begins to poll when it is first asked for, which
    /// an application that uses it does at start, and ends when the last handle of this AuthKit is
    /// dropped.
    pub fn feature_flags(&self) -> &FeatureFlags {
        self.inner.feature_flags.start();
        &self.inner.feature_flags
    }

    /// The origin of the application, as configured: `https://app.example.com`.
    pub fn base_url(&self) -> &str {
        self.inner.config.base_url.as_str()
    }

    /// The address of the sign-in or sign-up route on one of the application's origins, with where to
    /// return to and, sealed, what else the sign-in asks for.
    pub(crate) fn sign_in_address(
        &self,
        origin: &Origin,
        options: &SignInOptions,
        return_to: Option<&str>,
    ) -> String {
        let config = &self.inner.config;
        let path = match options.screen {
            Screen::SignIn => &config.paths.sign_in,
            Screen::SignUp => &config.paths.sign_up,
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(return_to) = return_to {
            query.append_pair("return_to", return_to);
        }
        if let Some(sealed) = options.seal(&self.inner.sealer) {
            query.append_pair("options", &sealed);
        }
        let query = query.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{separator}{query}", origin.as_str())
    }

    /// Whether a path is one of the library's own routes, or the application's login page.
    pub(crate) fn owns_path(&self, path: &str) -> bool {
        let paths = &self.inner.config.paths;
        [
            &paths.callback,
            &paths.sign_in,
            &paths.sign_up,
            &paths.sign_out,
        ]
        .into_iter()
        .chain(&paths.login_page)
        .any(|own| own == path)
            || paths.is_under_prefix(path)
            || self
                .inner
                .own_paths
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(path)
    }

    /// Makes a path one of the library's own.
    pub(crate) fn own_path(&self, path: &str) {
        if !self.owns_path(path) {
            self.inner
                .own_paths
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(path.to_owned());
        }
    }
}

impl fmt::Debug for AuthKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthKit")
            .field("client_id", &self.inner.config.client_id)
            .field("base_url", &self.base_url())
            .finish_non_exhaustive()
    }
}
