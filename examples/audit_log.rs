//! Who signed in, who was refused and who left, written down by the hooks.
//!
//! `cargo run --bin audit_log`, and sign in as `ada@example.com`, who may read the log, with the
//! password `password`; `alan@example.com` is not let in. `AUDIT_WEBHOOK_SECRET` adds what WorkOS
//! reports by webhooks, such as sessions that end in its dashboard.

mod page;

use std::{
    collections::VecDeque,
    env,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{App, HttpServer, Responder, get, web};
use authkit_actix::{
    Admission, AuthKit, AuthUser, RequestInfo, SessionRevoked, SignIn, WebhookEvent,
    ensure_signed_in,
};
use maud::html;

use crate::page::page;

/// The latest entries; an application would write to its database, and hooks may await.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    /// Never a token, and nothing that only looks like an address: `peer` is the connection's.
    fn write(&self, what: &str, who: &str, request: Option<&RequestInfo>) {
        let from = request.and_then(|request| request.peer);
        let from = from.map_or_else(|| "WorkOS".to_owned(), |peer| peer.to_string());
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.truncate(99);
        entries.push_front(format!("{what}: {who}, from {from}"));
    }
}

#[get("/")]
#[ensure_signed_in(role = "admin")]
async fn read(user: AuthUser, log: web::Data<Log>) -> impl Responder {
    let entries = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    page(
        "Audit log",
        html! {
            h1 { "What happened" }
            ol { @for entry in entries.iter() { li { (entry) } } }
            p { "You are " (user.email) "." }
            form method="post" action="/sign-out" { button { "Sign out" } }
        },
    )
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let log = Log::default();
    let left = log.clone();
    let authkit = AuthKit::builder()
        .or_emulator(&format!("http://127.0.0.1:{port}"))?
        .on_signed_out(move |user, request| {
            left.write("signed out", &user.email, Some(&request));
            async {}
        })
        .build()?;
    let ended = log.clone();
    let webhooks = env::var("AUDIT_WEBHOOK_SECRET").map(|secret| {
        let webhooks = authkit.webhooks(secret);
        let webhooks = webhooks.on(move |event: WebhookEvent<SessionRevoked>| {
            ended.write("ended", &event.data.user_id, None);
            async {}
        });
        webhooks.build()
    });
    let webhooks = webhooks.ok().transpose()?;
    let app = authkit.clone();
    let server = HttpServer::new(move || {
        let (refused, admitted) = (log.clone(), log.clone());
        let callback = app
            .handle_auth()
            .on_authenticated(move |sign_in: SignIn| {
                // No session comes to exist for whoever is refused.
                let admission = match sign_in.organization_id {
                    Some(_) => Admission::Allow,
                    None => {
                        refused.write("refused", &sign_in.user.email, Some(&sign_in.request));
                        Admission::refuse("in no organization")
                    }
                };
                async move { admission }
            })
            .on_success(move |sign_in: SignIn| {
                admitted.write("signed in", &sign_in.user.email, Some(&sign_in.request));
                async {}
            });
        App::new()
            .wrap(app.middleware())
            .app_data(web::Data::new(log.clone()))
            .service((callback, app.routes(), read))
            .configure(|config| {
                if let Some(webhooks) = &webhooks {
                    config.service(webhooks.clone());
                }
            })
    });
    let server = server.bind(("127.0.0.1", port))?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
