use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in("admin")]
async fn value_without_a_name() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role = "admin" permission = "posts:write")]
async fn no_comma() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role: "admin")]
async fn colon() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role == "admin")]
async fn comparison() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(!role = "guest")]
async fn exclamation_mark() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role = "admin" || role = "owner")]
async fn or() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(, role = "admin")]
async fn leading_comma() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
