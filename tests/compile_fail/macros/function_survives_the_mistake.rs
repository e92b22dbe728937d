use actix_web::{App, HttpResponse, Responder, get, web};
use authkit_actix::{AuthUser, ensure_signed_in};

#[ensure_signed_in(rol = "admin")]
#[get("/list")]
async fn list(_user: AuthUser) -> impl Responder {
    HttpResponse::Ok()
}

#[ensure_signed_in(rol = "admin")]
async fn show(_user: AuthUser) -> impl Responder {
    HttpResponse::Ok()
}

fn main() {
    let _ = App::new().service(list).route("/show", web::get().to(show));
}
