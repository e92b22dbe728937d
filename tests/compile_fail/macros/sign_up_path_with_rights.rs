use actix_web::{HttpResponse, Responder, get};
use authkit_actix::{ensure_signed_in, sign_up_path};

#[sign_up_path(role = "admin")]
#[get("/alone")]
async fn alone() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(role = "admin")]
#[sign_up_path(permission = "posts:write")]
async fn beside() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
