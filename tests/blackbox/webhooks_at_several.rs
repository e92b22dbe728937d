//! Events that WorkOS delivers to several instances around a real Redis.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use authkit_actix::{AuthKit, Clock as _, WebhookEvent};
use authkit_tests::{Answer, Log, RedisServer, TestApp, TestAppBuilder, webhook};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

const SECRET: &str = "whsec_of_several_instances";
const HOOK: &str = "/webhooks/workos";
const ONCE: &str = "authkit:once:*";

/// What the handlers of all instances have done.
#[derive(Default)]
struct Desk {
    seen: Mutex<Vec<String>>,
    /// How often they are to fail first.
    failures: AtomicUsize,
    millis: AtomicU64,
}

impl Desk {
    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }

    async fn handle(&self, event: WebhookEvent) -> Result<(), &'static str> {
        let taken = Duration::from_millis(self.millis.load(Ordering::SeqCst));
        tokio::time::sleep(taken).await;
        let less = |left: usize| left.checked_sub(1);
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if fails.is_ok() {
            return Err("not today");
        }
        self.seen.lock().expect("no panic").push(event.id);
        Ok(())
    }
}

fn handling(redis: &RedisServer, secret: &'static str, desk: &Arc<Desk>) -> TestAppBuilder {
    let (url, desk) = (redis.url(), Arc::clone(desk));
    TestApp::builder()
        .authkit(move |authkit| authkit.redis(url))
        .with_usual_routes(move |authkit: &AuthKit, app| {
            let desk = Arc::clone(&desk);
            let webhooks = authkit.webhooks(secret).on_any(move |event| {
                let desk = Arc::clone(&desk);
                async move { desk.handle(event).await }
            });
            app.service(webhooks.build().expect("right"));
        })
}

/// Two instances with one desk.
async fn two(redis: &RedisServer) -> (TestApp, TestApp, Arc<Desk>) {
    let desk = Arc::default();
    let app = handling(redis, SECRET, &desk).start().await;
    let other = handling(redis, SECRET, &desk).beside(&app).start().await;
    (app, other, desk)
}

fn event(app: &TestApp, id: &str) -> String {
    let created_at = webhook::rfc3339(app.clock.unix_seconds());
    json!({"id": id, "event": "user.created", "data": {}, "created_at": created_at}).to_string()
}

async fn deliver(app: &TestApp, body: &str) -> Answer {
    signed_with(app, SECRET, body).await
}

async fn signed_with(app: &TestApp, secret: &str, body: &str) -> Answer {
    let signature = webhook::signature(secret, app.clock.unix_seconds(), body);
    let headers = [("workos-signature", signature.as_str())];
    app.browser().send(Method::POST, HOOK, &headers, body).await
}

#[tokio::test]
async fn what_one_instance_has_taken_in_is_known_to_the_others() {
    let redis = RedisServer::start();
    let (app, other, desk) = two(&redis).await;
    let body = event(&app, "event_1");
    for instance in [&app, &other, &app, &other] {
        assert_eq!(deliver(instance, &body).await.status, 200);
    }
    assert_eq!(desk.seen(), ["event_1"]);
    // An instance that comes later knows it too, for longer than any stamp is good.
    let third = handling(&redis, SECRET, &desk).beside(&app).start().await;
    assert_eq!(deliver(&third, &body).await.status, 200);
    assert_eq!(desk.seen(), ["event_1"]);
    let keys = redis.keys(ONCE).into_iter();
    let kept: Vec<_> = keys.filter(|key| !key.ends_with(":fence")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(!kept[0].contains("event_1"));
    let left: u64 = redis.ask(&["TTL", &kept[0]]).parse().expect("seconds");
    assert!((3500..=3600).contains(&left), "{left}");
    // The guide tells what it costs.
    for (instance, calls) in [(&other, 2), (&app, 1)] {
        redis.ask(&["CONFIG", "RESETSTAT"]);
        let body = event(&app, "event_2");
        assert_eq!(deliver(instance, &body).await.status, 200);
        let made = redis.ask(&["INFO", "commandstats"]);
        let expected = format!("cmdstat_evalsha:calls={calls},");
        assert!(made.contains(&expected), "{made}");
    }
    assert_eq!(desk.seen(), ["event_1", "event_2"]);
}

#[tokio::test]
async fn an_event_that_failed_at_one_instance_is_taken_in_by_the_next() {
    let redis = RedisServer::start();
    let (app, other, desk) = two(&redis).await;
    desk.failures.store(2, Ordering::SeqCst);
    let body = event(&app, "event_1");
    for (instance, status) in [(&app, 500), (&app, 500), (&other, 200), (&app, 200)] {
        assert_eq!(deliver(instance, &body).await.status, status);
    }
    assert_eq!(desk.seen(), ["event_1"]);
}

#[tokio::test]
async fn deliveries_at_the_same_moment_get_the_answer_of_the_one_that_counts() {
    let redis = RedisServer::start();
    let (app, other, desk) = two(&redis).await;
    desk.millis.store(800, Ordering::SeqCst);
    let body = event(&app, "event_1");
    let instances = [&app, &other];
    let all = (0..20).map(|number| deliver(instances[number % 2], &body));
    for answer in join_all(all).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(desk.seen(), ["event_1"]);

    // The one that fails counts for those who are with it; the other instance tries for itself.
    desk.failures.store(1, Ordering::SeqCst);
    let body = event(&app, "event_2");
    let all = (0..10).map(|number| deliver(instances[number % 2], &body));
    let statuses = join_all(all).await.into_iter().map(|it| it.status);
    let (good, bad): (Vec<_>, Vec<_>) = statuses.partition(|status| *status == 200);
    assert_eq!((good.len(), bad.as_slice()), (5, [500; 5].as_slice()));
    assert_eq!(desk.seen(), ["event_1", "event_2"]);
}

#[tokio::test]
async fn an_event_is_handled_to_its_end_though_the_sender_leaves() {
    let redis = RedisServer::start();
    let (app, other, desk) = two(&redis).await;
    desk.millis.store(600, Ordering::SeqCst);
    let body = event(&app, "event_1");
    let moment = Duration::from_millis(200);
    let left = tokio::time::timeout(moment, deliver(&app, &body)).await;
    assert!(left.is_err(), "it takes longer than that");
    assert_eq!(deliver(&other, &body).await.status, 200);
    assert_eq!(desk.seen(), ["event_1"]);
}

#[tokio::test]
async fn another_application_around_the_same_redis_hears_of_the_same_event() {
    let redis = RedisServer::start();
    let (app, _other, desk) = two(&redis).await;
    let of_theirs = Arc::default();
    let theirs = handling(&redis, "whsec_of_theirs", &of_theirs)
        .start()
        .await;
    let body = event(&app, "event_1");
    assert_eq!(deliver(&app, &body).await.status, 200);
    let answer = signed_with(&theirs, "whsec_of_theirs", &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!((desk.seen().len(), of_theirs.seen().len()), (1, 1));
}

#[tokio::test]
async fn without_redis_each_instance_tells_its_own_duplicates() {
    Log::capture();
    let mut redis = RedisServer::start();
    let (app, other, desk) = two(&redis).await;
    redis.stop();
    let body = event(&app, "event_1");
    let began = Instant::now();
    for instance in [&app, &other, &app, &other] {
        assert_eq!(deliver(instance, &body).await.status, 200);
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(desk.seen(), ["event_1", "event_1"]);
    let address = format!("127.0.0.1:{}", redis.port());
    let lines = Log::capture().lines_with(&address);
    let complaints = lines
        .iter()
        .filter(|line| line.contains("Redis is out of reach"));
    assert_eq!(complaints.count(), 2, "one of each instance: {lines:#?}");

    redis.restart();
    let deadline = Instant::now() + Duration::from_secs(10);
    for number in 2.. {
        let (body, before) = (event(&app, &format!("event_{number}")), desk.seen().len());
        for instance in [&app, &other] {
            assert_eq!(deliver(instance, &body).await.status, 200);
        }
        if desk.seen().len() == before + 1 {
            return;
        }
        assert!(Instant::now() < deadline, "they are not one again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_redis_that_stalls_delays_an_event_by_a_quarter_of_a_second() {
    let redis = RedisServer::start();
    let (app, other, desk) = two(&redis).await;
    redis.pause();
    for instance in [&app, &other] {
        let began = Instant::now();
        let body = event(&app, "event_1");
        assert_eq!(deliver(instance, &body).await.status, 200);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        let began = Instant::now();
        for number in 2..12 {
            let body = event(&app, &format!("event_{number}"));
            assert_eq!(deliver(instance, &body).await.status, 200);
        }
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(2),
            "nobody asks it again: {took:?}"
        );
    }
    assert_eq!(desk.seen().len(), 22);
    redis.resume();
}
