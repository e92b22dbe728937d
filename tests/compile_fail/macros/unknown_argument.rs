use actix_web::{HttpResponse, Responder, get};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in(permision = "posts:write")]
#[get("/misspelt")]
async fn misspelt() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(featureFlag = "beta", any(rol = "admin", organization_id = "org_1"))]
async fn misspelt_inside() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(and(role = "admin", permission = "posts:write"))]
async fn by_another_name() -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(mfa = true)]
async fn far_from_everything() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
