use std::{
    fmt,
    future::Future,
    sync::{Arc, RwLock},
    time::Duration,
};

use futures::FutureExt as _;
use secrecy::SecretString;

use super::{AuthKit, Inner, RedirectUriFor, registration::Registration};
#[cfg(feature = "redis")]
use crate::redis::{Redis, RedisSessions};
use crate::{
    access::AuthUser,
    api_keys::ApiKeys,
    background::Background,
    clock::{Clock, SystemClock},
    config::{Config, ConfigError, PrivateWhen, SameSite, SealFormat, Settings},
    feature_flags::{FeatureFlag, FeatureFlags},
    lookups::Lookups,
    metrics,
    profiles::Profiles,
    request_info::RequestInfo,
    seal::Sealer,
    session::{
        AgeLimits, Beginnings, Hooks, Means, Notices, RefreshFailureClass, RefreshSettings,
        SessionHook, SessionHooks, SessionSeal, Sessions, StoredSessions,
    },
    session_store::{OwnStore, SessionStore, Store},
    sharing::Sharing,
    token::{FetchKeys, Jwks, Tokens, Verifier},
    workos::{UserField, WorkOs},
};
#[cfg(feature = "emulator")]
use crate::{
    config::{self, Origin},
    emulator::Emulator,
    workos,
};

/// Sets in code what the environment would; see [`AuthKit::builder`].
///
/// What is set here wins over its variable.
///
/// ```
/// use authkit_actix::AuthKit;
///
/// let error = AuthKit::builder()
///     .client_id("client_123")
///     .api_key("sk_test_123")
///     .cookie_password("too short")
///     .redirect_uri("https://app.example.com/callback#here")
///     .build()
///     .expect_err("two mistakes");
/// let fields: Vec<_> = error.problems().iter().map(|problem| problem.field()).collect();
/// assert_eq!(fields, ["cookie_password", "redirect_uri"]);
/// ```
#[derive(Clone, Default)]
#[must_use = "call .build() to get the AuthKit"]
pub struct AuthKitBuilder {
    settings: Settings,
    clock: Option<Arc<dyn Clock>>,
    user_fields: Option<Vec<UserField>>,
    api_key_cache: Duration,
    profile_cache: Duration,
    hooks: SessionHooks,
    redirect_uri_for: Option<RedirectUriFor>,
    bootstrap_feature_flags: Option<Vec<FeatureFlag>>,
    session_store: Option<Arc<dyn Store>>,
    #[cfg(feature = "emulator")]
    emulator: Option<Emulator>,
    #[cfg(feature = "testing")]
    key_set: Option<String>,
}

impl AuthKitBuilder {
    /// The client id of the WorkOS environment: `client_…`. Required.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.settings.client_id = Some(client_id.into());
        self
    }

    /// The secret API key of the WorkOS environment: `sk_…`. Required.
    pub fn api_key(mut self, api_key: impl Into<SecretString>) -> Self {
        self.settings.api_key = Some(api_key.into());
        self
    }

    /// The secret that cookies are sealed with: at least 32 characters. Required.
    pub fn cookie_password(mut self, password: impl Into<SecretString>) -> Self {
        self.settings.cookie_password = Some(password.into());
        self
    }

    /// Older passwords, which still open cookies; those are sealed again with the new one.
    ///
    /// Defaults to none.
    pub fn previous_cookie_passwords<P: Into<SecretString>>(
        mut self,
        passwords: impl IntoIterator<Item = P>,
    ) -> Self {
        self.settings.previous_cookie_passwords =
            Some(passwords.into_iter().map(Into::into).collect());
        self
    }

    /// Where AuthKit sends the browser back to: an absolute URL, registered in the WorkOS dashboard.
    /// Required.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.settings.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// The origin that browsers know the application by.
    ///
    /// Defaults to the origin of the redirect URI. Redirects and the `Secure` attribute derive from
    /// it, never from `Host` or forwarded headers.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.settings.base_url = Some(base_url.into());
        self
    }

    /// The name of the session cookie.
    ///
    /// Defaults to `wos-session`, the name that the other AuthKit libraries use.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.settings.cookie_name = Some(name.into());
        self
    }

    /// How long browsers keep the session cookie.
    ///
    /// Defaults to 400 days, the longest that browsers allow. How long a session lives is set in the
    /// WorkOS dashboard.
    pub fn cookie_max_age(mut self, max_age: Duration) -> Self {
        self.settings.cookie_max_age = Some(max_age);
        self
    }

    /// How long a session may last in all, counted from the sign-in; at least a minute.
    ///
    /// Defaults to no limit besides the one in the WorkOS dashboard. A session that is over is ended
    /// at WorkOS as well, so that the next sign-in asks who is there.
    ///
    /// The limit holds for sessions that exist already, too.
    pub fn session_max_age(mut self, max_age: Duration) -> Self {
        self.settings.session_max_age = Some(max_age);
        self
    }

    /// How long a session may lie unused; at least a minute. A request uses it if it asks for it.
    ///
    /// Defaults to no limit besides the one in the WorkOS dashboard. The cookie notes the use in
    /// steps of a tenth of the limit, so a session may end by as much before its time. One that is
    /// over is ended at WorkOS as well, so that the next sign-in asks who is there.
    pub fn session_idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.session_idle_timeout = Some(timeout);
        self
    }

    /// The domain that shares the cookies, for an application on several subdomains.
    ///
    /// Defaults to none: only the application's own host gets them.
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.settings.cookie_domain = Some(domain.into());
        self
    }

    /// Which cross-site requests carry the session cookie.
    ///
    /// Defaults to [`SameSite::Lax`].
    pub fn cookie_same_site(mut self, same_site: SameSite) -> Self {
        self.settings.cookie_same_site = Some(same_site);
        self
    }

    /// How the session cookie is sealed: for this library alone, or as authkit-nextjs and its kin do,
    /// to share sessions with applications on those.
    ///
    /// Defaults to [`SealFormat::ChaCha`].
    pub fn seal_format(mut self, format: SealFormat) -> Self {
        self.settings.seal_format = format;
        self
    }

    /// Passwords that shared seals name by an id other than `1`: those of an application that gives
    /// iron-session a map of them. They open session cookies and seal none.
    ///
    /// Defaults to none. Only with [`SealFormat::Iron`]; the id `1` is
    /// [`cookie_password`](Self::cookie_password), which the other application's map must have there
    /// to read what is sealed here.
    pub fn iron_passwords<I: Into<String>, P: Into<SecretString>>(
        mut self,
        passwords: impl IntoIterator<Item = (I, P)>,
    ) -> Self {
        let passwords = passwords.into_iter();
        self.settings.iron_passwords = passwords
            .map(|(id, password)| (id.into(), password.into()))
            .collect();
        self
    }

    /// What the session cookie keeps of its user besides the id, the email address and whether that is
    /// verified: less of it makes a smaller cookie.
    ///
    /// [`AuthUser`] then shows the rest as `None`, and metadata as empty. Sign-ins show all of it to
    /// the hooks of the callback and to [`on_signed_in`](Self::on_signed_in), which may store what the
    /// application wants to look up later.
    ///
    /// Defaults to everything.
    ///
    /// ```
    /// use authkit_actix::{AuthKit, UserField};
    ///
    /// let small = AuthKit::builder().user_fields([UserField::FirstName, UserField::LastName]);
    /// let smallest = AuthKit::builder().user_fields([]);
    /// ```
    pub fn user_fields(mut self, fields: impl IntoIterator<Item = UserField>) -> Self {
        self.user_fields = Some(fields.into_iter().collect());
        self
    }

    /// Puts `__Host-` before the name of the session cookie, so that no other host can plant one.
    ///
    /// Needs an https base URL and no domain; other AuthKit libraries do not find a cookie of that
    /// name. Defaults to off.
    pub fn host_prefix(mut self) -> Self {
        self.settings.host_prefix = true;
        self
    }

    /// The host of the WorkOS API, for a custom authentication domain.
    ///
    /// Defaults to `api.workos.com`.
    pub fn api_hostname(mut self, hostname: impl Into<String>) -> Self {
        self.settings.api_hostname = Some(hostname.into());
        self
    }

    /// Whether the WorkOS API is spoken to over TLS; plain http goes to loopback only.
    ///
    /// Defaults to `true`.
    pub fn api_https(mut self, https: bool) -> Self {
        self.settings.api_https = Some(https);
        self
    }

    /// The port of the WorkOS API.
    ///
    /// Defaults to that of the scheme.
    pub fn api_port(mut self, port: u16) -> Self {
        self.settings.api_port = Some(port);
        self
    }

    /// How long before its expiry an access token is refreshed; zero waits until it has expired.
    ///
    /// Defaults to 60 seconds, or 30 for tokens that live at most five minutes. One as long as a
    /// token's life counts as half of it.
    pub fn refresh_buffer(mut self, buffer: Duration) -> Self {
        self.settings.refresh_buffer = Some(buffer);
        self
    }

    /// How far this machine's clock may be off WorkOS's.
    ///
    /// Defaults to 30 seconds.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.settings.leeway = Some(leeway);
        self
    }

    /// How long after its access token has expired a session still opens pages while WorkOS is down;
    /// in whole seconds, a day at most.
    ///
    /// Defaults to zero: without a valid token the answer is `503`. It is for an outage only, not
    /// for a wrong API key or a limit that WorkOS sets; for GET and HEAD without `Upgrade`; and for
    /// routes that ask for nothing but a signed-in user, neither for rights nor for a recent sign-in.
    /// Handlers can tell by [`AuthUser::freshness`].
    ///
    /// # Security
    ///
    /// Whoever was signed out elsewhere, or removed, still reads for that long.
    pub fn outage_grace(mut self, grace: Duration) -> Self {
        self.settings.outage_grace = grace;
        self
    }

    /// The issuer that access tokens must name.
    ///
    /// Defaults to any: the key set already belongs to this client alone.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.settings.issuer = Some(issuer.into());
        self
    }

    /// The audience that access tokens must name.
    ///
    /// Defaults to any.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.settings.audience = Some(audience.into());
        self
    }

    /// The path of the sign-in route, as browsers see it.
    ///
    /// Defaults to `/sign-in`.
    pub fn sign_in_path(mut self, path: impl Into<String>) -> Self {
        self.settings.sign_in_path = Some(path.into());
        self
    }

    /// The path of the sign-up route, as browsers see it.
    ///
    /// Defaults to `/sign-up`.
    pub fn sign_up_path(mut self, path: impl Into<String>) -> Self {
        self.settings.sign_up_path = Some(path.into());
        self
    }

    /// The path of the sign-out route, as browsers see it.
    ///
    /// Defaults to `/sign-out`.
    pub fn sign_out_path(mut self, path: impl Into<String>) -> Self {
        self.settings.sign_out_path = Some(path.into());
        self
    }

    /// What the paths of the other ready-made routes begin with: those that the browser module calls,
    /// and the choice of an organization.
    ///
    /// Defaults to `/authkit`. The browser module that the application serves knows the prefix; one
    /// that comes out of a bundler has to be told.
    pub fn routes_prefix(mut self, path: impl Into<String>) -> Self {
        self.settings.routes_prefix = Some(path.into());
        self
    }

    /// Other origins that a sign-out may return to, such as `https://www.example.com`.
    ///
    /// WorkOS returns only to addresses that are registered as sign-out redirects in the dashboard.
    /// Defaults to none: the application's own origin only.
    pub fn return_to_origins<O: Into<String>>(
        mut self,
        origins: impl IntoIterator<Item = O>,
    ) -> Self {
        self.settings.return_to_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// How long a valid API key of a customer's counts as valid without another call to WorkOS; in
    /// whole seconds.
    ///
    /// Defaults to zero: every request asks. Keys are remembered by their SHA-256, at most 10,000 of
    /// them, and only valid ones.
    ///
    /// # Security
    ///
    /// A key that is revoked or runs out goes on working for that long.
    pub fn api_key_cache(mut self, keep: Duration) -> Self {
        self.api_key_cache = keep;
        self
    }

    /// How long a profile that [`BearerUser::profile`](crate::BearerUser::profile) fetched serves; in
    /// whole seconds.
    ///
    /// Defaults to zero: every look-up asks WorkOS. At most 10,000 profiles are kept.
    pub fn profile_cache(mut self, keep: Duration) -> Self {
        self.profile_cache = keep;
        self
    }

    /// The secret that lets whoever signs in claim an environment which nobody has claimed yet.
    ///
    /// Defaults to none. With it, each sign-in fetches a nonce first, for two seconds at most.
    pub fn claim_token(mut self, claim_token: impl Into<SecretString>) -> Self {
        self.settings.claim_token = Some(claim_token.into());
        self
    }

    /// Chooses where AuthKit sends the browser back to, request by request: for preview deployments
    /// and for tenants with hosts of their own.
    ///
    /// Only what `allowed` lists is used, whatever a request claims; `None` and anything else is the
    /// configured redirect URI. Links to sign in, the callback's return and sign-outs stay on the origin
    /// of the chosen one, whose host needs the cookies: see [`cookie_domain`](Self::cookie_domain).
    ///
    /// ```no_run
    /// # use authkit_actix::{AuthKit, ConfigError, RequestInfo};
    /// # fn build() -> Result<AuthKit, ConfigError> {
    /// AuthKit::builder()
    ///     .redirect_uri_for(
    ///         ["https://blue.example.com/callback", "https://green.example.com/callback"],
    ///         |request: &RequestInfo| Some(format!("https://{}/callback", request.host.as_deref()?)),
    ///     )
    ///     .build()
    /// # }
    /// ```
    pub fn redirect_uri_for<U: Into<String>>(
        mut self,
        allowed: impl IntoIterator<Item = U>,
        choose: impl Fn(&RequestInfo) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.settings.redirect_uris = allowed.into_iter().map(Into::into).collect();
        self.redirect_uri_for = Some(Arc::new(choose));
        self
    }

    /// A page of the application's own where people begin to sign in: signed-out documents are sent
    /// there, with a `return_to`, instead of to AuthKit.
    ///
    /// Defaults to none. Everybody can open it, and it leads on by
    /// [`Auth::sign_in_url`](crate::Auth::sign_in_url).
    pub fn login_page(mut self, path: impl Into<String>) -> Self {
        self.settings.login_page = Some(path.into());
        self
    }

    /// Gives scripts the access token with the page: a readable cookie, `workos-access-token`, for
    /// thirty seconds after each document that is loaded with a session.
    ///
    /// Defaults to off.
    ///
    /// # Security
    ///
    /// Any script on the page can read it, as it could what it fetches.
    pub fn eager_auth(mut self) -> Self {
        self.settings.eager_auth = true;
        self
    }

    /// Logs what is decided about sessions (refreshed, ended, a sign-in without one) at INFO, for
    /// looking into a deployment without the rest of DEBUG.
    ///
    /// Defaults to DEBUG.
    pub fn debug(mut self) -> Self {
        self.settings.debug = true;
        self
    }

    /// Which responses are kept out of caches.
    ///
    /// Defaults to [`PrivateWhen::CredentialsSent`].
    pub fn private_when(mut self, private_when: PrivateWhen) -> Self {
        self.settings.private_when = private_when;
        self
    }

    /// The feature flags that hold until WorkOS first answers, so that an application need not wait
    /// for it: those of a file, or of the last run.
    ///
    /// With them, even none, [`FeatureFlags`] are ready at once. The first answer replaces them all.
    /// Defaults to none, without being ready.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use authkit_actix::{AuthKit, FeatureFlag};
    ///
    /// let file = r#"{"beta": {"slug": "beta", "enabled": true, "default_value": true}}"#;
    /// let flags: BTreeMap<String, FeatureFlag> = serde_json::from_str(file)?;
    /// let builder = AuthKit::builder().bootstrap_feature_flags(flags.into_values());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn bootstrap_feature_flags(mut self, flags: impl IntoIterator<Item = FeatureFlag>) -> Self {
        self.bootstrap_feature_flags = Some(flags.into_iter().collect());
        self
    }

    /// Where sessions are kept on the server, so that the browser's cookie only says which one it is:
    /// for sessions that a cookie is too small for, and for those that shall end by a word here.
    ///
    /// Defaults to the cookie: the browser keeps the whole session, sealed. Cookies from before are
    /// still read, and moved into the store when they come. A session is forgotten when it was not
    /// refreshed for as long as [its cookie lives](Self::cookie_max_age).
    ///
    /// Each request that asks for the session asks the store, and none can be served without it: see
    /// [`SessionStore`].
    pub fn session_store(mut self, store: impl SessionStore) -> Self {
        self.settings.sessions_on_server = true;
        self.session_store = Some(Arc::new(OwnStore::new(store)));
        self
    }

    /// The Redis, or Valkey, where the instances of an application keep what they share: `redis://…`,
    /// or `rediss://…` for TLS, with user, password and database as usual in such URLs.
    ///
    /// Then of all instances one refreshes a session or finishes a sign-in, and the others get its
    /// result; a session that ends at one ends at all. While Redis is out of reach, each goes on by
    /// itself. Defaults to none: one instance, or several that know nothing of each other.
    ///
    /// ```no_run
    /// # use authkit_actix::{AuthKit, ConfigError};
    /// # fn build() -> Result<AuthKit, ConfigError> {
    /// AuthKit::builder().redis("redis://cache:6379").build()
    /// # }
    /// ```
    #[cfg(feature = "redis")]
    pub fn redis(self, address: impl Into<SecretString>) -> Self {
        self.redis_cluster([address])
    }

    /// As [`redis`](Self::redis), for a cluster: the addresses of some of its nodes, from which the
    /// others are found.
    #[cfg(feature = "redis")]
    pub fn redis_cluster<A: Into<SecretString>>(
        mut self,
        addresses: impl IntoIterator<Item = A>,
    ) -> Self {
        self.settings.redis = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// Keeps sessions in [that Redis](Self::redis) too, instead of in cookies, as
    /// [`session_store`](Self::session_store) describes.
    ///
    /// Defaults to off.
    #[cfg(feature = "redis")]
    pub fn sessions_in_redis(mut self) -> Self {
        self.settings.sessions_in_redis = true;
        self.settings.sessions_on_server = true;
        self
    }

    /// Serves nobody while this instance cannot hear from [Redis](Self::redis) which sessions have
    /// ended: whoever has a session then gets `503`.
    ///
    /// Defaults to off: the last known list serves, and a session that is ended at another instance
    /// meanwhile goes on here until its access token runs out, or Redis is back.
    #[cfg(feature = "redis")]
    pub fn strict_revocation(mut self) -> Self {
        self.settings.strict_revocation = true;
        self
    }

    /// The clock that expiry is judged by, so that tests need not sleep.
    ///
    /// Defaults to [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Signs in against an emulator on a machine whose environment says nothing of WorkOS; see
    /// [`AuthKit::from_env_or_emulator`].
    ///
    /// # Errors
    ///
    /// When the emulator cannot start.
    #[cfg(feature = "emulator")]
    pub fn or_emulator(self, base_url: &str) -> Result<Self, ConfigError> {
        let base_url = config::process_variable("AUTHKIT_BASE_URL")
            .filter(|base_url| !base_url.is_empty())
            .unwrap_or_else(|| base_url.to_owned());
        let is_loopback = Origin::parse(&base_url).is_ok_and(|origin| origin.is_loopback());
        if !is_loopback || !config::none_required_is_set(config::process_variable) {
            return Ok(self);
        }
        let failed =
            |error: &dyn fmt::Display| ConfigError::one("emulator", None, error.to_string());
        let emulator = Emulator::builder()
            .start()
            .map_err(|error| failed(&error))?;
        let password = workos::code_verifier().map_err(|error| failed(&error))?;
        Ok(self
            .emulator(&emulator)
            .cookie_password(password)
            .redirect_uri(format!("{}/callback", base_url.trim_end_matches('/')))
            .base_url(base_url))
    }

    /// What to do when a session was refreshed.
    ///
    /// Hooks run on a thread of their own, after the fact, for ten seconds at most; whatever they do,
    /// the session stays as it is.
    ///
    /// Defaults to nothing.
    pub fn on_refreshed<F: Future<Output = ()> + Send + 'static>(
        mut self,
        hook: impl Fn(AuthUser, RequestInfo) -> F + Send + Sync + 'static,
    ) -> Self {
        self.hooks.refreshed = Some(session_hook(hook));
        self
    }

    /// What to do when a session could not be refreshed.
    ///
    /// Defaults to nothing.
    pub fn on_refresh_failed<F: Future<Output = ()> + Send + 'static>(
        mut self,
        hook: impl Fn(RefreshFailureClass, RequestInfo) -> F + Send + Sync + 'static,
    ) -> Self {
        self.hooks.refresh_failed =
            Some(Arc::new(move |class, request| hook(class, request).boxed()));
        self
    }

    /// What to do when somebody has signed in; the callback's own hooks come first.
    ///
    /// Defaults to nothing.
    pub fn on_signed_in<F: Future<Output = ()> + Send + 'static>(
        mut self,
        hook: impl Fn(AuthUser, RequestInfo) -> F + Send + Sync + 'static,
    ) -> Self {
        self.hooks.signed_in = Some(session_hook(hook));
        self
    }

    /// What to do when somebody has signed out.
    ///
    /// Defaults to nothing.
    pub fn on_signed_out<F: Future<Output = ()> + Send + 'static>(
        mut self,
        hook: impl Fn(AuthUser, RequestInfo) -> F + Send + Sync + 'static,
    ) -> Self {
        self.hooks.signed_out = Some(session_hook(hook));
        self
    }

    /// Signs in against an emulator instead of WorkOS: sets the client id, the API key and the
    /// address of the API. The emulator runs as long as the AuthKit does.
    #[cfg(feature = "emulator")]
    pub fn emulator(mut self, emulator: &Emulator) -> Self {
        self.emulator = Some(emulator.clone());
        self.client_id(emulator.client_id())
            .api_key(emulator.api_key())
            .api_hostname(emulator.host())
            .api_https(false)
            .api_port(emulator.port())
    }

    /// The keys that access tokens are verified with, in place of those that WorkOS publishes.
    #[cfg(feature = "testing")]
    pub(crate) fn key_set(mut self, key_set: String) -> Self {
        self.key_set = Some(key_set);
        self
    }

    /// Joins code and environment, and checks it all.
    ///
    /// # Errors
    ///
    /// Every problem of the configuration at once, each with its cure. Also when the thread for
    /// calls to WorkOS cannot be started, or when the system has no certificates to trust.
    pub fn build(self) -> Result<AuthKit, ConfigError> {
        let config = Config::from_process(self.settings)?;
        metrics::describe();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let background = Background::start("authkit-background")
            .map(Arc::new)
            .map_err(|error| {
                ConfigError::one(
                    "build",
                    None,
                    format!("no thread could be started: {error}"),
                )
            })?;
        let (store, sharing) = (self.session_store, Sharing::default());
        #[cfg(feature = "redis")]
        let redis = match config.redis.as_slice() {
            [] => None,
            addresses => Some(
                Redis::start(addresses, &background)
                    .map_err(|problem| ConfigError::one("redis", None, problem))?,
            ),
        };
        #[cfg(feature = "redis")]
        let store = match &redis {
            Some(redis) if config.sessions_in_redis => {
                Some(Arc::new(RedisSessions::new(redis.clone())) as Arc<dyn Store>)
            }
            _ => store,
        };
        #[cfg(feature = "redis")]
        let sharing = match &redis {
            Some(redis) => Sharing::through(Arc::new(redis.clone())),
            None => sharing,
        };
        let workos = WorkOs::new(
            config.client_id.clone(),
            config.api_key.clone(),
            config.api_url.as_str().to_owned(),
            config.api_url.is_loopback(),
            Arc::clone(&background),
        )
        .map(Arc::new)
        .map_err(|message| ConfigError::one("build", None, message))?;
        let hooks = Arc::new(Hooks::new(self.hooks));
        let sealer = Arc::new(Sealer::new(&config.cookie_passwords));
        let session_seal = Arc::new(SessionSeal::new(
            &config,
            self.user_fields.as_deref(),
            Arc::clone(&sealer),
            Arc::clone(&clock),
        ));
        let keys = fetch_keys(&workos, &background);
        #[cfg(feature = "testing")]
        let keys = self.key_set.map_or(keys, fixed_keys);
        let tokens = Arc::new(Tokens::new(
            Jwks::new(keys, Arc::clone(&clock), KEY_FETCH_COOLDOWN),
            Verifier::new(
                &config.client_id,
                config.issuer.clone(),
                config.audience.clone(),
                i64::try_from(config.leeway.as_secs()).unwrap_or(i64::MAX),
            ),
            Arc::clone(&clock),
        ));
        let limits = AgeLimits::new(config.session_max_age, config.session_idle_timeout);
        #[cfg(feature = "redis")]
        let is_strict = config.strict_revocation;
        #[cfg(not(feature = "redis"))]
        let is_strict = false;
        let notices = Arc::new(Notices::new(Arc::clone(&clock), is_strict));
        #[cfg(feature = "redis")]
        if let Some(redis) = &redis {
            redis.connect(&notices, Arc::clone(&clock), &background);
        }
        let stored = store.map(|store| {
            Arc::new(StoredSessions::new(
                store,
                Arc::clone(&sealer),
                Arc::clone(&background),
                Arc::clone(&clock),
                config.cookie.max_age,
                limits,
            ))
        });
        let sessions = Sessions::new(
            Arc::clone(&session_seal),
            Arc::clone(&tokens),
            Arc::clone(&clock),
            limits,
            RefreshSettings {
                workos: Arc::clone(&workos),
                hooks: Arc::clone(&hooks),
                notices: Arc::clone(&notices),
                background: Arc::clone(&background),
                sharing: sharing.clone(),
                stored: stored.clone(),
                buffer: config.refresh_buffer,
                lift_decisions: config.debug,
            },
            stored.clone(),
        );
        let feature_flags = FeatureFlags::new(
            Arc::clone(&workos),
            Arc::clone(&background),
            self.bootstrap_feature_flags,
        );
        let beginnings = Beginnings::new(
            Arc::clone(&background),
            Means {
                clock: Arc::clone(&clock),
                workos: Arc::clone(&workos),
                seal: session_seal,
                tokens: Arc::clone(&tokens),
                hooks: Arc::clone(&hooks),
                sharing: sharing.clone(),
                stored,
                limits,
            },
        );
        let api_keys = ApiKeys::new(
            Arc::clone(&workos),
            Arc::clone(&background),
            Arc::clone(&clock),
            self.api_key_cache,
        );
        let profiles = Profiles::new(
            Arc::clone(&workos),
            Arc::clone(&background),
            Arc::clone(&clock),
            self.profile_cache,
        );
        let organizations = Lookups::new(
            "organization",
            Arc::clone(&background),
            Arc::clone(&clock),
            KEEP_ORGANIZATIONS,
        );
        Ok(AuthKit::around(Arc::new(Inner {
            own_paths: RwLock::default(),
            _registration: Registration::of(&config.client_id),
            config,
            clock,
            sealer,
            workos,
            tokens,
            api_keys,
            profiles: Arc::new(profiles),
            organizations,
            sessions,
            beginnings,
            hooks,
            notices,
            sharing,
            redirect_uri_for: self.redirect_uri_for,
            feature_flags,
            #[cfg(feature = "redis")]
            redis,
            #[cfg(feature = "emulator")]
            emulator: self.emulator,
            background,
        })))
    }
}

impl fmt::Debug for AuthKitBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKitBuilder")
    }
}

fn session_hook<F: Future<Output = ()> + Send + 'static>(
    hook: impl Fn(AuthUser, RequestInfo) -> F + Send + Sync + 'static,
) -> SessionHook {
    Arc::new(move |signed_in, request| hook(AuthUser::plain(signed_in), request).boxed())
}

/// Key fetches on the background thread, which outlive whoever asked first.
fn fetch_keys(workos: &Arc<WorkOs>, background: &Arc<Background>) -> FetchKeys {
    let workos = Arc::clone(workos);
    let background = Arc::clone(background);
    Arc::new(move || {
        let workos = Arc::clone(&workos);
        background
            .spawn(async move { workos.key_set().await.map_err(|error| error.to_string()) })
            .map(|fetched| fetched.unwrap_or_else(|| Err("the fetch was aborted".to_owned())))
            .boxed()
    })
}

#[cfg(feature = "testing")]
fn fixed_keys(key_set: String) -> FetchKeys {
    Arc::new(move || std::future::ready(Ok(key_set.clone().into_bytes())).boxed())
}

/// Seconds between two fetches of the key set, whatever tokens arrive.
const KEY_FETCH_COOLDOWN: i64 = 30;
/// How long the name of an organization serves.
const KEEP_ORGANIZATIONS: Duration = Duration::from_secs(60);
