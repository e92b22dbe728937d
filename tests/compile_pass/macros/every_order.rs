#![deny(warnings, missing_docs, unreachable_pub)]
//! Above and below the route, the sibling and other attributes, with strict lints.

use actix_web::{App, Responder, delete, get, routes, web};
use authkit_actix::{AuthUser, ensure_signed_in, sign_up_path};

#[ensure_signed_in]
#[get("/above")]
async fn above(_user: AuthUser) -> impl Responder {
    "above"
}

#[get("/below")]
#[ensure_signed_in]
async fn below(_user: AuthUser) -> impl Responder {
    "below"
}

#[authkit_actix::ensure_signed_in(role = "admin")]
/// Documentation between.
#[inline]
#[delete("/by-path")]
/// And below.
async fn by_path() -> impl Responder {
    "by path"
}

#[ensure_signed_in]
#[routes]
#[get("/routes-above")]
#[post("/routes-above")]
async fn routes_above() -> impl Responder {
    "routes"
}

#[routes]
#[get("/routes-between")]
#[ensure_signed_in]
#[post("/routes-between")]
async fn routes_between() -> impl Responder {
    "routes"
}

#[routes]
#[get("/routes-below")]
#[post("/routes-below")]
#[ensure_signed_in]
async fn routes_below() -> impl Responder {
    "routes"
}

#[sign_up_path]
#[get("/alone")]
async fn alone() -> impl Responder {
    "alone"
}

#[ensure_signed_in(role = "admin")]
#[sign_up_path]
#[get("/siblings-above-1")]
async fn siblings_above_1() -> impl Responder {
    "siblings"
}

#[sign_up_path]
#[ensure_signed_in(role = "admin")]
#[get("/siblings-above-2")]
async fn siblings_above_2() -> impl Responder {
    "siblings"
}

#[get("/siblings-below-1")]
#[ensure_signed_in(role = "admin")]
#[sign_up_path]
async fn siblings_below_1() -> impl Responder {
    "siblings"
}

#[get("/siblings-below-2")]
#[sign_up_path]
#[ensure_signed_in(role = "admin")]
async fn siblings_below_2() -> impl Responder {
    "siblings"
}

#[ensure_signed_in(role = "admin")]
#[get("/siblings-around-1")]
#[sign_up_path]
async fn siblings_around_1() -> impl Responder {
    "siblings"
}

#[sign_up_path]
#[get("/siblings-around-2")]
#[ensure_signed_in(role = "admin")]
async fn siblings_around_2() -> impl Responder {
    "siblings"
}

#[cfg_attr(all(), ensure_signed_in(role = "admin"))]
#[cfg_attr(all(), sign_up_path)]
#[cfg_attr(all(), get("/conditional"))]
async fn conditional() -> impl Responder {
    "conditional"
}

#[ensure_signed_in]
#[cfg(any())]
async fn conditional(_user: Missing) -> impl Responder {
    "of another configuration"
}

#[ensure_signed_in]
#[sign_up_path]
async fn without_a_route() -> impl Responder {
    "plain"
}

fn main() {
    let _ = App::new()
        .service((above, below, by_path, alone, conditional))
        .service((routes_above, routes_between, routes_below))
        .service((siblings_above_1, siblings_above_2, siblings_below_1))
        .service((siblings_below_2, siblings_around_1, siblings_around_2))
        .route("/plain", web::get().to(without_a_route));
}
