//! OpenAPI by utoipa: `security` says what the guard says, and `401`, `403` and `503` follow from it.
//!
//! `cargo run --bin openapi`, then `curl http://127.0.0.1:3000/openapi.json`. The emulator's sample key
//! is `sk_sample_acme`; sign in as `ada@example.com` with the password `password`.

use std::{env, error::Error};

use actix_web::{App, HttpServer, get, web};
use authkit_actix::{ApiKey, AuthKit, Caller, ensure_signed_in, require_api_key};
use serde::Serialize;
use utoipa::openapi::{self, Content, Ref, ResponseBuilder, security::*};
use utoipa::{Modify, OpenApi, ToSchema};

#[derive(Serialize, ToSchema)]
struct Post {
    title: String,
}

#[derive(Serialize, ToSchema)]
struct Me {
    user_id: Option<String>,
}

/// What a guard answers in place of the handler, RFC 9457.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it is the schema of what the library answers")]
struct Problem {
    title: String,
    status: u16,
    code: String,
    sign_in_url: Option<String>,
}

/// All posts.
#[utoipa::path(
    responses((status = 200, body = [Post])),
    security(("session" = ["posts:read"]), ("bearer" = ["posts:read"]))
)]
#[get("/api/posts")]
#[ensure_signed_in(accept(session, bearer), permission = "posts:read")]
async fn posts() -> web::Json<Vec<Post>> {
    let title = "Hello".to_owned();
    web::Json(vec![Post { title }])
}

/// Who is calling.
#[utoipa::path(responses((status = 200, body = Me)), security(("session" = []), ("bearer" = [])))]
#[get("/api/me")]
#[ensure_signed_in(accept(session, bearer))]
async fn me(caller: Caller) -> web::Json<Me> {
    let user_id = caller.user_id().map(str::to_owned);
    web::Json(Me { user_id })
}

/// The latest report.
#[utoipa::path(responses((status = 200, body = Post)), security(("api_key" = ["reports:read"])))]
#[get("/api/report")]
#[require_api_key(permission = "reports:read")]
async fn report(key: ApiKey) -> web::Json<Post> {
    let title = format!("The report for {}", key.name);
    web::Json(Post { title })
}

#[derive(OpenApi)]
#[openapi(paths(posts, me, report), components(schemas(Problem)), modifiers(&Guards))]
struct Api;

/// The credentials, and what guards answer to those who lack them.
struct Guards;

impl Modify for Guards {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let cookie = openapi::security::ApiKey::Cookie(ApiKeyValue::new("wos-session"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        for name in ["bearer", "api_key"] {
            let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
            components.add_security_scheme(name, SecurityScheme::Http(bearer));
        }
        let problem = |description: &str| {
            let schema = Content::new(Some(Ref::from_schema_name("Problem")));
            let problem = ResponseBuilder::new().description(description);
            problem.content("application/problem+json", schema).build()
        };
        let paths = api.paths.paths.values_mut();
        let all = paths.flat_map(|it| [&mut it.get, &mut it.post, &mut it.put, &mut it.delete]);
        let without_rights =
            ["session", "bearer", "api_key"].map(|name| SecurityRequirement::new(name, [""; 0]));
        for operation in all.flatten().filter(|it| it.security.is_some()) {
            let answers = &mut operation.responses.responses;
            answers.insert("401".into(), problem("Nobody, or nobody known.").into());
            answers.insert("503".into(), problem("It cannot be told who calls.").into());
            let mut security = operation.security.iter().flatten();
            if security.any(|it| !without_rights.contains(it)) {
                answers.insert("403".into(), problem("The caller lacks a right.").into());
            }
        }
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let authkit = AuthKit::from_env_or_emulator(&format!("http://127.0.0.1:{port}"))?;
    let document = || web::get().to(async || web::Json(Api::openapi()));
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(app.middleware())
            .service((app.handle_auth(), app.routes()))
            .service((posts, me, report))
            .route("/openapi.json", document())
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}/openapi.json", authkit.base_url());
    Ok(server.run().await?)
}
