#![deny(warnings)]
//! A sibling is taken along, and still its import is used.

mod above {
    use authkit_actix::ensure_signed_in;
    use authkit_actix::sign_up_path;

    #[ensure_signed_in]
    #[sign_up_path]
    pub async fn start() -> String {
        String::new()
    }
}

mod below {
    use authkit_actix::ensure_signed_in;
    use authkit_actix::sign_up_path;

    #[sign_up_path]
    #[actix_web::get("/start")]
    #[ensure_signed_in]
    pub async fn start() -> String {
        String::new()
    }
}

mod renamed {
    use authkit_actix::ensure_signed_in as guard;
    use authkit_actix::sign_up_path as join;

    #[guard(role = "admin")]
    #[join]
    #[actix_web::get("/renamed")]
    pub async fn start() -> String {
        String::new()
    }
}

fn main() {
    let _ = actix_web::App::new()
        .route("/", actix_web::web::get().to(above::start))
        .service(below::start)
        .service(renamed::start);
}
