#![deny(warnings, missing_docs, unreachable_pub, private_interfaces)]
//! Inside `#[scope]` modules, and with every visibility.

use actix_web::{App, scope, web};

/// Posts.
#[scope("/posts")]
pub mod posts {
    use actix_web::{Responder, get, routes};
    use authkit_actix::{ensure_signed_in, sign_up_path};

    #[ensure_signed_in]
    #[get("/above")]
    pub(super) async fn above() -> impl Responder {
        "above"
    }

    #[get("/below")]
    #[ensure_signed_in]
    pub(in super::posts) async fn below() -> impl Responder {
        "below"
    }

    #[ensure_signed_in]
    #[sign_up_path]
    #[routes]
    #[get("/a")]
    #[get("/b")]
    pub(crate) async fn routes_inside() -> impl Responder {
        "routes"
    }

    pub(super) fn all() -> impl actix_web::dev::HttpServiceFactory {
        (above, below, routes_inside)
    }
}

mod private {
    use authkit_actix::ensure_signed_in;

    #[ensure_signed_in]
    pub(crate) async fn show() -> String {
        String::new()
    }

    #[ensure_signed_in]
    pub(super) async fn list(limit: actix_web::web::Data<Limit>) -> String {
        format!("{:?}", limit.get_ref())
    }

    #[derive(Debug)]
    pub(super) struct Limit;
}

fn main() {
    let _ = App::new()
        .service(posts::all())
        .route("/show", web::get().to(private::show))
        .route("/list", web::get().to(private::list));
}
