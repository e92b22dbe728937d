//! Routes for the API keys that customers make for themselves: whose the key is decides what it sees.
//!
//! `cargo run --bin api_keys`, then, with the sample key of the emulator, which is Acme's:
//!
//! ```sh
//! curl -i http://127.0.0.1:3000/v1/reports
//! curl -H "Authorization: Bearer sk_sample_acme" http://127.0.0.1:3000/v1/reports
//! curl -i -X DELETE -H "Authorization: Bearer sk_sample_acme" http://127.0.0.1:3000/v1/reports/1
//! ```

use std::{env, error::Error, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, Responder, delete, get, web};
use authkit_actix::{ApiKey, ApiKeyOwner, AuthKit, require_api_key};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
struct Report {
    id: u32,
    organization: &'static str,
    title: &'static str,
}

static REPORTS: [Report; 2] = [
    Report {
        id: 1,
        organization: "org_acme",
        title: "Anvils sold",
    },
    Report {
        id: 2,
        organization: "org_globex",
        title: "Weather made",
    },
];

/// Only what belongs to the organization that the key acts in.
#[get("/v1/reports")]
#[require_api_key(permission = "reports:read")]
async fn reports(key: ApiKey) -> impl Responder {
    let own = REPORTS
        .iter()
        .filter(|report| key.organization_id() == Some(report.organization));
    web::Json(own.collect::<Vec<_>>())
}

/// The sample key may read, and gets `403` here.
#[delete("/v1/reports/{id}")]
#[require_api_key(permission = "reports:write")]
async fn remove(id: web::Path<u32>) -> impl Responder {
    HttpResponse::Accepted().json(json!({ "removed": *id }))
}

/// Keys belong to an organization, or to a user in one.
#[get("/v1/whoami")]
#[require_api_key]
async fn who_am_i(key: ApiKey) -> impl Responder {
    let owner = match &key.owner {
        ApiKeyOwner::Organization { id } => format!("the organization {id}"),
        ApiKeyOwner::User { id, .. } => format!("the user {id}"),
        _ => "somebody".to_owned(),
    };
    web::Json(json!({ "key": key.name, "owner": owner, "permissions": key.permissions }))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let authkit = AuthKit::builder()
        .or_emulator(&format!("http://127.0.0.1:{port}"))?
        .api_key_cache(Duration::from_secs(10)) // a revoked key works for so long
        .build()?;
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(app.middleware())
            .service((reports, remove, who_am_i))
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}/v1/whoami", authkit.base_url());
    Ok(server.run().await?)
}
