//! Configuration: read, checked and parsed once, at start-up.
//!
//! Code wins over the environment, an empty variable counts as unset, and every problem is listed
//! at once.

mod error;
mod origin;
mod read;

use std::{env, time::Duration};

use secrecy::SecretString;
use url::Url;

pub use self::error::{ConfigError, ConfigProblem};
use self::read::{CookieSettings, Reader};
pub(crate) use self::{
    origin::{Origin, belongs_to, host_of},
    read::plain_path,
};

/// When browsers send the session cookie along with requests that other sites cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// A link from another site opens your pages signed in; forms and scripts of other sites get
    /// no session. The right choice for nearly every app.
    #[default]
    Lax,
    /// Even a link from another site opens your pages signed out, until the next click. Signing
    /// in then ends on a short page that continues by itself.
    Strict,
    /// Other sites' forms, frames and scripts send the session too: your app needs its own
    /// protection against forged requests. For apps that run in a frame of another site. Forces
    /// `Secure`.
    None,
}

/// How the session cookie is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealFormat {
    /// XChaCha20-Poly1305, with a key that is for sessions alone. The right choice unless an
    /// application on another AuthKit library is to read the cookie.
    #[default]
    ChaCha,
    /// iron-session's `Fe26.2`, which authkit-nextjs, authkit-session and the WorkOS SDK for Node
    /// read and write: under one domain, cookie name and password, your apps share their sessions in
    /// both directions.
    ///
    /// Those libraries know no chunks, so a session that outgrows one cookie loses members of its
    /// user first. Cookies of the default format still open, and are sealed anew.
    Iron,
}

/// What code has set; the environment fills the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) client_id: Option<String>,
    pub(crate) api_key: Option<SecretString>,
    pub(crate) cookie_password: Option<SecretString>,
    pub(crate) previous_cookie_passwords: Option<Vec<SecretString>>,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) cookie_name: Option<String>,
    pub(crate) cookie_max_age: Option<Duration>,
    pub(crate) cookie_domain: Option<String>,
    pub(crate) cookie_same_site: Option<SameSite>,
    pub(crate) seal_format: SealFormat,
    pub(crate) iron_passwords: Vec<(String, SecretString)>,
    pub(crate) host_prefix: bool,
    pub(crate) api_hostname: Option<String>,
    pub(crate) api_https: Option<bool>,
    pub(crate) api_port: Option<u16>,
    pub(crate) refresh_buffer: Option<Duration>,
    pub(crate) leeway: Option<Duration>,
    pub(crate) outage_grace: Duration,
    /// In Redis or in a store of the application's own.
    pub(crate) sessions_on_server: bool,
    pub(crate) session_max_age: Option<Duration>,
    pub(crate) session_idle_timeout: Option<Duration>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) sign_in_path: Option<String>,
    pub(crate) sign_up_path: Option<String>,
    pub(crate) sign_out_path: Option<String>,
    pub(crate) routes_prefix: Option<String>,
    /// Origins besides the app's own that sign-out may return to.
    pub(crate) return_to_origins: Vec<String>,
    pub(crate) claim_token: Option<SecretString>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) login_page: Option<String>,
    pub(crate) eager_auth: bool,
    pub(crate) private_when: PrivateWhen,
    pub(crate) debug: bool,
    /// The addresses of one Redis.
    #[cfg(feature = "redis")]
    pub(crate) redis: Vec<SecretString>,
    #[cfg(feature = "redis")]
    pub(crate) sessions_in_redis: bool,
    #[cfg(feature = "redis")]
    pub(crate) strict_revocation: bool,
}

/// Which responses are kept out of caches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrivateWhen {
    /// Every response to a request that carried a session cookie or an `Authorization` header, and
    /// every one that a session had a part in: right for applications that serve pages.
    #[default]
    CredentialsSent,
    /// Only the responses that a session had a part in: for applications that serve static files
    /// through the same middleware. A handler that reads the cookie by itself is not noticed.
    SessionUsed,
}

/// The checked configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) client_id: String,
    pub(crate) api_key: SecretString,
    /// Newest first, never empty.
    pub(crate) cookie_passwords: Vec<SecretString>,
    pub(crate) redirect_uri: Url,
    /// The app's public origin: redirects and `Secure` derive from it.
    pub(crate) base_url: Origin,
    pub(crate) api_url: Origin,
    pub(crate) cookie: CookieConfig,
    pub(crate) seal_format: SealFormat,
    /// By the id that others' shared seals name them by.
    pub(crate) iron_passwords: Vec<(String, SecretString)>,
    /// `None`: 60 s before expiry, 30 s for tokens that live 300 s or less.
    pub(crate) refresh_buffer: Option<Duration>,
    pub(crate) leeway: Duration,
    /// How long after its expiry a token still serves those who only read, in an outage.
    pub(crate) outage_grace: Duration,
    pub(crate) session_max_age: Option<Duration>,
    pub(crate) session_idle_timeout: Option<Duration>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) paths: Paths,
    pub(crate) return_to_origins: Vec<Origin>,
    pub(crate) claim_token: Option<SecretString>,
    /// Other redirect URIs that a request may be given.
    pub(crate) redirect_uris: Vec<Url>,
    pub(crate) eager_auth: bool,
    pub(crate) private_when: PrivateWhen,
    /// Whether decisions about sessions are logged at INFO.
    pub(crate) debug: bool,
    /// The addresses of one node, or of a cluster's, or none.
    #[cfg(feature = "redis")]
    pub(crate) redis: Vec<SecretString>,
    #[cfg(feature = "redis")]
    pub(crate) sessions_in_redis: bool,
    #[cfg(feature = "redis")]
    pub(crate) strict_revocation: bool,
}

/// The attributes of the session cookie.
#[derive(Clone, Debug)]
pub(crate) struct CookieConfig {
    pub(crate) name: String,
    pub(crate) max_age: Duration,
    pub(crate) domain: Option<String>,
    pub(crate) same_site: SameSite,
    pub(crate) secure: bool,
}

/// Where the library's own routes are.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) callback: String,
    pub(crate) sign_in: String,
    pub(crate) sign_up: String,
    pub(crate) sign_out: String,
    /// What the paths of the other routes begin with.
    pub(crate) prefix: String,
    pub(crate) select_organization: String,
    /// The application's own page to begin a sign-in at.
    pub(crate) login_page: Option<String>,
}

impl Config {
    /// Joins `code` with the variables of the process.
    pub(crate) fn from_process(code: Settings) -> Result<Self, ConfigError> {
        Self::parse(code, process_variable)
    }

    /// Joins `code` with what `variable` says, and checks it all.
    pub(crate) fn parse(
        code: Settings,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variable);
        let client_id = reader.client_id(code.client_id);
        let api_key = reader.api_key(code.api_key);
        let cookie_passwords =
            reader.cookie_passwords(code.cookie_password, code.previous_cookie_passwords);
        let redirect_uri = reader.redirect_uri(code.redirect_uri);
        let api_url = reader.api_url(code.api_hostname, code.api_https, code.api_port);
        let base_url = reader.base_url(code.base_url, redirect_uri.as_ref(), api_url.as_ref());
        let cookie = reader.cookie(
            CookieSettings {
                name: code.cookie_name,
                max_age: code.cookie_max_age,
                domain: code.cookie_domain,
                same_site: code.cookie_same_site,
                host_prefix: code.host_prefix,
            },
            base_url.as_ref(),
        );
        reader.seal_format(code.seal_format, code.sessions_on_server);
        let iron_passwords = reader.iron_passwords(code.iron_passwords, code.seal_format);
        let refresh_buffer = reader.refresh_buffer(code.refresh_buffer);
        let leeway = reader.leeway(code.leeway);
        let outage_grace = reader.outage_grace(code.outage_grace);
        let session_max_age = reader.session_max_age(code.session_max_age);
        let session_idle_timeout = reader.session_idle_timeout(code.session_idle_timeout);
        let paths = reader.paths(
            [code.sign_in_path, code.sign_up_path, code.sign_out_path],
            code.routes_prefix,
            code.login_page,
            redirect_uri.as_ref(),
        );
        let return_to_origins = reader.return_to_origins(&code.return_to_origins);

        let claim_token = reader.claim_token(code.claim_token);
        let redirect_uris = reader.redirect_uris(&code.redirect_uris);
        #[cfg(feature = "redis")]
        reader.redis(
            &code.redis,
            &[
                (code.sessions_in_redis, read::SESSIONS_IN_REDIS),
                (code.strict_revocation, read::STRICT_REVOCATION),
            ],
        );

        // Where a value is missing here, the reader has noted why.
        let problems = reader.into_problems();
        let (
            true,
            Some(client_id),
            Some(api_key),
            Some(cookie_passwords),
            Some(redirect_uri),
            Some(api_url),
            Some(base_url),
            Some(cookie),
            Some(paths),
        ) = (
            problems.is_empty(),
            client_id,
            api_key,
            cookie_passwords,
            redirect_uri,
            api_url,
            base_url,
            cookie,
            paths,
        )
        else {
            return Err(ConfigError::from_problems(problems));
        };

        if cookie.same_site == SameSite::None {
            tracing::warn!(
                "SameSite=None: requests that other sites cause carry the session cookie; \
                 protect state-changing routes against forgery"
            );
        }
        let config = Self {
            client_id,
            api_key,
            cookie_passwords,
            redirect_uri,
            base_url,
            api_url,
            cookie,
            seal_format: code.seal_format,
            iron_passwords,
            refresh_buffer,
            leeway,
            outage_grace,
            session_max_age,
            session_idle_timeout,
            issuer: code.issuer.filter(|issuer| !issuer.is_empty()),
            audience: code.audience.filter(|audience| !audience.is_empty()),
            paths,
            return_to_origins,
            claim_token,
            redirect_uris,
            eager_auth: code.eager_auth,
            private_when: code.private_when,
            debug: code.debug,
            #[cfg(feature = "redis")]
            redis: code.redis,
            #[cfg(feature = "redis")]
            sessions_in_redis: code.sessions_in_redis,
            #[cfg(feature = "redis")]
            strict_revocation: code.strict_revocation,
        };
        if config.hosts_share_no_cookies() {
            tracing::warn!(
                base_url = config.base_url.as_str(),
                redirect_uri = config.redirect_uri.as_str(),
                "the redirect URI is on another host than the base URL, and no cookie domain covers \
                 both: the session that a callback sets does not reach the application"
            );
        }
        Ok(config)
    }

    /// Whether what the callback sets stays behind when the browser goes on to the base URL.
    pub(crate) fn hosts_share_no_cookies(&self) -> bool {
        let callback = Origin::of(&self.redirect_uri);
        let hosts = [callback.host(), self.base_url.host()];
        match &self.cookie.domain {
            Some(domain) => hosts.iter().any(|host| !belongs_to(host, domain)),
            None => hosts[0] != hosts[1],
        }
    }
}

/// Whether the environment says nothing of WorkOS, so that an emulator may stand in.
///
/// One variable missing is a configuration error; all of them missing is a fresh machine.
#[cfg(any(test, feature = "emulator"))]
pub(crate) fn none_required_is_set(variable: impl Fn(&str) -> Option<String>) -> bool {
    REQUIRED_VARIABLES
        .iter()
        .chain(&[REDIRECT_URI_ALIAS])
        .all(|name| variable(name).is_none_or(|value| value.is_empty()))
}

/// A variable of the process. Bytes that are no UTF-8 become U+FFFD, which is refused with the
/// variable's name.
pub(crate) fn process_variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

impl Paths {
    /// The path of a route under the prefix.
    pub(crate) fn under_prefix(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Whether a path is that of one of the routes under the prefix.
    pub(crate) fn is_under_prefix(&self, path: &str) -> bool {
        let name = path
            .strip_prefix(&self.prefix)
            .and_then(|rest| rest.strip_prefix('/'));
        name.is_some_and(|name| {
            let is_client = name.starts_with("client.") && name.ends_with(".js");
            is_client && !name.contains('/') || ROUTES_UNDER_PREFIX.contains(&name)
        })
    }
}

/// What must be set. All of it absent is a fresh machine; one absent is a mistake.
#[cfg(any(test, feature = "emulator"))]
pub(crate) const REQUIRED_VARIABLES: [&str; 4] = [
    "WORKOS_CLIENT_ID",
    "WORKOS_API_KEY",
    "WORKOS_COOKIE_PASSWORD",
    "WORKOS_REDIRECT_URI",
];

/// The client module aside, whose name has its hash.
const ROUTES_UNDER_PREFIX: [&str; 6] = [
    SELECT_ORGANIZATION,
    "session",
    "token",
    "refresh",
    "organization",
    "sign-out",
];

const SELECT_ORGANIZATION: &str = "select-organization";

/// What the names of the cookies of a running sign-in begin with.
pub(crate) const VERIFIER_COOKIE_PREFIX: &str = "wos-auth-verifier-";

/// Browsers drop a cookie whose name and value together are longer, in bytes (RFC 6265bis, 5.7).
pub(crate) const LARGEST_COOKIE: usize = 4096;

/// The name under which Next.js apps have the redirect URI.
const REDIRECT_URI_ALIAS: &str = "NEXT_PUBLIC_WORKOS_REDIRECT_URI";

#[cfg(test)]
mod tests;
