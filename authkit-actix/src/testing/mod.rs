//! Signed-in requests for an application's own tests: no account, no network, no sleeping.
//!
//! Handlers are tested as they are. An [`AuthKit`] made by [`AuthKitBuilder::testing`] believes the
//! access tokens of a key that lives as long as the test process, and [`TestUser`] signs them:
//!
//! ```
//! use actix_web::{App, Responder, get, http::StatusCode, test::{self, TestRequest}};
//! use authkit_actix::{
//!     AuthKit, AuthUser, ensure_signed_in,
//!     testing::{SignedIn as _, TestUser},
//! };
//!
//! #[get("/admin")]
//! #[ensure_signed_in(role = "admin")]
//! async fn admin(user: AuthUser) -> impl Responder {
//!     format!("Hello, {}", user.email)
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authkit = AuthKit::builder().testing().build()?;
//! let app = test::init_service(App::new().wrap(authkit.middleware()).service(admin)).await;
//!
//! let ada = TestUser::new("ada@example.com").role("admin");
//! let request = TestRequest::get().uri("/admin").signed_in(ada).to_request();
//! assert_eq!(test::call_and_read_body(&app, request).await, "Hello, ada@example.com");
//!
//! let bob = TestUser::new("bob@example.com");
//! let request = TestRequest::get().uri("/admin").signed_in(bob).to_request();
//! assert_eq!(test::call_service(&app, request).await.status(), StatusCode::FORBIDDEN);
//! # Ok(()) }
//! ```
//!
//! Time is moved by a [`TestClock`], and a [`RouteInventory`] finds the route that nobody guards.
//!
//! WorkOS is out of reach of these tests: what needs it (a sign-in, a refresh, an API key) finds an
//! outage. Where a test is about that, use the [`emulator`](crate::emulator), which has it all.

mod clock;
mod route_inventory;
mod user;

use std::sync::{
    LazyLock, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

pub use self::{
    clock::TestClock,
    route_inventory::{ProbedRoute, RouteInventory, SeenByStrangers},
    user::{SignedIn, TestUser},
};
use crate::{
    authkit::{AuthKit, AuthKitBuilder},
    emulator::keys::{KeyRing, Signer},
};

impl AuthKitBuilder {
    /// An application under test, for [`TestUser`]s: sets everything that is required, believes the
    /// tokens of a key that lives as long as the process, and never reaches WorkOS.
    ///
    /// What is set after this stays as it is set.
    ///
    /// # Security
    ///
    /// The cookie password that it sets is known to everybody. Nobody gets in by it, since the key is
    /// known to nobody; but it belongs in tests only.
    pub fn testing(self) -> Self {
        // Tests build one for each test: not the mistake that two of one client id usually are.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        self.client_id(format!("client_testing_{number}"))
            .api_key("sk_testing")
            .cookie_password("for tests only, and known to everybody")
            .cookie_name("wos-session")
            .redirect_uri("http://localhost:3000/callback")
            .base_url("http://localhost:3000")
            .api_hostname("127.0.0.1")
            .api_https(false)
            .api_port(NOBODY_LISTENS)
            .key_set(KEYS.jwks(Signer::Active))
    }
}

/// The key that signs the tokens of test users.
static KEYS: LazyLock<KeyRing> =
    LazyLock::new(|| KeyRing::generate().expect("aws-lc makes a key of 2048 bits"));

/// The application that a test user is signed in to unless it is told.
fn default_app() -> &'static AuthKit {
    static APP: OnceLock<AuthKit> = OnceLock::new();
    APP.get_or_init(|| {
        let app = AuthKit::builder().testing().build();
        app.expect("the variables of this process suit a test")
    })
}

/// The discard port: a call ends at once.
const NOBODY_LISTENS: u16 = 9;
