//! Connections that stay open as long as the session behind them.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, Result, get, rt::time, web};
use authkit_actix::{AuthUser, ServerSentEvent, actix_ws::Message, ensure_signed_in};
use futures::{StreamExt as _, stream};
use serde_json::json;

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service((events, ws));
}

/// Says hello, then counts the seconds.
#[get("/events")]
#[ensure_signed_in]
async fn events(user: AuthUser, request: HttpRequest) -> Result<HttpResponse> {
    let hello = json!({"email": user.email, "session_id": user.session_id()});
    let hello = ServerSentEvent::json(&hello)?.name("hello");
    let seconds = stream::unfold(0_u64, |second| async move {
        time::sleep(Duration::from_secs(1)).await;
        let event = ServerSentEvent::data(second.to_string()).name("tick");
        Some((event, second + 1))
    });
    let events = stream::iter([hello]).chain(seconds);
    Ok(user.live(&request)?.events(events))
}

/// Says hello, then gives back what it is sent.
#[get("/ws")]
#[ensure_signed_in]
async fn ws(user: AuthUser, request: HttpRequest, body: web::Payload) -> Result<HttpResponse> {
    let live = user.live(&request)?;
    live.web_socket(&request, body, async move |mut session, mut messages| {
        let mut sent = session.text(format!("hello {}", user.email)).await;
        while let (Ok(()), Some(Ok(message))) = (sent, messages.recv().await) {
            sent = match message {
                Message::Text(text) => session.text(text).await,
                Message::Binary(bytes) => session.binary(bytes).await,
                Message::Ping(bytes) => session.pong(&bytes).await,
                Message::Close(_) => return,
                _ => Ok(()),
            };
        }
    })
}
