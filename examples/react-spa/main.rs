//! A single-page application in React, in front of Actix.
//!
//! In production Actix serves what Vite has built: `npm ci && npm run prepack` in the client's folder
//! (`authkit-actix/client`), `npm ci && npm run build` in this one, then `cargo run --bin react-spa`. While you work on the pages, Vite serves them and hands on the rest:
//! `AUTHKIT_BASE_URL=http://127.0.0.1:5173 cargo run --bin react-spa`, and `npm run dev` beside it.

use std::{
    collections::HashMap,
    env,
    future::ready,
    path::Path,
    sync::{Mutex, PoisonError},
};

use actix_files::{Files, NamedFile};
use actix_web::{App, HttpServer, Responder, get, post, web};
use authkit_actix::{AuthKit, AuthUser, PrivateWhen};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let base_url = format!("http://127.0.0.1:{port}");
    let authkit = AuthKit::builder()
        .or_emulator(&base_url)?
        .private_when(PrivateWhen::SessionUsed) // the files of the pages stay cacheable
        .build()?;
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("react-spa/dist");
    if !dist.exists() {
        eprintln!("There are no pages yet: see the first lines of examples/react-spa/main.rs.");
    }
    println!("Open {}", authkit.base_url());
    let notes = web::Data::new(Notes::default());
    HttpServer::new(move || {
        let index = dist.join("index.html");
        App::new()
            .wrap(authkit.middleware())
            .app_data(notes.clone())
            .service(authkit.handle_auth())
            .service(authkit.routes())
            .service(read)
            .service(add)
            .service(Files::new("/assets", dist.join("assets")))
            // The pages have addresses of their own, which are no files.
            .default_service(web::get().to(move || ready(NamedFile::open(&index))))
    })
    .bind(("127.0.0.1", port))?
    .run()
    .await?;
    Ok(())
}

/// The notes of each user.
#[derive(Default)]
struct Notes(Mutex<HashMap<String, Vec<String>>>);

#[get("/api/notes")]
async fn read(user: AuthUser, notes: web::Data<Notes>) -> impl Responder {
    let notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    web::Json(notes.get(&user.id).cloned().unwrap_or_default())
}

#[post("/api/notes")]
async fn add(user: AuthUser, note: web::Json<String>, notes: web::Data<Notes>) -> impl Responder {
    let mut notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mine = notes.entry(user.id.clone()).or_default();
    mine.insert(0, note.into_inner());
    mine.truncate(100);
    web::Json(mine.clone())
}
