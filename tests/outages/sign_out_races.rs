//! Signing out wins over whatever is under way.

use std::time::Duration;

use actix_web::{Responder, get, web};
use authkit_actix::{
    AuthKit, AuthUser,
    emulator::{Endpoint, Fault},
};
use authkit_tests::{Answer, Browser, TestApp};

use super::{EXPIRED, ME, refreshes};

/// Reads the session, and takes its time.
#[get("/slow")]
async fn slow(user: AuthUser) -> impl Responder {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    user.email.clone()
}

#[get("/api/me")]
async fn me(user: AuthUser) -> impl Responder {
    user.email.clone()
}

fn routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    config.service(authkit.routes()).service(slow).service(me);
}

/// An app, a browser whose session has just expired there, and its cookie.
async fn with_a_session() -> (TestApp, Browser, String) {
    let app = TestApp::builder().routes(routes).start().await;
    let browser = app.with_session(super::ADA);
    let cookie = browser.session_cookie();
    app.clock.advance(EXPIRED);
    (app, browser, cookie)
}

/// Signs out half a second after the request has begun.
async fn sign_out_during(
    app: &TestApp,
    browser: &mut Browser,
    cookie: &str,
    path: &str,
) -> (Answer, Answer) {
    tokio::join!(app.ask(path, cookie), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        browser.submit("/sign-out", &[]).await
    })
}

#[tokio::test]
async fn a_refresh_that_lands_after_the_sign_out_brings_nobody_back() {
    for plan in [
        Fault::Delay(Duration::from_millis(1500)).times(1),
        Fault::Delay(Duration::from_millis(1500))
            .after_effect()
            .times(1),
    ] {
        let (app, mut browser, cookie) = with_a_session().await;
        app.emulator.fault(Endpoint::AuthenticateRefresh, plan);
        let (landed, out) = sign_out_during(&app, &mut browser, &cookie, ME).await;
        assert_eq!(out.status, 303, "{out:?}");
        assert!(out.removes("wos-session"));
        assert!(landed.drops_the_session(), "{landed:?}");
        assert!(app.ask(ME, &cookie).await.drops_the_session());
        assert_eq!(refreshes(&app), 1);
    }
}

#[tokio::test]
async fn a_handler_that_ends_after_the_sign_out_sets_no_session() {
    let (app, mut browser, cookie) = with_a_session().await;
    let (answer, out) = sign_out_during(&app, &mut browser, &cookie, "/slow").await;
    assert!(out.removes("wos-session"), "{out:?}");
    assert_eq!(answer.body, super::ADA, "it had begun before");
    assert!(answer.removes("wos-session"), "{answer:?}");
}

#[tokio::test]
async fn a_straggler_after_the_sign_out_is_a_stranger() {
    let (app, mut browser, cookie) = with_a_session().await;
    let answer = app.ask(ME, &cookie).await;
    let new = super::renewed(&answer);
    browser.submit("/sign-out", &[]).await;
    for cookie in [cookie, new] {
        assert!(app.ask(ME, &cookie).await.drops_the_session());
    }
    assert_eq!(refreshes(&app), 1);
}
