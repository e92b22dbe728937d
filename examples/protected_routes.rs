//! Every route is for signed-in users, but for a list of public paths; guards ask for more.
//!
//! `cargo run --bin protected_routes`, and sign in as `ada@example.com` (an administrator) or
//! `alan@example.com` (who is none); the password is `password`. With the variables of the README's
//! quick start set, it signs in against WorkOS.

mod page;

use std::{env, error::Error};

use actix_web::{App, HttpServer, Responder, get, web};
use authkit_actix::{Auth, AuthKit, AuthUser, ensure_signed_in};
use maud::html;

use crate::page::page;

/// On the list, as `/`.
#[get("/")]
async fn home(auth: Auth) -> impl Responder {
    let who = auth.user().map(|user| user.email.clone());
    page(
        "Protected routes",
        html! {
            h1 { "Some doors are open" }
            p { "You are " (who.as_deref().unwrap_or("a stranger")) "." }
            a href="/guides/doors" { "Guides, for everybody" }
            a href="/notes" { "Notes, for signed-in users" }
            a href="/join" { "Join, by signing up" }
            a href="/admin" { "Administration" }
            @if who.is_some() {
                form method="post" action="/sign-out" { button { "Sign out" } }
            }
        },
    )
}

/// On the list, as `/guides/:page`.
#[get("/guides/{page}")]
async fn guide(name: web::Path<String>) -> impl Responder {
    page(
        "Guide",
        html! { h1 { "About " (name) } a href="/" { "Home" } },
    )
}

/// Not on the list: that is all it takes.
#[get("/notes")]
async fn notes(user: AuthUser) -> impl Responder {
    page(
        "Notes",
        html! { h1 { "The notes of " (user.display_name()) } a href="/" { "Home" } },
    )
}

/// Strangers see the sign-up page first, by `sign_up_paths`.
#[get("/join")]
async fn join(user: AuthUser) -> impl Responder {
    page(
        "Join",
        html! { h1 { "Welcome, " (user.display_name()) } a href="/" { "Home" } },
    )
}

/// A guard asks for more than a signed-in user.
#[get("/admin")]
#[ensure_signed_in(role = "admin")]
async fn admin() -> impl Responder {
    page(
        "Administration",
        html! { h1 { "You are an administrator" } a href="/" { "Home" } },
    )
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let authkit = AuthKit::from_env_or_emulator(&format!("http://127.0.0.1:{port}"))?;
    // Outside the closure: a pattern that cannot be read stops the start.
    let protected = authkit
        .middleware()
        .protect()
        .unauthenticated_paths(["/", "/guides/:page"])
        .sign_up_paths(["/join"])
        .build()?;
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(protected.clone())
            .service((app.handle_auth(), app.routes())) // open to everybody by themselves
            .service((home, guide, notes, join, admin))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
