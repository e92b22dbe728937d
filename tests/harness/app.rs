use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use actix_web::{
    App, HttpResponse, HttpServer, Responder, dev::ServerHandle, get, middleware::Condition, post,
    web,
};
use authkit_actix::{
    Auth, AuthKit, AuthKitBuilder, AuthStatus, AuthUser, Clock as _, User,
    emulator::{Emulator, EmulatorBuilder, NewSession},
    ensure_signed_in, sign_up_path,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Answer, Browser, Log, TestClock, handles, log::TRY, seal};

/// An application with the library in it, on a real socket, in front of an emulator; both run by one
/// clock.
pub struct TestApp {
    pub emulator: Emulator,
    pub authkit: AuthKit,
    pub clock: TestClock,
    pub origin: String,
    server: ServerHandle,
    anybody: Browser,
    is_wrapped: bool,
}

/// What a test wants different.
pub struct TestAppBuilder {
    emulator: Box<dyn FnOnce(EmulatorBuilder) -> EmulatorBuilder>,
    authkit: Box<dyn FnOnce(AuthKitBuilder) -> AuthKitBuilder>,
    routes: Routes,
    listener: Option<TcpListener>,
    other: Option<(Emulator, TestClock)>,
    is_wrapped: bool,
    workers: usize,
}

type Routes = Arc<dyn Fn(&AuthKit, &mut web::ServiceConfig) + Send + Sync>;

impl TestApp {
    /// The usual application: every test route, the library's own routes, the middleware around all.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    pub fn builder() -> TestAppBuilder {
        TestAppBuilder {
            emulator: Box::new(|emulator| emulator),
            authkit: Box::new(|authkit| authkit),
            routes: Arc::new(routes),
            listener: None,
            other: None,
            is_wrapped: true,
            workers: 1,
        }
    }

    /// A browser that has been nowhere yet.
    pub fn browser(&self) -> Browser {
        browser(&self.origin, self.is_wrapped)
    }

    /// Calls as a script does, with these cookies and no browser's.
    pub async fn ask(&self, address: &str, cookies: &str) -> Answer {
        self.anybody.api_with(address, cookies).await
    }

    /// A browser that is signed in.
    pub async fn signed_in(&self, email: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(email).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    /// A browser with a session that was made without a sign-in, for a user of the emulator.
    pub fn with_session(&self, session: impl Into<NewSession>) -> Browser {
        let mut browser = self.browser();
        browser.set_cookie("wos-session", &seal::cookie(&self.emulator, session));
        browser
    }

    /// The `Cookie` header of such a browser.
    pub fn cookie_of(&self, session: impl Into<NewSession>) -> String {
        format!("wos-session={}", seal::cookie(&self.emulator, session))
    }

    /// The content of a session cookie.
    pub fn session(&self, session: impl Into<NewSession>) -> Value {
        seal::session(&self.emulator, session)
    }

    pub fn seal(&self, session: &Value) -> String {
        seal::seal_session(PASSWORD, session)
    }

    /// The claims of an access token, as they stand there.
    pub fn claims(&self, token: &Value) -> Value {
        let payload = token.as_str().and_then(|token| token.split('.').nth(1));
        let payload = URL_SAFE_NO_PAD.decode(payload.expect("a token"));
        serde_json::from_slice(&payload.expect("base64url")).expect("JSON")
    }

    /// The content of a sealed session cookie.
    pub fn open(&self, sealed: &str) -> Value {
        let plaintext = seal::open(PASSWORD, seal::SESSION, sealed).expect("a genuine cookie");
        seal::unpacked(&plaintext)
    }

    /// Stops the server as a deployment does: requests under way are still answered.
    pub async fn stop_gracefully(&self) {
        self.server.stop(true).await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl TestAppBuilder {
    pub fn emulator(
        mut self,
        change: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder + 'static,
    ) -> Self {
        self.emulator = Box::new(change);
        self
    }

    pub fn authkit(
        mut self,
        change: impl FnOnce(AuthKitBuilder) -> AuthKitBuilder + 'static,
    ) -> Self {
        self.authkit = Box::new(change);
        self
    }

    /// Other routes than the usual ones.
    pub fn routes(
        mut self,
        routes: impl Fn(&AuthKit, &mut web::ServiceConfig) + Send + Sync + 'static,
    ) -> Self {
        self.routes = Arc::new(routes);
        self
    }

    /// Further routes beside the usual ones.
    pub fn with_usual_routes(
        self,
        further: impl Fn(&AuthKit, &mut web::ServiceConfig) + Send + Sync + 'static,
    ) -> Self {
        self.routes(move |authkit, config| {
            routes(authkit, config);
            further(authkit, config);
        })
    }

    /// A socket of the test's own, whose address it knows before there is a configuration.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Another instance of the application, with its emulator and its clock.
    pub fn beside(mut self, other: &TestApp) -> Self {
        self.other = Some((other.emulator.clone(), other.clock.clone()));
        self
    }

    /// No middleware around the application.
    pub fn without_middleware(mut self) -> Self {
        self.is_wrapped = false;
        self
    }

    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    pub async fn start(self) -> TestApp {
        Log::capture_for_the_fault_bed();
        handles::note_baseline();
        let (emulator, clock) = self.other.unwrap_or_else(|| {
            let clock = TestClock::now();
            let emulator_clock = clock.clone();
            let emulator = Emulator::builder()
                .quiet()
                .allow_in_release()
                .clock(move || emulator_clock.unix_seconds());
            let emulator = (self.emulator)(emulator).start().expect("an emulator");
            (emulator, clock)
        });
        let listener = self
            .listener
            .unwrap_or_else(|| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let authkit = (self.authkit)(
            AuthKit::builder()
                .emulator(&emulator)
                .cookie_password(PASSWORD)
                .redirect_uri(format!("{origin}/callback"))
                .clock(clock.clone()),
        )
        .build()
        .expect("a right configuration");
        let (routes, is_wrapped, workers) = (self.routes, self.is_wrapped, self.workers);
        let app_authkit = authkit.clone();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    let (authkit, routes) = (app_authkit.clone(), Arc::clone(&routes));
                    App::new()
                        .wrap(Condition::new(is_wrapped, authkit.middleware()))
                        .configure(|config| routes(&authkit, config))
                })
                .workers(workers)
                // A busy machine takes no connection away from a test.
                .keep_alive(Duration::from_secs(300))
                .client_request_timeout(Duration::from_secs(60))
                .disable_signals()
                .shutdown_timeout(5)
                .listen(listener)
                .expect("a listener")
                .run();
                sender.send(server.handle()).expect("the test waits");
                server.await.expect("the server runs");
            });
        });
        TestApp {
            server: receiver.recv().expect("the server starts"),
            anybody: browser(&origin, is_wrapped),
            is_wrapped,
            emulator,
            authkit,
            clock,
            origin,
        }
    }
}

/// Without the middleware an application promises nothing.
fn browser(origin: &str, is_wrapped: bool) -> Browser {
    let browser = Browser::at(origin);
    if is_wrapped {
        browser.watchful()
    } else {
        browser
    }
}

/// Sends bytes as they are, and gives what comes back until the connection ends or a second passes.
pub fn raw_exchange(origin: &str, request: &[u8]) -> String {
    let address = origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    let timeout = Some(Duration::from_secs(1));
    stream.set_read_timeout(timeout).expect("a timeout");
    stream.write_all(request).expect("sent");
    tracing::trace!(target: TRY, bytes = request.len());
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The usual test routes.
fn routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let private = authkit
        .middleware()
        .protect()
        .unauthenticated_paths(["/private/open", "/private/docs/:path*"])
        .sign_up_paths(["/private/join"])
        .build()
        .expect("patterns");
    config
        .service(authkit.handle_auth())
        .service(authkit.routes())
        .service(home)
        .service(account)
        .service(start)
        .service(admin)
        .service(billing)
        .service(beta)
        .service(entitled)
        .service(team)
        .service(acme)
        .service(editors)
        .service(danger)
        .service(echo)
        .service(form)
        .service(me)
        .service(maybe)
        .service(status)
        .service(plan)
        .service(fail)
        .service(cached)
        .service(public)
        .service(
            web::scope("/private")
                .wrap(private)
                .default_service(web::to(|| async { "private body" })),
        );
}

#[derive(Serialize)]
struct Me<'a> {
    user: &'a User,
    session_id: &'a str,
    organization_id: Option<&'a str>,
    role: Option<&'a str>,
    roles: &'a [String],
    permissions: &'a [String],
    entitlements: &'a [String],
    feature_flags: &'a [String],
    impersonator: Option<authkit_actix::Impersonator>,
    authentication_method: Option<&'a str>,
}

fn describe<C>(user: &AuthUser<C>) -> HttpResponse {
    HttpResponse::Ok().json(Me {
        user: user.user(),
        session_id: user.session_id(),
        organization_id: user.organization_id(),
        role: user.role(),
        roles: user.roles(),
        permissions: user.permissions(),
        entitlements: user.entitlements(),
        feature_flags: user.feature_flags(),
        impersonator: user.impersonator(),
        authentication_method: user.authentication_method(),
    })
}

#[get("/")]
async fn home(auth: Auth) -> impl Responder {
    match auth.user() {
        Some(user) => format!("Signed in as {}", user.email),
        None => format!(
            "{} {}",
            auth.sign_in_url().return_to("/account"),
            auth.sign_up_url()
        ),
    }
}

#[get("/account")]
#[ensure_signed_in]
async fn account(user: AuthUser) -> impl Responder {
    format!("account of {}", user.email)
}

#[get("/start")]
#[sign_up_path]
async fn start(user: AuthUser) -> impl Responder {
    format!("started by {}", user.email)
}

#[get("/admin")]
#[ensure_signed_in(role = "admin")]
async fn admin() -> impl Responder {
    "admin"
}

#[get("/billing")]
#[ensure_signed_in(permission = "billing:manage")]
async fn billing() -> impl Responder {
    "billing"
}

#[get("/beta")]
#[ensure_signed_in(feature_flag = "beta")]
async fn beta() -> impl Responder {
    "beta"
}

#[get("/entitled")]
#[ensure_signed_in(entitlement = "audit-logs")]
async fn entitled() -> impl Responder {
    "entitled"
}

#[get("/team")]
#[ensure_signed_in(organization)]
async fn team() -> impl Responder {
    "team"
}

#[get("/acme")]
#[ensure_signed_in(organization = "org_acme")]
async fn acme() -> impl Responder {
    "acme"
}

#[get("/editors")]
#[ensure_signed_in(any(role = "admin", all(role = "member", not(feature_flag = "beta"))))]
async fn editors() -> impl Responder {
    "editors"
}

#[get("/danger")]
#[ensure_signed_in(max_age = 300)]
async fn danger() -> impl Responder {
    "danger"
}

#[post("/api/echo")]
#[ensure_signed_in]
async fn echo(body: web::Json<Value>) -> impl Responder {
    body
}

#[post("/form")]
#[ensure_signed_in]
async fn form() -> impl Responder {
    "submitted"
}

/// Guarded by its extractor alone.
#[get("/api/me")]
async fn me(user: AuthUser) -> impl Responder {
    describe(&user)
}

#[get("/maybe")]
async fn maybe(user: Option<AuthUser>) -> impl Responder {
    user.map_or("nobody".to_owned(), |user| user.email.clone())
}

#[get("/status")]
async fn status(status: AuthStatus) -> impl Responder {
    match status {
        AuthStatus::SignedIn(_) => "signed in",
        AuthStatus::SignedOut => "signed out",
        AuthStatus::CannotTell => "cannot tell",
    }
}

#[derive(Deserialize)]
struct Plan {
    plan: String,
}

#[get("/plan")]
async fn plan(user: AuthUser<Plan>) -> impl Responder {
    user.claims().plan.clone()
}

#[get("/fail")]
async fn fail(_user: AuthUser) -> actix_web::Result<&'static str> {
    Err(actix_web::error::ErrorInternalServerError("on purpose"))
}

#[get("/cached")]
async fn cached(_auth: Auth) -> impl Responder {
    HttpResponse::Ok()
        .insert_header(("cache-control", "public, max-age=3600"))
        .body("cached")
}

#[get("/public.txt")]
async fn public() -> impl Responder {
    HttpResponse::Ok()
        .insert_header(("cache-control", "public, max-age=3600"))
        .body("public")
}

/// What the application seals its cookies with.
pub const PASSWORD: &str = "a cookie password of the black-box tests";
