//! Sessions that are refreshed to a key which nobody can fetch yet.

use authkit_actix::emulator::{Endpoint, Fault, RefreshReuse};
use authkit_tests::TestApp;

use super::{ADA, EXPIRED, ME, content, refreshes, renewed, told_to_wait};

/// An app that cannot fetch the key which WorkOS signs with from now on, and a cookie that is so many
/// seconds old. WorkOS takes no refresh token twice, and knows what it published before.
async fn with_an_unpublished_key(age: i64) -> (TestApp, String, String) {
    let app = TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .start()
        .await;
    let cookie = app.cookie_of(ADA);
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
    app.clock.advance(age);
    let before = app.emulator.jwks_body();
    app.emulator.rotate_key();
    app.emulator.fault(Endpoint::Jwks, Fault::Status(503));
    (app, cookie, before)
}

#[tokio::test]
async fn a_session_waits_for_its_key_and_signs_nobody_out_when_others_are_published_first() {
    let (app, cookie, before) = with_an_unpublished_key(EXPIRED).await;
    for left in [30, 20, 10] {
        assert_eq!(told_to_wait(&app.ask(ME, &cookie).await), left);
        app.clock.advance(10);
    }
    app.emulator.clear_faults();
    app.emulator.set_jwks_body(Some(before));
    for _ in 0..3 {
        told_to_wait(&app.ask(ME, &cookie).await);
        app.clock.advance(30);
    }
    app.emulator.set_jwks_body(None);
    let new = renewed(&app.ask(ME, &cookie).await);
    assert_eq!(refreshes(&app), 1);
    assert_eq!(app.ask(ME, &new).await.status, 200);
    assert_eq!(
        renewed(&app.ask(ME, &cookie).await),
        new,
        "also for a straggler"
    );
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn a_token_that_holds_is_served_until_its_end() {
    let (app, cookie, _) = with_an_unpublished_key(280).await;
    for _ in 0..3 {
        let answer = app.ask(ME, &cookie).await;
        assert_eq!(answer.status, 200);
        assert!(answer.set_cookies().is_empty());
    }
    app.clock.advance(60);
    told_to_wait(&app.ask(ME, &cookie).await);
    app.emulator.clear_faults();
    app.clock.advance(30);
    renewed(&app.ask(ME, &cookie).await);
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn it_waits_for_an_hour_and_goes_on_from_what_it_has() {
    let (app, cookie, _) = with_an_unpublished_key(EXPIRED).await;
    for _ in 0..12 {
        told_to_wait(&app.ask(ME, &cookie).await);
        app.clock.advance(300);
    }
    assert_eq!(refreshes(&app), 1);
    app.emulator.clear_faults();
    let new = renewed(&app.ask(ME, &cookie).await);
    assert_eq!(refreshes(&app), 2, "the first one has expired meanwhile");
    assert_eq!(content(&app, &new)["user"]["email"], ADA);
}

#[tokio::test]
async fn after_that_hour_the_session_is_over() {
    let (app, cookie, _) = with_an_unpublished_key(EXPIRED).await;
    told_to_wait(&app.ask(ME, &cookie).await);
    app.clock.advance(3601);
    app.emulator.clear_faults();
    assert!(app.ask(ME, &cookie).await.drops_the_session());
}
