use actix_web::App;
use authkit_actix::AuthKit;

fn configured(authkit: &AuthKit) {
    let _ = App::new().wrap(authkit.middleware().protect().unauthenticated_paths(["/"]));
}

fn main() {}
