//! A sign-in page of the application's own: strangers come here first, and choose how to go on.
//!
//! `cargo run --bin sign_in_page`, open the dashboard, and choose; the emulator lets in
//! `ada@example.com` with the password `password`.

mod page;

use std::{env, error::Error};

use actix_web::{App, HttpServer, Responder, get, post, web};
use authkit_actix::{Auth, AuthKit, AuthUser, ensure_signed_in};
use maud::html;
use serde::Deserialize;

use crate::page::page;

/// What the library gives the page: where the visitor was going.
#[derive(Deserialize)]
struct Visit {
    #[serde(default)]
    return_to: String,
}

/// The links start at the click: nothing is begun for those who only look. An address that leads off
/// the site is not followed, whoever wrote it.
#[get("/login")]
async fn login(auth: Auth, visit: web::Query<Visit>) -> impl Responder {
    let sign_in = || auth.sign_in_url().return_to(&visit.return_to);
    page(
        "Sign in",
        html! {
            h1 { "Sign in" }
            form method="post" action="/login" {
                input type="hidden" name="return_to" value=(visit.return_to);
                input type="email" name="email" placeholder="Email" aria-label="Email" required;
                button { "Continue" }
            }
            nav {
                a href=(sign_in().provider("GoogleOAuth")) { "Google" }
                a href=(sign_in().provider("GitHubOAuth")) { "GitHub" }
                a href=(auth.sign_up_url().return_to(&visit.return_to)) { "New here?" }
            }
        },
    )
}

#[derive(Deserialize)]
struct Who {
    email: String,
    return_to: String,
}

/// As a response, the sign-in starts at once.
#[post("/login")]
async fn with_email(auth: Auth, who: web::Form<Who>) -> impl Responder {
    auth.sign_in_url()
        .login_hint(&who.email)
        .return_to(&who.return_to)
}

#[get("/dashboard")]
#[ensure_signed_in]
async fn dashboard(user: AuthUser) -> impl Responder {
    page(
        "Dashboard",
        html! {
            h1 { "Hello, " (user.display_name()) }
            p { "You came by " (user.authentication_method().unwrap_or("a way of your own")) "." }
            form method="post" action="/sign-out" { button { "Sign out" } }
        },
    )
}

#[get("/")]
async fn home() -> impl Responder {
    page(
        "Home",
        html! { h1 { "Hello" } a href="/dashboard?tab=news" { "Dashboard" } },
    )
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let authkit = AuthKit::builder()
        .or_emulator(&format!("http://127.0.0.1:{port}"))?
        .login_page("/login")
        .build()?;
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(app.middleware())
            .service((app.handle_auth(), app.routes()))
            .service((home, login, with_email, dashboard))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
