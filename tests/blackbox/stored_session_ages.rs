//! How old a session may become that a real Redis keeps.

use std::time::Duration;

use authkit_actix::{
    AuthKitBuilder,
    emulator::{EmulatorUser, Endpoint, RefreshReuse},
};
use authkit_tests::{RedisServer, TestApp, TestAppBuilder};
use futures::future::join_all;

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";
const SESSIONS: &str = "authkit:session:*";
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// An application with its sessions in this Redis and limits to their age.
fn keeping(redis: &RedisServer, limits: fn(AuthKitBuilder) -> AuthKitBuilder) -> TestAppBuilder {
    let url = redis.url();
    TestApp::builder()
        .emulator(|emulator| {
            emulator
                .refresh_reuse(RefreshReuse::Strict)
                .user(EmulatorUser::new(ADA))
        })
        .authkit(move |authkit| limits(authkit.redis(url).sessions_in_redis()))
}

fn hour_unused(authkit: AuthKitBuilder) -> AuthKitBuilder {
    authkit.session_idle_timeout(Duration::from_secs(3600))
}

fn day_in_all(authkit: AuthKitBuilder) -> AuthKitBuilder {
    authkit.session_max_age(Duration::from_secs(86_400))
}

/// Whether Redis keeps its one session for about so many seconds.
fn is_kept_for(redis: &RedisServer, seconds: i64) -> bool {
    let key = redis.keys(SESSIONS).pop().expect("a session");
    let left: i64 = redis.ask(&["TTL", &key]).parse().expect("seconds");
    (seconds - 10..=seconds + 1).contains(&left)
}

/// Waits for what nobody waits for.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..100 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

fn ended_at_workos(app: &TestApp) -> usize {
    app.emulator.calls(Endpoint::Revoke)
}

#[tokio::test]
async fn a_session_ends_everywhere_when_it_lies_unused_at_all_instances() {
    let redis = RedisServer::start();
    let app = keeping(&redis, hour_unused).start().await;
    let other = keeping(&redis, hour_unused).beside(&app).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    // Used here and there by turns it goes on, though each of them sees it every other hour.
    for _ in 0..3 {
        for instance in [&app, &other] {
            app.clock.advance(50 * MINUTE);
            let answer = instance.ask(ME, &cookie).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(answer.set_cookies().is_empty());
            until("noted", || is_kept_for(&redis, HOUR)).await;
        }
    }
    let refreshes = app.emulator.calls(Endpoint::AuthenticateRefresh);
    app.clock.advance(HOUR + 1);
    assert!(other.ask(ME, &cookie).await.drops_the_session());
    assert_eq!(redis.keys(SESSIONS), [""; 0]);
    assert!(app.ask(ME, &cookie).await.drops_the_session());
    until("ended at WorkOS", || ended_at_workos(&app) == 1).await;
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), refreshes);
}

#[tokio::test]
async fn a_session_ends_after_its_time_however_much_it_is_used() {
    let redis = RedisServer::start();
    let app = keeping(&redis, day_in_all).start().await;
    let other = keeping(&redis, day_in_all).beside(&app).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    assert!(is_kept_for(&redis, 24 * HOUR));
    for hours in 1..=4 {
        app.clock.advance(6 * HOUR);
        for instance in [&app, &other] {
            assert_eq!(instance.ask(ME, &cookie).await.status, 200);
        }
        let left = (24 - hours * 6) * HOUR;
        until("written", || is_kept_for(&redis, left)).await;
    }
    app.clock.advance(1);
    assert!(app.ask(ME, &cookie).await.drops_the_session());
    assert!(other.ask(ME, &cookie).await.drops_the_session());
    until("ended at WorkOS", || ended_at_workos(&app) == 1).await;
    let again = app.signed_in(ADA).await.session_cookie();
    assert_eq!(other.ask(ME, &again).await.status, 200);
}

#[tokio::test]
async fn redis_keeps_a_session_as_long_as_the_limit_that_comes_first() {
    let redis = RedisServer::start();
    let app = keeping(&redis, |authkit| day_in_all(hour_unused(authkit)))
        .start()
        .await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    assert!(is_kept_for(&redis, HOUR));
    for _ in 0..27 {
        app.clock.advance(50 * MINUTE);
        assert_eq!(app.ask(ME, &cookie).await.status, 200);
        until("noted", || is_kept_for(&redis, HOUR)).await;
        app.clock.advance(60);
    }
    // The day is over before the hour is.
    app.clock.advance(57 * MINUTE);
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
    until("noted", || is_kept_for(&redis, 6 * MINUTE)).await;
}

#[tokio::test]
async fn without_limits_a_session_is_kept_as_long_as_its_cookie() {
    let redis = RedisServer::start();
    let day = |authkit: AuthKitBuilder| authkit.cookie_max_age(Duration::from_secs(86_400));
    let app = keeping(&redis, day).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    assert!(is_kept_for(&redis, 24 * HOUR));
    // Nothing says at which session at WorkOS it leads.
    redis.ask(&["FLUSHALL"]);
    assert!(app.ask(ME, &cookie).await.drops_the_session());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ended_at_workos(&app), 0);
}

#[tokio::test]
async fn a_session_that_redis_has_let_run_out_is_ended_at_workos_too_and_once() {
    let redis = RedisServer::start();
    let app = keeping(&redis, hour_unused).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    let key = redis.keys(SESSIONS).pop().expect("a session");
    // What an hour does.
    redis.ask(&["PEXPIRE", &key, "1"]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    for _ in 0..3 {
        assert!(app.ask(ME, &cookie).await.drops_the_session());
    }
    until("ended at WorkOS", || ended_at_workos(&app) > 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ended_at_workos(&app), 1);
}

#[tokio::test]
async fn a_cookie_from_before_takes_its_age_along_into_redis() {
    let redis = RedisServer::start();
    let app = keeping(&redis, |authkit| day_in_all(hour_unused(authkit)))
        .start()
        .await;
    let mut browser = app.with_session(ADA);
    app.clock.advance(30 * MINUTE);
    assert_eq!(browser.api(ME).await.status, 200);
    assert!(is_kept_for(&redis, HOUR));
    for _ in 0..23 {
        app.clock.advance(59 * MINUTE);
        assert_eq!(browser.api(ME).await.status, 200);
    }
    // Half an hour of the day had passed before the move.
    until("noted", || is_kept_for(&redis, 53 * MINUTE)).await;
    app.clock.advance(53 * MINUTE + 1);
    assert!(browser.api(ME).await.drops_the_session());
}

#[tokio::test]
async fn a_crowd_notes_the_use_once() {
    let redis = RedisServer::start();
    let app = keeping(&redis, hour_unused)
        .emulator(|emulator| {
            emulator
                .user(EmulatorUser::new(ADA))
                .access_token_lifetime(Duration::from_secs(7200))
        })
        .start()
        .await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    let record = || redis.ask(&["GET", &redis.keys(SESSIONS)[0]]);
    let before = record();
    redis.ask(&["CONFIG", "RESETSTAT"]);
    app.clock.advance(10 * MINUTE);
    for answer in join_all((0..50).map(|_| app.ask(ME, &cookie))).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    until("noted", || record() != before).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let noted = record();
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(record(), noted, "a tenth of an hour is not over");
    let written = redis.ask(&["INFO", "commandstats"]);
    let written = written.lines().find(|line| line.contains("cmdstat_set:"));
    assert!(
        written.is_some_and(|line| line.contains("calls=1,")),
        "{written:?}"
    );
    app.clock.advance(55 * MINUTE);
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
}

#[tokio::test]
async fn a_use_that_redis_does_not_take_down_counts_all_the_same() {
    let redis = RedisServer::start();
    let app = keeping(&redis, hour_unused).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    redis.starve();
    app.clock.advance(50 * MINUTE);
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
    app.clock.advance(50 * MINUTE);
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
    redis.feed();
    until("written", || is_kept_for(&redis, HOUR)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = keeping(&redis, hour_unused).beside(&app).start().await;
    app.clock.advance(50 * MINUTE);
    assert_eq!(other.ask(ME, &cookie).await.status, 200);
    app.clock.advance(HOUR + 1);
    assert!(other.ask(ME, &cookie).await.drops_the_session());
}
