use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in(role = 5)]
async fn number() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role = "")]
async fn empty() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(permission = ["posts:read", "posts:write"])]
async fn list() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(entitlement)]
async fn nothing() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(feature_flag = )]
async fn nothing_after_the_sign() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role("admin"))]
async fn parentheses() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(organization("org_1", "org_2"))]
async fn several_in_parentheses() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
