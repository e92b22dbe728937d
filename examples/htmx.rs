//! htmx: a partial that is asked for when the session has ended leads the whole page to sign in.
//!
//! `cargo run --bin htmx`, and press the button; sign in as `ada@example.com` with the password
//! `password`. Then sign out in a second tab, and press the button in the first: instead of a sign-in
//! page in the middle of the page, the browser goes to sign in and comes back.

mod page;

use std::{env, error::Error};

use actix_web::{App, HttpServer, Responder, get, post, web};
use authkit_actix::{Auth, AuthKit, AuthUser, ensure_signed_in};
use maud::{PreEscaped, html};
use serde::Deserialize;

use crate::page::page;

#[get("/")]
async fn home(auth: Auth) -> impl Responder {
    page(
        "htmx",
        html! {
            (PreEscaped(HTMX))
            h1 { "Inbox" }
            div #inbox { p { "Nothing is loaded yet." } }
            button hx-get="/partials/inbox" hx-target="#inbox" { "Load" }
            @if auth.user().is_some() {
                form method="post" action="/sign-out" { button { "Sign out" } }
            }
        },
    )
}

/// Signed out, `401` with `HX-Redirect` to the sign-in route, which htmx follows with the whole page,
/// and which comes back to the page that htmx was on (`HX-Current-URL`).
#[get("/partials/inbox")]
#[ensure_signed_in]
async fn inbox(user: AuthUser) -> impl Responder {
    html! {
        p { "The messages of " (user.email) ": none." }
        form hx-post="/partials/message" hx-target="#inbox" {
            input type="hidden" name="text" value="Hello, me";
            button { "Write to yourself" }
        }
    }
}

#[derive(Deserialize)]
struct Message {
    text: String,
}

#[post("/partials/message")]
#[ensure_signed_in]
async fn write(user: AuthUser, message: web::Form<Message>) -> impl Responder {
    html! { p { "You wrote to " (user.email) ": " (message.text) } }
}

const HTMX: &str = r#"<script src="https://cdn.jsdelivr.net/npm/htmx.org@4.0.1/dist/htmx.min.js"
  integrity="sha384-Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn" crossorigin="anonymous"></script>"#;

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
            .service((home, inbox, write))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
