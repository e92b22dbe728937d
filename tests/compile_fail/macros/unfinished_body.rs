use actix_web::{App, Responder, web};
use authkit_actix::{AuthUser, ensure_signed_in};

#[ensure_signed_in]
async fn show(user: AuthUser) -> impl Responder {
    user.;
    "shown"
}

fn main() {
    let _ = App::new().route("/show", web::get().to(show));
}
