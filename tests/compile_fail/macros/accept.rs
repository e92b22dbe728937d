use actix_web::{HttpResponse, Responder};
use authkit_actix::{ensure_signed_in, sign_up_path};

#[ensure_signed_in(accept())]
async fn nobody() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(accept(session, cookie, api_key = "sk"))]
async fn unknown_credential() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(any(role = "admin", accept(api_key)))]
async fn inside_a_group() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(accept(bearer))]
#[sign_up_path]
async fn nobody_to_sign_up() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
