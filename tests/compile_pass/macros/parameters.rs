#![deny(warnings)]
//! None, one and sixteen parameters, patterns, generics, attributes.

use actix_web::{App, Responder, get, post, web};
use authkit_actix::ensure_signed_in;

#[derive(serde::Deserialize)]
struct Post {
    title: String,
    lines: (u32, u32),
}

#[ensure_signed_in]
#[get("/none")]
async fn none() -> impl Responder {
    "none"
}

#[ensure_signed_in]
#[get("/one/{id}")]
async fn one(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[ensure_signed_in]
#[post("/patterns")]
async fn patterns(
    mut query: web::Query<Vec<String>>,
    _: web::Bytes,
    web::Json(Post {
        title,
        lines: (first, last),
    }): web::Json<Post>,
) -> impl Responder {
    query.push(title);
    format!("{query:?} {first} {last}")
}

#[get("/raw")]
#[ensure_signed_in]
async fn r#async(r#type: String) -> impl Responder {
    r#type
}

#[ensure_signed_in]
#[post("/unused")]
async fn unused(#[allow(unused_variables)] body: String) -> impl Responder {
    "unused"
}

#[ensure_signed_in]
async fn generic<T: Clone + 'static>(data: Option<web::Data<T>>) -> String
where
    T: std::fmt::Debug,
{
    format!("{data:?}")
}

#[ensure_signed_in]
#[allow(clippy::too_many_arguments)]
async fn sixteen(
    a: web::Path<u32>,
    b: web::Path<u32>,
    c: web::Path<u32>,
    d: web::Path<u32>,
    e: web::Path<u32>,
    f: web::Path<u32>,
    g: web::Path<u32>,
    h: web::Path<u32>,
    i: web::Path<u32>,
    j: web::Path<u32>,
    k: web::Path<u32>,
    l: web::Path<u32>,
    m: web::Path<u32>,
    n: web::Path<u32>,
    o: web::Path<u32>,
    p: web::Path<u32>,
) -> String {
    let all = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
    all.map(|path| path.to_string()).concat()
}

fn main() {
    let _ = App::new()
        .service((none, one, patterns, r#async, unused))
        .route("/generic", web::get().to(generic::<String>))
        .route("/sixteen/{id}", web::get().to(sixteen));
}
