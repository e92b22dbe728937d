//! Tenants with hosts of their own: each signs in, stays and signs out on its host.
//!
//! `cargo run --bin tenants`, and open the two addresses that it prints. Browsers know every name
//! under `localhost` as this machine. Sign in as `grace@example.com` with the password `password`:
//! she belongs to both, and has a session at each.

mod page;

use std::{env, error::Error};

use actix_web::{
    App, Error as ActixError, FromRequest, HttpRequest, HttpServer, Responder, dev::Payload,
    error::ErrorNotFound, get, http::header::HOST,
};
use authkit_actix::{Auth, AuthKit, AuthUser, ensure_signed_in};
use maud::html;

use crate::page::page;

/// An organization of WorkOS, and the first word of its host.
#[derive(Clone, Copy)]
struct Tenant {
    name: &'static str,
    host: &'static str,
    organization_id: &'static str,
}

const TENANTS: [Tenant; 2] = [
    Tenant {
        name: "Acme",
        host: "acme.localhost",
        organization_id: "org_acme",
    },
    Tenant {
        name: "Globex",
        host: "globex.localhost",
        organization_id: "org_globex",
    },
];

/// The tenant that a request is for; a host that is nobody's finds nothing.
impl FromRequest for Tenant {
    type Error = ActixError;
    type Future = std::future::Ready<Result<Self, ActixError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let host = request.headers().get(HOST).and_then(|it| it.to_str().ok());
        let name = host.and_then(|host| host.split(':').next());
        let found = TENANTS.into_iter().find(|tenant| name == Some(tenant.host));
        std::future::ready(found.ok_or_else(|| ErrorNotFound("There is no such place.")))
    }
}

#[get("/")]
async fn home(tenant: Tenant, auth: Auth) -> impl Responder {
    let sign_in = auth.sign_in_url().return_to("/desk");
    page(
        tenant.name,
        html! {
            h1 { (tenant.name) }
            // AuthKit signs in to that organization, and to no other.
            a href=(sign_in.organization_id(tenant.organization_id)) { "Sign in" }
        },
    )
}

#[get("/desk")]
#[ensure_signed_in]
async fn desk(tenant: Tenant, user: AuthUser) -> actix_web::Result<impl Responder> {
    // A user of several tenants may switch the session; its host stays the tenant's.
    if user.organization_id() != Some(tenant.organization_id) {
        return Err(ErrorNotFound("There is no desk for you here."));
    }
    Ok(page(
        tenant.name,
        html! {
            h1 { "Your desk at " (tenant.name) }
            p { (user.email) ", " (user.role().unwrap_or("member")) }
            form method="post" action="/sign-out" { button { "Sign out" } }
        },
    ))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port: u16 = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let origins = TENANTS.map(|tenant| format!("http://{}:{port}", tenant.host));
    let callback = |origin: &String| format!("{origin}/callback");
    // The list decides: a `Host` header that is not on it gets the redirect URI of the first.
    let authkit = AuthKit::builder()
        .or_emulator(&origins[0])?
        .redirect_uri_for(origins.iter().map(callback), |request| {
            Some(format!("http://{}/callback", request.host.as_deref()?))
        })
        .build()?;
    let server = HttpServer::new(move || {
        App::new()
            .wrap(authkit.middleware())
            .service((authkit.handle_auth(), authkit.routes()))
            .service((home, desk))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", origins.join(" and "));
    Ok(server.run().await?)
}
