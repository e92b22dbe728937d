//! What WorkOS reports: what is believed, and what it does to sessions.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use authkit_actix::{
    AuthKit, Clock as _, OrganizationMembershipUpdated, UserDeleted, WebhookEvent, Webhooks,
    WebhooksBuilder,
    emulator::{EmulatorOrganization, EmulatorUser, Endpoint, Fault},
};
use authkit_tests::{Answer, Browser, Log, TestApp, webhook};
use reqwest::Method;
use serde_json::{Value, json};

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";
const SECRET: &str = "whsec_of_the_black_box_tests";
const HOOK: &str = "/webhooks/workos";

/// An application with webhooks, and the usual test routes that ask for a user.
async fn app(configure: fn(WebhooksBuilder) -> WebhooksBuilder) -> TestApp {
    TestApp::builder()
        .emulator(|emulator| {
            emulator
                .organization(EmulatorOrganization::new("org_acme", "Acme"))
                .user(
                    EmulatorUser::new(ADA)
                        .id("user_ada")
                        .member_of("org_acme", "admin"),
                )
                .user(EmulatorUser::new("grace@example.com").member_of("org_acme", "member"))
        })
        .with_usual_routes(move |authkit, app| {
            let webhooks = configure(authkit.webhooks(SECRET)).build().expect("right");
            app.service(webhooks);
        })
        .start()
        .await
}

async fn plain() -> TestApp {
    app(|webhooks| webhooks).await
}

/// An application to which the emulator reports what happens.
async fn listening() -> TestApp {
    let app = plain().await;
    let address = format!("{}{HOOK}", app.origin);
    app.emulator
        .send_webhooks(&address, SECRET)
        .expect("an address");
    app
}

fn event(id: &str, name: &str, data: Value, app: &TestApp) -> String {
    let created_at = webhook::rfc3339(app.clock.unix_seconds());
    json!({"id": id, "event": name, "data": data, "created_at": created_at}).to_string()
}

/// What has become of Ada's membership in Acme.
fn membership(what: &str, app: &TestApp) -> String {
    let membership = json!({"user_id": "user_ada", "organization_id": "org_acme"});
    let name = format!("organization_membership.{what}");
    event("event_of_ada", &name, membership, app)
}

async fn post(app: &TestApp, signature: &str, body: &str) -> Answer {
    let headers = [
        ("workos-signature", signature),
        ("content-type", "application/json"),
    ];
    let mut workos = app.browser();
    workos.send(Method::POST, HOOK, &headers, body).await
}

/// As WorkOS delivers it: signed now.
async fn deliver(app: &TestApp, body: &str) -> Answer {
    let signature = webhook::signature(SECRET, app.clock.unix_seconds(), body);
    post(app, &signature, body).await
}

async fn session_id(browser: &mut Browser) -> String {
    let me = browser.api(ME).await;
    assert_eq!(me.status, 200, "{}", me.body);
    me.json()["session_id"].as_str().expect("an id").to_owned()
}

/// Asks until an answer has this status: what the emulator reports arrives a moment later.
async fn until(browser: &mut Browser, address: &str, status: u16) {
    for _ in 0..100 {
        if browser.api(address).await.status == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{address} never became {status}");
}

#[tokio::test]
async fn only_what_workos_has_just_signed_is_believed() {
    let app = plain().await;
    let mut ada = app.with_session(ADA);
    let id = session_id(&mut ada).await;
    let body = event("event_1", "session.revoked", json!({"id": id}), &app);
    let now = app.clock.unix_seconds();
    let good = webhook::signature(SECRET, now, &body);
    let flipped = body.replace("session.revoked", "session.revokee");
    let signed_elsewhere = webhook::signature("whsec_of_somebody_else", now, &body);
    let by_nothing = webhook::signature("", now, &body);
    let (time, mark) = good.split_once(", ").expect("two parts");
    let rows: Vec<(&str, String, &str)> = vec![
        ("no signature", String::new(), &body),
        ("one byte off", good.clone(), &flipped),
        ("one byte more", good.clone(), "x"),
        ("another secret", signed_elsewhere, &body),
        ("an empty secret", by_nothing, &body),
        (
            "180 seconds and more ago",
            webhook::signature(SECRET, now - 181, &body),
            &body,
        ),
        (
            "from the future",
            webhook::signature(SECRET, now + 181, &body),
            &body,
        ),
        (
            "seconds for milliseconds",
            good.replace("000, v1", ", v1"),
            &body,
        ),
        ("only a time", time.to_owned(), &body),
        ("only a mark", mark.to_owned(), &body),
        (
            "another time",
            format!("t={}, {mark}", now * 1000 + 1),
            &body,
        ),
        ("a time that is none", format!("t=now, {mark}"), &body),
        ("a negative time", format!("t=-{now}000, {mark}"), &body),
        ("a huge time", format!("t={}, {mark}", u64::MAX), &body),
        ("an older scheme", good.replace("v1=", "v0="), &body),
        ("capitals", good.to_uppercase(), &body),
        ("cut off", good[..good.len() - 1].to_owned(), &body),
        (
            "64 kB of it",
            format!("{time}, v1={}", "0".repeat(65_000)),
            &body,
        ),
    ];
    for (what, signature, body) in rows {
        let refused = post(&app, &signature, body).await;
        assert_eq!(refused.status, 400, "{what}: {}", refused.body);
        assert_eq!(refused.json()["code"], "webhook_refused", "{what}");
        assert!(!refused.body.contains(mark), "{what}");
    }
    assert_eq!(ada.api(ME).await.status, 200, "nothing has happened");
    for edge in [now - 180, now + 180] {
        let id = format!("event_{edge}");
        let body = event(&id, "session.created", json!({"id": id}), &app);
        let signature = webhook::signature(SECRET, edge, &body);
        assert_eq!(post(&app, &signature, &body).await.status, 200);
    }
    assert_eq!(post(&app, &good, &body).await.status, 200);
    assert_eq!(ada.api(ME).await.status, 401);
}

#[tokio::test]
async fn bytes_that_are_no_text_and_events_that_are_none_are_refused_without_a_5xx() {
    let app = plain().await;
    let refused = authkit_tests::raw_exchange(
        &app.origin,
        b"POST /webhooks/workos HTTP/1.1\r\nhost: x\r\nworkos-signature: t=1, v1=00\r\n\
          content-length: 2\r\nconnection: close\r\n\r\n\xff\xfe",
    );
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    let nested = "[".repeat(100_000);
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "\"x\"",
        r#"{"id": 1, "event": 2}"#,
        &nested,
    ] {
        let refused = deliver(&app, body).await;
        assert_eq!(refused.status, 422, "{}", &body[..body.len().min(20)]);
    }
    // Without what its type needs, an event ends nothing, and comes again.
    for (name, data) in [
        ("session.revoked", json!({})),
        ("session.revoked", json!({"id": 7})),
        ("user.deleted", Value::Null),
        (
            "organization_membership.deleted",
            json!({"user_id": "user_ada"}),
        ),
    ] {
        for _ in 0..2 {
            let body = event("event_poor", name, data.clone(), &app);
            assert_eq!(deliver(&app, &body).await.status, 422, "{name} {data}");
        }
    }
    let unknown = event("event_2", "dsync.group.created", json!({"id": "g"}), &app);
    assert_eq!(deliver(&app, &unknown).await.status, 200);
}

#[tokio::test]
async fn ten_megabytes_are_too_many() {
    let app = plain().await;
    let body = "x".repeat(10 << 20);
    let refused = deliver(&app, &body).await;
    assert_eq!(refused.status, 413);
    let largest = event(
        "event_1",
        "user.created",
        json!({"x": "x".repeat(1 << 19)}),
        &app,
    );
    assert_eq!(deliver(&app, &largest).await.status, 200);
}

#[tokio::test]
async fn other_methods_deliver_nothing() {
    let app = plain().await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let answer = app.browser().send(method.clone(), HOOK, &[], "").await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

#[tokio::test]
async fn two_secrets_work_while_one_is_replaced() {
    let app = app(|webhooks| webhooks.or_secret("whsec_of_yesterday")).await;
    for (number, secret) in [SECRET, "whsec_of_yesterday"].into_iter().enumerate() {
        let body = event(&format!("event_{number}"), "user.created", json!({}), &app);
        let signature = webhook::signature(secret, app.clock.unix_seconds(), &body);
        assert_eq!(post(&app, &signature, &body).await.status, 200, "{secret}");
    }
    let body = event("event_3", "user.created", json!({}), &app);
    let signature = webhook::signature("whsec_of_last_week", app.clock.unix_seconds(), &body);
    assert_eq!(post(&app, &signature, &body).await.status, 400);
}

#[tokio::test]
async fn a_secret_that_is_none_and_a_path_that_is_none_stop_the_start() {
    let app = TestApp::start().await;
    let wrong = app
        .authkit
        .webhooks("whsec_right")
        .or_secret(" ")
        .path("hook");
    let error = wrong.build().expect_err("two mistakes");
    let said = error.to_string();
    assert!(said.contains("the secret is empty"), "{said}");
    assert!(said.contains("`hook` is not a plain path"), "{said}");
    assert_eq!(error.problems().len(), 2);
}

#[tokio::test]
async fn the_route_is_open_to_workos_where_everything_else_is_protected() {
    let app = TestApp::builder()
        .without_middleware()
        .routes(|authkit: &AuthKit, app| {
            let webhooks = authkit.webhooks(SECRET).path("/in/hook").build();
            let protected = authkit.middleware().protect().build().expect("no patterns");
            let scope = actix_web::web::scope("/in")
                .wrap(protected)
                .service(webhooks.expect("right"))
                .default_service(actix_web::web::to(|| async { "private" }));
            app.service(scope);
        })
        .start()
        .await;
    let body = event("event_1", "user.created", json!({}), &app);
    let signature = webhook::signature(SECRET, app.clock.unix_seconds(), &body);
    let headers = [("workos-signature", signature.as_str())];
    let mut workos = app.browser();
    let answer = workos.send(Method::POST, "/in/hook", &headers, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let elsewhere = workos.send(Method::POST, "/in/else", &headers, &body).await;
    assert_eq!(elsewhere.status, 401);
}

#[tokio::test]
async fn a_session_that_was_revoked_at_workos_ends_here_at_once() {
    let app = listening().await;
    let (mut ada, mut grace) = (app.with_session(ADA), app.with_session("grace@example.com"));
    let mut ada_elsewhere = app.with_session(ADA);
    let id = session_id(&mut ada).await;
    assert!(app.emulator.end_session(&id));
    until(&mut ada, ME, 401).await;
    assert_eq!(ada_elsewhere.api(ME).await.status, 200);
    assert_eq!(grace.api(ME).await.status, 200);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

#[tokio::test]
async fn a_deleted_user_is_signed_out_everywhere() {
    let app = plain().await;
    let (mut ada, mut grace) = (app.with_session(ADA), app.with_session("grace@example.com"));
    let mut ada_elsewhere = app.with_session(ADA);
    // Only this one event, not what becomes of the sessions.
    let body = event("event_1", "user.deleted", json!({"id": "user_ada"}), &app);
    assert_eq!(deliver(&app, &body).await.status, 200);
    assert_eq!(ada.api(ME).await.status, 401);
    assert_eq!(ada_elsewhere.api(ME).await.status, 401);
    assert_eq!(grace.api(ME).await.status, 200);
}

#[tokio::test]
async fn the_emulator_reports_a_deleted_user() {
    let app = listening().await;
    let mut ada = app.with_session(ADA);
    assert_eq!(ada.api(ME).await.status, 200);
    app.emulator.delete_user(ADA).expect("she was there");
    until(&mut ada, ME, 401).await;
    assert!(app.emulator.session_for(ADA).is_err());
}

#[tokio::test]
async fn a_member_with_another_role_has_it_with_the_next_request() {
    let app = listening().await;
    let mut ada = app.with_session(ADA);
    assert_eq!(ada.api("/admin").await.status, 200);
    app.clock.advance(2);
    app.emulator
        .change_user(ADA, |ada| {
            ada.leave("org_acme").member_of("org_acme", "member")
        })
        .expect("she is there");
    // The token is good for minutes yet.
    until(&mut ada, "/admin", 403).await;
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
    app.clock.advance(2);
    assert_eq!(ada.api("/admin").await.status, 403);
    assert_eq!(ada.api(ME).await.status, 200);
    assert_eq!(
        app.emulator.calls(Endpoint::AuthenticateRefresh),
        2,
        "at most one more"
    );
    app.clock.advance(2);
    assert_eq!(ada.api(ME).await.status, 200);
    assert_eq!(
        app.emulator.calls(Endpoint::AuthenticateRefresh),
        2,
        "no loop"
    );
}

#[tokio::test]
async fn who_has_left_the_organization_is_out_of_it_and_nobody_is_let_in_by_an_outage() {
    let app = plain().await;
    let mut ada = app.with_session(ADA);
    let mut grace = app.with_session("grace@example.com");
    assert_eq!(ada.api("/team").await.status, 200);
    app.clock.advance(2);
    app.emulator
        .change_user(ADA, |ada| ada.leave("org_acme"))
        .expect("she is there");
    let body = membership("deleted", &app);
    assert_eq!(deliver(&app, &body).await.status, 200);

    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    let unknown = ada.api("/team").await;
    assert_eq!(unknown.status, 503, "what she may do cannot be told");
    assert_eq!(unknown.set_cookies(), []);
    app.emulator.clear_faults();
    app.clock.advance(120);
    assert_eq!(ada.api("/team").await.status, 401);
    assert_eq!(grace.api("/team").await.status, 200);
}

#[tokio::test]
async fn the_grace_of_an_outage_is_not_for_rights_that_may_be_gone() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.outage_grace(Duration::from_secs(600)))
        .with_usual_routes(|authkit, app| {
            let webhooks = authkit.webhooks(SECRET).build().expect("right");
            app.service(webhooks);
        })
        .start()
        .await;
    let (mut ada, mut grace) = (app.with_session(ADA), app.with_session("grace@example.com"));
    let body = membership("deleted", &app);
    assert_eq!(deliver(&app, &body).await.status, 200);
    app.clock.advance(400);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    assert_eq!(
        grace.api(ME).await.status,
        200,
        "her token ran out a moment ago"
    );
    assert_eq!(
        ada.api(ME).await.status,
        503,
        "so did this one, and it may be wrong"
    );
}

#[tokio::test]
async fn an_event_from_before_the_token_changes_nothing() {
    let app = plain().await;
    let body = event("event_1", "user.deleted", json!({"id": "user_ada"}), &app);
    let change = membership("updated", &app);
    app.clock.advance(100);
    let mut ada = app.with_session(ADA);
    assert_eq!(deliver(&app, &body).await.status, 200);
    assert_eq!(deliver(&app, &change).await.status, 200);
    assert_eq!(ada.api(ME).await.status, 200);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

/// What handlers were given, and how often they are to fail first.
struct Desk {
    seen: Mutex<Vec<String>>,
    failures: AtomicUsize,
}

/// An application whose handlers write down what they are given.
async fn with_handlers(failures: usize) -> (TestApp, Arc<Desk>) {
    let desk = Arc::new(Desk {
        seen: Mutex::default(),
        failures: AtomicUsize::new(failures),
    });
    let shared = Arc::clone(&desk);
    let built: Arc<Mutex<Option<Webhooks>>> = Arc::default();
    let app = TestApp::builder()
        .workers(2)
        .routes(move |authkit: &AuthKit, app| {
            let mut built = built.lock().expect("no panic");
            let webhooks = built.get_or_insert_with(|| {
                let (typed, any, member) = (shared.clone(), shared.clone(), shared.clone());
                authkit
                    .webhooks(SECRET)
                    .on(move |event: WebhookEvent<UserDeleted>| {
                        let note = format!("{} {}", event.event, event.data.email);
                        typed.seen.lock().expect("no panic").push(note);
                        async {}
                    })
                    .on(move |event: WebhookEvent<OrganizationMembershipUpdated>| {
                        let role = event.data.role.as_ref().map(|role| role.slug.clone());
                        let note = format!("{} {role:?}", event.data.user_id);
                        member.seen.lock().expect("no panic").push(note);
                        async {}
                    })
                    .on_any(move |event: WebhookEvent| {
                        let any = Arc::clone(&any);
                        async move {
                            let left = any.failures.load(Ordering::SeqCst);
                            if left > 0 {
                                any.failures.store(left - 1, Ordering::SeqCst);
                                assert!(left != 2, "on purpose");
                                return Err("not today");
                            }
                            let note = format!("any {}", event.id);
                            any.seen.lock().expect("no panic").push(note);
                            Ok(())
                        }
                    })
                    .build()
                    .expect("right")
            });
            app.service(webhooks.clone());
        })
        .start()
        .await;
    (app, desk)
}

impl Desk {
    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }
}

#[tokio::test]
async fn handlers_get_typed_events_and_each_event_once() {
    let (app, desk) = with_handlers(0).await;
    let deleted = json!({"id": "user_ada", "email": ADA, "object": "user"});
    let body = event("event_1", "user.deleted", deleted, &app);
    for _ in 0..6 {
        app.clock.advance(10);
        assert_eq!(deliver(&app, &body).await.status, 200);
    }
    assert_eq!(desk.seen(), ["user.deleted ada@example.com", "any event_1"]);

    let membership = json!({"id": "om_1", "user_id": "user_ada", "organization_id": "org_acme",
        "role": {"slug": "admin"}, "roles": null});
    let body = event(
        "event_2",
        "organization_membership.updated",
        membership,
        &app,
    );
    assert_eq!(deliver(&app, &body).await.status, 200);
    let body = event("event_3", "connection.activated", json!({}), &app);
    assert_eq!(deliver(&app, &body).await.status, 200);
    let rest = ["user_ada Some(\"admin\")", "any event_2", "any event_3"];
    assert_eq!(desk.seen()[2..], rest);
}

#[tokio::test]
async fn an_event_whose_handler_failed_or_panicked_comes_again() {
    let log = Log::capture();
    let (app, desk) = with_handlers(2).await;
    let body = event("event_again", "user.created", json!({}), &app);
    for status in [500, 500, 200, 200] {
        assert_eq!(deliver(&app, &body).await.status, status);
    }
    assert_eq!(desk.seen(), ["any event_again"]);
    assert!(!log.lines_with("an event was not handled").is_empty());
}

#[tokio::test]
async fn an_event_that_does_not_fit_its_handlers_type_is_not_lost_silently() {
    let (app, desk) = with_handlers(0).await;
    // The id is all that ending sessions takes; the handler wants an address, too.
    let body = event("event_1", "user.deleted", json!({"id": "user_ada"}), &app);
    assert_eq!(deliver(&app, &body).await.status, 422);
    assert_eq!(desk.seen(), [""; 0]);
}

#[tokio::test]
async fn no_secret_and_no_signature_is_in_the_log() {
    let log = Log::capture();
    let app = plain().await;
    let body = event("event_1", "user.created", json!({}), &app);
    let wrong = webhook::signature("whsec_of_somebody_else", app.clock.unix_seconds(), &body);
    assert_eq!(post(&app, &wrong, &body).await.status, 400);
    assert_eq!(deliver(&app, &body).await.status, 200);
    for secret in [SECRET, wrong.split("v1=").nth(1).expect("a mark")] {
        assert_eq!(log.lines_with(secret), [""; 0]);
    }
    assert!(!format!("{:?}", app.authkit.webhooks(SECRET)).contains(SECRET));
}
