//! An answer that is lost may have spent the refresh token.

use std::time::{Duration, Instant};

use authkit_actix::emulator::{Endpoint, Fault, RefreshReuse};
use authkit_tests::TestApp;
use futures::future::join_all;

use super::{ADA, ME, expired, refreshes, renewed, told_to_wait};

fn losses() -> Vec<Fault> {
    let page = |status| Fault::Body {
        status,
        content_type: "text/html".to_owned(),
        body: "<html><h1>Bad gateway</h1></html>".to_owned(),
    };
    let mut losses = vec![
        page(200),
        page(502),
        Fault::Empty,
        Fault::Reset,
        Fault::Truncate,
        Fault::Oversize(2 << 20),
        Fault::GzipBomb,
        Fault::json(200, serde_json::json!({"access_token": 7})),
    ];
    losses.extend([500, 502, 503, 504, 520].map(Fault::Status));
    losses
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again_within_the_request() {
    let app = TestApp::start().await;
    for loss in losses() {
        for plan in [loss.clone().times(1), loss.clone().after_effect().times(1)] {
            let cookie = expired(&app);
            let before = refreshes(&app);
            app.emulator.fault(Endpoint::AuthenticateRefresh, plan);
            let new = renewed(&app.ask(ME, &cookie).await);
            assert_eq!(refreshes(&app), before + 2, "{loss:?}");
            assert_eq!(app.ask(ME, &new).await.status, 200, "{loss:?}");
        }
    }
}

#[tokio::test]
async fn no_answer_for_three_seconds_is_asked_for_again_while_it_may_still_come() {
    let hangs = [
        Fault::Hang.times(1),
        Fault::Hang.after_effect().times(1),
        Fault::Drip.after_effect().times(1),
    ];
    join_all(hangs.map(|plan| async {
        let app = TestApp::start().await;
        let cookie = expired(&app);
        app.emulator.fault(Endpoint::AuthenticateRefresh, plan);
        renewed(&app.ask(ME, &cookie).await);
        assert_eq!(refreshes(&app), 2);
    }))
    .await;
}

#[tokio::test]
async fn an_answer_that_is_only_late_counts_whatever_the_second_try_is_told() {
    let app = TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .start()
        .await;
    let cookie = expired(&app);
    let late = Fault::Delay(Duration::from_millis(3800)).after_effect();
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, late.times(1));
    renewed(&app.ask(ME, &cookie).await);
    assert_eq!(refreshes(&app), 2, "the second was refused");
}

#[tokio::test]
async fn a_later_request_asks_again_for_as_long_as_workos_repeats_itself() {
    let app = TestApp::start().await;
    for (seconds, is_saved) in [(0, true), (25, true), (60, false)] {
        let cookie = expired(&app);
        let fault = Fault::Status(502).after_effect();
        app.emulator.fault(Endpoint::AuthenticateRefresh, fault);
        told_to_wait(&app.ask(ME, &cookie).await);
        app.emulator.clear_faults();
        app.clock.advance(seconds);
        let answer = app.ask(ME, &cookie).await;
        assert_eq!(answer.status == 200, is_saved, "after {seconds} s");
        assert_eq!(answer.drops_the_session(), !is_saved, "after {seconds} s");
    }
}

#[tokio::test]
async fn what_workos_refuses_is_not_asked_again() {
    let app = TestApp::start().await;
    for status in [302, 401, 403, 404, 408, 422, 429] {
        let cookie = app.cookie_of(ADA);
        app.clock.advance(super::EXPIRED);
        let before = refreshes(&app);
        app.emulator
            .fault(Endpoint::AuthenticateRefresh, Fault::Status(status));
        told_to_wait(&app.ask(ME, &cookie).await);
        assert_eq!(refreshes(&app), before + 1, "{status}");
        app.emulator.clear_faults();
        renewed(&app.ask(ME, &cookie).await);
    }
}

#[tokio::test]
async fn a_code_is_exchanged_once_whatever_becomes_of_the_answer() {
    let mut faults = losses();
    faults.push(Fault::Hang);
    let sign_ins = faults.iter().map(|fault| async move {
        let app = TestApp::start().await;
        let mut browser = app.browser();
        let start = browser.get("/sign-in").await;
        let callback = browser.authenticate(&start, ADA).await;
        let plan = fault.clone().after_effect().times(1);
        app.emulator.fault(Endpoint::AuthenticateCode, plan);
        let started = Instant::now();
        let answer = browser.get(&callback).await;
        assert!(matches!(answer.status, 502 | 504), "{fault:?} {answer:?}");
        assert!(started.elapsed() < Duration::from_secs(13));
        assert_eq!(browser.get(&callback).await.status, 400, "a replay");
        assert_eq!(app.emulator.calls(Endpoint::AuthenticateCode), 1);
    });
    join_all(sign_ins).await;
}
