use actix_web::{App, Responder, get};
use authkit_actix::{Auth, AuthUser, ensure_signed_in};

struct Plan {
    plan: String,
}

#[get("/bare")]
async fn bare(user: AuthUser<Plan>) -> impl Responder {
    user.claims().plan.clone()
}

#[get("/guarded")]
#[ensure_signed_in]
async fn guarded(user: AuthUser<Plan>) -> impl Responder {
    user.claims().plan.clone()
}

#[get("/asked")]
async fn asked(auth: Auth) -> impl Responder {
    match auth.claims::<Plan>() {
        Some(Ok(plan)) => plan.plan,
        _ => String::new(),
    }
}

fn main() {
    let _ = App::new().service((bare, guarded, asked));
}
