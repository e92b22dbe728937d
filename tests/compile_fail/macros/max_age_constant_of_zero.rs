use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

const NEVER: u32 = 0;

#[ensure_signed_in(max_age = NEVER)]
async fn never() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
