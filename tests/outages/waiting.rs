//! WorkOS is asked less often when it does not answer, and when it asks for that.

use std::time::{Duration, Instant};

use authkit_actix::emulator::{Endpoint, Fault};
use authkit_tests::{Answer, TestApp};
use futures::future::join_all;

use super::{ADA, ME, all_expired, expired, refreshes, renewed, told_to_wait};

fn refuse(app: &TestApp, status: u16, retry_after: &str) {
    let fault = Fault::StatusWithRetryAfter(status, retry_after.to_owned());
    app.emulator.fault(Endpoint::AuthenticateRefresh, fault);
}

async fn ask_all(app: &TestApp, cookies: &[String]) -> Vec<Answer> {
    join_all(cookies.iter().map(|cookie| app.ask(ME, cookie))).await
}

#[tokio::test]
async fn a_session_waits_as_long_as_workos_asks_for() {
    let app = TestApp::start().await;
    for status in [429, 503] {
        let cookies = all_expired(&app, 2);
        let before = refreshes(&app);
        refuse(&app, status, "7");
        assert_eq!(told_to_wait(&app.ask(ME, &cookies[0]).await), 7);
        app.emulator.clear_faults();
        for left in [5, 3, 1] {
            app.clock.advance(2);
            assert_eq!(told_to_wait(&app.ask(ME, &cookies[0]).await), left);
        }
        assert_eq!(refreshes(&app), before + 1, "{status}");
        renewed(&app.ask(ME, &cookies[1]).await);
        app.clock.advance(1);
        renewed(&app.ask(ME, &cookies[0]).await);
    }
}

#[tokio::test]
async fn a_wait_ends_before_workos_forgets_an_answer_that_was_lost() {
    let app = TestApp::start().await;
    let cookie = expired(&app);
    let fault = Fault::StatusWithRetryAfter(503, "3600".to_owned());
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, fault.after_effect());
    let wait = told_to_wait(&app.ask(ME, &cookie).await);
    app.emulator.clear_faults();
    app.clock.advance(wait);
    renewed(&app.ask(ME, &cookie).await);
}

#[tokio::test]
async fn a_wait_that_nobody_can_be_asked_for_is_cut_to_a_minute() {
    let app = TestApp::start().await;
    let cookie = expired(&app);
    refuse(&app, 429, "86400");
    assert_eq!(told_to_wait(&app.ask(ME, &cookie).await), 60);
}

#[tokio::test]
async fn a_token_that_holds_is_served_during_the_wait() {
    let app = TestApp::start().await;
    let cookie = app.cookie_of(ADA);
    app.clock.advance(280);
    refuse(&app, 429, "10");
    for _ in 0..3 {
        assert_eq!(app.ask(ME, &cookie).await.status, 200);
    }
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn when_ten_refreshes_have_failed_one_at_a_time_goes_to_see() {
    let app = TestApp::start().await;
    let cookies = all_expired(&app, 10);
    let others = all_expired(&app, 20);
    let fault = Fault::Status(500);
    app.emulator.fault(Endpoint::AuthenticateRefresh, fault);
    ask_all(&app, &cookies).await.iter().for_each(|answer| {
        told_to_wait(answer);
    });
    let mut calls = refreshes(&app);
    assert_eq!(calls, 20, "each asked twice");
    for step in [1, 2, 4, 8, 10] {
        for answer in ask_all(&app, &others).await {
            assert_eq!(told_to_wait(&answer), step);
        }
        assert_eq!(refreshes(&app), calls);
        app.clock.advance(step / 2);
        let left = told_to_wait(&app.ask(ME, &others[0]).await);
        assert_eq!(left, step - step / 2);
        app.clock.advance(step - step / 2);
        ask_all(&app, &others).await.iter().for_each(|answer| {
            told_to_wait(answer);
        });
        assert_eq!(refreshes(&app), calls + 2, "one went, and asked twice");
        calls += 2;
    }
    app.emulator.clear_faults();
    app.clock.advance(10);
    renewed(&app.ask(ME, &others[0]).await);
    for answer in ask_all(&app, &others[1..]).await {
        renewed(&answer);
    }
}

#[tokio::test]
async fn nobody_waits_for_what_has_not_come_ten_times() {
    let app = TestApp::start().await;
    let cookies = all_expired(&app, 10);
    let others = all_expired(&app, 50);
    let fresh = app.cookie_of(ADA);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Hang);
    ask_all(&app, &cookies).await;
    let started = Instant::now();
    for answer in ask_all(&app, &others).await {
        told_to_wait(&answer);
    }
    assert!(started.elapsed() < Duration::from_secs(3), "each took five");
    assert_eq!(app.ask(ME, &fresh).await.status, 200);
}

#[tokio::test]
async fn sign_ins_go_on_while_refreshes_are_given_up() {
    let app = TestApp::start().await;
    let cookies = all_expired(&app, 10);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(500));
    ask_all(&app, &cookies).await;
    let mut browser = app.signed_in(ADA).await;
    assert_eq!(browser.api(ME).await.status, 200);
}
