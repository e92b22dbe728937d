use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in(max_age = 0)]
async fn zero() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(max_age = 4_294_967_296)]
async fn too_large() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(max_age = -1)]
async fn negative() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(max_age = "300")]
async fn text() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(max_age = 300u64)]
async fn another_integer() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(max_age)]
async fn nothing() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(max_age = 300, max_age = 600)]
async fn twice() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(any(role = "admin", max_age = 300))]
async fn inside_any() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(not(max_age = 300))]
async fn inside_not() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
