//! What WorkOS reports by itself, made to act on sessions and handed to the application.

mod builder;
mod deliveries;
mod effects;
mod handlers;
mod receiver;

use std::{fmt, sync::Arc};

use actix_web::{
    HttpRequest,
    dev::{AppService, HttpServiceFactory},
    web,
};
use secrecy::SecretString;

pub use self::builder::WebhooksBuilder;
use self::receiver::Receiver;
use super::register;
use crate::authkit::AuthKit;

/// The route that WorkOS delivers events to, to be passed to `App::service`; see
/// [`AuthKit::webhooks`].
///
/// Cheap to clone into each worker; the clones tell duplicates together.
#[derive(Clone)]
#[must_use = "webhooks do nothing until they are passed to .service()"]
pub struct Webhooks {
    authkit: AuthKit,
    receiver: Arc<Receiver>,
}

impl AuthKit {
    /// The route that WorkOS delivers events to, at `/webhooks/workos`, with the secret that the
    /// dashboard shows for the endpoint.
    ///
    /// Some events act on sessions by themselves, at once:
    ///
    /// | Event | Effect |
    /// |---|---|
    /// | `session.revoked` | that session has ended |
    /// | `user.deleted` | every session of that user has ended |
    /// | `organization_membership.updated`, `organization_membership.deleted` | sessions of that user in that organization are refreshed before they are used again: they get their new rights, or are refused by WorkOS |
    ///
    /// ```
    /// use actix_web::{App, web};
    /// use authkit_actix::{AuthKit, ConfigError, UserDeleted, WebhookEvent};
    ///
    /// # async fn forget(user_id: &str) -> Result<(), std::io::Error> { Ok(()) }
    /// # fn configured(authkit: &AuthKit, secret: String) -> Result<(), ConfigError> {
    /// let webhooks = authkit
    ///     .webhooks(secret)
    ///     .on(|event: WebhookEvent<UserDeleted>| async move { forget(&event.data.id).await })
    ///     .build()?; // outside the closure of HttpServer::new
    /// let app = move || App::new().service(webhooks.clone());
    /// # Ok(()) }
    /// ```
    ///
    /// Only what is signed with the secret within three minutes counts, and each event once: at all
    /// instances together where they share a [Redis](crate::AuthKitBuilder::redis).
    pub fn webhooks(&self, secret: impl Into<SecretString>) -> WebhooksBuilder {
        WebhooksBuilder::new(self.clone(), secret.into())
    }
}

impl HttpServiceFactory for Webhooks {
    fn register(self, service: &mut AppService) {
        let receiver = self.receiver;
        let path = receiver.path.clone();
        let receive =
            move |request: HttpRequest, authkit: web::Data<AuthKit>, body: web::Payload| {
                let receiver = Arc::clone(&receiver);
                async move { receiver.receive(&authkit, &request, body).await }
            };
        register(service, &self.authkit, &path, receive);
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks")
            .field("path", &self.receiver.path)
            .finish_non_exhaustive()
    }
}
