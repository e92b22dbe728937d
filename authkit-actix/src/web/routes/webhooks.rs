//! What WorkOS reports by itself, made to act on sessions and handed to the application.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    dev::{AppService, HttpServiceFactory},
    http::{Method, StatusCode},
    web,
};
use futures::{FutureExt as _, future::BoxFuture};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::{debug, error, info, warn};

use super::{HookOutcome, method_not_allowed, register};
use crate::{
    authkit::AuthKit,
    config::{ConfigError, ConfigProblem, plain_path},
    session::Notice,
    web::{
        negotiate::header,
        rejection::{Problem, problem_details},
    },
    workos::{
        OrganizationMembershipDeleted, OrganizationMembershipUpdated, SessionRevoked, UserDeleted,
        WebhookData, WebhookEvent, WebhookSignatures,
    },
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
    handlers: Vec<Handler>,
}

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
    /// Only what is signed with the secret within three minutes counts, and each event once.
    pub fn webhooks(&self, secret: impl Into<SecretString>) -> WebhooksBuilder {
        WebhooksBuilder {
            authkit: self.clone(),
            path: PATH.to_owned(),
            secrets: vec![secret.into()],
            age_limit: AGE_LIMIT,
            body_limit: BODY_LIMIT,
            handlers: Vec::new(),
        }
    }
}

impl WebhooksBuilder {
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
        let handler = Arc::new(handler);
        self.handlers.push(Handler {
            event: Some(T::EVENT),
            prepare: Box::new(move |event| {
                let (handler, event) = (Arc::clone(&handler), event.typed()?);
                Ok(Box::new(move || outcome(handler(event))))
            }),
        });
        self
    }

    /// What to do about every event, whatever its type.
    pub fn on_any<F>(mut self, handler: impl Fn(WebhookEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: HookOutcome> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.handlers.push(Handler {
            event: None,
            prepare: Box::new(move |event| {
                let (handler, event) = (Arc::clone(&handler), event.clone());
                Ok(Box::new(move || outcome(handler(event))))
            }),
        });
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
            authkit: self.authkit,
            receiver: Arc::new(Receiver {
                path: self.path,
                signatures: WebhookSignatures {
                    secrets: self.secrets,
                    age_limit: self.age_limit,
                },
                body_limit: self.body_limit,
                handlers: self.handlers,
                delivered: Mutex::default(),
            }),
        })
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

struct Receiver {
    path: String,
    signatures: WebhookSignatures,
    body_limit: usize,
    handlers: Vec<Handler>,
    delivered: Mutex<Delivered>,
}

/// What the application does about events.
struct Handler {
    /// The event it is for; `None` for all.
    event: Option<&'static str>,
    prepare: Prepare,
}

/// Reads the event as the handler wants it; the call itself is for the thread of the hooks.
type Prepare = Box<dyn Fn(&WebhookEvent) -> Result<Call, serde_json::Error> + Send + Sync>;
type Call = Box<dyn FnOnce() -> BoxFuture<'static, Option<String>> + Send>;

/// The problem that a handler ended with, if any.
fn outcome(
    handled: impl Future<Output: HookOutcome> + Send + 'static,
) -> BoxFuture<'static, Option<String>> {
    handled.map(HookOutcome::problem).boxed()
}

impl Receiver {
    async fn receive(
        &self,
        authkit: &AuthKit,
        request: &HttpRequest,
        body: web::Payload,
    ) -> HttpResponse {
        if *request.method() != Method::POST {
            return method_not_allowed(request, "POST");
        }
        let body = match body.to_bytes_limited(self.body_limit).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => return refused(request, StatusCode::BAD_REQUEST, "webhook_unreadable"),
            Err(_) => {
                warn!(
                    limit = self.body_limit,
                    "a webhook that is too large was refused"
                );
                return refused(request, StatusCode::PAYLOAD_TOO_LARGE, "webhook_too_large");
            }
        };
        let now = authkit.inner.clock.unix_seconds();
        let signature = header(request.headers(), SIGNATURE).unwrap_or_default();
        let genuine = std::str::from_utf8(&body)
            .map_err(|_| "the body is no text".to_owned())
            .and_then(|body| self.signatures.verify(signature, body, now));
        if let Err(reason) = genuine {
            warn!(
                reason,
                "a webhook that WorkOS has not just signed was refused"
            );
            return refused(request, StatusCode::BAD_REQUEST, "webhook_refused");
        }
        let Ok(event) = serde_json::from_slice::<WebhookEvent>(&body) else {
            error!("a webhook is genuine, but no event");
            return refused(
                request,
                StatusCode::UNPROCESSABLE_ENTITY,
                "webhook_unreadable",
            );
        };
        if !self.delivered().note(&event.id) {
            debug!(event_id = event.id, "an event that came before was ignored");
            return HttpResponse::Ok().finish();
        }
        let handled = match act(authkit, &event, now) {
            Ok(()) => self.handle(authkit, &event).await,
            Err(unreadable) => Err(unreadable),
        };
        match handled {
            Ok(()) => HttpResponse::Ok().finish(),
            Err(failure) => {
                self.delivered().forget(&event.id);
                let (id, name) = (&event.id, &event.event);
                match failure {
                    Failure::Unreadable(problem) => {
                        error!(event_id = id, event = name, category = ?problem.classify(), "an event lacks what its type needs");
                        refused(
                            request,
                            StatusCode::UNPROCESSABLE_ENTITY,
                            "webhook_unreadable",
                        )
                    }
                    Failure::Handler => {
                        error!(
                            event_id = id,
                            event = name,
                            "an event was not handled; WorkOS delivers it again"
                        );
                        refused(
                            request,
                            StatusCode::INTERNAL_SERVER_ERROR,
                            "webhook_not_handled",
                        )
                    }
                }
            }
        }
    }

    async fn handle(&self, authkit: &AuthKit, event: &WebhookEvent) -> Result<(), Failure> {
        for handler in &self.handlers {
            if handler.event.is_some_and(|name| name != event.event) {
                continue;
            }
            let call = (handler.prepare)(event).map_err(Failure::Unreadable)?;
            match authkit.inner.hooks.run("webhook", call).await {
                Some(None) => {}
                Some(Some(problem)) => {
                    error!(
                        problem,
                        event = event.event,
                        "the handler of an event failed"
                    );
                    return Err(Failure::Handler);
                }
                None => return Err(Failure::Handler),
            }
        }
        Ok(())
    }

    fn delivered(&self) -> MutexGuard<'_, Delivered> {
        self.delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an event was not taken in.
enum Failure {
    Unreadable(serde_json::Error),
    Handler,
}

/// What an event does to sessions by itself; in `guide/webhooks.md` as a table.
fn act(authkit: &AuthKit, event: &WebhookEvent, now: i64) -> Result<(), Failure> {
    let notices = &authkit.inner.notices;
    // One from the future would have the tokens of tomorrow refused.
    let at = event.happened_at().unwrap_or(now).min(now);
    match event.event.as_str() {
        SessionRevoked::EVENT => {
            let session = event.typed::<EndedSession>().map_err(Failure::Unreadable)?;
            info!(
                session_id = session.data.id,
                "WorkOS says that a session has ended"
            );
            notices.session_ended_at(&session.data.id, at);
        }
        UserDeleted::EVENT => {
            let user = event.typed::<DeletedUser>().map_err(Failure::Unreadable)?;
            info!(
                user_id = user.data.id,
                "WorkOS says that a user was deleted"
            );
            notices.user_ended_at(&user.data.id, at);
        }
        OrganizationMembershipUpdated::EVENT | OrganizationMembershipDeleted::EVENT => {
            let membership = event.typed::<Membership>().map_err(Failure::Unreadable)?;
            let Membership {
                user_id,
                organization_id,
            } = membership.data;
            info!(
                user_id,
                organization_id, "WorkOS says that a membership has changed"
            );
            notices.announce(Notice::MembershipChanged {
                user_id,
                organization_id,
                until: at,
            });
        }
        _ => {}
    }
    Ok(())
}

/// The little that is needed here: what WorkOS adds or leaves out besides is no hindrance.
#[derive(serde::Deserialize)]
struct EndedSession {
    id: String,
}

#[derive(serde::Deserialize)]
struct DeletedUser {
    id: String,
}

#[derive(serde::Deserialize)]
struct Membership {
    user_id: String,
    organization_id: String,
}

/// The ids of the latest events that were taken in.
#[derive(Default)]
struct Delivered {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Delivered {
    /// Whether an event is new.
    fn note(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > MOST_DELIVERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }

    fn forget(&mut self, id: &str) {
        self.ids.remove(id);
        self.order.retain(|noted| noted != id);
    }
}

/// The same answer whatever is wrong with a signature: it helps nobody to guess.
fn refused(request: &HttpRequest, status: StatusCode, code: &str) -> HttpResponse {
    problem_details(
        request,
        &Problem {
            code,
            title: "This event was not taken in",
            detail: "The log of the application says why.",
            ..Problem::new(status)
        },
    )
}

impl fmt::Debug for WebhooksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhooksBuilder")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks")
            .field("path", &self.receiver.path)
            .finish_non_exhaustive()
    }
}

const PATH: &str = "/webhooks/workos";
const SIGNATURE: &str = "workos-signature";
const AGE_LIMIT: Duration = Duration::from_secs(180);
const BODY_LIMIT: usize = 1 << 20;
/// Far more than come within the age limit.
const MOST_DELIVERED: usize = 10_000;
