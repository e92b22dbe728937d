use actix_web::{HttpResponse, Responder};
use authkit_actix::{AuthUser, ensure_signed_in};

struct Posts;

impl Posts {
    #[ensure_signed_in]
    async fn list(&self, _user: AuthUser) -> impl Responder {
        HttpResponse::Ok()
    }
}

trait Handlers {
    #[ensure_signed_in]
    async fn show(user: AuthUser);
}

fn main() {
    let _ = Posts::list;
}
