//! The routes for programs.

use std::time::Duration;

use actix_web::{
    HttpResponse, Responder, Result,
    error::{ErrorBadRequest, ErrorInternalServerError},
    get, post, web,
};
use authkit_actix::{
    ApiKey, Auth, AuthKit, AuthUser, BearerUser, Caller, Impersonator, SignInUrl, ensure_signed_in,
    require_api_key,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{organizations::Organization, sign_ins::SignIns};

/// Which of these routes take an access token in the `Authorization` header is written at each; the
/// showcase leaves them out unless it is asked for them.
pub(crate) fn routes(config: &mut web::ServiceConfig, with_bearer: bool) {
    if with_bearer {
        config.service((bearer::me, bearer::claims, bearer::echo));
    } else {
        config.service((me, claims, echo));
    }
    config
        .service((keyed, recent, link, last_sign_in, organizations))
        .service((fail, cached, public));
}

#[get("/api/me")]
async fn me(user: AuthUser) -> impl Responder {
    web::Json(json!(Me::from(&user)))
}

#[get("/api/claims")]
#[ensure_signed_in]
async fn claims(auth: Auth) -> Result<impl Responder> {
    let claims = auth.claims::<Map<String, Value>>().transpose();
    Ok(web::Json(claims.map_err(ErrorInternalServerError)?))
}

#[post("/api/echo")]
#[ensure_signed_in]
async fn echo(body: web::Json<Value>) -> impl Responder {
    body
}

/// The same routes, for whoever comes with a session or an access token.
mod bearer {
    use super::*;

    #[get("/api/me")]
    #[ensure_signed_in(accept(session, bearer))]
    pub(super) async fn me(caller: Caller) -> impl Responder {
        match &caller {
            Caller::User(user) => HttpResponse::Ok().json(Me::from(user)),
            Caller::Bearer(user) => HttpResponse::Ok().json(Me::from(user)),
            Caller::ApiKey(_) => HttpResponse::Forbidden().finish(),
        }
    }

    #[get("/api/claims")]
    #[ensure_signed_in(accept(session, bearer))]
    pub(super) async fn claims(caller: Caller, auth: Auth) -> Result<impl Responder> {
        let claims = match &caller {
            Caller::Bearer(user) => Some(user.claims::<Map<String, Value>>()),
            _ => auth.claims(),
        };
        let claims = claims.transpose().map_err(ErrorInternalServerError)?;
        Ok(web::Json(claims))
    }

    #[post("/api/echo")]
    #[ensure_signed_in(accept(session, bearer))]
    pub(super) async fn echo(body: web::Json<Value>) -> impl Responder {
        body
    }
}

#[get("/api/keyed")]
#[require_api_key]
async fn keyed(key: ApiKey) -> impl Responder {
    web::Json(json!({"id": key.id, "name": key.name, "owner": key.owner}))
}

#[derive(Deserialize)]
struct Recent {
    max_age: u64,
}

#[get("/api/recent")]
#[ensure_signed_in]
async fn recent(auth: Auth, query: web::Query<Recent>) -> impl Responder {
    web::Json(auth.recent(Duration::from_secs(query.max_age)))
}

#[derive(Deserialize)]
struct Link {
    return_to: Option<String>,
    organization_id: Option<String>,
    login_hint: Option<String>,
    prompt: Option<String>,
    state: Option<String>,
    max_age: Option<u64>,
    screen_hint: Option<Screen>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Screen {
    SignIn,
    SignUp,
}

#[get("/link")]
async fn link(auth: Auth, query: web::Query<Link>) -> Result<impl Responder> {
    let Link {
        return_to,
        organization_id,
        login_hint,
        prompt,
        state,
        max_age,
        screen_hint,
    } = query.into_inner();
    let mut url = match screen_hint {
        Some(Screen::SignUp) => auth.sign_up_url(),
        Some(Screen::SignIn) | None => auth.sign_in_url(),
    };
    if let Some(return_to) = return_to {
        url = url.return_to(&return_to);
    }
    if let Some(state) = state {
        url = url.state(&state).map_err(ErrorBadRequest)?;
    }
    let url = set(url, organization_id, SignInUrl::organization_id);
    let url = set(url, login_hint, SignInUrl::login_hint);
    let url = set(url, prompt, SignInUrl::prompt);
    let url = set(url, max_age.map(Duration::from_secs), SignInUrl::max_age);
    Ok(web::Json(json!({"url": url.to_string()})))
}

fn set<T>(url: SignInUrl, value: Option<T>, set: fn(SignInUrl, T) -> SignInUrl) -> SignInUrl {
    match value {
        Some(value) => set(url, value),
        None => url,
    }
}

#[get("/last-sign-in")]
#[ensure_signed_in]
async fn last_sign_in(user: AuthUser, sign_ins: web::Data<SignIns>) -> impl Responder {
    match sign_ins.of(user.session_id()) {
        Some(sign_in) => HttpResponse::Ok().json(sign_in),
        // The session is older than this process, or was not begun by the callback.
        None => HttpResponse::NotFound().json(json!({"error": "no sign-in is known"})),
    }
}

#[get("/api/organizations")]
async fn organizations(user: AuthUser, authkit: web::Data<AuthKit>) -> impl Responder {
    match Organization::all_of(&user, &authkit).await {
        Some(organizations) => HttpResponse::Ok().json(organizations),
        None => HttpResponse::ServiceUnavailable().finish(),
    }
}

/// A session that was refreshed reaches the browser on failures too.
#[get("/fail")]
async fn fail(_: Auth) -> Result<&'static str> {
    Err(ErrorInternalServerError("This handler fails on purpose."))
}

/// What may be private is not cached, whatever the handler says.
#[get("/cached")]
async fn cached(auth: Auth) -> impl Responder {
    let who = auth
        .user()
        .map_or("nobody".to_owned(), |user| user.email.clone());
    HttpResponse::Ok()
        .insert_header(("cache-control", "public, max-age=3600"))
        .body(format!("This page is for {who}.\n"))
}

#[get("/public.txt")]
async fn public() -> impl Responder {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header(("cache-control", "public, max-age=3600"))
        .body("The same for everyone.\n")
}

#[derive(Serialize)]
struct Me<'a> {
    user: Value,
    session_id: &'a str,
    organization_id: Option<&'a str>,
    role: Option<&'a str>,
    roles: &'a [String],
    permissions: &'a [String],
    entitlements: &'a [String],
    feature_flags: &'a [String],
    impersonator: Option<Impersonator>,
    authentication_method: Option<&'a str>,
}

impl<'a> From<&'a AuthUser> for Me<'a> {
    fn from(user: &'a AuthUser) -> Self {
        Self {
            user: json!(user.user()),
            session_id: user.session_id(),
            organization_id: user.organization_id(),
            role: user.role(),
            roles: user.roles(),
            permissions: user.permissions(),
            entitlements: user.entitlements(),
            feature_flags: user.feature_flags(),
            impersonator: user.impersonator(),
            authentication_method: user.authentication_method(),
        }
    }
}

/// An access token names a user, and carries no profile.
impl<'a> From<&'a BearerUser> for Me<'a> {
    fn from(user: &'a BearerUser) -> Self {
        Self {
            user: json!({"id": user.user_id()}),
            session_id: user.session_id(),
            organization_id: user.organization_id(),
            role: user.role(),
            roles: user.roles(),
            permissions: user.permissions(),
            entitlements: user.entitlements(),
            feature_flags: user.feature_flags(),
            impersonator: user.impersonator(),
            authentication_method: None,
        }
    }
}
