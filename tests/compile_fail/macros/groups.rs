use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in(any())]
async fn any_of_nothing() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role = "admin", any(all()))]
async fn all_of_nothing_inside() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(any)]
async fn any_alone() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(all = "admin")]
async fn all_with_a_value() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(not())]
async fn not_of_nothing() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(not(role = "guest", organization))]
async fn not_of_two() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(not = "guest")]
async fn not_with_a_value() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
