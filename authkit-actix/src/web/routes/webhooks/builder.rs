use std::{fmt, future::Future, sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    super::HookOutcome, Webhooks, deliveries::Deliveries, handlers::Handlers, receiver::Receiver,
};
use crate::{
    authkit::AuthKit,
    config::{ConfigError, ConfigProblem, plain_path},
    workos::{WebhookData, WebhookEvent, WebhookSignatures},
};

/// Webhooks to be: which secrets they are signed with and what the application does about them; see
/// [`AuthKit::webhooks`].
#[must_use = "call .build() to get the service"]
pub struct WebhooksBuilder {
    authkit: AuthKit,
    path: String,
    secrets: Vec<SecretString>,
    age_limit: Duration,
    body_limit: usize,
    handlers: Handlers,
}

impl WebhooksBuilder {
    pub(super) fn new(authkit: AuthKit, secret: SecretString) -> Self {
        Self {
            authkit,
            path: PATH.to_owned(),
            secrets: vec![secret],
            age_limit: AGE_LIMIT,
            body_limit: BODY_LIMIT,
            handlers: Handlers::default(),
        }
    }

    /// Another secret that events may be signed with, while it is being replaced. May be said again.
    ///
    /// Defaults to none.
    pub fn or_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// The path, the whole one as it is seen from outside.
    ///
    /// Defaults to `/webhooks/workos`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// How far the time of signing may be from now, in the past and in the future.
    ///
    /// Defaults to three minutes.
    pub fn age_limit(mut self, limit: Duration) -> Self {
        self.age_limit = limit;
        self
    }

    /// How many bytes an event may have; longer ones are answered with `413`.
    ///
    /// Defaults to one mebibyte.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// What to do about an event of one type. May be said for many, and several times for one.
    ///
    /// Handlers run on the thread of the hooks, for ten seconds at most, after the event has acted on
    /// sessions. When one fails (an error, a panic, no end in time) the answer is `500`, and WorkOS
    /// delivers the event again: then all its handlers run again.
    pub fn on<T: WebhookData, F>(
        mut self,
        handler: impl Fn(WebhookEvent<T>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: HookOutcome> + Send + 'static,
    {
        self.handlers.add(handler);
        self
    }

    /// What to do about every event, whatever its type.
    pub fn on_any<F>(mut self, handler: impl Fn(WebhookEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: HookOutcome> + Send + 'static,
    {
        self.handlers.add_for_any(handler);
        self
    }

    /// Checks it all and makes the service.
    ///
    /// # Errors
    ///
    /// Every problem at once: an empty secret, by which anybody could sign, or a path that is none.
    pub fn build(self) -> Result<Webhooks, ConfigError> {
        let mut problems = Vec::new();
        if self
            .secrets
            .iter()
            .any(|secret| secret.expose_secret().trim().is_empty())
        {
            problems.push(ConfigProblem::new(
                "webhooks",
                None,
                "the secret is empty; copy it from the webhook's page in the WorkOS dashboard",
            ));
        }
        if let Err(message) = plain_path(&self.path, PATH) {
            problems.push(ConfigProblem::new("webhooks.path", None, message));
        }
        if !problems.is_empty() {
            return Err(ConfigError::from_problems(problems));
        }
        self.authkit.own_path(&self.path);
        Ok(Webhooks {
            receiver: Arc::new(Receiver {
                path: self.path,
                signatures: WebhookSignatures {
                    secrets: self.secrets,
                    age_limit: self.age_limit,
                },
                body_limit: self.body_limit,
                deliveries: Deliveries::new(&self.authkit, self.age_limit),
                handlers: Arc::new(self.handlers),
            }),
            authkit: self.authkit,
        })
    }
}

impl fmt::Debug for WebhooksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhooksBuilder")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

const PATH: &str = "/webhooks/workos";
const AGE_LIMIT: Duration = Duration::from_secs(180);
const BODY_LIMIT: usize = 1 << 20;
