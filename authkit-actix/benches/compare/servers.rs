//! The applications that are compared: the same answer, with and without something in front of it.

use std::{
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
};

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::{Session, SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, HttpMessage as _, HttpRequest, HttpResponse, HttpServer,
    cookie::Key,
    dev::{ServerHandle, Service as _},
    error, web,
};
use authkit_actix::{AuthKit, AuthUser, User};
use serde::{Deserialize, Serialize};

use crate::{
    checks::thread_nanoseconds,
    load::Load,
    support::{EMAIL, World},
};

/// What stands in front of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// Nothing.
    Bare,
    /// A middleware that only calls inwards.
    Noop,
    /// This library.
    AuthKit,
    /// actix-session with its cookie store.
    ActixSession,
    /// actix-identity over actix-session with its cookie store.
    ActixIdentity,
}

/// A server on a thread of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
}

/// What actix-session keeps: what the session cookie of this library holds.
#[derive(Deserialize, Serialize)]
struct Document {
    access_token: String,
    refresh_token: String,
    user: User,
    authentication_method: Option<String>,
}

impl Front {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bare" => Self::Bare,
            "noop" => Self::Noop,
            "authkit" => Self::AuthKit,
            "actix-session" => Self::ActixSession,
            "actix-identity" => Self::ActixIdentity,
            _ => return None,
        })
    }

    /// The cookie that somebody gets who signs in with the usual session.
    pub(crate) fn cookie(self, world: &World, authkit: &AuthKit) -> String {
        let server = Server::start(self, authkit, 1, 0);
        let session = world.session(0).to_string();
        let answer = Load::connect(server.address).ask(&format!(
            "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{session}",
            session.len(),
        ));
        let set_cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        let (cookie, _) = set_cookie
            .and_then(|set| set.split_once(';'))
            .expect("a cookie");
        cookie.to_owned()
    }
}

impl Server {
    pub(crate) fn start(front: Front, authkit: &AuthKit, workers: usize, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let authkit = authkit.clone();
        let (sender, receiver) = mpsc::channel();
        macro_rules! serve {
            ($app:expr, $account:expr, $sign_in:expr) => {
                HttpServer::new(move || {
                    $app.route("/", web::get().to(hello))
                        .route("/account", web::get().to($account))
                        .route("/sign-in", web::post().to($sign_in))
                        .route("/cpu", web::get().to(cpu))
                })
                .workers(workers)
                .disable_signals()
                .listen(listener)
                .expect("a listener")
                .run()
            };
        }
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = match front {
                    Front::Bare => serve!(App::new(), hello, hello),
                    Front::Noop => serve!(
                        App::new().wrap_fn(|request, service| service.call(request)),
                        hello,
                        hello
                    ),
                    Front::AuthKit => {
                        serve!(App::new().wrap(authkit.middleware()), account, hello)
                    }
                    Front::ActixSession => serve!(
                        App::new().wrap(session_middleware()),
                        session_account,
                        session_sign_in
                    ),
                    Front::ActixIdentity => serve!(
                        App::new()
                            .wrap(IdentityMiddleware::default())
                            .wrap(session_middleware()),
                        identity_account,
                        identity_sign_in
                    ),
                };
                sender.send(server.handle()).expect("somebody waits");
                server.await.expect("the server runs");
            });
        });
        Self {
            address,
            handle: receiver.recv().expect("the server starts"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn hello() -> &'static str {
    EMAIL
}

/// The time that the worker's thread has run so far, in nanoseconds.
async fn cpu() -> String {
    thread_nanoseconds().to_string()
}

async fn account(user: AuthUser) -> String {
    user.email.clone()
}

fn session_middleware() -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::builder(CookieSessionStore::default(), Key::from(&[7; 64]))
        .cookie_secure(false)
        .build()
}

async fn session_sign_in(session: Session, document: web::Json<Document>) -> HttpResponse {
    session
        .insert(DOCUMENT, document.into_inner())
        .expect("JSON");
    HttpResponse::Ok().finish()
}

async fn session_account(session: Session) -> Result<String, actix_web::Error> {
    let document: Option<Document> = session.get(DOCUMENT)?;
    Ok(document
        .ok_or(error::ErrorUnauthorized("signed out"))?
        .user
        .email)
}

async fn identity_sign_in(
    request: HttpRequest,
    session: Session,
    document: web::Json<Document>,
) -> HttpResponse {
    Identity::login(&request.extensions(), document.user.id.clone()).expect("a session");
    session_sign_in(session, document).await
}

async fn identity_account(_user: Identity, session: Session) -> Result<String, actix_web::Error> {
    session_account(session).await
}

const DOCUMENT: &str = "document";
