//! A real Redis at the end of a slow line.

use std::time::{Duration, Instant};

use authkit_actix::{
    AuthKitBuilder,
    emulator::{Endpoint, RefreshReuse},
};
use authkit_tests::{Log, RedisServer, SlowLine, TestApp};
use futures::future::join_all;

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;

/// Where an application around a Redis keeps its sessions.
pub(crate) type Keep = fn(AuthKitBuilder) -> AuthKitBuilder;
pub(crate) const IN_COOKIES: Keep = |authkit| authkit;
pub(crate) const IN_REDIS: Keep = AuthKitBuilder::sessions_in_redis;

pub(crate) async fn app(redis_port: u16, keep: Keep) -> TestApp {
    let url = format!("redis://127.0.0.1:{redis_port}");
    TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .authkit(move |authkit| keep(authkit.redis(url)))
        .start()
        .await
}

/// An application does not wait for Redis longer than a moment when it starts.
async fn until_in_reach(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while app.browser().sign_in(ADA).await.status != 303 {
        assert!(Instant::now() < deadline, "Redis is not found");
    }
}

#[tokio::test]
async fn a_redis_that_takes_a_tenth_of_a_second_is_waited_for() {
    let redis = RedisServer::start();
    let line = SlowLine::to(redis.port()).await;
    for keep in [IN_COOKIES, IN_REDIS] {
        let app = app(line.port(), keep).await;
        until_in_reach(&app).await;
        line.delay(90);
        let cookie = app.signed_in(ADA).await.session_cookie();
        app.clock.advance(EXPIRED);
        for answer in join_all((0..20).map(|_| app.ask(ME, &cookie))).await {
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
        line.delay(0);
    }
    assert!(!redis.keys("authkit:session:*").is_empty());
}

#[tokio::test]
async fn a_redis_that_takes_longer_than_a_quarter_of_a_second_is_as_good_as_down() {
    Log::capture();
    let redis = RedisServer::start();
    let line = SlowLine::to(redis.port()).await;
    let address = format!("127.0.0.1:{}", line.port());
    let said = |what: &str| {
        let lines = Log::capture().lines_with(&address);
        lines.iter().filter(|line| line.contains(what)).count()
    };
    let in_cookies = app(line.port(), IN_COOKIES).await;
    let in_redis = app(line.port(), IN_REDIS).await;
    until_in_reach(&in_redis).await;
    let in_cookie = in_cookies.signed_in(ADA).await.session_cookie();
    let handle = in_redis.signed_in(ADA).await.session_cookie();
    let before = said("Redis is out of reach");
    line.delay(500);
    in_cookies.clock.advance(EXPIRED);
    let began = Instant::now();
    let mut asked = 0;
    // Longer than several attempts to connect again.
    while began.elapsed() < Duration::from_secs(4) {
        let moment = Instant::now();
        let answer = in_cookies.ask(ME, &in_cookie).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = in_redis.ask(ME, &handle).await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.set_cookies().is_empty());
        let took = moment.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        asked += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(asked > 10, "{asked}");
    assert_eq!(in_cookies.emulator.calls(Endpoint::AuthenticateRefresh), 1);
    assert_eq!(said("Redis is out of reach") - before, 2, "once by each");

    line.delay(0);
    let deadline = Instant::now() + Duration::from_secs(10);
    while in_redis.ask(ME, &handle).await.status != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(said("Redis is back") > 0);
}
