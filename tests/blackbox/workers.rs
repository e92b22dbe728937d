//! Several Actix workers: what they share, and that none waits for another.

use std::{
    thread,
    time::{Duration, Instant},
};

use actix_web::{Responder, get, web};
use authkit_actix::{
    AuthKit, AuthUser,
    emulator::{Endpoint, Fault, RefreshReuse},
};
use authkit_tests::{Answer, Browser, TestApp};
use futures::future::join_all;

const ADA: &str = "ada@example.com";
const EXPIRED: i64 = 400;
const BUSY: Duration = Duration::from_secs(2);

/// Which worker answers this connection.
#[get("/worker")]
async fn which_worker() -> impl Responder {
    format!("{:?}", thread::current().id())
}

/// Keeps its worker from doing anything else.
#[get("/busy")]
async fn busy() -> impl Responder {
    thread::sleep(BUSY);
    "done"
}

#[get("/me")]
async fn me(user: AuthUser) -> impl Responder {
    format!("{} {:?}", user.email, thread::current().id())
}

fn routes(_: &AuthKit, config: &mut web::ServiceConfig) {
    config.service(which_worker).service(busy).service(me);
}

async fn with_workers(workers: usize) -> TestApp {
    TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .routes(routes)
        .workers(workers)
        .start()
        .await
}

fn expired(app: &TestApp) -> String {
    let sealed = app.seal(&app.session(ADA));
    app.clock.advance(EXPIRED);
    format!("wos-session={sealed}")
}

/// Browsers with a connection each, and the worker at its other end.
async fn connections(app: &TestApp, many: usize) -> Vec<(String, Browser)> {
    let mut connections = Vec::new();
    for _ in 0..many {
        let mut browser = app.browser();
        connections.push((browser.api("/worker").await.body, browser));
    }
    connections
}

#[tokio::test]
async fn the_keys_are_fetched_once_and_a_session_is_refreshed_once() {
    let app = with_workers(4).await;
    let delay = Fault::Delay(Duration::from_millis(300));
    app.emulator.fault(Endpoint::Jwks, delay.clone());
    app.emulator.fault(Endpoint::AuthenticateRefresh, delay);
    let cookie = expired(&app);
    let connections = connections(&app, 40).await;
    let asked = connections
        .iter()
        .map(|(_, browser)| browser.api_with("/me", &cookie));
    let answers = join_all(asked).await;
    let mut workers: Vec<_> = answers.iter().map(|answer| answer.body.as_str()).collect();
    workers.sort_unstable();
    workers.dedup();
    assert_eq!(workers.len(), 4, "{workers:?}");
    let sessions = answers
        .iter()
        .map(|answer| answer.set_cookie("wos-session"));
    let mut sessions: Vec<_> = sessions
        .map(|it| it.expect("the new session").value)
        .collect();
    sessions.dedup();
    assert_eq!(sessions.len(), 1);
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 1);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
}

/// One browser asks, then its worker gets busy, then another worker is asked the same: the answers
/// to both, and how long the second took.
async fn ask_while_busy(app: &TestApp, cookie: &str) -> (Answer, Answer, Duration) {
    let connections = connections(app, 8).await;
    let (first, begins) = &connections[0];
    let find = |same: bool| {
        let mut others = connections[1..].iter();
        let found = others.find(|(worker, _)| (worker == first) == same);
        &found.expect("eight connections to two workers").1
    };
    let (answer, _, (second, waited)) = tokio::join!(
        begins.api_with("/me", cookie),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            find(true).api_with("/busy", "").await
        },
        async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let asked_at = Instant::now();
            let answer = find(false).api_with("/me", cookie).await;
            (answer, asked_at.elapsed())
        }
    );
    (answer, second, waited)
}

#[tokio::test]
async fn nobody_waits_for_a_session_while_the_worker_that_refreshes_it_is_busy() {
    let app = with_workers(2).await;
    app.ask("/me", &expired(&app)).await;
    let cookie = expired(&app);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::Delay(Duration::from_millis(500)),
    );
    let (first, second, waited) = ask_while_busy(&app, &cookie).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(
        first.set_cookie("wos-session"),
        second.set_cookie("wos-session")
    );
    assert!(waited < BUSY / 2, "{waited:?}");
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 2);
}

#[tokio::test]
async fn nobody_waits_for_keys_while_the_worker_that_asked_first_is_busy() {
    let app = with_workers(2).await;
    let cookie = app.cookie_of(ADA);
    app.emulator
        .fault(Endpoint::Jwks, Fault::Delay(Duration::from_millis(500)));
    let (first, second, waited) = ask_while_busy(&app, &cookie).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert!(waited < BUSY / 2, "{waited:?}");
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 1);
}

#[tokio::test]
async fn a_server_that_stops_gracefully_during_a_refresh_still_answers_with_the_new_session() {
    let app = with_workers(4).await;
    app.ask("/me", &expired(&app)).await;
    let cookie = expired(&app);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::Delay(Duration::from_millis(400)),
    );
    let connections = connections(&app, 12).await;
    let asked = connections
        .iter()
        .map(|(_, browser)| browser.api_with("/me", &cookie));
    let stops = async {
        while app.emulator.calls(Endpoint::AuthenticateRefresh) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        app.stop_gracefully().await;
    };
    let (answers, ()) = tokio::join!(join_all(asked), stops);
    for answer in answers {
        assert_eq!(answer.status, 200);
        assert!(answer.set_cookie("wos-session").is_some());
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 2);
}
