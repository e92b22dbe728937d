//! Looks over the configuration and whatever it depends on, and says what is wrong and what helps.

mod configured;
mod reached;
mod report;

use futures::future;

pub use self::report::{Diagnosis, Finding, Verdict};
use crate::authkit::AuthKit;

impl AuthKit {
    /// Looks over what people need to sign in: the configuration, WorkOS and its keys, the API key,
    /// the clock, the cookies, and where sessions are shared or kept. Takes five seconds at most.
    ///
    /// For a program that an operator runs, a test of a deployment, or a page for administrators. It
    /// asks WorkOS anew each time, so it is nothing for a page that is open to everybody, nor for a
    /// load balancer: instances that are taken out of service in an outage serve nobody.
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    ///
    /// use authkit_actix::{AuthKit, Diagnosis};
    ///
    /// #[actix_web::main]
    /// async fn main() -> ExitCode {
    ///     let diagnosis = match AuthKit::from_env() {
    ///         Ok(authkit) => authkit.diagnose().await,
    ///         Err(error) => Diagnosis::from(error),
    ///     };
    ///     println!("{diagnosis}");
    ///     diagnosis.exit_code()
    /// }
    /// ```
    pub async fn diagnose(&self) -> Diagnosis {
        let inner = &self.inner;
        let config = &inner.config;
        let mut findings = vec![configured::configuration(config)];
        findings.extend(configured::redirect_uri(config));
        findings.extend(configured::cookies(config));
        findings.push(configured::cookie_size(config, &inner.sessions));
        let reached = future::join3(
            reached::workos(inner),
            reached::session_store(&inner.sessions),
            reached::redis(inner),
        );
        let (workos, session_store, redis) = reached.await;
        findings.extend(workos);
        findings.extend(session_store);
        findings.extend(redis);
        Diagnosis::new(findings)
    }
}

const CONFIGURATION: &str = "configuration";
const REDIRECT_URI: &str = "redirect URI";
const COOKIES: &str = "cookies";
const COOKIE_SIZE: &str = "cookie size";
const SIGNING_KEYS: &str = "signing keys";
const API_KEY: &str = "API key";
const CLOCK: &str = "clock";
const SESSION_STORE: &str = "session store";
#[cfg(feature = "redis")]
const REDIS: &str = "Redis";
