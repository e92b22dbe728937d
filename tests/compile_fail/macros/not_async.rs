use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in]
fn list() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
