//! A JSON API for pages of the same site, by session, and for other programs, by access token.
//!
//! `cargo run --bin json_api`, open the page and sign in as `ada@example.com` with the password
//! `password`; it has the commands to try.

mod page;

use std::{
    collections::HashMap,
    env,
    error::Error,
    sync::{Mutex, PoisonError},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, Responder,
    error::{InternalError, JsonPayloadError},
    get, post, web,
};
use authkit_actix::{AuthKit, AuthUser, Caller, ensure_signed_in};
use maud::html;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::page::page;

/// The notes of each user, by their id.
#[derive(Default)]
struct Notes(Mutex<HashMap<String, Vec<Note>>>);

#[derive(Clone, Deserialize, Serialize)]
struct Note {
    text: String,
}

/// Whoever calls without a session or a token gets `401` as problem details (RFC 9457), with the
/// address to sign in at; whoever lacks the permission, `403`.
#[get("/api/notes")]
#[ensure_signed_in(accept(session, bearer), permission = "posts:read")]
async fn list(caller: Caller, notes: web::Data<Notes>) -> impl Responder {
    let notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    let own = caller.user_id().and_then(|id| notes.get(id));
    web::Json(own.cloned().unwrap_or_default())
}

/// Nothing of the body is read before the guard has passed.
#[post("/api/notes")]
#[ensure_signed_in(accept(session, bearer), permission = "posts:write")]
async fn add(caller: Caller, note: web::Json<Note>, notes: web::Data<Notes>) -> impl Responder {
    let mut notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(id) = caller.user_id() {
        notes.entry(id.to_owned()).or_default().push(note.clone());
    }
    HttpResponse::Created().json(note)
}

/// The application's own problems look like those of its guards.
fn malformed(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let problem =
        json!({ "type": "about:blank", "title": "No note", "status": 400, "code": "malformed" });
    let response = HttpResponse::BadRequest()
        .content_type("application/problem+json")
        .body(problem.to_string());
    InternalError::from_response(error, response).into()
}

#[get("/")]
#[ensure_signed_in]
async fn home(user: AuthUser, authkit: web::Data<AuthKit>) -> impl Responder {
    let notes = format!("{}/api/notes", authkit.base_url());
    page(
        "JSON API",
        html! {
            h1 { "Hello, " (user.display_name()) }
            p { "This browser is let in by its session:" }
            nav {
                a href="/api/notes" { "Your notes" }
                a href="/authkit/token" { "An access token" }
            }
            p { "Programs show the token, which is good for five minutes:" }
            pre { "curl -H \"Authorization: Bearer $TOKEN\" \\\n  --json '{\"text\": \"Milk\"}' " (notes) }
            form method="post" action="/sign-out" { button { "Sign out" } }
        },
    )
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let authkit = AuthKit::from_env_or_emulator(&format!("http://127.0.0.1:{port}"))?;
    let notes = web::Data::new(Notes::default());
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(app.middleware())
            .app_data(web::Data::new(app.clone()))
            .app_data(notes.clone())
            .app_data(web::JsonConfig::default().error_handler(malformed))
            .service((app.handle_auth(), app.routes()))
            .service((home, list, add))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
