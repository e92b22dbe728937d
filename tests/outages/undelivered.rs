//! A new session that may not have reached its browser.

use std::time::Duration;

use authkit_actix::emulator::{Endpoint, Fault, RefreshReuse};
use authkit_tests::TestApp;

use super::{ADA, ME, content, refreshes, renewed};

/// An app whose tokens live for an hour, and a cookie of one that has expired. WorkOS takes no
/// refresh token twice.
async fn strict() -> (TestApp, String) {
    refreshed_before_the_end(Duration::from_secs(60)).await
}

async fn refreshed_before_the_end(buffer: Duration) -> (TestApp, String) {
    let app = TestApp::builder()
        .emulator(|emulator| {
            let emulator = emulator.refresh_reuse(RefreshReuse::Strict);
            emulator.access_token_lifetime(Duration::from_secs(3600))
        })
        .authkit(move |authkit| authkit.refresh_buffer(buffer))
        .start()
        .await;
    let cookie = app.cookie_of(ADA);
    app.clock.advance(3700);
    (app, cookie)
}

#[tokio::test]
async fn a_session_that_never_came_back_waits_for_ten_minutes() {
    let (app, old) = strict().await;
    let new = content(&app, &renewed(&app.ask(ME, &old).await));
    for _ in 0..10 {
        app.clock.advance(60);
        assert_eq!(content(&app, &renewed(&app.ask(ME, &old).await)), new);
    }
    assert_eq!(refreshes(&app), 1);
    app.clock.advance(1);
    assert!(app.ask(ME, &old).await.drops_the_session());
}

#[tokio::test]
async fn once_it_has_come_back_the_old_one_serves_for_a_minute() {
    let (app, old) = strict().await;
    let new = renewed(&app.ask(ME, &old).await);
    app.clock.advance(300);
    assert!(app.ask(ME, &new).await.set_cookies().is_empty());
    app.clock.advance(60);
    assert_eq!(renewed(&app.ask(ME, &old).await), new);
    app.clock.advance(1);
    assert!(app.ask(ME, &old).await.drops_the_session());
    assert_eq!(refreshes(&app), 2);
}

#[tokio::test]
async fn a_session_that_came_back_at_once_is_kept_for_a_minute_only() {
    let (app, old) = strict().await;
    let new = renewed(&app.ask(ME, &old).await);
    app.ask(ME, &new).await;
    app.clock.advance(61);
    assert!(app.ask(ME, &old).await.drops_the_session());
    assert_eq!(app.ask(ME, &new).await.status, 200, "of its own, it lives");
}

#[tokio::test]
async fn a_straggler_gets_the_newest_session_though_that_cannot_be_refreshed_now() {
    let (app, old) = refreshed_before_the_end(Duration::from_secs(3500)).await;
    let new = renewed(&app.ask(ME, &old).await);
    app.clock.advance(101);
    let wait = Fault::StatusWithRetryAfter(429, "50".to_owned());
    app.emulator.fault(Endpoint::AuthenticateRefresh, wait);
    assert_eq!(app.ask(ME, &new).await.status, 200, "it was an early one");
    assert_eq!(refreshes(&app), 2);
    assert_eq!(renewed(&app.ask(ME, &old).await), new);
    assert_eq!(refreshes(&app), 2);
}
