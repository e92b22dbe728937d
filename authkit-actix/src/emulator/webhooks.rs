use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;
use url::Url;

use super::keys::random_id;
use super::state::{State, rfc3339};

/// Where events go, and the queue of those on their way.
pub(super) struct WebhookBoard {
    target: Mutex<Option<Target>>,
    queue: mpsc::UnboundedSender<Delivery>,
}

#[derive(Clone)]
struct Target {
    url: Url,
    secret: SecretString,
}

/// An event to be delivered.
pub(super) struct Delivery {
    target: Target,
    body: String,
}

impl WebhookBoard {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Delivery>) {
        let (queue, deliveries) = mpsc::unbounded_channel();
        let board = Self {
            target: Mutex::new(None),
            queue,
        };
        (board, deliveries)
    }

    pub(super) fn send_to(&self, url: Url, secret: SecretString) {
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        *target = Some(Target { url, secret });
    }

    /// Says that something has happened; nothing without an address to tell.
    pub(super) fn report(&self, event: &str, data: &Value, now: i64) {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = target.clone() {
            let body = json!({
                "object": "event",
                "id": random_id("event"),
                "event": event,
                "data": data,
                "created_at": rfc3339(now),
            });
            // Nobody listens any more when the server is stopping.
            let _ = self.queue.send(Delivery {
                target,
                body: body.to_string(),
            });
        }
    }
}

/// Delivers events in their order of coming, each again and again until it is taken in or given up.
pub(super) async fn deliver(
    state: actix_web::web::Data<State>,
    mut deliveries: mpsc::UnboundedReceiver<Delivery>,
) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build();
    let http = match http {
        Ok(http) => http,
        Err(error) => {
            tracing::error!(%error, "the AuthKit emulator cannot send webhooks");
            return;
        }
    };
    while let Some(delivery) = deliveries.recv().await {
        actix_web::rt::spawn(try_to_deliver(http.clone(), state.clone(), delivery));
    }
}

async fn try_to_deliver(
    http: reqwest::Client,
    state: actix_web::web::Data<State>,
    Delivery { target, body }: Delivery,
) {
    for wait in WAITS {
        sleep(wait).await;
        let sent = http
            .post(target.url.clone())
            .header(
                "workos-signature",
                signature(&target.secret, state.now(), &body),
            )
            .header("content-type", "application/json")
            .body(body.clone())
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::debug!(status, "a webhook was not taken in");
            }
            Err(error) => tracing::debug!(%error, "a webhook did not arrive"),
        }
    }
    tracing::warn!(url = %target.url, "the AuthKit emulator gave up on a webhook");
}

/// `t=<milliseconds>, v1=<hex of the HMAC-SHA-256 over the time, a full stop and the body>`.
fn signature(secret: &SecretString, now: i64, body: &str) -> String {
    let time = now.saturating_mul(1000);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    let hex: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={time}, v1={hex}")
}

const PATIENCE: Duration = Duration::from_secs(10);
/// Before each try; WorkOS goes on for days.
const WAITS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
