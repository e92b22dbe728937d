use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

const ADMIN: u8 = 7;
const HOUR: u64 = 3600;

#[ensure_signed_in(role = ADMIN)]
async fn number_for_a_role() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(max_age = HOUR)]
async fn another_integer_for_seconds() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
