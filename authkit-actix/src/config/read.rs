//! The rules, one method for each value.

use std::{borrow::Cow, collections::BTreeSet, num::NonZeroU16, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::{
    ConfigProblem, CookieConfig, Origin, Paths, REDIRECT_URI_ALIAS, SELECT_ORGANIZATION, SameSite,
    SealFormat, VERIFIER_COOKIE_PREFIX,
    error::shown,
    origin::{belongs_to, http_url},
};

/// Reads each value from code or else from its variable, and collects what is wrong.
pub(super) struct Reader<V> {
    variable: V,
    problems: Vec<ConfigProblem>,
}

/// A value's name in the builder and in the environment.
#[derive(Clone, Copy)]
pub(super) struct Name {
    field: &'static str,
    variable: Option<&'static str>,
}

/// What code has set of the session cookie.
pub(super) struct CookieSettings {
    pub(super) name: Option<String>,
    pub(super) max_age: Option<Duration>,
    pub(super) domain: Option<String>,
    pub(super) same_site: Option<SameSite>,
    pub(super) host_prefix: bool,
}

impl<V: Fn(&str) -> Option<String>> Reader<V> {
    pub(super) fn new(variable: V) -> Self {
        Self {
            variable,
            problems: Vec::new(),
        }
    }

    pub(super) fn into_problems(self) -> Vec<ConfigProblem> {
        self.problems
    }

    pub(super) fn client_id(&mut self, code: Option<String>) -> Option<String> {
        let client_id = self.required(CLIENT_ID, code, "copy it from the WorkOS dashboard")?;
        if client_id.starts_with("sk_") {
            return self.refuse(
                CLIENT_ID,
                "is an API key, which would become public; the client ID begins with `client_`",
            );
        }
        if !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return self.refuse(
                CLIENT_ID,
                format!(
                    "`{}` is not a client ID; copy it from the WorkOS dashboard",
                    shown(&client_id)
                ),
            );
        }
        Some(client_id)
    }

    pub(super) fn api_key(&mut self, code: Option<SecretString>) -> Option<SecretString> {
        let key = self.secret(API_KEY, code).map(|key| {
            // A newline at the end of a secret file is no part of the key.
            SecretString::from(key.expose_secret().trim())
        });
        let Some(key) = key.filter(|key| !key.expose_secret().is_empty()) else {
            return self.refuse(
                API_KEY,
                "is missing; create an API key in the WorkOS dashboard",
            );
        };
        if !key
            .expose_secret()
            .bytes()
            .all(|byte| byte.is_ascii_graphic())
        {
            return self.refuse(
                API_KEY,
                "contains spaces or characters that no API key has; copy it again",
            );
        }
        Some(key)
    }

    pub(super) fn cookie_passwords(
        &mut self,
        current: Option<SecretString>,
        previous: Option<Vec<SecretString>>,
    ) -> Option<Vec<SecretString>> {
        let previous: Vec<_> = match previous {
            Some(previous) => previous,
            None => self
                .environment(PREVIOUS_COOKIE_PASSWORDS)
                .map(|list| {
                    list.split(',')
                        .map(|p| SecretString::from(p.trim()))
                        .collect()
                })
                .unwrap_or_default(),
        }
        .into_iter()
        .filter(|password| !password.expose_secret().is_empty())
        .collect();

        for (index, password) in previous.iter().enumerate() {
            if let Some(weakness) = weakness(password.expose_secret()) {
                self.note(
                    PREVIOUS_COOKIE_PASSWORDS,
                    format!("password {} of {} {weakness}", index + 1, previous.len()),
                );
            }
        }

        // As with the older ones: a newline at the end of a secret file is no part of it.
        let current = self
            .secret(COOKIE_PASSWORD, current)
            .map(|password| SecretString::from(password.expose_secret().trim()));
        let Some(current) = current else {
            return self.refuse(COOKIE_PASSWORD, format!("is missing; {CREATE_PASSWORD}"));
        };
        if let Some(weakness) = weakness(current.expose_secret()) {
            return self.refuse(COOKIE_PASSWORD, weakness);
        }

        let mut passwords = vec![current];
        passwords.extend(previous);
        Some(passwords)
    }

    pub(super) fn seal_format(&mut self, format: SealFormat, sessions_on_server: bool) {
        if format == SealFormat::Iron && sessions_on_server {
            self.note(
                SEAL_FORMAT,
                "other libraries find no session in the cookie of one that the server keeps; leave \
                 out `.seal_format(SealFormat::Iron)`, or `.session_store(…)` and \
                 `.sessions_in_redis()`",
            );
        }
    }

    pub(super) fn iron_passwords(
        &mut self,
        passwords: Vec<(String, SecretString)>,
        format: SealFormat,
    ) -> Vec<(String, SecretString)> {
        if !passwords.is_empty() && format != SealFormat::Iron {
            self.note(
                IRON_PASSWORDS,
                "only the shared seal has password ids; add `.seal_format(SealFormat::Iron)`",
            );
        }
        let mut ids = BTreeSet::new();
        for (id, password) in &passwords {
            let is_word = id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let problem = match weakness(password.expose_secret()) {
                _ if id.is_empty() || !is_word => {
                    "is no id; write letters, digits and `_`".to_owned()
                }
                _ if id == "1" => "is the cookie password itself; leave it out here".to_owned(),
                _ if !ids.insert(id) => "is there twice; leave one out".to_owned(),
                Some(weakness) => format!("has a password that {weakness}"),
                None => continue,
            };
            self.note(IRON_PASSWORDS, format!("id `{}` {problem}", shown(id)));
        }
        passwords
    }

    pub(super) fn redirect_uri(&mut self, code: Option<String>) -> Option<Url> {
        let alias = Name {
            variable: Some(REDIRECT_URI_ALIAS),
            ..REDIRECT_URI
        };
        let text = self
            .text(REDIRECT_URI, code)
            .or_else(|| self.text(alias, None));
        let text = self.required(
            REDIRECT_URI,
            text,
            "write the address of your callback route, such as `http://localhost:3000/callback`",
        )?;
        let url = self.accept(REDIRECT_URI, http_url(&text))?;
        if url.fragment().is_some() {
            return self.refuse(
                REDIRECT_URI,
                format!(
                    "`{}` has a fragment; leave `#` and the rest away",
                    shown(&text)
                ),
            );
        }
        Some(url)
    }

    pub(super) fn base_url(
        &mut self,
        code: Option<String>,
        redirect_uri: Option<&Url>,
        api_url: Option<&Origin>,
    ) -> Option<Origin> {
        let origin = match self.text(BASE_URL, code) {
            Some(text) => self.accept(BASE_URL, Origin::parse(&text))?,
            None => Origin::of(redirect_uri?),
        };
        if Some(&origin) == api_url {
            return self.refuse(
                BASE_URL,
                format!(
                    "`{origin}` is where the WorkOS API is; write the public origin of your app, \
                     and check the redirect URI"
                ),
            );
        }
        Some(origin)
    }

    pub(super) fn api_url(
        &mut self,
        hostname: Option<String>,
        https: Option<bool>,
        port: Option<u16>,
    ) -> Option<Origin> {
        let hostname = self
            .text(API_HOSTNAME, hostname)
            .unwrap_or_else(|| DEFAULT_API_HOSTNAME.to_owned());
        // Each is read before any is missed, so that all their problems show.
        let https = match https {
            Some(https) => Some(https),
            None => self.api_https(),
        };
        let port = match port {
            Some(0) => self.refuse(API_PORT, "0 is not a port; write one from 1 to 65535"),
            Some(port) => Some(NonZeroU16::new(port)),
            None => self.number::<NonZeroU16>(API_PORT, "a port from 1 to 65535"),
        };
        let host = Host::parse(&hostname).ok().or_else(|| {
            self.refuse(
                API_HOSTNAME,
                format!(
                    "`{}` is not a host name; write the name alone, such as \
                     `{DEFAULT_API_HOSTNAME}`, without scheme, port or path",
                    shown(&hostname)
                ),
            )
        });
        let (https, port, host) = (https?, port?, host?);
        let scheme = if https { "https" } else { "http" };
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let url = self.accept(API_HOSTNAME, http_url(&format!("{scheme}://{host}{port}")))?;
        let origin = Origin::of(&url);
        if !https && !origin.is_loopback() {
            return self.refuse(
                API_HTTPS,
                format!(
                    "plain http to `{host}` would show the API key to the network; use https, \
                     which only loopback may do without"
                ),
            );
        }
        Some(origin)
    }

    fn api_https(&mut self) -> Option<bool> {
        let Some(text) = self.environment(API_HTTPS) else {
            return Some(true);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => self.refuse(
                API_HTTPS,
                format!("`{}` is neither `true` nor `false`", shown(&text)),
            ),
        }
    }

    pub(super) fn cookie(
        &mut self,
        code: CookieSettings,
        base_url: Option<&Origin>,
    ) -> Option<CookieConfig> {
        let name = self.cookie_name(code.name, code.host_prefix);
        let max_age = self.cookie_max_age(code.max_age);
        let domain = self.cookie_domain(code.domain, base_url);
        let same_site = self.cookie_same_site(code.same_site);

        let (name, max_age, same_site, base_url) = (name?, max_age?, same_site?, base_url?);
        let prefix = name.to_ascii_lowercase();
        let host_prefix = prefix.starts_with("__host-");
        if (host_prefix || prefix.starts_with("__secure-")) && !base_url.is_https() {
            self.note(
                if code.host_prefix {
                    HOST_PREFIX
                } else {
                    COOKIE_NAME
                },
                format!(
                    "browsers refuse the cookie `{name}` without https, and the app's origin is \
                     `{base_url}`; use https, or a name without the prefix"
                ),
            );
        }
        if host_prefix && domain.is_some() {
            self.note(
                COOKIE_DOMAIN,
                format!(
                    "browsers refuse the cookie `{name}` with a domain; leave the domain away, or \
                     the prefix"
                ),
            );
        }
        Some(CookieConfig {
            name,
            max_age,
            domain,
            same_site,
            secure: base_url.is_https() || same_site == SameSite::None,
        })
    }

    fn cookie_name(&mut self, code: Option<String>, host_prefix: bool) -> Option<String> {
        let name = self
            .text(COOKIE_NAME, code)
            .unwrap_or_else(|| DEFAULT_COOKIE_NAME.to_owned());
        if !name.bytes().all(is_token_byte) || name.len() > MAX_COOKIE_NAME_LENGTH {
            return self.refuse(
                COOKIE_NAME,
                format!(
                    "`{}` is not a cookie name; use up to {MAX_COOKIE_NAME_LENGTH} letters, \
                     digits, `-`, `_` and `.`",
                    shown(&name)
                ),
            );
        }
        if name.starts_with(VERIFIER_COOKIE_PREFIX) {
            return self.refuse(
                COOKIE_NAME,
                format!(
                    "`{name}` collides with the cookies of a running sign-in; choose a name that \
                     does not begin with `{VERIFIER_COOKIE_PREFIX}`"
                ),
            );
        }
        match host_prefix && !name.to_ascii_lowercase().starts_with("__host-") {
            true => Some(format!("__Host-{name}")),
            false => Some(name),
        }
    }

    fn cookie_max_age(&mut self, code: Option<Duration>) -> Option<Duration> {
        let seconds = match code {
            Some(age) => age.as_secs(),
            None => self
                .number(COOKIE_MAX_AGE, "whole seconds, such as `86400` for a day")?
                .unwrap_or(DEFAULT_COOKIE_MAX_AGE),
        };
        if !(1..=MAX_COOKIE_MAX_AGE).contains(&seconds) {
            return self.refuse(
                COOKIE_MAX_AGE,
                format!("{seconds} seconds is out of range; write 1 to {MAX_COOKIE_MAX_AGE}"),
            );
        }
        Some(Duration::from_secs(seconds))
    }

    fn cookie_domain(&mut self, code: Option<String>, base_url: Option<&Origin>) -> Option<String> {
        let text = self.text(COOKIE_DOMAIN, code)?;
        // RFC 6265, 5.2.3: a leading dot is ignored.
        let domain = match Host::parse(text.strip_prefix('.').unwrap_or(&text)) {
            Ok(Host::Domain(domain)) if is_host_name(&domain) => domain,
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) => {
                return self.refuse(
                    COOKIE_DOMAIN,
                    format!(
                        "`{}` is an address, and cookies know only names; leave it unset",
                        shown(&text)
                    ),
                );
            }
            _ => {
                return self.refuse(
                    COOKIE_DOMAIN,
                    format!(
                        "`{}` is not a domain; write a name such as `example.com`, without \
                         scheme, port or path",
                        shown(&text)
                    ),
                );
            }
        };

        let host = base_url?.host();
        let is_alone = !domain.contains('.') && host != domain;
        if is_alone || !belongs_to(host, &domain) {
            return self.refuse(
                COOKIE_DOMAIN,
                format!(
                    "browsers would refuse a cookie for `{domain}` from `{host}`; write `{host}` \
                     or a domain that it belongs to, or leave it unset"
                ),
            );
        }
        Some(domain)
    }

    fn cookie_same_site(&mut self, code: Option<SameSite>) -> Option<SameSite> {
        if code.is_some() {
            return code;
        }
        let Some(text) = self.environment(COOKIE_SAME_SITE) else {
            return Some(SameSite::default());
        };
        match text.to_ascii_lowercase().as_str() {
            "lax" => Some(SameSite::Lax),
            "strict" => Some(SameSite::Strict),
            "none" => Some(SameSite::None),
            _ => self.refuse(
                COOKIE_SAME_SITE,
                format!("`{}` is none of `lax`, `strict`, `none`", shown(&text)),
            ),
        }
    }

    pub(super) fn paths(
        &mut self,
        [sign_in, sign_up, sign_out]: [Option<String>; 3],
        prefix: Option<String>,
        login_page: Option<String>,
        redirect_uri: Option<&Url>,
    ) -> Option<Paths> {
        let sign_in = self.path(SIGN_IN_PATH, sign_in, "/sign-in");
        let sign_up = self.path(SIGN_UP_PATH, sign_up, "/sign-up");
        let sign_out = self.path(SIGN_OUT_PATH, sign_out, "/sign-out");
        let prefix = self.prefix(prefix);
        let login_page = match login_page {
            Some(path) => Some(self.path(LOGIN_PAGE, Some(path), "/login")?),
            None => None,
        };
        let prefix = prefix?;
        let paths = Paths {
            login_page,
            sign_in: sign_in?,
            sign_up: sign_up?,
            sign_out: sign_out?,
            select_organization: format!("{prefix}/{SELECT_ORGANIZATION}"),
            prefix,
            callback: decoded(redirect_uri?.path()),
        };

        let taken = [
            (REDIRECT_URI, &paths.callback),
            (SIGN_IN_PATH, &paths.sign_in),
            (SIGN_UP_PATH, &paths.sign_up),
            (SIGN_OUT_PATH, &paths.sign_out),
        ];
        let own = paths.login_page.iter().map(|path| (LOGIN_PAGE, path));
        let taken: Vec<_> = taken.into_iter().chain(own).collect();
        for (index, (name, path)) in taken.iter().enumerate() {
            if paths.is_under_prefix(path) {
                self.note(
                    *name,
                    format!(
                        "`{path}` is the path of a route under `{}`; each needs its own",
                        ROUTES_PREFIX.field
                    ),
                );
            }
            if let Some((other, _)) = taken[..index].iter().find(|(_, other)| other == path) {
                self.note(
                    *name,
                    format!(
                        "`{path}` is the path of `{}` already; each needs its own",
                        other.field
                    ),
                );
            }
        }
        Some(paths)
    }

    fn path(&mut self, name: Name, code: Option<String>, default: &str) -> Option<String> {
        let path = self.text(name, code).unwrap_or_else(|| default.to_owned());
        let checked = plain_path(&path, default).map(|()| path);
        self.accept(name, checked)
    }

    fn prefix(&mut self, code: Option<String>) -> Option<String> {
        let prefix = self.path(ROUTES_PREFIX, code, "/authkit")?;
        if prefix.ends_with('/') {
            return self.refuse(
                ROUTES_PREFIX,
                format!("`{prefix}` ends with a slash; write a path such as `/authkit`"),
            );
        }
        Some(prefix)
    }

    pub(super) fn claim_token(&mut self, code: Option<SecretString>) -> Option<SecretString> {
        self.secret(CLAIM_TOKEN, code)
    }

    pub(super) fn redirect_uris(&mut self, uris: &[String]) -> Vec<Url> {
        uris.iter()
            .filter_map(|text| self.accept(REDIRECT_URIS, http_url(text)))
            .collect()
    }

    pub(super) fn return_to_origins(&mut self, origins: &[String]) -> Vec<Origin> {
        origins
            .iter()
            .filter_map(|text| self.accept(RETURN_TO_ORIGINS, Origin::parse(text)))
            .collect()
    }

    /// An address may contain a password, so none is shown.
    #[cfg(feature = "redis")]
    pub(super) fn redis(&mut self, addresses: &[SecretString], needed_for: &[(bool, Name)]) {
        for &(_, name) in needed_for.iter().filter(|(is_set, _)| *is_set) {
            if addresses.is_empty() {
                self.note(name, "needs a Redis; name it with `redis`");
            }
        }
        for (index, address) in addresses.iter().enumerate() {
            let url = Url::parse(address.expose_secret());
            let url = url.ok().filter(|url| match url.scheme() {
                "redis" | "rediss" | "valkey" | "valkeys" => url.has_host(),
                "unix" | "redis+unix" | "valkey+unix" => !url.path().is_empty(),
                _ => false,
            });
            let number = index + 1;
            match url {
                None => self.note(
                    REDIS,
                    format!("address {number} is none of a Redis, such as `redis://cache:6379`"),
                ),
                Some(url) if url.fragment().is_some() => self.note(
                    REDIS,
                    format!(
                        "address {number} has a fragment, such as `#insecure`; leave it out: \
                         certificates are always verified"
                    ),
                ),
                Some(_) => {}
            }
        }
    }

    pub(super) fn refresh_buffer(&mut self, code: Option<Duration>) -> Option<Duration> {
        code.map(|buffer| self.at_most(REFRESH_BUFFER, buffer, MAX_REFRESH_BUFFER))
    }

    pub(super) fn leeway(&mut self, code: Option<Duration>) -> Duration {
        self.at_most(LEEWAY, code.unwrap_or(DEFAULT_LEEWAY), MAX_LEEWAY)
    }

    pub(super) fn outage_grace(&mut self, code: Duration) -> Duration {
        self.at_most(OUTAGE_GRACE, code, MAX_OUTAGE_GRACE)
    }

    pub(super) fn session_max_age(&mut self, code: Option<Duration>) -> Option<Duration> {
        self.at_least_a_minute(SESSION_MAX_AGE, code)
    }

    pub(super) fn session_idle_timeout(&mut self, code: Option<Duration>) -> Option<Duration> {
        self.at_least_a_minute(SESSION_IDLE_TIMEOUT, code)
    }

    fn at_least_a_minute(&mut self, name: Name, value: Option<Duration>) -> Option<Duration> {
        let value = value?;
        if value < SHORTEST_SESSION {
            self.note(
                name,
                format!(
                    "{} s is too short to do anything in; write at least {} s",
                    value.as_secs(),
                    SHORTEST_SESSION.as_secs()
                ),
            );
        }
        Some(value)
    }

    fn at_most(&mut self, name: Name, value: Duration, limit: Duration) -> Duration {
        if value > limit {
            self.note(
                name,
                format!(
                    "{} s is too long; write at most {} s",
                    value.as_secs(),
                    limit.as_secs()
                ),
            );
        }
        value
    }

    /// The value of a variable as text, without surrounding white space.
    fn text(&self, name: Name, code: Option<String>) -> Option<String> {
        let trimmed = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        code.and_then(trimmed)
            .or_else(|| self.environment(name).and_then(trimmed))
    }

    fn required(&mut self, name: Name, code: Option<String>, cure: &str) -> Option<String> {
        match self.text(name, code) {
            Some(text) => Some(text),
            None => self.refuse(name, format!("is missing; {cure}")),
        }
    }

    fn secret(&self, name: Name, code: Option<SecretString>) -> Option<SecretString> {
        code.filter(|secret| !secret.expose_secret().is_empty())
            .or_else(|| self.environment(name).map(SecretString::from))
    }

    /// `Some(None)` when it is unset, `None` when it is no number.
    fn number<N: FromStr>(&mut self, name: Name, expected: &str) -> Option<Option<N>> {
        let Some(text) = self.environment(name) else {
            return Some(None);
        };
        match text.trim().parse() {
            Ok(number) => Some(Some(number)),
            Err(_) => self.refuse(name, format!("`{}` is not {expected}", shown(&text))),
        }
    }

    fn environment(&self, name: Name) -> Option<String> {
        (self.variable)(name.variable?).filter(|value| !value.is_empty())
    }

    fn accept<T>(&mut self, name: Name, parsed: Result<T, String>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(message) => self.refuse(name, message),
        }
    }

    fn refuse<T>(&mut self, name: Name, message: impl Into<String>) -> Option<T> {
        self.note(name, message);
        None
    }

    fn note(&mut self, name: Name, message: impl Into<String>) {
        self.problems
            .push(ConfigProblem::new(name.field, name.variable, message));
    }
}

impl Name {
    const fn new(field: &'static str, variable: &'static str) -> Self {
        Self {
            field,
            variable: Some(variable),
        }
    }

    const fn only_in_code(field: &'static str) -> Self {
        Self {
            field,
            variable: None,
        }
    }
}

/// Whether a path is one that needs no encoding, or what to write instead.
pub(crate) fn plain_path(path: &str, example: &str) -> Result<(), String> {
    let is_plain = path.starts_with('/')
        && !path.contains("//")
        && !path.split('/').any(|part| part == "." || part == "..")
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte));
    if is_plain {
        return Ok(());
    }
    Err(format!(
        "`{}` is not a plain path; write one such as `{example}`, of letters, digits, \
         `-`, `.`, `_`, `~` and single slashes",
        shown(path)
    ))
}

/// What makes a cookie password guessable, and the cure.
fn weakness(password: &str) -> Option<String> {
    let letters: String = password
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let in_brackets = password.starts_with('<') && password.ends_with('>');
    let mut characters = password.chars();
    let first = characters.next();

    let fault = if password.contains(char::REPLACEMENT_CHARACTER) {
        "is not UTF-8 text"
    } else if password.chars().count() < MIN_PASSWORD_LENGTH {
        "is shorter than 32 characters"
    } else if characters.all(|c| Some(c) == first) {
        "is one repeated character"
    } else if in_brackets || PLACEHOLDERS.iter().any(|words| letters.contains(words)) {
        "is a placeholder"
    } else {
        return None;
    };
    Some(format!("{fault}; {CREATE_PASSWORD}"))
}

/// RFC 9110, 5.6.2: what the name of a cookie consists of.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 1123, 2.1.
fn is_host_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// A path as the router sees it: without percent-encoding, but for what would change its segments.
fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .ok()
        .filter(|decoded| decoded.matches('/').count() == path.matches('/').count())
        .map_or_else(|| path.to_owned(), Cow::into_owned)
}

const CLIENT_ID: Name = Name::new("client_id", "WORKOS_CLIENT_ID");
const API_KEY: Name = Name::new("api_key", "WORKOS_API_KEY");
const COOKIE_PASSWORD: Name = Name::new("cookie_password", "WORKOS_COOKIE_PASSWORD");
const PREVIOUS_COOKIE_PASSWORDS: Name = Name::new(
    "previous_cookie_passwords",
    "WORKOS_COOKIE_PASSWORD_PREVIOUS",
);
const REDIRECT_URI: Name = Name::new("redirect_uri", "WORKOS_REDIRECT_URI");
const BASE_URL: Name = Name::new("base_url", "AUTHKIT_BASE_URL");
const COOKIE_NAME: Name = Name::new("cookie_name", "WORKOS_COOKIE_NAME");
const COOKIE_MAX_AGE: Name = Name::new("cookie_max_age", "WORKOS_COOKIE_MAX_AGE");
const COOKIE_DOMAIN: Name = Name::new("cookie_domain", "WORKOS_COOKIE_DOMAIN");
const COOKIE_SAME_SITE: Name = Name::new("cookie_same_site", "WORKOS_COOKIE_SAMESITE");
const SEAL_FORMAT: Name = Name::only_in_code("seal_format");
const IRON_PASSWORDS: Name = Name::only_in_code("iron_passwords");
const HOST_PREFIX: Name = Name::only_in_code("host_prefix");
const API_HOSTNAME: Name = Name::new("api_hostname", "WORKOS_API_HOSTNAME");
const API_HTTPS: Name = Name::new("api_https", "WORKOS_API_HTTPS");
const API_PORT: Name = Name::new("api_port", "WORKOS_API_PORT");
const REFRESH_BUFFER: Name = Name::only_in_code("refresh_buffer");
const LEEWAY: Name = Name::only_in_code("leeway");
const OUTAGE_GRACE: Name = Name::only_in_code("outage_grace");
const SESSION_MAX_AGE: Name = Name::only_in_code("session_max_age");
const SESSION_IDLE_TIMEOUT: Name = Name::only_in_code("session_idle_timeout");
const SIGN_IN_PATH: Name = Name::only_in_code("sign_in_path");
const SIGN_UP_PATH: Name = Name::only_in_code("sign_up_path");
const SIGN_OUT_PATH: Name = Name::only_in_code("sign_out_path");
const ROUTES_PREFIX: Name = Name::only_in_code("routes_prefix");
const LOGIN_PAGE: Name = Name::only_in_code("login_page");
const RETURN_TO_ORIGINS: Name = Name::only_in_code("return_to_origins");
const REDIRECT_URIS: Name = Name::only_in_code("redirect_uri_for");
#[cfg(feature = "redis")]
const REDIS: Name = Name::only_in_code("redis");
#[cfg(feature = "redis")]
pub(super) const SESSIONS_IN_REDIS: Name = Name::only_in_code("sessions_in_redis");
#[cfg(feature = "redis")]
pub(super) const STRICT_REVOCATION: Name = Name::only_in_code("strict_revocation");
const CLAIM_TOKEN: Name = Name::new("claim_token", "WORKOS_CLAIM_TOKEN");

const DEFAULT_API_HOSTNAME: &str = "api.workos.com";
const DEFAULT_COOKIE_NAME: &str = "wos-session";
/// 400 days, the longest that browsers keep a cookie (RFC 6265bis, 5.5).
const DEFAULT_COOKIE_MAX_AGE: u64 = 400 * 24 * 60 * 60;
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

const MIN_PASSWORD_LENGTH: usize = 32;
const MAX_COOKIE_NAME_LENGTH: usize = 128;
const MAX_COOKIE_MAX_AGE: u64 = i32::MAX as u64;
const MAX_REFRESH_BUFFER: Duration = Duration::from_secs(60 * 60);
const SHORTEST_SESSION: Duration = Duration::from_secs(60);
const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);
const MAX_OUTAGE_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

const CREATE_PASSWORD: &str = "create one with `openssl rand -base64 32`";

/// What stands in examples, in lower case and without punctuation.
const PLACEHOLDERS: [&str; 7] = [
    "yoursecret",
    "yourpassword",
    "yourcookie",
    "changeme",
    "changethis",
    "replaceme",
    "placeholder",
];
