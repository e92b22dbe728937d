use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::SecretString;
use url::Url;

use super::keys::{KeyRing, random_id};
use super::seeds::Seeds;
use super::server::Server;
use super::state::{Settings, State};
use super::{
    Emulator, EmulatorApiKey, EmulatorError, EmulatorFlag, EmulatorOrganization, EmulatorUser,
    Running,
};

/// What a refresh token is worth when it comes a second time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefreshReuse {
    /// The same pair again for 30 seconds, then `invalid_grant`, as WorkOS does.
    #[default]
    Repeat,
    /// `invalid_grant` at once, as the strictest server would.
    Strict,
}

/// An emulator to be; see [`Emulator::builder`].
#[must_use]
pub struct EmulatorBuilder {
    port: u16,
    client_id: String,
    api_key: Option<SecretString>,
    seeds: Seeds,
    feature_flags: Vec<EmulatorFlag>,
    access_token_lifetime: Duration,
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
    refresh_reuse: RefreshReuse,
    selection_at_exchange: bool,
    allowed_origins: Vec<String>,
    logout_uri: Option<String>,
    api_keys: Vec<EmulatorApiKey>,
    allowed_in_release: bool,
    quiet: bool,
}

impl EmulatorBuilder {
    pub(super) fn new() -> Self {
        Self {
            port: 0,
            client_id: "client_emulator".to_owned(),
            api_key: None,
            seeds: Seeds::default(),
            feature_flags: Vec::new(),
            access_token_lifetime: ACCESS_TOKEN_LIFETIME,
            clock: Box::new(system_clock),
            refresh_reuse: RefreshReuse::default(),
            selection_at_exchange: false,
            allowed_origins: Vec::new(),
            logout_uri: None,
            api_keys: Vec::new(),
            allowed_in_release: false,
            quiet: false,
        }
    }

    /// The port on 127.0.0.1. Defaults to any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The client id. Defaults to `client_emulator`.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// The API key. Defaults to `sk_emulator_` and something random.
    pub fn api_key(mut self, api_key: impl Into<SecretString>) -> Self {
        self.api_key = Some(api_key.into());
        self
    }

    /// A user. Without any user, organization or role there are sample ones: `ada@example.com` (admin of
    /// Acme), `grace@example.com` (in Acme and Globex), `katherine@example.com` (in Acme, and in Initech,
    /// which demands single sign-on) and `alan@example.com` (in none), each with the password `password`,
    /// and the API key `sk_sample_acme` of Acme.
    pub fn user(mut self, user: EmulatorUser) -> Self {
        self.seeds.users.push(user);
        self
    }

    /// An organization.
    pub fn organization(mut self, organization: EmulatorOrganization) -> Self {
        self.seeds.organizations.push(organization);
        self
    }

    /// An API key that a customer holds; there is none by itself.
    pub fn issue_api_key(mut self, key: EmulatorApiKey) -> Self {
        self.api_keys.push(key);
        self
    }

    /// A role and its permissions. Roles that are not named here have none.
    pub fn role<P: Into<String>>(
        mut self,
        slug: impl Into<String>,
        permissions: impl IntoIterator<Item = P>,
    ) -> Self {
        let permissions = permissions.into_iter().map(Into::into).collect();
        self.seeds.roles.push((slug.into(), permissions));
        self
    }

    /// A feature flag with targets. Defaults to none.
    pub fn feature_flag(mut self, flag: EmulatorFlag) -> Self {
        self.feature_flags.push(flag);
        self
    }

    /// How long access tokens live, in whole seconds. Defaults to 5 minutes.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.access_token_lifetime = lifetime;
        self
    }

    /// The time in Unix seconds, so that tests need not sleep. Defaults to the system's.
    pub fn clock(mut self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// What a refresh token is worth a second time. Defaults to [`RefreshReuse::Repeat`].
    pub fn refresh_reuse(mut self, reuse: RefreshReuse) -> Self {
        self.refresh_reuse = reuse;
        self
    }

    /// Leaves the choice among several organizations to the application: the code is answered with 403
    /// `organization_selection_required`. Defaults to a page that asks before the code is issued.
    pub fn organization_selection_at_exchange(mut self) -> Self {
        self.selection_at_exchange = true;
        self
    }

    /// An origin (`https://app.example.test`) to which browsers may be sent back. Defaults to this machine only.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.allowed_origins.push(origin.into());
        self
    }

    /// Where a sign-out without a `return_to` ends. Defaults to `/` of the application that signed in last.
    pub fn logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.logout_uri = Some(uri.into());
        self
    }

    /// Lets the emulator run in release builds, where it otherwise refuses to. It lets anybody in.
    pub fn allow_in_release(mut self) -> Self {
        self.allowed_in_release = true;
        self
    }

    /// Prints nothing on start. Defaults to a few lines on standard error that say whom to sign in as.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Starts serving on 127.0.0.1, on a thread of its own.
    ///
    /// # Errors
    ///
    /// In release builds that were not allowed, when the port is taken, and when users, organizations or addresses
    /// do not fit together.
    pub fn start(self) -> Result<Emulator, EmulatorError> {
        may_run(!cfg!(debug_assertions), self.allowed_in_release)?;
        let mut api_keys = self.api_keys;
        let seeds = if self.seeds.is_empty() {
            api_keys.push(EmulatorApiKey::sample());
            Seeds::sample()
        } else {
            self.seeds
        };
        seeds.check()?;
        let logout_uri = self.logout_uri.as_deref().map(web_url).transpose()?;
        let allowed_origins = self
            .allowed_origins
            .iter()
            .map(|origin| Ok(web_url(origin)?.origin().ascii_serialization()))
            .collect::<Result<_, EmulatorError>>()?;

        let listen = |source| EmulatorError::Listen {
            port: self.port,
            source,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let settings = Settings {
            api_url: format!("http://{HOST}:{port}"),
            port,
            client_id: self.client_id,
            api_key: self
                .api_key
                .unwrap_or_else(|| random_id("sk_emulator").into()),
            clock: self.clock,
            refresh_reuse: self.refresh_reuse,
            selection_at_exchange: self.selection_at_exchange,
            allowed_origins,
            logout_uri,
        };
        let keys = KeyRing::generate().map_err(|_| EmulatorError::Key)?;
        let welcome = welcome(&settings.api_url, &seeds, &api_keys);
        let lifetime = seconds(self.access_token_lifetime);
        let (state, deliveries) = State::new(settings, keys, seeds, lifetime);
        let state = Arc::new(state);
        for key in api_keys {
            state.store().issue(key, state.now())?;
        }
        state.store().feature_flags = self.feature_flags.into();
        let server = Server::start(listener, Arc::clone(&state), deliveries)?;

        tracing::info!(
            url = state.settings.api_url,
            "the AuthKit emulator is running"
        );
        if !self.quiet {
            #[expect(
                clippy::print_stderr,
                reason = "an application without a subscriber must still learn whom to sign in as"
            )]
            {
                eprintln!("{welcome}");
            }
        }
        Ok(Emulator(Arc::new(Running {
            state,
            _server: server,
        })))
    }
}

impl std::fmt::Debug for EmulatorBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmulatorBuilder")
            .field("port", &self.port)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Never by an environment variable: a deployment must not be able to switch it on.
fn may_run(release: bool, allowed: bool) -> Result<(), EmulatorError> {
    if release && !allowed {
        return Err(EmulatorError::ReleaseBuild);
    }
    Ok(())
}

pub(super) fn web_url(text: &str) -> Result<Url, EmulatorError> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| EmulatorError::BadUrl(text.to_owned()))
}

fn welcome(api_url: &str, seeds: &Seeds, api_keys: &[EmulatorApiKey]) -> String {
    let mut text = format!("AuthKit emulator (development only) at {api_url}\nSign in as:");
    for user in &seeds.users {
        let memberships: Vec<String> = user
            .memberships
            .iter()
            .filter_map(|membership| {
                let name = &seeds.organization(&membership.organization_id)?.name;
                Some(format!("{} of {name}", membership.roles.join(" and ")))
            })
            .collect();
        let place = if memberships.is_empty() {
            "no organization".to_owned()
        } else {
            memberships.join(", ")
        };
        text.push_str(&format!(
            "\n  {}  password: {}  ({place})",
            user.email, user.password
        ));
    }
    for key in api_keys {
        text.push_str(&format!("\nAPI key: {}", key.value()));
    }
    text
}

fn system_clock() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, seconds)
}

pub(super) const HOST: &str = "127.0.0.1";
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_build_is_refused_unless_allowed() {
        assert!(matches!(
            may_run(true, false),
            Err(EmulatorError::ReleaseBuild)
        ));
        assert!(may_run(true, true).is_ok());
        assert!(may_run(false, false).is_ok());
    }
}
