//! Sessions that end before their access tokens run out.

use std::time::Duration;

use authkit_actix::{AuthKit, BearerUser, emulator::Endpoint, emulator::Fault};
use authkit_tests::{Browser, TestApp};

const ADA: &str = "ada@example.com";
const SESSION: &str = "wos-session";

async fn sign_out(browser: &mut Browser) {
    let answer = browser.submit("/sign-out", &[]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
}

#[tokio::test]
async fn a_copied_cookie_of_a_signed_out_user_is_refused_at_once() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in(ADA).await;
    let mut thief = ada.clone();
    let mut other = app.signed_in(ADA).await;
    sign_out(&mut ada).await;

    let refused = thief.api("/api/me").await;
    assert_eq!(refused.status, 401);
    assert!(refused.removes(SESSION));
    assert_eq!(other.api("/api/me").await.status, 200, "another session");
    assert_eq!(app.signed_in(ADA).await.api("/api/me").await.status, 200);
}

#[tokio::test]
async fn no_refresh_is_made_for_a_session_that_was_ended_here() {
    let app = TestApp::start().await;
    let mut ada = app.with_session(ADA);
    let mut thief = ada.clone();
    // The browser never reaches WorkOS, so the session lives on there.
    sign_out(&mut ada).await;
    app.clock.advance(400);
    assert_eq!(thief.api("/api/me").await.status, 401);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

#[tokio::test]
async fn what_a_refresh_brings_after_the_sign_out_is_refused_too() {
    let app = TestApp::start().await;
    let mut ada = app.with_session(ADA);
    let mut tab = ada.clone();
    app.clock.advance(400);
    let late = Fault::Delay(Duration::from_millis(700));
    app.emulator.fault(Endpoint::AuthenticateRefresh, late);
    let (in_tab, ()) = tokio::join!(tab.api("/api/me"), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        app.clock.advance(2);
        sign_out(&mut ada).await;
    });
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
    assert_eq!(in_tab.status, 401, "{}", in_tab.body);
    app.emulator.clear_faults();
    assert_eq!(tab.api("/api/me").await.status, 401);
}

#[tokio::test]
async fn an_access_token_of_an_ended_session_lets_nobody_in() {
    let app = TestApp::builder()
        .routes(|authkit: &AuthKit, app| {
            let bearer = |user: BearerUser| async move { user.user_id().to_owned() };
            app.service(authkit.routes())
                .route("/bearer", actix_web::web::get().to(bearer));
        })
        .start()
        .await;
    let session = app.session(ADA);
    let bearer = format!(
        "Bearer {}",
        session["access_token"].as_str().expect("a token")
    );
    let headers = [("authorization", bearer.as_str())];
    let mut program = app.browser();
    let mut ask = async || {
        program
            .send(reqwest::Method::GET, "/bearer", &headers, "")
            .await
    };
    assert_eq!(ask().await.status, 200);
    let mut ada = app.browser();
    ada.set_cookie(SESSION, &app.seal(&session));
    sign_out(&mut ada).await;
    let refused = ask().await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["code"], "invalid_token");
}
