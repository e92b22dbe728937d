//! How old a session may become where the application sets limits.

use std::time::Duration;

use authkit_actix::{AuthKitBuilder, Clock as _, SealFormat, emulator::Endpoint};
use authkit_tests::{Browser, PASSWORD, TestApp, iron};
use serde_json::{Value, json};

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";
const SESSION: &str = "wos-session";
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

async fn app(limits: fn(AuthKitBuilder) -> AuthKitBuilder) -> TestApp {
    TestApp::builder().authkit(limits).start().await
}

fn hour_unused(authkit: AuthKitBuilder) -> AuthKitBuilder {
    authkit.session_idle_timeout(Duration::from_secs(3600))
}

fn day_in_all(authkit: AuthKitBuilder) -> AuthKitBuilder {
    authkit.session_max_age(Duration::from_secs(86_400))
}

fn noted(app: &TestApp, browser: &Browser, member: &str) -> Option<i64> {
    let session = app.open(browser.cookie(SESSION).expect("a session"));
    session[member].as_i64()
}

/// Waits for a call that nobody waits for.
async fn revoked_at_workos(app: &TestApp, times: usize) {
    for _ in 0..100 {
        if app.emulator.calls(Endpoint::Revoke) == times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} calls", app.emulator.calls(Endpoint::Revoke));
}

#[tokio::test]
async fn a_session_that_lies_unused_for_too_long_has_ended() {
    let app = app(hour_unused).await;
    let mut ada = app.signed_in(ADA).await;
    // In use it goes on, for more than any hour.
    for _ in 0..6 {
        app.clock.advance(50 * MINUTE);
        assert_eq!(ada.api(ME).await.status, 200);
    }
    let mut copy = ada.clone();
    let refreshes = app.emulator.calls(Endpoint::AuthenticateRefresh);
    app.clock.advance(HOUR + 1);
    let over = ada.api(ME).await;
    assert_eq!(over.status, 401);
    assert!(over.removes(SESSION));
    assert_eq!(copy.api(ME).await.status, 401);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), refreshes);
    // WorkOS would let the browser in again without asking who is there.
    revoked_at_workos(&app, 1).await;
    let sign_in = ada.get("/sign-in").await;
    let page = ada.get(&sign_in.location().expect("a redirect")).await;
    assert!(page.body.contains("<form"), "{}", page.body);
}

#[tokio::test]
async fn the_last_use_is_noted_in_steps_and_not_with_every_response() {
    let app = app(hour_unused).await;
    let mut ada = app.signed_in(ADA).await;
    let signed_in = app.clock.unix_seconds();
    assert_eq!(noted(&app, &ada, "last_used_at"), Some(signed_in));
    assert_eq!(noted(&app, &ada, "signed_in_at"), None, "it has no limit");
    app.emulator
        .set_access_token_lifetime(Duration::from_secs(86_400));
    // The first request refreshes nothing: the token is fresh.
    for seconds in [10, 100, 100] {
        app.clock.advance(seconds);
        assert_eq!(ada.api(ME).await.set_cookies(), []);
    }
    app.clock.advance(151);
    let noted_now = ada.api(ME).await;
    assert!(
        noted_now.set_cookie(SESSION).is_some(),
        "a tenth of an hour is over"
    );
    assert_eq!(
        noted(&app, &ada, "last_used_at"),
        Some(app.clock.unix_seconds())
    );
    assert_eq!(ada.api(ME).await.set_cookies(), []);
}

#[tokio::test]
async fn a_session_is_over_after_its_time_however_much_it_is_used() {
    let app = app(day_in_all).await;
    let mut ada = app.signed_in(ADA).await;
    let begun_at = app.clock.unix_seconds();
    for _ in 0..12 {
        app.clock.advance(2 * HOUR);
        assert_eq!(ada.api(ME).await.status, 200);
    }
    assert_eq!(noted(&app, &ada, "signed_in_at"), Some(begun_at));
    assert_eq!(noted(&app, &ada, "last_used_at"), None);
    app.clock.advance(1);
    let over = ada.api(ME).await;
    assert_eq!(over.status, 401);
    assert!(over.removes(SESSION));
    revoked_at_workos(&app, 1).await;
    let mut again = app.signed_in(ADA).await;
    assert_eq!(again.api(ME).await.status, 200, "a new sign-in begins anew");
}

#[tokio::test]
async fn sessions_from_before_there_were_limits_are_as_old_as_their_tokens_say() {
    let app = app(|authkit| day_in_all(hour_unused(authkit))).await;
    let old = app.with_session(ADA);
    let begun_at = app.clock.unix_seconds();
    let mut used = old.clone();
    app.clock.advance(30 * MINUTE);
    assert_eq!(used.api(ME).await.status, 200);
    assert_eq!(noted(&app, &used, "signed_in_at"), Some(begun_at));
    assert_eq!(
        noted(&app, &used, "last_used_at"),
        Some(app.clock.unix_seconds())
    );
    app.clock.advance(HOUR);
    assert_eq!(old.clone().api(ME).await.status, 401);
}

#[tokio::test]
async fn the_shared_seal_keeps_the_notes_too() {
    let app = app(|authkit| {
        let authkit = authkit.seal_format(SealFormat::Iron);
        day_in_all(hour_unused(authkit))
    })
    .await;
    let mut ada = app.signed_in(ADA).await;
    let session = ada.cookie(SESSION).expect("a session");
    let session = iron::open(PASSWORD, session).expect("in the shared form");
    let session: Value = serde_json::from_slice(&session).expect("JSON");
    let now = app.clock.unix_seconds();
    assert_eq!(
        (&session["signedInAt"], &session["lastUsedAt"]),
        (&json!(now), &json!(now))
    );
    app.clock.advance(10);
    assert_eq!(ada.api(ME).await.set_cookies(), [], "all is noted");
    app.clock.advance(HOUR);
    assert_eq!(ada.api(ME).await.status, 401);
}

#[tokio::test]
async fn a_slow_request_that_notes_the_use_does_not_undo_a_refresh() {
    let app = TestApp::builder()
        .authkit(hour_unused)
        .emulator(|emulator| emulator.access_token_lifetime(Duration::from_secs(7200)))
        .with_usual_routes(|_, app| {
            let slow = async |_: authkit_actix::AuthUser| {
                tokio::time::sleep(Duration::from_millis(800)).await;
                "slow"
            };
            let refresh = async |auth: authkit_actix::Auth| {
                auth.refresh_session().await.map(|user| user.id.clone())
            };
            app.route("/slow", actix_web::web::get().to(slow))
                .route("/refresh", actix_web::web::get().to(refresh));
        })
        .start()
        .await;
    let mut ada = app.with_session(ADA);
    let mut tab = ada.clone();
    app.clock.advance(10 * MINUTE);
    let (slow, refreshed) = tokio::join!(tab.api("/slow"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        ada.api("/refresh").await
    });
    assert_eq!(
        (slow.status, refreshed.status),
        (200, 200),
        "{}",
        refreshed.body
    );
    assert!(refreshed.set_cookie(SESSION).is_some());
    assert_eq!(
        slow.set_cookies(),
        [],
        "the browser has a newer session by now"
    );
}

#[tokio::test]
async fn limits_that_leave_no_time_stop_the_start() {
    let app = TestApp::start().await;
    let error = authkit_actix::AuthKit::builder()
        .emulator(&app.emulator)
        .cookie_password(authkit_tests::PASSWORD)
        .redirect_uri("http://localhost:3000/callback")
        .session_max_age(Duration::from_secs(59))
        .session_idle_timeout(Duration::ZERO)
        .build()
        .expect_err("two mistakes");
    let fields: Vec<_> = error.problems().iter().map(|it| it.field()).collect();
    assert_eq!(fields, ["session_max_age", "session_idle_timeout"]);
}
