use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
    web,
};
use secrecy::SecretString;
use tracing::{Instrument as _, error, info_span, warn};

use super::{
    super::method_not_allowed,
    deliveries::{Deliveries, Failure},
    effects::act,
    handlers::Handlers,
};
use crate::{
    authkit::AuthKit,
    metrics,
    web::{
        negotiate::header,
        rejection::{Problem, problem_details},
    },
    workos::{WebhookEvent, WebhookSignatures},
};

/// Judges what arrives at the route, and takes in what is genuine.
pub(super) struct Receiver {
    pub(super) path: String,
    pub(super) signatures: WebhookSignatures,
    pub(super) body_limit: usize,
    pub(super) deliveries: Deliveries,
    pub(super) handlers: Arc<Handlers>,
}

impl Receiver {
    pub(super) async fn receive(
        &self,
        authkit: &AuthKit,
        request: &HttpRequest,
        body: web::Payload,
    ) -> HttpResponse {
        let now = || authkit.inner.clock.unix_seconds();
        let (kind, response) = match self.genuine(now, request, body).await {
            Ok((secret, event)) => {
                let kind = kind(&event.event);
                let span = info_span!("authkit.webhook", event = event.event, event_id = event.id);
                let answer = self.answer(authkit, request, secret, event);
                (kind, answer.instrument(span).await)
            }
            Err(refusal) => ("unknown", refusal),
        };
        metrics::webhook_answered(
            kind,
            match response.status() {
                StatusCode::OK => "taken",
                StatusCode::UNPROCESSABLE_ENTITY => "unreadable",
                StatusCode::INTERNAL_SERVER_ERROR => "not_handled",
                StatusCode::SERVICE_UNAVAILABLE => "under_way",
                _ => "refused",
            },
        );
        response
    }

    /// The event of a request, and the secret that it is signed with, if WorkOS has just done so.
    async fn genuine(
        &self,
        now: impl Fn() -> i64,
        request: &HttpRequest,
        body: web::Payload,
    ) -> Result<(&SecretString, WebhookEvent), HttpResponse> {
        let refused = |status, code| refused(request, status, code);
        if *request.method() != Method::POST {
            return Err(method_not_allowed(request, "POST"));
        }
        let body = match body.to_bytes_limited(self.body_limit).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => return Err(refused(StatusCode::BAD_REQUEST, "webhook_unreadable")),
            Err(_) => {
                warn!(
                    limit = self.body_limit,
                    "a webhook that is too large was refused"
                );
                return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "webhook_too_large"));
            }
        };
        let signature = header(request.headers(), SIGNATURE).unwrap_or_default();
        let genuine = std::str::from_utf8(&body)
            .map_err(|_| "the body is no text".to_owned())
            .and_then(|body| self.signatures.verify(signature, body, now()));
        let secret = match genuine {
            Ok(secret) => secret,
            Err(reason) => {
                warn!(
                    reason,
                    "a webhook that WorkOS has not just signed was refused"
                );
                return Err(refused(StatusCode::BAD_REQUEST, "webhook_refused"));
            }
        };
        let Ok(event) = serde_json::from_slice(&body) else {
            error!("a webhook is genuine, but no event");
            return Err(refused(
                StatusCode::UNPROCESSABLE_ENTITY,
                "webhook_unreadable",
            ));
        };
        Ok((secret, event))
    }

    async fn answer(
        &self,
        authkit: &AuthKit,
        request: &HttpRequest,
        secret: &SecretString,
        event: WebhookEvent,
    ) -> HttpResponse {
        let now = authkit.inner.clock.unix_seconds();
        let (id, name) = (event.id.clone(), event.event.clone());
        match self.take_in(authkit, secret, event, now).await {
            Ok(()) => HttpResponse::Ok().finish(),
            Err(failure) => {
                error!(
                    event_id = id,
                    event = name,
                    %failure,
                    "an event was not handled; WorkOS delivers it again"
                );
                let (status, code) = match failure {
                    Failure::Unreadable(_) => {
                        (StatusCode::UNPROCESSABLE_ENTITY, "webhook_unreadable")
                    }
                    Failure::NotHandled => {
                        (StatusCode::INTERNAL_SERVER_ERROR, "webhook_not_handled")
                    }
                    Failure::StillUnderWay => {
                        (StatusCode::SERVICE_UNAVAILABLE, "webhook_under_way")
                    }
                };
                refused(request, status, code)
            }
        }
    }

    /// Lets an event act on sessions and hands it to the application.
    async fn take_in(
        &self,
        authkit: &AuthKit,
        secret: &SecretString,
        event: WebhookEvent,
        now: i64,
    ) -> Result<(), Failure> {
        let notices = Arc::clone(&authkit.inner.notices);
        let hooks = Arc::clone(&authkit.inner.hooks);
        let handlers = Arc::clone(&self.handlers);
        let id = event.id.clone();
        let work = || async move {
            act(&notices, &event, now)?;
            handlers.handle(&hooks, &event).await
        };
        self.deliveries.once(secret, &id, work).await
    }
}

/// What an event is about, as one of few words.
fn kind(event: &str) -> &'static str {
    let kinds = [
        "authentication",
        "invitation",
        "organization",
        "organization_membership",
        "role",
        "session",
        "user",
    ];
    let about = event.split('.').next();
    let known = kinds.into_iter().find(|kind| about == Some(kind));
    known.unwrap_or("other")
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

const SIGNATURE: &str = "workos-signature";
