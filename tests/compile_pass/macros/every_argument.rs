#![deny(warnings)]
//! Literals and constants, alone and combined.

use actix_web::{App, Responder, get, web};
use authkit_actix::{ensure_signed_in, sign_up_path};

mod rights {
    pub const ADMIN: &str = "admin";
    pub const RECENT: u32 = 300;

    pub struct Plan<const N: usize, const M: usize>;

    impl<const N: usize, const M: usize> Plan<N, M> {
        pub const ENTITLEMENT: &'static str = "audit-log";
    }
}

#[ensure_signed_in(role = "admin")]
#[get("/role")]
async fn role() -> impl Responder {
    "role"
}

#[ensure_signed_in(
    permission = "posts:write",
    entitlement = "audit-log",
    feature_flag = "beta"
)]
#[get("/several")]
async fn several() -> impl Responder {
    "several"
}

#[get("/organization")]
#[ensure_signed_in(organization)]
async fn organization() -> impl Responder {
    "organization"
}

#[get("/this-organization")]
#[ensure_signed_in(organization = "org_1")]
async fn this_organization() -> impl Responder {
    "this organization"
}

#[get("/recent")]
#[ensure_signed_in(max_age = 1_000u32)]
#[sign_up_path()]
async fn recent() -> impl Responder {
    "recent"
}

#[get("/constants")]
#[ensure_signed_in(
    role = rights::ADMIN,
    entitlement = rights::Plan::<1, 2>::ENTITLEMENT,
    max_age = self::rights::RECENT,
)]
async fn constants() -> impl Responder {
    "constants"
}

#[ensure_signed_in(any(
    role = "owner",
    all(
        organization,
        not(role = "guest"),
        any(permission = "a", permission = "b")
    ),
))]
#[get("/combined")]
async fn combined() -> impl Responder {
    "combined"
}

macro_rules! page {
    ($name:ident, $path:literal, $role:expr, $age:literal, $constant:path) => {
        #[ensure_signed_in(role = $role, max_age = $age, any(role = $constant))]
        #[get($path)]
        async fn $name() -> impl Responder {
            stringify!($name)
        }
    };
}

page!(from_a_macro, "/from-a-macro", "admin", 300, rights::ADMIN);

fn main() {
    let _ = App::new()
        .service((role, several, organization, this_organization, recent))
        .service((constants, combined, from_a_macro))
        .route("/", web::get().to(|| async { "public" }));
}
