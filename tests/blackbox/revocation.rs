//! Sessions that end before their access tokens run out.

use std::time::Duration;

use authkit_actix::{
    AuthKit, BearerUser, UserSessionsError,
    emulator::{Endpoint, Fault},
};
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
    let late = Fault::Delay(Duration::from_secs(2));
    app.emulator.fault(Endpoint::AuthenticateRefresh, late);
    let (in_tab, ()) = tokio::join!(tab.api("/api/me"), async {
        while app.emulator.calls(Endpoint::AuthenticateRefresh) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
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

async fn session_id(browser: &mut Browser) -> String {
    let me = browser.api("/api/me").await;
    me.json()["session_id"]
        .as_str()
        .expect("a session")
        .to_owned()
}

#[tokio::test]
async fn a_revoked_session_ends_here_and_at_workos() {
    let app = TestApp::start().await;
    let mut ada = app.with_session(ADA);
    let id = session_id(&mut ada).await;
    app.authkit.revoke(&id).await.expect("WorkOS answers");
    assert_eq!(ada.api("/api/me").await.status, 401);
    assert_eq!(app.emulator.calls(Endpoint::Revoke), 1);
    let left = app.authkit.sessions().list("user_ada").await;
    assert_eq!(left, Ok(Vec::new()));
    let unknown = app.authkit.revoke("session_of_nobody").await;
    assert_eq!(unknown, Err(UserSessionsError::NoSuchSession));
}

#[tokio::test]
async fn a_session_ends_here_though_workos_cannot_be_told() {
    let app = TestApp::start().await;
    let mut ada = app.with_session(ADA);
    let id = session_id(&mut ada).await;
    app.emulator.fault(Endpoint::Revoke, Fault::Status(503));
    let failed = app.authkit.revoke(&id).await;
    assert!(
        matches!(failed, Err(UserSessionsError::Unavailable { .. })),
        "{failed:?}"
    );
    assert_eq!(ada.api("/api/me").await.status, 401);
    app.clock.advance(400);
    assert_eq!(ada.api("/api/me").await.status, 401);
    app.emulator.clear_faults();
    app.authkit.revoke(&id).await.expect("WorkOS answers again");
}

#[tokio::test]
async fn a_user_sees_their_sessions_and_signs_out_elsewhere() {
    let app = TestApp::start().await;
    let mut here = app.signed_in(ADA).await;
    let mut elsewhere = [app.signed_in(ADA).await, app.signed_in(ADA).await];
    let mut grace = app.with_session("grace@example.com");
    let id = session_id(&mut here).await;
    let sessions = app.authkit.sessions();
    let listed = sessions.list("user_ada").await.expect("WorkOS answers");
    assert_eq!(listed.len(), 3);
    assert!(
        listed
            .iter()
            .all(|it| it.user_id == "user_ada" && it.is_active())
    );
    assert!(listed.iter().any(|it| it.id == id));

    assert_eq!(sessions.end_others("user_ada", &id).await, Ok(2));
    for browser in &mut elsewhere {
        assert_eq!(browser.api("/api/me").await.status, 401);
    }
    assert_eq!(here.api("/api/me").await.status, 200);
    assert_eq!(sessions.end_all("user_ada").await, Ok(1));
    assert_eq!(here.api("/api/me").await.status, 401);
    assert_eq!(grace.api("/api/me").await.status, 200);
    assert_eq!(sessions.end_all("user_of_nobody").await, Ok(0));
}

#[tokio::test]
async fn a_list_of_sessions_that_workos_does_not_give_is_an_error_and_no_empty_list() {
    let app = TestApp::start().await;
    app.emulator.fault(Endpoint::Other, Fault::Status(500));
    let failed = app.authkit.sessions().list("user_ada").await;
    assert!(
        matches!(failed, Err(UserSessionsError::Unavailable { .. })),
        "{failed:?}"
    );
}
