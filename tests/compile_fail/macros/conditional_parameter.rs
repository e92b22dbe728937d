use actix_web::{HttpResponse, Responder};
use authkit_actix::{AuthUser, ensure_signed_in};

#[ensure_signed_in]
async fn list(#[cfg(debug_assertions)] _user: AuthUser) -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
