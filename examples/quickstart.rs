//! The main job: a public page, a protected one, and everything to get from one to the other.

use actix_web::{App, HttpServer, Responder, get, web::Html};
use authkit_actix::{Auth, AuthKit, AuthUser, ensure_signed_in};
use maud::html;

#[get("/")]
async fn home(auth: Auth) -> impl Responder {
    page(match auth.user() {
        Some(user) => html! {
            h1 { "Welcome back, " (user.display_name()) }
            p { a href="/dashboard" { "Dashboard" } }
            form method="post" action="/sign-out" { button { "Sign out" } }
        },
        None => html! {
            h1 { "Hello, stranger" }
            p { a href=(auth.sign_in_url().return_to("/dashboard")) { "Sign in" } }
            p { a href=(auth.sign_up_url().return_to("/dashboard")) { "Sign up" } }
        },
    })
}

#[get("/dashboard")]
#[ensure_signed_in]
async fn dashboard(user: AuthUser) -> impl Responder {
    page(html! {
        h1 { "Hello, " (user.display_name()) }
        p { "You are signed in as " (user.email) ". " a href="/" { "Home" } }
    })
}

fn page(body: maud::Markup) -> Html {
    let style = "body{font:18px system-ui;max-width:30rem;margin:4rem auto;padding:0 1rem}";
    Html::new(
        html! { (maud::DOCTYPE) title { "Quickstart" } style { (style) } (body) }.into_string(),
    )
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let authkit = AuthKit::from_env_or_emulator("http://127.0.0.1:3000")?;
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(app.middleware()) // sessions
            .service(app.handle_auth()) // the callback, at the redirect URI's path
            .service(app.routes()) // /sign-in, /sign-up, /sign-out
            .service(home)
            .service(dashboard)
    });
    let server = server.bind(("127.0.0.1", 3000))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
