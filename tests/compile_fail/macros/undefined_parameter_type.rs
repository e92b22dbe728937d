use actix_web::{HttpResponse, Responder, get, web};
use authkit_actix::{AuthUser, ensure_signed_in};

#[ensure_signed_in]
#[get("/above")]
async fn above(_user: AuthUser, _post: web::Json<Missing>) -> impl Responder {
    HttpResponse::Ok()
}

#[get("/below")]
#[ensure_signed_in]
async fn below(_user: AuthUser, Unknown(_post): web::Json<u8>) -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
