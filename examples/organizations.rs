//! Organizations and roles: a switcher, and guards that ask what somebody may do in an organization.
//!
//! `cargo run --bin organizations`, and sign in as `grace@example.com` with the password `password`:
//! she is a member of Acme and administrates Globex. `katherine@example.com` also belongs to
//! Initech, which lets nobody in without single sign-on: the switch leads there and back.

mod page;

use std::{env, error::Error};

use actix_web::{App, HttpServer, Responder, error::ErrorServiceUnavailable, get, post, web};
use authkit_actix::{Auth, AuthKit, AuthUser, RefreshError, ensure_signed_in};
use maud::html;
use serde::Deserialize;
use workos::organization_membership::ListOrganizationMembershipsParams;

use crate::page::page;

#[get("/")]
#[ensure_signed_in]
async fn home(user: AuthUser, authkit: web::Data<AuthKit>) -> actix_web::Result<impl Responder> {
    let of_user = ListOrganizationMembershipsParams {
        user_id: Some(user.id.clone()),
        ..Default::default()
    };
    let memberships = authkit.workos().organization_membership();
    let memberships = memberships.list_organization_memberships(of_user).await;
    let memberships = memberships.map_err(|_| ErrorServiceUnavailable("Please try again."))?;
    let current = user.organization_id();
    Ok(page(
        "Organizations",
        html! {
            h1 { (user.display_name()) }
            p {
                "Your role here: " (user.role().unwrap_or("none")) "."
                @if !user.permissions().is_empty() { " You may: " (user.permissions().join(", ")) "." }
            }
            form method="post" action="/switch" {
                @for it in memberships.data {
                    button name="organization_id" value=(it.organization_id)
                        disabled[current == Some(&it.organization_id)] {
                        (it.organization_name.as_deref().unwrap_or(&it.organization_id))
                    }
                }
            }
            nav {
                a href="/posts" { "Posts" }
                a href="/members" { "Members" }
                a href="/invoices" { "Invoices" }
                form method="post" action="/sign-out" { button { "Sign out" } }
            }
        },
    ))
}

#[derive(Deserialize)]
struct Choice {
    organization_id: String,
}

/// As a response, the error leads to what the organization asks for first, such as single sign-on.
#[post("/switch")]
#[ensure_signed_in]
async fn switch(auth: Auth, choice: web::Form<Choice>) -> Result<impl Responder, RefreshError> {
    auth.switch_to_organization(&choice.organization_id).await?;
    Ok(web::Redirect::to("/").see_other())
}

/// In any organization.
#[get("/posts")]
#[ensure_signed_in(organization, permission = "posts:read")]
async fn posts(user: AuthUser) -> impl Responder {
    room("Posts", user.has_permission("posts:write"))
}

#[get("/members")]
#[ensure_signed_in(role = "admin")]
async fn members() -> impl Responder {
    room("Members", true)
}

#[get("/invoices")]
#[ensure_signed_in(any(permission = "billing:manage", role = "accountant"))]
async fn invoices() -> impl Responder {
    room("Invoices", true)
}

fn room(name: &str, may_write: bool) -> impl Responder {
    page(
        name,
        html! {
            h1 { (name) }
            p { @if may_write { "You may change them." } @else { "You may read them." } }
            a href="/" { "Home" }
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
            .wrap(app.middleware())
            .app_data(web::Data::new(app.clone()))
            .service((app.handle_auth(), app.routes()))
            .service((home, switch, posts, members, invoices))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
