use actix_web::{HttpResponse, Responder, get};
use authkit_actix::{ensure_signed_in, require_api_key};

#[require_api_key(role = "admin", max_age = 300)]
async fn rights_of_people() -> impl Responder {
    HttpResponse::Ok()
}

#[require_api_key]
#[get("/beside")]
#[ensure_signed_in]
async fn beside_a_session() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in]
#[require_api_key(permission = "reports:read")]
async fn beside_a_key() -> impl Responder {
    HttpResponse::Ok()
}

#[require_api_key(permission = "reports:read")]
#[require_api_key(permission = "reports:write")]
async fn twice() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
