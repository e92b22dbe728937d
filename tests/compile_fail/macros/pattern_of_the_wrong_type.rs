use actix_web::{HttpResponse, Responder, web};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in]
async fn list(_page: web::Query<u32>, web::Json((_a, _b)): web::Json<u8>) -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
