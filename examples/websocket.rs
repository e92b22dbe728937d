//! A WebSocket that lives as long as the session of whoever opened it.
//!
//! `cargo run --bin websocket`, and sign in as `ada@example.com` with the password `password`. Write
//! something, then sign out in a second tab: the first tab's connection ends at once.

mod page;

use std::{env, error::Error};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder, get, web};
use authkit_actix::{
    AuthKit, AuthUser,
    actix_ws::{Message, MessageStream, Session},
    ensure_signed_in,
};
use maud::{PreEscaped, html};

use crate::page::page;

/// `403` for the pages of another origin, whose scripts would be given the user's session otherwise.
#[get("/ws")]
#[ensure_signed_in]
async fn echo(
    user: AuthUser,
    request: HttpRequest,
    body: web::Payload,
) -> actix_web::Result<HttpResponse> {
    let live = user.live(&request)?;
    live.web_socket(&request, body, async move |session, messages| {
        // Closed by the client or broken: either way the connection is over.
        let _ = repeat(&user.email, session, messages).await;
    })
}

/// Goes on until the client leaves; when the session ends, it is dropped where it waits.
async fn repeat(
    email: &str,
    mut session: Session,
    mut messages: MessageStream,
) -> Result<(), Box<dyn Error>> {
    session.text(format!("Welcome, {email}")).await?;
    while let Some(message) = messages.recv().await {
        match message? {
            Message::Text(text) => session.text(format!("{email}: {text}")).await?,
            Message::Ping(bytes) => session.pong(&bytes).await?,
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

#[get("/")]
#[ensure_signed_in]
async fn home() -> impl Responder {
    page(
        "WebSocket",
        html! {
            h1 { "As long as you are signed in" }
            p { output { "Connecting…" } }
            form { input name="text" aria-label="Message" autocomplete="off"; button { "Send" } }
            form method="post" action="/sign-out" { button { "Sign out" } }
            script { (PreEscaped(SCRIPT)) }
        },
    )
}

/// `4401`: the session has ended. `4408`: its token ran out, or its rights have changed; connecting
/// again refreshes the session. Anything else is a broken connection.
const SCRIPT: &str = r#"
const said = document.querySelector("output");
let socket;
function connect() {
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
  socket.onmessage = (message) => { said.textContent = message.data; };
  socket.onclose = ({ code }) => {
    if (code === 4401) said.innerHTML = 'You have been signed out. <a href="/">Sign in</a>';
    else setTimeout(connect, code === 4408 ? 0 : 2000);
  };
}
connect();
document.querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  socket.send(event.target.text.value);
  event.target.reset();
};
"#;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let authkit = AuthKit::from_env_or_emulator(&format!("http://127.0.0.1:{port}"))?;
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(app.middleware())
            .service((app.handle_auth(), app.routes()))
            .service((home, echo))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
