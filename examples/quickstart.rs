//! The main job: a public page, a protected one, and everything to get from one to the other.

mod page;

use std::{env, error::Error};

use actix_web::{App, HttpServer, Responder, get};
use authkit_actix::{Auth, AuthKit, AuthUser, ensure_signed_in};
use maud::html;

use crate::page::page;

#[get("/")]
async fn home(auth: Auth) -> impl Responder {
    page(
        "Quickstart",
        match auth.user() {
            Some(user) => html! {
                h1 { "Welcome back, " (user.display_name()) }
                a href="/dashboard" { "Dashboard" }
                form method="post" action="/sign-out" { button { "Sign out" } }
            },
            None => html! {
                h1 { "Hello, stranger" }
                a href=(auth.sign_in_url().return_to("/dashboard")) { "Sign in" }
                a href=(auth.sign_up_url().return_to("/dashboard")) { "Sign up" }
            },
        },
    )
}

#[get("/dashboard")]
#[ensure_signed_in]
async fn dashboard(user: AuthUser) -> impl Responder {
    page(
        "Dashboard",
        html! {
            h1 { "Hello, " (user.display_name()) }
            p { "You are signed in as " (user.email) "." } a href="/" { "Home" }
        },
    )
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let authkit = AuthKit::from_env_or_emulator(&format!("http://127.0.0.1:{port}"))?;
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(app.middleware()) // sessions
            .service(app.handle_auth()) // the callback, at the redirect URI's path
            .service(app.routes()) // /sign-in, /sign-up, /sign-out
            .service((home, dashboard))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
