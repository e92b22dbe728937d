use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in(role = admin)]
async fn without_quotes() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(max_age = AN_HOUR)]
async fn seconds() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
