use actix_web::{HttpResponse, Responder, get};
use authkit_actix::{ensure_signed_in, sign_up_path};

#[sign_up_path]
#[ensure_signed_in]
#[sign_up_path]
#[get("/twice")]
async fn twice() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
