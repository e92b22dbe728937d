//! Counters, histograms and gauges, as a recorder is given them.

use std::{collections::BTreeMap, time::Duration};

use authkit_actix::{
    AuthKitBuilder, Clock as _,
    emulator::{EmulatorUser, Endpoint, Fault},
};
use authkit_tests::{RedisServer, TestApp, webhook};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::recorder::Recorder;

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;
const SECRET: &str = "whsec_of_the_metrics";

/// The metrics of the process, for one test at a time, and how they were when it began.
struct Meter {
    recorder: Recorder,
    before: BTreeMap<String, f64>,
    _alone: MutexGuard<'static, ()>,
}

impl Meter {
    async fn start() -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let recorder = Recorder::of_this_process();
        Self {
            before: recorder.values(),
            recorder,
            _alone: alone,
        }
    }

    /// The value of a name such as `authkit_key_fetches_total{outcome="failed"}`.
    fn value(&self, name: &str) -> f64 {
        self.recorder.values().get(name).copied().unwrap_or(0.0)
    }

    /// How much it has grown.
    fn growth(&self, name: &str) -> f64 {
        self.value(name) - self.before.get(name).copied().unwrap_or(0.0)
    }

    #[track_caller]
    fn assert_growth(&self, expected: &[(&str, f64)]) {
        for (name, growth) in expected {
            let all = self.recorder.values();
            assert_eq!(self.growth(name), *growth, "{name} in\n{all:#?}");
        }
    }
}

async fn app() -> TestApp {
    app_with(|authkit| authkit).await
}

async fn app_with(change: impl FnOnce(AuthKitBuilder) -> AuthKitBuilder + 'static) -> TestApp {
    TestApp::builder()
        .emulator(|emulator| emulator.user(EmulatorUser::new(ADA)))
        .authkit(change)
        .with_usual_routes(|authkit, app| {
            app.service(authkit.webhooks(SECRET).build().expect("right"));
        })
        .start()
        .await
}

#[actix_web::test]
async fn checks_are_counted_once_for_each_request_by_their_outcome() {
    let meter = Meter::start().await;
    let app = app().await;
    let mut browser = app.with_session(ADA);
    assert_eq!(browser.get("/public.txt").await.status, 200);
    for _ in 0..3 {
        // A guard and an extractor ask.
        assert_eq!(browser.get("/account").await.status, 200);
    }
    assert_eq!(app.browser().api(ME).await.status, 401);
    app.emulator.rotate_key_and_drop_old();
    app.emulator.fault(Endpoint::Jwks, Fault::Status(503));
    app.clock.advance(31);
    assert_eq!(app.with_session(ADA).api(ME).await.status, 503);
    meter.assert_growth(&[
        (r#"authkit_session_checks_total{outcome="signed_in"}"#, 3.0),
        (r#"authkit_session_checks_total{outcome="signed_out"}"#, 1.0),
        (
            r#"authkit_session_checks_total{outcome="cannot_tell"}"#,
            1.0,
        ),
        (r#"authkit_key_fetches_total{outcome="fetched"}"#, 1.0),
        (r#"authkit_key_fetches_total{outcome="failed"}"#, 1.0),
    ]);
}

#[actix_web::test]
async fn a_refresh_is_counted_once_however_many_wait_for_it() {
    let meter = Meter::start().await;
    let app = app().await;
    let session = app.session(ADA);
    let cookie = format!("wos-session={}", app.seal(&session));
    app.clock.advance(EXPIRED);
    let answers = join_all((0..20).map(|_| app.ask(ME, &cookie))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    meter.assert_growth(&[
        (
            r#"authkit_session_refreshes_total{outcome="refreshed"}"#,
            1.0,
        ),
        (r#"authkit_session_checks_total{outcome="signed_in"}"#, 20.0),
        (
            r#"authkit_workos_calls_total{call="session_refresh",outcome="answered"}"#,
            1.0,
        ),
        (
            r#"authkit_workos_call_seconds_count{call="session_refresh"}"#,
            1.0,
        ),
    ]);
    let bytes = meter.growth("authkit_session_cookie_bytes_sum");
    let cookies = meter.growth("authkit_session_cookie_bytes_count");
    assert!(cookies >= 1.0 && (1000.0..4096.0).contains(&(bytes / cookies)));
}

#[actix_web::test]
async fn refreshes_that_fail_are_told_apart_by_what_follows() {
    let meter = Meter::start().await;
    for (fault, status) in [
        (Fault::json(400, json!({"error": "invalid_grant"})), 401),
        (Fault::json(403, json!({"code": "sso_required"})), 401),
        (Fault::Status(500), 503),
        (Fault::Status(429), 503),
        (Fault::json(401, json!({"error": "invalid_client"})), 503),
        (Fault::Reset, 503),
    ] {
        let app = app().await;
        let mut browser = app.with_session(ADA);
        app.clock.advance(EXPIRED);
        app.emulator.fault(Endpoint::AuthenticateRefresh, fault);
        assert_eq!(browser.api(ME).await.status, status);
    }
    let calls = |outcome| {
        let name =
            format!(r#"authkit_workos_calls_total{{call="session_refresh",outcome="{outcome}"}}"#);
        meter.growth(&name)
    };
    meter.assert_growth(&[
        (r#"authkit_session_refreshes_total{outcome="ended"}"#, 1.0),
        (r#"authkit_session_refreshes_total{outcome="step_up"}"#, 1.0),
        (
            r#"authkit_session_refreshes_total{outcome="unavailable"}"#,
            4.0,
        ),
    ]);
    assert_eq!(calls("refused"), 3.0);
    assert_eq!(calls("limited"), 1.0);
    assert!(calls("unavailable") >= 1.0 && calls("network") >= 1.0);
}

#[actix_web::test]
async fn sign_ins_and_callbacks_are_counted_by_their_outcome() {
    let meter = Meter::start().await;
    let app = app().await;
    let mut browser = app.browser();
    let start = browser.get("/sign-in").await;
    let callback = browser.authenticate(&start, ADA).await;
    assert_eq!(browser.get(&callback).await.status, 303);
    assert_eq!(browser.get(&callback).await.status, 303);
    assert_eq!(app.browser().get(&callback).await.status, 400);
    assert_eq!(app.browser().get("/callback").await.status, 400);
    let refused = Fault::json(400, json!({"error": "invalid_grant"}));
    app.emulator
        .fault(Endpoint::AuthenticateCode, refused.times(1));
    assert_eq!(app.browser().sign_in(ADA).await.status, 400);
    app.emulator
        .fault(Endpoint::AuthenticateCode, Fault::Status(500).times(1));
    assert_eq!(app.browser().sign_in(ADA).await.status, 502);
    meter.assert_growth(&[
        (r#"authkit_sign_ins_total{outcome="signed_in"}"#, 1.0),
        (r#"authkit_sign_ins_total{outcome="refused"}"#, 1.0),
        (r#"authkit_sign_ins_total{outcome="unusable"}"#, 1.0),
        (r#"authkit_callbacks_total{outcome="signed_in"}"#, 1.0),
        (r#"authkit_callbacks_total{outcome="replayed"}"#, 1.0),
        (r#"authkit_callbacks_total{outcome="unknown_state"}"#, 2.0),
        (r#"authkit_callbacks_total{outcome="code_refused"}"#, 1.0),
    ]);
}

#[actix_web::test]
async fn webhooks_are_counted_by_a_few_kinds_whatever_they_are_called() {
    let meter = Meter::start().await;
    let app = app().await;
    let now = app.clock.unix_seconds();
    let post = async |name: &str, secret: &str| {
        let body = json!({
            "id": format!("event_{name}"), "event": name, "data": {"id": "session_1"},
        });
        let body = body.to_string();
        let signature = webhook::signature(secret, now, &body);
        let headers = [("workos-signature", &*signature)];
        let mut sender = app.browser();
        let hook = "/webhooks/workos";
        sender
            .send(Method::POST, hook, &headers, &body)
            .await
            .status
    };
    assert_eq!(post("session.revoked", SECRET).await, 200);
    assert_eq!(post("never.heard_of", SECRET).await, 200);
    assert_eq!(post("user.deleted", "another secret").await, 400);
    meter.assert_growth(&[
        (
            r#"authkit_webhooks_total{kind="session",outcome="taken"}"#,
            1.0,
        ),
        (
            r#"authkit_webhooks_total{kind="other",outcome="taken"}"#,
            1.0,
        ),
        (
            r#"authkit_webhooks_total{kind="unknown",outcome="refused"}"#,
            1.0,
        ),
    ]);
    assert!(
        !meter
            .recorder
            .values()
            .keys()
            .any(|name| name.contains("heard"))
    );
}

#[actix_web::test]
async fn the_breaker_shows_while_workos_is_left_alone() {
    let meter = Meter::start().await;
    let open = r#"authkit_breaker_open{what="session refreshes"}"#;
    let app = app().await;
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    let mut browsers: Vec<_> = (0..10).map(|_| app.with_session(ADA)).collect();
    app.clock.advance(EXPIRED);
    for browser in &mut browsers {
        assert_eq!(meter.value(open), 0.0);
        assert_eq!(browser.api(ME).await.status, 503);
    }
    assert_eq!(meter.value(open), 1.0);
    app.emulator.clear_faults();
    app.clock.advance(30);
    assert_eq!(browsers[0].api(ME).await.status, 200);
    assert_eq!(meter.value(open), 0.0);
}

#[actix_web::test]
async fn redis_and_failing_hooks_show() {
    let meter = Meter::start().await;
    let mut redis = RedisServer::start();
    let url = redis.url();
    let app = app_with(move |authkit| {
        authkit
            .redis(url)
            .on_refreshed(|_, _| async { panic!("on purpose") })
    })
    .await;
    assert_eq!(meter.value("authkit_redis_connected"), 1.0);
    let mut browser = app.with_session(ADA);
    app.clock.advance(EXPIRED);
    assert_eq!(browser.api(ME).await.status, 200);
    redis.stop();
    let mut other = app.with_session(ADA);
    app.clock.advance(EXPIRED);
    assert_eq!(other.api(ME).await.status, 200);
    let failed = r#"authkit_hook_failures_total{hook="on_refreshed"}"#;
    for _ in 0..100 {
        if meter.value("authkit_redis_connected") == 0.0 && meter.growth(failed) == 2.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(meter.value("authkit_redis_connected"), 0.0);
    assert_eq!(meter.growth(failed), 2.0);
}

#[actix_web::test]
async fn every_metric_describes_itself_and_has_few_labels() {
    let meter = Meter::start().await;
    let app = app().await;
    let mut browser = app.signed_in(ADA).await;
    assert_eq!(browser.api(ME).await.status, 200);
    let user_id = browser.api(ME).await.json()["user"]["id"].to_string();
    let described = meter.recorder.described();
    for name in meter.recorder.values().into_keys() {
        let bare = name.split('{').next().unwrap_or_default();
        let of_histogram = bare.rsplit_once('_').map_or(bare, |(whole, _)| whole);
        assert!(
            described.contains(bare) || described.contains(of_histogram),
            "{name}"
        );
        assert!(
            !name.contains(user_id.trim_matches('"')) && !name.contains('@'),
            "{name}"
        );
    }
}
