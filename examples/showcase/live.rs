//! Connections that stay open as long as the session behind them.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, Result, get, rt::time, web};
use authkit_actix::{AuthUser, ServerSentEvent, actix_ws::Message, ensure_signed_in};
use futures::{StreamExt as _, stream};
use maud::{Markup, PreEscaped, html};
use serde_json::json;

use crate::layout::page;

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service((live_page, events, ws));
}

/// A page that holds both kinds of connection, and tells what becomes of them.
#[get("/live")]
#[ensure_signed_in]
async fn live_page(user: AuthUser) -> Markup {
    page(
        "Live",
        html! {},
        html! {
            header.hero {
                h1 { "Open connections" }
                p { "They end with the session of " (user.email) ": sign out in another tab, or by the account page in another browser." }
                a.button href="/" { "Home" }
                a.button href="/account" { "Your account" }
            }
            p.note #ended role="alert" hidden {
                "You have been signed out. " a href="/sign-in?return_to=/live" { "Sign in again" }
            }
            section {
                h2 { "Here" }
                dl {
                    div { dt { "Events" } dd #events { "opening" } }
                    div { dt { "WebSocket" } dd #socket { "opening" } }
                }
            }
            script { (PreEscaped(SCRIPT)) }
        },
    )
}

/// Whoever was not signed out connects again, which refreshes the session.
const SCRIPT: &str = r#"
const show = (id, text) => { document.getElementById(id).textContent = text };
const ended = document.getElementById("ended");
const signedOut = () => { ended.hidden = false };

const events = new EventSource("/events");
events.addEventListener("tick", tick => show("events", `open for ${tick.data} s`));
events.addEventListener("session-ended", end => {
    show("events", `ended: ${end.data}`);
    if (end.data === "revoked") { events.close(); signedOut() }
});
events.onerror = () => { if (events.readyState === EventSource.CLOSED) { signedOut() } };

function connect() {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
    socket.onmessage = message => show("socket", `open: ${message.data}`);
    socket.onclose = close => {
        show("socket", `ended: ${close.code}`);
        if (close.code === 4401) { signedOut() } else if (ended.hidden) { setTimeout(connect, 1000) }
    };
}
connect();
"#;

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
