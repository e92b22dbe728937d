use actix_web::{HttpResponse, Responder, get, web};
use authkit_actix::{ensure_signed_in, sign_up_path};

#[ensure_signed_in]
#[sign_up_path]
#[get("/{id}")]
async fn show(id: web::Path<String>) -> impl Responder {
    let count: u32 = "three";
    let id: u32 = id.into_inner();
    HttpResponse::Ok().body(format!("{count} of {id}"))
}

fn main() {}
