use actix_web::{HttpResponse, Responder, get};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in(role = "admin")]
#[ensure_signed_in(permission = "posts:write")]
async fn twice() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role = "admin")]
#[get("/around")]
#[authkit_actix::ensure_signed_in(permission = "posts:write")]
async fn around_a_route() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
