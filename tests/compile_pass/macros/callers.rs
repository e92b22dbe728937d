#![deny(warnings, missing_docs, unreachable_pub)]
//! API keys and access tokens: in every place, alone and beside sessions.

use actix_web::{App, Responder, get, post, web};
use authkit_actix::{ApiKey, BearerUser, Caller, ensure_signed_in, require_api_key, sign_up_path};

const READ: &str = "reports:read";

#[require_api_key]
#[get("/above")]
async fn above(_key: ApiKey) -> impl Responder {
    "above"
}

#[get("/below")]
#[require_api_key(permission = READ, not(permission = "reports:write"))]
async fn below(_key: ApiKey, _body: web::Bytes) -> impl Responder {
    "below"
}

#[authkit_actix::require_api_key(any(permission = "a", all(permission = "b", permission = "c")))]
#[post("/by-path")]
async fn by_path() -> impl Responder {
    "by path"
}

#[get("/several")]
#[ensure_signed_in(accept(session, bearer, api_key), permission = READ, max_age = 300)]
async fn several(caller: Caller) -> impl Responder {
    match caller {
        Caller::User(_) => "user",
        Caller::Bearer(_) => "bearer",
        Caller::ApiKey(_) => "key",
    }
}

#[ensure_signed_in(role = "admin", accept(bearer,))]
#[get("/bearer")]
async fn bearer(_user: BearerUser) -> impl Responder {
    "bearer"
}

#[ensure_signed_in(accept(session, bearer))]
#[sign_up_path]
#[get("/sign-up")]
async fn sign_up() -> impl Responder {
    "sign-up"
}

fn main() {
    let _ = App::new().service((above, below, by_path, several, bearer, sign_up));
}
