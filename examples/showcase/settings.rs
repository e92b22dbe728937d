//! The variables of the showcase itself; those of the library it reads by itself.

use std::{error::Error, fmt, time::Duration};

use authkit_actix::SealFormat;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

/// What the environment says, read and checked.
pub(crate) struct Settings {
    pub(crate) port: u16,
    pub(crate) log: EnvFilter,
    pub(crate) workers: Option<usize>,
    pub(crate) seal_format: SealFormat,
    pub(crate) refresh_buffer: Option<Duration>,
    pub(crate) eager_auth: bool,
    pub(crate) bearer: bool,
    /// Without one there are no webhooks but those of an emulator that starts with the program.
    pub(crate) webhook_secret: Option<SecretString>,
    pub(crate) return_to_origins: Vec<String>,
    /// One address, or those of a cluster.
    pub(crate) redis: Vec<String>,
    pub(crate) sessions_in_redis: bool,
    pub(crate) strict_revocation: bool,
}

/// Every problem at once, a line each.
#[derive(Debug)]
pub(crate) struct SettingsError(Vec<String>);

impl Settings {
    /// An empty variable counts as unset.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader {
            variable,
            problems: Vec::new(),
        };
        let settings = Self {
            port: reader.number("PORT").unwrap_or(3000),
            log: reader.log_filter("SHOWCASE_LOG"),
            workers: reader.number("SHOWCASE_WORKERS"),
            seal_format: reader.seal_format("SHOWCASE_SEAL_FORMAT"),
            refresh_buffer: reader
                .number("SHOWCASE_REFRESH_BUFFER")
                .map(Duration::from_secs),
            eager_auth: reader.switch("SHOWCASE_EAGER_AUTH"),
            bearer: reader.switch("SHOWCASE_BEARER"),
            webhook_secret: reader
                .text("SHOWCASE_WEBHOOK_SECRET")
                .map(SecretString::from),
            return_to_origins: reader.list("SHOWCASE_RETURN_TO_ORIGINS"),
            redis: reader.list("SHOWCASE_REDIS_URL"),
            sessions_in_redis: reader.switch("SHOWCASE_SESSIONS_IN_REDIS"),
            strict_revocation: reader.switch("SHOWCASE_STRICT_REVOCATION"),
        };
        if settings.workers == Some(0) {
            reader.problem("SHOWCASE_WORKERS", "must be at least 1");
        }
        if reader.problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError(reader.problems))
        }
    }
}

struct Reader<V> {
    variable: V,
    problems: Vec<String>,
}

impl<V: Fn(&str) -> Option<String>> Reader<V> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|text| !text.is_empty())
    }

    fn number<N: std::str::FromStr>(&mut self, name: &str) -> Option<N> {
        let number = self.text(name)?.parse();
        if number.is_err() {
            self.problem(name, "must be a whole number in its range");
        }
        number.ok()
    }

    fn switch(&mut self, name: &str) -> bool {
        match self
            .text(name)
            .map(|text| text.to_ascii_lowercase())
            .as_deref()
        {
            None | Some("0" | "false" | "no" | "off") => false,
            Some("1" | "true" | "yes" | "on") => true,
            Some(_) => {
                self.problem(name, "must be `true` or `false`");
                false
            }
        }
    }

    fn seal_format(&mut self, name: &str) -> SealFormat {
        match self.text(name).as_deref() {
            None | Some("chacha") => SealFormat::ChaCha,
            Some("iron") => SealFormat::Iron,
            Some(_) => {
                self.problem(name, "must be `chacha` or `iron`");
                SealFormat::default()
            }
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        let list = self.text(name).unwrap_or_default();
        let entries = list.split(',').map(str::trim);
        entries
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn log_filter(&mut self, name: &str) -> EnvFilter {
        let filter = self.text(name).unwrap_or_else(|| "info".to_owned());
        EnvFilter::try_new(filter).unwrap_or_else(|error| {
            self.problem(name, &format!("must be a tracing filter: {error}"));
            EnvFilter::default()
        })
    }

    fn problem(&mut self, name: &str, problem: &str) {
        self.problems.push(format!("{name} {problem}"));
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the showcase cannot start:")?;
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n- {problem}"))
    }
}

impl Error for SettingsError {}
