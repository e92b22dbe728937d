//! Sessions that the server keeps, in a real Redis and in a store of one's own.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use authkit_actix::{
    SessionStore, SessionStoreError,
    emulator::{EmulatorUser, Endpoint, Fault, RefreshReuse},
};
use authkit_tests::{Answer, Log, PASSWORD, RedisServer, TestApp, TestAppBuilder, seal};
use futures::future::join_all;
use serde_json::{Value, json};

const ME: &str = "/api/me";
const BOB: &str = "bob@example.com";
const ADA: &str = "ada@example.com";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;
const SESSIONS: &str = "authkit:session:*";

/// An application with its sessions in this Redis, which shares nothing but them.
fn keeping(redis: &RedisServer) -> TestAppBuilder {
    let url = redis.url();
    TestApp::builder()
        .emulator(|emulator| {
            emulator
                .refresh_reuse(RefreshReuse::Strict)
                .user(EmulatorUser::new(ADA))
                .user(EmulatorUser::new(BOB))
        })
        .authkit(move |authkit| authkit.redis(url).sessions_in_redis())
}

fn refreshes(app: &TestApp) -> usize {
    app.emulator.calls(Endpoint::AuthenticateRefresh)
}

async fn until_served(app: &TestApp, cookie: &str) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = app.ask(ME, cookie).await;
        if answer.status == 200 || Instant::now() > deadline {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_cookie_says_only_which_session_it_is() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let mut browser = app.signed_in(ADA).await;
    assert_eq!(browser.api(ME).await.status, 200);
    let handle = browser.cookie("wos-session").expect("a handle");
    assert!(handle.len() < 160, "{}", handle.len());
    assert_eq!(redis.keys(SESSIONS).len(), 1);
}

#[tokio::test]
async fn a_copy_of_the_whole_redis_opens_no_session_even_with_the_cookie_password() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let browser = app.signed_in(ADA).await;
    app.clock.advance(EXPIRED);
    assert_eq!(app.ask(ME, &browser.session_cookie()).await.status, 200);
    for key in redis.keys("*") {
        let value = redis.ask(&["GET", &key]);
        assert!(!value.contains(ADA) && !key.contains(ADA), "{key}");
        for purpose in [seal::SESSION, "session-handle", "stored-session"] {
            assert!(seal::open(PASSWORD, purpose, &value).is_none(), "{key}");
        }
        for name in [
            value.as_str(),
            key.as_str(),
            key.trim_start_matches(SESSIONS),
        ] {
            let forged = format!("wos-session={name}");
            assert_ne!(app.ask(ME, &forged).await.status, 200, "{key}");
        }
    }
}

#[tokio::test]
async fn who_has_signed_out_is_out_and_so_is_a_copy_of_the_cookie() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let mut browser = app.signed_in(ADA).await;
    let copy = browser.session_cookie();
    let answer = browser.submit("/sign-out", &[]).await;
    assert_eq!(answer.status, 303);
    assert!(answer.removes("wos-session"));
    assert!(
        answer
            .location()
            .is_some_and(|it| it.contains("session_id="))
    );
    assert_eq!(redis.keys(SESSIONS), [""; 0]);
    assert!(app.ask(ME, &copy).await.drops_the_session());
}

#[tokio::test]
async fn a_refresh_changes_the_session_and_not_the_cookie() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    let record = || redis.ask(&["GET", &redis.keys(SESSIONS)[0]]);
    let before = record();
    app.clock.advance(EXPIRED);
    let answers = join_all((0..50).map(|_| app.ask(ME, &cookie))).await;
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.set_cookies().is_empty());
    }
    assert_eq!(refreshes(&app), 1);
    assert_ne!(record(), before);
    assert_eq!(redis.keys(SESSIONS).len(), 1);
}

#[tokio::test]
async fn another_instance_finds_the_refreshed_session() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let other = keeping(&redis).beside(&app).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    for round in 1..=3 {
        app.clock.advance(EXPIRED);
        for instance in [&app, &other, &app] {
            assert_eq!(instance.ask(ME, &cookie).await.status, 200);
        }
        assert_eq!(refreshes(&app), round);
    }
}

#[tokio::test]
async fn a_cookie_from_before_is_moved_into_the_store_when_it_comes() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let mut browser = app.with_session(ADA);
    let before = browser.cookie("wos-session").expect("a session").to_owned();
    let answer = browser.api(ME).await;
    assert_eq!(answer.status, 200);
    let moved = answer.set_cookie("wos-session").expect("a handle").value;
    assert!(moved.len() < before.len() / 4);
    assert_eq!(refreshes(&app), 0);
    assert_eq!(redis.keys(SESSIONS).len(), 1);
    let answer = browser.api(ME).await;
    assert_eq!(answer.status, 200);
    assert!(answer.set_cookies().is_empty());

    // Whoever sends the old cookie once more gets the same handle.
    let again = app.ask(ME, &format!("wos-session={before}")).await;
    assert_eq!(
        again.set_cookie("wos-session").expect("a handle").value,
        moved
    );
    assert_eq!(redis.keys(SESSIONS).len(), 1);
}

#[tokio::test]
async fn a_cookie_from_before_that_has_expired_is_refreshed_on_the_way() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let mut browser = app.with_session(ADA);
    app.clock.advance(EXPIRED);
    assert_eq!(browser.api(ME).await.status, 200);
    assert_eq!(refreshes(&app), 1);
    app.clock.advance(EXPIRED);
    assert_eq!(browser.api(ME).await.status, 200);
    assert_eq!(refreshes(&app), 2);
}

#[tokio::test]
async fn signing_in_begins_a_new_record_and_ends_the_one_before() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let mut browser = app.signed_in(ADA).await;
    let before = browser.session_cookie();
    let first = redis.keys(SESSIONS);
    assert_eq!(browser.sign_in(ADA).await.status, 303);
    assert_ne!(browser.session_cookie(), before);
    let second = redis.keys(SESSIONS);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
    assert!(app.ask(ME, &before).await.drops_the_session());
    assert_eq!(app.ask(ME, &browser.session_cookie()).await.status, 200);
}

#[tokio::test]
async fn a_session_of_forty_kilobytes_has_a_cookie_as_small_as_any() {
    let redis = RedisServer::start();
    let url = redis.url();
    let app = TestApp::builder()
        .emulator(|emulator| {
            let large = json!({"metadata": {"notes": "n".repeat(40_000)}});
            emulator.user(EmulatorUser::new("large@example.com").profile(large))
        })
        .authkit(move |authkit| authkit.redis(url).sessions_in_redis())
        .start()
        .await;
    let cookie = app.signed_in("large@example.com").await.session_cookie();
    assert!(cookie.len() < 200);
    app.clock.advance(EXPIRED);
    let answer = app.ask(ME, &cookie).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let me: Value = answer.json();
    assert_eq!(me["user"]["metadata"]["notes"], "n".repeat(40_000));
}

#[tokio::test]
async fn without_redis_nobody_is_signed_out_and_nobody_is_let_in() {
    Log::capture();
    let mut redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    redis.stop();
    for _ in 0..20 {
        let asked = Instant::now();
        assert!(app.ask(ME, &cookie).await.cannot_tell());
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "{:?}",
            asked.elapsed()
        );
    }
    assert_eq!(app.ask("/maybe", &cookie).await.status, 503);
    assert_eq!(app.ask("/status", &cookie).await.body, "cannot tell");
    assert_eq!(app.ask("/public.txt", &cookie).await.status, 200);
    let address = format!("127.0.0.1:{}", redis.port());
    let lines = Log::capture().lines_with(&address);
    let complaints = lines
        .iter()
        .filter(|line| line.contains("Redis is out of reach"));
    assert_eq!(complaints.count(), 1, "{lines:#?}");

    // It comes back empty: the session is unknown to it.
    redis.restart();
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut answer = app.ask(ME, &cookie).await;
    while answer.cannot_tell() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = app.ask(ME, &cookie).await;
    }
    assert!(answer.drops_the_session(), "{answer:?}");
}

#[tokio::test]
async fn a_redis_that_stalls_is_waited_for_a_quarter_of_a_second_and_not_by_everyone() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    redis.pause();
    let asked = Instant::now();
    assert!(app.ask(ME, &cookie).await.cannot_tell());
    assert!(asked.elapsed() >= Duration::from_millis(200));
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    let asked = Instant::now();
    for _ in 0..10 {
        assert!(app.ask(ME, &cookie).await.cannot_tell());
    }
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    redis.resume();
    assert_eq!(until_served(&app, &cookie).await.status, 200);
}

#[tokio::test]
async fn an_application_starts_without_redis_and_serves_when_it_comes() {
    let mut redis = RedisServer::stopped();
    let app = keeping(&redis).start().await;
    let mut browser = app.browser();
    let start = browser.get("/sign-in").await;
    let callback = browser.authenticate(&start, ADA).await;
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateCode), 0);
    redis.restart();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The code was not spent, but the browser has lost the verifier with the answer.
    assert_eq!(browser.sign_in(ADA).await.status, 303);
    assert_eq!(browser.api(ME).await.status, 200);
}

#[tokio::test]
async fn a_session_that_redis_has_forgotten_is_signed_out() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    redis.ask(&["FLUSHALL"]);
    assert!(app.ask(ME, &cookie).await.drops_the_session());
}

#[tokio::test]
async fn what_is_no_session_of_ours_is_dropped_with_a_warning() {
    Log::capture();
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let bob = app.signed_in(BOB).await;
    let of_bob = redis.keys(SESSIONS)[0].clone();
    let sealed_for_bob = redis.ask(&["GET", &of_bob]);
    let foreign: [&[&str]; 6] = [
        &["SET", "KEY", "garbage"],
        &["SET", "KEY", ""],
        &["SET", "KEY", &sealed_for_bob],
        &["LPUSH", "KEY", "a", "list"],
        &["HSET", "KEY", "a", "hash"],
        &["SETBIT", "KEY", "0", "1"],
    ];
    for command in foreign {
        let cookie = app.signed_in(ADA).await.session_cookie();
        let keys = redis.keys(SESSIONS);
        let key = keys.iter().find(|&key| *key != of_bob).expect("ada's");
        redis.ask(&["DEL", key]);
        let command: Vec<_> = command
            .iter()
            .map(|&word| if word == "KEY" { key } else { word })
            .collect();
        redis.ask(&command);
        assert!(
            app.ask(ME, &cookie).await.drops_the_session(),
            "{command:?}"
        );
        redis.ask(&["DEL", key]);
    }
    assert_eq!(app.ask(ME, &bob.session_cookie()).await.status, 200);
    assert!(Log::capture().contains("that is not ours"));
    assert!(Log::capture().contains("a value that is no session of ours"));
}

#[tokio::test]
async fn a_redis_without_memory_serves_sessions_and_loses_none() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    redis.starve();
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
    app.clock.advance(EXPIRED);
    // The refreshes are made, and what came of them is kept here until it can be written.
    for refreshed in 1..=3 {
        assert_eq!(app.ask(ME, &cookie).await.status, 200);
        assert_eq!(app.ask(ME, &cookie).await.status, 200);
        assert_eq!(refreshes(&app), refreshed);
        app.clock.advance(if refreshed < 3 { EXPIRED } else { 0 });
    }
    redis.feed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = keeping(&redis).beside(&app).start().await;
    assert_eq!(other.ask(ME, &cookie).await.status, 200);
    assert_eq!(refreshes(&app), 3);
}

#[tokio::test]
async fn a_session_is_not_lost_when_redis_stalls_while_it_is_refreshed() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let cookie = app.signed_in(ADA).await.session_cookie();
    app.clock.advance(EXPIRED);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::Delay(Duration::from_millis(600)),
    );
    let stalls = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        redis.pause();
    };
    let (answer, ()) = tokio::join!(app.ask(ME, &cookie), stalls);
    assert!(answer.cannot_tell(), "{answer:?}");
    // Far beyond what the results of refreshes are kept for.
    app.clock.advance(EXPIRED * 10);
    redis.resume();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let other = keeping(&redis).beside(&app).start().await;
    assert_eq!(other.ask(ME, &cookie).await.status, 200);
    assert_eq!(refreshes(&app), 2);
}

#[tokio::test]
async fn a_session_that_ends_while_redis_stalls_stays_ended() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let mut browser = app.signed_in(ADA).await;
    let copy = browser.session_cookie();
    redis.pause();
    let answer = browser.submit("/sign-out", &[]).await;
    assert_eq!(answer.status, 303);
    assert!(answer.removes("wos-session"));
    redis.resume();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !redis.keys(SESSIONS).is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(app.ask(ME, &copy).await.drops_the_session());
}

#[tokio::test]
async fn a_sign_out_wins_over_a_refresh_under_way() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let mut browser = app.signed_in(ADA).await;
    let copy = browser.session_cookie();
    app.clock.advance(EXPIRED);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::Delay(Duration::from_millis(500)),
    );
    let signs_out = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        browser.submit("/sign-out", &[]).await
    };
    let (refreshed, _) = tokio::join!(app.ask(ME, &copy), signs_out);
    assert_eq!(refreshed.status, 401);
    assert_eq!(redis.keys(SESSIONS), [""; 0]);
    assert!(app.ask(ME, &copy).await.drops_the_session());
}

#[tokio::test]
async fn two_handles_that_open_are_refused_and_a_foreign_one_beside_does_no_harm() {
    let redis = RedisServer::start();
    let app = keeping(&redis).start().await;
    let (ada, bob) = (
        app.signed_in(ADA).await.session_cookie(),
        app.signed_in(BOB).await.session_cookie(),
    );
    let foreign = format!("wos-session=planted; {ada}");
    let answer = app.ask(ME, &foreign).await;
    assert_eq!(answer.status, 200);
    assert!(answer.set_cookie("wos-session").is_some());
    assert!(
        app.ask(ME, &format!("{ada}; {bob}"))
            .await
            .drops_the_session()
    );
}

/// A store that an application might bring, and that a test may break.
#[derive(Clone, Default)]
struct OwnStore {
    sessions: Arc<Mutex<HashMap<String, String>>>,
    is_broken: Arc<AtomicBool>,
}

impl OwnStore {
    fn sessions(
        &self,
    ) -> Result<std::sync::MutexGuard<'_, HashMap<String, String>>, SessionStoreError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err("the disk is on fire".into());
        }
        Ok(self.sessions.lock().expect("nobody panics"))
    }
}

impl SessionStore for OwnStore {
    async fn load(&self, key: &str) -> Result<Option<String>, SessionStoreError> {
        Ok(self.sessions()?.get(key).cloned())
    }

    async fn insert(&self, key: &str, value: &str, _: Duration) -> Result<(), SessionStoreError> {
        self.sessions()?.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    async fn replace(
        &self,
        key: &str,
        old: &str,
        new: &str,
        _: Duration,
    ) -> Result<bool, SessionStoreError> {
        let mut sessions = self.sessions()?;
        let value = sessions.get_mut(key).filter(|value| *value == old);
        Ok(value.map(|value| *value = new.to_owned()).is_some())
    }

    async fn remove(&self, key: &str) -> Result<(), SessionStoreError> {
        self.sessions()?.remove(key);
        Ok(())
    }
}

#[tokio::test]
async fn an_applications_own_store_holds_sessions_and_may_fail() {
    Log::capture();
    let store = OwnStore::default();
    let own = store.clone();
    let app = TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .authkit(move |authkit| authkit.session_store(own))
        .start()
        .await;
    let mut browser = app.signed_in(ADA).await;
    app.clock.advance(EXPIRED);
    assert_eq!(browser.api(ME).await.status, 200);
    store.is_broken.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        assert!(browser.api(ME).await.cannot_tell());
    }
    let complaints = Log::capture().lines_with("the disk is on fire");
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    store.is_broken.store(false, Ordering::SeqCst);
    assert_eq!(browser.api(ME).await.status, 200);
    browser.submit("/sign-out", &[]).await;
    assert!(store.sessions.lock().expect("nobody panics").is_empty());
    assert_eq!(refreshes(&app), 1);
}
