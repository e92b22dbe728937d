//! Signing keys that were never fetched.

use authkit_actix::emulator::{Endpoint, Fault};
use authkit_tests::TestApp;
use futures::future::join_all;

use super::{ADA, EXPIRED, ME, refreshes, told_to_wait};

#[tokio::test]
async fn without_keys_nobody_is_refreshed_or_signed_out_and_one_fetch_is_made_in_30_seconds() {
    for fault in [Fault::Status(503), Fault::Reset, Fault::Empty] {
        let app = TestApp::start().await;
        let old = app.cookie_of(ADA);
        app.clock.advance(EXPIRED);
        let new = app.cookie_of(ADA);
        app.emulator.fault(Endpoint::Jwks, fault.clone());
        for fetches in 1..=3 {
            let asked = (0..5).flat_map(|_| [&old, &new]);
            for answer in join_all(asked.map(|cookie| app.ask(ME, cookie))).await {
                assert!((1..=30).contains(&told_to_wait(&answer)), "{fault:?}");
            }
            app.clock.advance(29);
            told_to_wait(&app.ask(ME, &new).await);
            assert_eq!(app.emulator.calls(Endpoint::Jwks), fetches, "{fault:?}");
            app.clock.advance(1);
        }
        assert_eq!(refreshes(&app), 0, "{fault:?}");
        app.emulator.clear_faults();
        for cookie in [old, new] {
            assert_eq!(app.ask(ME, &cookie).await.status, 200, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn keys_that_do_not_come_are_waited_for_no_longer_than_five_seconds() {
    let app = TestApp::start().await;
    app.emulator.fault(Endpoint::Jwks, Fault::Hang);
    let cookie = app.cookie_of(ADA);
    let started = std::time::Instant::now();
    let asked = (0..20).map(|_| app.ask(ME, &cookie));
    for answer in join_all(asked).await {
        told_to_wait(&answer);
    }
    assert!(started.elapsed().as_secs() < 8);
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 1);
}
