//! Hosted sign-in for Actix-web: WorkOS AuthKit sessions, guards and routes.
//!
//! WorkOS shows the pages that people sign in and sign up on. This crate brings them there and back,
//! keeps their session in a sealed cookie that refreshes itself, and lets handlers say who may pass.
//! Five names go a long way: [`AuthKit`], [`AuthUser`], [`Auth`], [`ensure_signed_in`] and
//! [`sign_up_path`].
//!
//! # A whole application
//!
//! ```no_run
//! use actix_web::{App, HttpServer, Responder, get, web::Html};
//! use authkit_actix::{Auth, AuthKit, AuthUser, ensure_signed_in};
//!
//! // For everybody: the user is there or not.
//! #[get("/")]
//! async fn home(auth: Auth) -> impl Responder {
//!     Html::new(match auth.user() {
//!         Some(_) => "<a href='/dashboard'>Dashboard</a>".to_owned(),
//!         None => format!(
//!             "<a href='{}'>Sign in</a>",
//!             auth.sign_in_url().return_to("/dashboard")
//!         ),
//!     })
//! }
//!
//! // For signed-in users: others are sent to sign in, and come back here.
//! #[get("/dashboard")]
//! #[ensure_signed_in]
//! async fn dashboard(user: AuthUser) -> impl Responder {
//!     format!("Hello, {}", user.display_name())
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let authkit = AuthKit::from_env()?; // once, outside the closure
//!     HttpServer::new(move || {
//!         App::new()
//!             .wrap(authkit.middleware()) // sessions
//!             .service(authkit.handle_auth()) // the callback, at the redirect URI's path
//!             .service(authkit.routes()) // /sign-in, /sign-up, /sign-out, /authkit/*
//!             .service(home)
//!             .service(dashboard)
//!     })
//!     .bind(("127.0.0.1", 3000))?
//!     .run()
//!     .await?;
//!     Ok(())
//! }
//! ```
//!
//! [`AuthKit::from_env`] lists the variables; [`AuthKit::builder`] sets the same things in code.
//!
//! # Who is asking
//!
//! | Handler parameter | Signed out | Nothing is known, since WorkOS is out of reach |
//! |---|---|---|
//! | [`AuthUser`] | sent to sign in, or `401` | `503` |
//! | `Option<AuthUser>` | `None` | `503` |
//! | [`Auth`] | `user()` is `None` | `503` |
//! | [`AuthStatus`] | `SignedOut` | `CannotTell` |
//!
//! A request for a page is redirected; an API call gets `401` as problem details (RFC 9457) with the
//! address of the sign-in route. Only a session that is known to be over is removed: an outage of WorkOS
//! signs nobody out, and lets nobody in.
//!
//! # Who may pass
//!
//! [`ensure_signed_in`] guards a handler, and answers before any parameter of the handler is extracted.
//! Several arguments mean *and*; [`sign_up_path`] shows strangers the sign-up page first.
//!
//! ```
//! use actix_web::{Responder, get, post};
//! use authkit_actix::{AuthUser, ensure_signed_in, sign_up_path};
//!
//! #[post("/invoices/pay")]
//! #[ensure_signed_in(permission = "billing:manage", max_age = 300)]
//! async fn pay(user: AuthUser) -> impl Responder {
//!     format!("Paid by {}", user.email)
//! }
//!
//! #[get("/preview")]
//! #[ensure_signed_in(any(role = "admin", all(organization, feature_flag = "preview")))]
//! async fn preview() -> impl Responder {
//!     "A first look"
//! }
//!
//! #[get("/join")]
//! #[sign_up_path]
//! async fn join(user: AuthUser) -> impl Responder {
//!     format!("Welcome, {}", user.display_name())
//! }
//! ```
//!
//! To protect everything but a list of paths, see [`AuthKitMiddleware::protect`].
//!
//! # And then
//!
//! The [`guide`] goes through it by task.
//!
//! | To | See | Guide |
//! |---|---|---|
//! | begin a sign-in with options, from a page or at once | [`Auth::sign_in_url`], [`SignInUrl`] | [`sign_in`](guide::sign_in) |
//! | admit, greet or refuse who has just signed in | [`CallbackService`], [`SignIn`] | [`sign_in`](guide::sign_in) |
//! | protect all but a list, or write middleware of your own | [`AuthKitMiddleware`], [`AuthKit::session`] | [`protecting_routes`](guide::protecting_routes) |
//! | refresh, save a session, sign out | [`Auth`] | [`sessions`](guide::sessions) |
//! | hear of what happens to sessions | [`AuthKitBuilder::on_refreshed`] and its neighbours | [`sessions`](guide::sessions) |
//! | list a user's sessions and end them | [`AuthKit::sessions`], [`AuthKit::revoke`] | [`sessions`](guide::sessions) |
//! | keep less of the user in the cookie | [`AuthKitBuilder::user_fields`] | [`configuration`](guide::configuration) |
//! | switch organization | [`Auth::switch_to_organization`] | [`organizations`](guide::organizations) |
//! | show that somebody acts for a user | [`Auth::impersonation_banner`] | [`sessions`](guide::sessions) |
//! | take API keys | [`require_api_key`], [`ApiKey`] | [`api_keys`](guide::api_keys) |
//! | take access tokens, or several credentials | [`BearerUser`], [`Caller`] | [`api_keys`](guide::api_keys) |
//! | serve pages with scripts, React ones included | [`AuthKit::client_script`], [`Auth::browser_session`] | [`browser`](guide::browser) |
//! | ask for feature flags | [`AuthKit::feature_flags`] | [`feature_flags`](guide::feature_flags) |
//! | hear what happens at WorkOS | [`AuthKit::webhooks`] | [`webhooks`](guide::webhooks) |
//! | keep a connection open while a session lives | [`AuthUser::live`] | [`several_machines`](guide::several_machines) |
//! | run several instances as one | [`AuthKitBuilder::session_store`], the feature `redis` | [`several_machines`](guide::several_machines) |
//! | go on while WorkOS is down | [`AuthKitBuilder::outage_grace`] | [`outages`](guide::outages) |
//! | share sessions with apps on authkit-nextjs | [`SealFormat::Iron`] | [`sharing_with_nextjs`](guide::sharing_with_nextjs) |
//! | call the rest of WorkOS | [`AuthKit::workos`] | |
//! | find out what keeps people from signing in, trace and measure | [`AuthKit::diagnose`], the feature `metrics` | [`observability`](guide::observability) |
//! | test handlers, and find those that nobody guards | the features `testing` and `emulator` | [`testing`](guide::testing) |
//! | review what is defended, and how | | [`security_model`](guide::security_model) |
//!
//! # Cargo features
//!
//! | Feature | Default | Adds |
//! |---|---|---|
//! | `emulator` | off | the module `emulator`, AuthKit on loopback for tests and first steps, `AuthKit::from_env_or_emulator` and `AuthKitBuilder::emulator` |
//! | `testing` | off | the module `testing`, signed-in requests for tests, and `AuthKitBuilder::testing`; implies `emulator` |
//! | `introspection` | off | `RouteInventory::introspect`; implies `testing`, and actix-web's `experimental-introspection` |
//! | `redis` | off | `AuthKitBuilder::redis` and its neighbours: refreshes, sign-ins, ended sessions and sessions themselves shared by instances; the crate `redis` |
//! | `metrics` | off | counters and histograms for the recorder of the `metrics` crate that the application installs |
//! | `websocket` | off | `Live::web_socket` and the crate `actix-ws` |
//!
//! A feature only adds: switching one on changes nothing that was there.
//!
//! # Logs
//!
//! The crate writes to [`tracing`](https://docs.rs/tracing) and installs no subscriber. Its spans are
//! `authkit.session.resolve`, `authkit.session.refresh`, `authkit.callback`,
//! `authkit.callback.exchange`, `authkit.look_up`, `authkit.webhook` and `authkit.workos.call`; they
//! record the ids of user, session and organization. No email, secret, token, code or cookie value is
//! in any of it. Their fields, the metrics, and what to wake somebody for:
//! [`observability`](guide::observability).

#[doc(hidden)]
pub mod __private;
mod access;
mod api_keys;
mod authkit;
mod background;
mod clock;
mod config;
mod diagnosis;
#[cfg(feature = "emulator")]
pub mod emulator;
mod feature_flags;
mod flights;
#[cfg(any(doc, doctest))]
pub mod guide;
mod lookups;
mod metrics;
mod oauth;
mod profiles;
#[cfg(feature = "redis")]
mod redis;
mod request_info;
mod seal;
mod session;
mod session_store;
mod sharing;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod user_sessions;
mod web;
mod workos;

/// What the fuzz targets call; no part of the library as applications build it.
#[cfg(fuzzing)]
#[doc(hidden)]
pub use self::web::fuzz as __fuzz;
pub use self::{
    access::{AuthUser, BearerUser, Caller, NoClaims, ProfileError},
    authkit::{AuthKit, AuthKitBuilder},
    clock::{Clock, SystemClock},
    config::{ConfigError, ConfigProblem, PrivateWhen, SameSite, SealFormat},
    diagnosis::{Diagnosis, Finding, Verdict},
    feature_flags::{
        EvaluationContext, FeatureFlag, FeatureFlagChange, FeatureFlagChanges, FeatureFlags,
        FeatureFlagsError,
    },
    oauth::ReturnTo,
    request_info::RequestInfo,
    session::{Admission, Freshness, RefreshFailureClass},
    session_store::{SessionStore, SessionStoreError},
    token::{AccessTokenClaims, Actor},
    user_sessions::{UserSessions, UserSessionsError},
    web::{
        auth::{
            Auth, RecentAuth, RefreshError, SaveSessionError, SignInError, SignInUrl, SignOut,
            StepUpRequired,
        },
        banner::ImpersonationBanner,
        browser_session::BrowserSession,
        client_script::ClientScript,
        compose::RequestAuth,
        extract::AuthStatus,
        live::{Live, LiveEnd, ServerSentEvent},
        middleware::{AuthKitMiddleware, AuthKitService, Forbidden, ProtectBuilder},
        routes::{
            AuthKitRoutes, CallbackError, CallbackService, HookOutcome, SignIn, Webhooks,
            WebhooksBuilder,
        },
    },
    workos::{
        ApiKey, ApiKeyOwner, Authentication, Client as WorkOsClient, Impersonator, MembershipRole,
        OauthTokens, OrganizationChoice, OrganizationMembership, OrganizationMembershipCreated,
        OrganizationMembershipDeleted, OrganizationMembershipUpdated, SessionCreated,
        SessionRevoked, User, UserCreated, UserDeleted, UserField, UserProfile, UserSession,
        UserUpdated, WebhookData, WebhookEvent,
    },
};
/// WebSockets for Actix, as [`Live::web_socket`] speaks of them.
#[cfg(feature = "websocket")]
pub use actix_ws;
pub use authkit_macros::{ensure_signed_in, require_api_key, sign_up_path};
