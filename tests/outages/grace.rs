//! Pages that are still shown for a while when WorkOS is down.

use std::time::Duration;

use actix_web::{HttpResponse, Responder, get, post, route, web};
use authkit_actix::emulator::{Endpoint, Fault};
use authkit_actix::{Auth, AuthKit, AuthUser, Freshness, ensure_signed_in};
use authkit_tests::{Answer, TestApp};
use reqwest::Method;
use serde_json::json;

use super::{ADA, EXPIRED, refreshes, renewed, told_to_wait};

/// Who asks, and how sure that is.
#[route("/page", method = "GET", method = "HEAD")]
async fn page(user: AuthUser) -> impl Responder {
    HttpResponse::Ok().json(json!({
        "email": user.email,
        "expired_at": match user.freshness() {
            Freshness::Grace { expired_at, .. } => Some(expired_at),
            _ => None,
        },
        "is_admin": user.has_role("admin"),
        "may_bill": user.has_permission("billing:manage"),
    }))
}

#[get("/guarded")]
#[ensure_signed_in]
async fn guarded(user: AuthUser) -> impl Responder {
    user.email.clone()
}

#[get("/both")]
async fn both(auth: Auth) -> impl Responder {
    let proof = auth.recent(Duration::from_secs(86_400));
    format!(
        "{:?} {:?}",
        auth.user().map(|user| user.email.clone()),
        proof.map(|proof| proof.is_stale)
    )
}

#[get("/admin")]
#[ensure_signed_in(role = "admin")]
async fn admin() -> impl Responder {
    "admin"
}

#[get("/not-a-guest")]
#[ensure_signed_in(not(role = "guest"))]
async fn not_a_guest() -> impl Responder {
    "not a guest"
}

#[get("/recent")]
#[ensure_signed_in(max_age = 86400)]
async fn recent() -> impl Responder {
    "recent"
}

#[post("/change")]
async fn change(user: AuthUser) -> impl Responder {
    user.email.clone()
}

fn routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let protected = authkit.middleware().protect().build().expect("no patterns");
    let protected = web::scope("/private").wrap(protected);
    config
        .service(authkit.handle_auth())
        .service(authkit.routes())
        .service(page)
        .service(guarded)
        .service(both)
        .service(admin)
        .service(not_a_guest)
        .service(recent)
        .service(change)
        .service(protected.default_service(web::to(|| async { "private" })));
}

const GRACE: i64 = 900;

/// An app in the middle of an outage, and a session whose token ran out 100 seconds ago.
async fn outage(grace: i64, fault: Fault) -> (TestApp, String) {
    let grace = Duration::from_secs(grace.unsigned_abs());
    let app = TestApp::builder()
        .authkit(move |authkit| authkit.outage_grace(grace).eager_auth())
        .routes(routes)
        .start()
        .await;
    // Warms the key set up, and begins the session at a sign-in.
    let browser = app.signed_in(ADA).await;
    let cookie = browser.session_cookie();
    app.clock.advance(EXPIRED);
    app.emulator.fault(Endpoint::AuthenticateRefresh, fault);
    (app, cookie)
}

async fn send(app: &TestApp, method: Method, path: &str, cookie: &str) -> Answer {
    let headers = [("cookie", cookie), ("accept", "application/json")];
    app.browser().send(method, path, &headers, "").await
}

#[tokio::test]
async fn there_is_none_unless_it_is_asked_for() {
    let (app, cookie) = outage(0, Fault::Status(503)).await;
    for path in ["/page", "/guarded", "/both", "/private/x"] {
        told_to_wait(&app.ask(path, &cookie).await);
    }
}

#[tokio::test]
async fn pages_are_shown_and_the_handler_can_tell() {
    for fault in [Fault::Status(503), Fault::Reset, Fault::Empty] {
        let (app, cookie) = outage(GRACE, fault).await;
        let now = authkit_actix::Clock::unix_seconds(&app.clock);
        let answer = app.ask("/page", &cookie).await;
        assert_eq!(answer.json()["email"], ADA);
        assert_eq!(answer.json()["expired_at"], now - 100);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        for path in ["/guarded", "/both", "/private/x"] {
            assert_eq!(app.ask(path, &cookie).await.status, 200, "{path}");
        }
        app.emulator.clear_faults();
        let answer = app.ask("/page", &cookie).await;
        renewed(&answer);
        assert!(answer.json()["expired_at"].is_null());
    }
}

#[tokio::test]
async fn it_ends_when_its_time_is_over() {
    let (app, cookie) = outage(GRACE, Fault::Status(503)).await;
    app.clock.advance(GRACE - 100);
    assert_eq!(app.ask("/page", &cookie).await.status, 200);
    app.clock.advance(1);
    told_to_wait(&app.ask("/page", &cookie).await);
}

#[tokio::test]
async fn it_is_for_reading_only() {
    let (app, cookie) = outage(GRACE, Fault::Status(503)).await;
    assert_eq!(send(&app, Method::GET, "/page", &cookie).await.status, 200);
    assert_eq!(send(&app, Method::HEAD, "/page", &cookie).await.status, 200);
    told_to_wait(&send(&app, Method::POST, "/change", &cookie).await);
    let headers = [
        ("cookie", cookie.as_str()),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
    ];
    let upgrade = app.browser().send(Method::GET, "/page", &headers, "").await;
    assert_eq!(upgrade.status, 503, "a socket lets its sender speak");
}

#[tokio::test]
async fn rights_and_recent_sign_ins_are_not_taken_on_trust() {
    let (app, cookie) = outage(GRACE, Fault::Status(503)).await;
    for path in ["/admin", "/not-a-guest", "/recent"] {
        told_to_wait(&app.ask(path, &cookie).await);
    }
    let shown = app.ask("/page", &cookie).await.json();
    assert_eq!(
        (&shown["is_admin"], &shown["may_bill"]),
        (&json!(false), &json!(false))
    );
    let both_views = app.ask("/both", &cookie).await;
    assert_eq!(both_views.body, r#"Some("ada@example.com") Some(true)"#);
    app.emulator.clear_faults();
    let shown = app.ask("/page", &cookie).await.json();
    assert_eq!(shown["is_admin"], true);
    for path in ["/admin", "/not-a-guest", "/recent"] {
        assert_eq!(app.ask(path, &cookie).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn it_is_for_outages_only() {
    for fault in [
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(429),
        Fault::WrongKey,
    ] {
        let (app, cookie) = outage(GRACE, fault.clone()).await;
        assert_eq!(app.ask("/page", &cookie).await.status, 503, "{fault:?}");
        assert!(refreshes(&app) > 0);
    }
    let (app, cookie) = outage(GRACE, Fault::json(400, json!({"error": "invalid_grant"}))).await;
    let answer = app.ask("/page", &cookie).await;
    assert_eq!(answer.status, 401);
    assert!(answer.removes("wos-session"));
}

#[tokio::test]
async fn a_page_that_is_shown_on_trust_gives_scripts_no_token() {
    let (app, cookie) = outage(GRACE, Fault::Status(503)).await;
    let headers = [("cookie", cookie.as_str()), ("sec-fetch-mode", "navigate")];
    let shown = app.browser().send(Method::GET, "/page", &headers, "").await;
    assert_eq!(shown.status, 200);
    assert!(shown.set_cookies().is_empty(), "{shown:?}");
    for path in ["/authkit/session", "/authkit/token"] {
        let headers = [
            ("cookie", cookie.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        let told = app.browser().send(Method::GET, path, &headers, "").await;
        told_to_wait(&told);
    }
}

#[tokio::test]
async fn who_has_signed_out_is_not_shown_anything() {
    let (app, cookie) = outage(GRACE, Fault::Status(503)).await;
    let headers = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    let out = app
        .browser()
        .send(Method::POST, "/sign-out", &headers, "")
        .await;
    assert_eq!(out.status, 303);
    assert_eq!(app.ask("/page", &cookie).await.status, 401);
}
