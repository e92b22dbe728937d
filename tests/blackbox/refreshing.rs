//! How a session is kept alive when its access token runs out.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use actix_web::{Responder, get, web};
use authkit_actix::{
    AuthKit, AuthUser,
    emulator::{
        EmulatorBuilder, EmulatorOrganization, EmulatorUser, Endpoint, Fault, NewSession,
        RefreshReuse, StepUp,
    },
};
use authkit_tests::{Answer, Browser, Log, TestApp, raw_exchange};
use futures::future::join_all;
use serde_json::{Value, json};

const ME: &str = "/api/me";
const ADA: &str = "ada@example.com";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;

fn cookie(app: &TestApp, session: &Value) -> String {
    format!("wos-session={}", app.seal(session))
}

/// The cookie of ada's session whose token has just expired.
fn expired(app: &TestApp) -> String {
    let cookie = cookie(app, &app.session(ADA));
    app.clock.advance(EXPIRED);
    cookie
}

/// An app whose WorkOS takes a refresh token once.
async fn strict() -> TestApp {
    TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .start()
        .await
}

fn refreshes(app: &TestApp) -> usize {
    app.emulator.calls(Endpoint::AuthenticateRefresh)
}

/// The new session that an answer sets.
fn renewed(app: &TestApp, answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    app.open(
        &answer
            .set_cookie("wos-session")
            .expect("a new session")
            .value,
    )
}

/// An app whose tokens live so many seconds.
async fn with_lifetime(seconds: u64) -> TestApp {
    TestApp::builder()
        .emulator(move |emulator| emulator.access_token_lifetime(Duration::from_secs(seconds)))
        .start()
        .await
}

/// What WorkOS, or somebody on the way to it, may answer when it is not well.
fn outages(app: &TestApp) -> Vec<Fault> {
    let page = |status| Fault::Body {
        status,
        content_type: "text/html".to_owned(),
        body: "<html><h1>Bad gateway</h1></html>".to_owned(),
    };
    // Tests set the clock forward; these tokens stay good.
    app.emulator
        .set_access_token_lifetime(Duration::from_secs(1 << 30));
    let grace = app.session("grace@example.com");
    let ada = app.session(ADA);
    app.emulator
        .set_access_token_lifetime(Duration::from_secs(300));
    let without = |name: &str| {
        let mut answer = ada.clone();
        answer.as_object_mut().expect("an object").remove(name);
        Fault::json(200, answer)
    };
    let with = |name: &str, value: Value| {
        let mut answer = ada.clone();
        answer[name] = value;
        Fault::json(200, answer)
    };
    let mut outages = vec![
        page(200),
        page(400),
        page(502),
        Fault::Empty,
        Fault::Truncate,
        Fault::Oversize(2 << 20),
        Fault::GzipBomb,
        Fault::Reset,
        Fault::Redirect("http://127.0.0.1:1/".to_owned()),
        Fault::json(200, json!({})),
        Fault::json(200, json!([])),
        Fault::json(200, json!(null)),
        Fault::json(200, json!({"error": "invalid_grant"})),
        Fault::json(503, json!({"error": "invalid_grant"})),
        Fault::json(429, json!({"code": "sso_required"})),
        without("access_token"),
        without("refresh_token"),
        without("user"),
        with("access_token", json!(7)),
        with("access_token", json!(null)),
        with("access_token", json!("")),
        with("access_token", json!("a.b.c")),
        with("refresh_token", json!({})),
        with("refresh_token", json!("")),
        with("user", json!("ada")),
        with("user", json!({"id": "user_ada"})),
        with("user", grace["user"].clone()),
        with("access_token", grace["access_token"].clone()),
        Fault::json(200, grace),
    ];
    outages.extend([408, 429, 500, 501, 502, 503, 504, 520, 599].map(Fault::Status));
    for hostile in [
        "7",
        "0",
        "-1",
        "soon",
        "99999999999999999999",
        "Wed, 21 Oct 2037 07:28:00 GMT",
        "",
    ] {
        outages.push(Fault::StatusWithRetryAfter(429, hostile.to_owned()));
        outages.push(Fault::StatusWithRetryAfter(503, hostile.to_owned()));
    }
    outages
}

#[tokio::test]
async fn a_token_is_refreshed_60_seconds_before_its_end_a_short_one_30() {
    for (lifetime, buffer) in [(120, 30), (299, 30), (300, 30), (301, 60), (3600, 60)] {
        let app = with_lifetime(lifetime).await;
        let cookie = cookie(&app, &app.session(ADA));
        app.clock.advance(lifetime as i64 - buffer - 1);
        let early = app.ask(ME, &cookie).await;
        assert_eq!(early.status, 200);
        assert!(early.set_cookies().is_empty(), "{lifetime}");
        assert_eq!(refreshes(&app), 0, "{lifetime}");
        app.clock.advance(1);
        renewed(&app, &app.ask(ME, &cookie).await);
        assert_eq!(refreshes(&app), 1, "{lifetime}");
    }
}

#[tokio::test]
async fn the_time_before_the_end_can_be_chosen() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.refresh_buffer(Duration::from_secs(120)))
        .start()
        .await;
    let cookie = cookie(&app, &app.session(ADA));
    app.clock.advance(179);
    assert!(app.ask(ME, &cookie).await.set_cookies().is_empty());
    app.clock.advance(1);
    renewed(&app, &app.ask(ME, &cookie).await);
}

#[tokio::test]
async fn no_time_before_the_end_means_only_once_expired() {
    let app = TestApp::builder()
        .authkit(|authkit| {
            authkit
                .refresh_buffer(Duration::ZERO)
                .leeway(Duration::ZERO)
        })
        .start()
        .await;
    let cookie = cookie(&app, &app.session(ADA));
    app.clock.advance(300);
    assert!(app.ask(ME, &cookie).await.set_cookies().is_empty());
    app.clock.advance(1);
    renewed(&app, &app.ask(ME, &cookie).await);
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn a_session_lives_on_from_refresh_to_refresh() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(ADA).await;
    let id = browser.api(ME).await.json()["session_id"].clone();
    for round in 1..=5 {
        app.clock.advance(86_400);
        let answer = browser.api(ME).await;
        assert_eq!(answer.json()["session_id"], id);
        assert_eq!(refreshes(&app), round);
        assert!(browser.api(ME).await.set_cookies().is_empty());
    }
}

#[tokio::test]
async fn what_the_session_knew_besides_is_carried_over() {
    let app = TestApp::start().await;
    let session = NewSession::new(ADA).impersonated_by("operator@example.com", "ticket 7");
    let mut session = app.session(session);
    session["impersonator"] = json!({"email": "operator@example.com", "reason": "ticket 7"});
    session["authentication_method"] = json!("Impersonation");
    let cookie = cookie(&app, &session);
    app.clock.advance(EXPIRED);
    let me = app.ask(ME, &cookie).await.json();
    assert_eq!(me["impersonator"], session["impersonator"]);
    assert_eq!(me["authentication_method"], "Impersonation");
}

#[tokio::test]
async fn a_refresh_shows_what_has_changed_about_the_user() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(ADA).await;
    app.emulator
        .change_user(ADA, |ada| {
            ada.name("Augusta", "King")
                .leave("org_acme")
                .member_of("org_acme", "member")
        })
        .expect("ada");
    app.clock.advance(EXPIRED);
    let me = browser.api(ME).await.json();
    assert_eq!(me["user"]["first_name"], "Augusta");
    assert_eq!(me["role"], "member");
}

#[tokio::test]
async fn a_refresh_is_for_the_organization_of_the_token() {
    let app = TestApp::start().await;
    let mut session = app.session(NewSession::new("grace@example.com").organization("org_acme"));
    let mut claims = app.claims(&session["access_token"]);
    claims["org_id"] = json!("org_globex");
    session["access_token"] = json!(app.emulator.mint(claims));
    let cookie = cookie(&app, &session);
    app.clock.advance(EXPIRED);
    let me = app.ask(ME, &cookie).await.json();
    assert_eq!(me["organization_id"], "org_globex");
    assert_eq!(me["role"], "admin");
}

#[tokio::test]
async fn an_early_refresh_that_fails_serves_the_request_as_it_is() {
    let app = TestApp::start().await;
    let mut faults = outages(&app);
    faults.extend([401, 403, 404, 422].map(Fault::Status));
    for fault in faults {
        let cookie = cookie(&app, &app.session(ADA));
        app.clock.advance(280);
        app.emulator.clear_faults();
        app.emulator
            .fault(Endpoint::AuthenticateRefresh, fault.clone());
        let before = refreshes(&app);
        let answer = app.ask(ME, &cookie).await;
        assert_eq!(answer.status, 200, "{fault:?}");
        assert!(answer.set_cookies().is_empty(), "{fault:?}");
        assert!(refreshes(&app) > before);
        app.emulator.clear_faults();
        app.clock.advance(7);
        renewed(&app, &app.ask(ME, &cookie).await);
    }
}

#[tokio::test]
async fn while_workos_is_not_well_the_cookie_is_kept_and_works_afterwards() {
    let app = TestApp::start().await;
    for fault in outages(&app) {
        let cookie = expired(&app);
        app.emulator
            .fault(Endpoint::AuthenticateRefresh, fault.clone());
        let paths = [ME, "/account", "/maybe", "/", "/private/page"];
        for answer in join_all(paths.map(|path| app.ask(path, &cookie))).await {
            assert!(answer.cannot_tell(), "{fault:?} {answer:?}");
        }
        app.emulator.clear_faults();
        app.clock.advance(7);
        renewed(&app, &app.ask(ME, &cookie).await);
    }
}

#[tokio::test]
async fn a_token_of_another_user_is_no_answer_even_if_it_has_expired() {
    let app = TestApp::start().await;
    let mut answer = app.session(ADA);
    answer["access_token"] = app.session("grace@example.com")["access_token"].clone();
    let cookie = expired(&app);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::json(200, answer).times(1),
    );
    assert!(app.ask(ME, &cookie).await.cannot_tell());
    renewed(&app, &app.ask(ME, &cookie).await);
}

#[tokio::test]
async fn a_page_for_people_says_so_too() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(ADA).await;
    app.clock.advance(EXPIRED);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    let answer = browser.get("/account").await;
    assert!(answer.cannot_tell());
    assert!(
        answer
            .header("content-type")
            .is_some_and(|it| it.starts_with("text/html"))
    );
    app.emulator.clear_faults();
    assert_eq!(
        browser.get("/account").await.body,
        "account of ada@example.com"
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_after_the_rotation_is_asked_for_again() {
    let app = TestApp::start().await;
    let faults = outages(&app).into_iter();
    for fault in faults.filter(|fault| !matches!(fault, Fault::Body { status: 200, .. })) {
        let cookie = expired(&app);
        app.emulator
            .fault(Endpoint::AuthenticateRefresh, fault.clone().after_effect());
        assert!(app.ask(ME, &cookie).await.cannot_tell(), "{fault:?}");
        app.emulator.clear_faults();
        app.clock.advance(20);
        renewed(&app, &app.ask(ME, &cookie).await);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_waited_for_no_longer_than_five_seconds() {
    let endless = [
        Fault::Hang,
        Fault::Drip,
        Fault::Delay(Duration::from_secs(30)),
    ];
    let asked = endless.map(|fault| async {
        let app = TestApp::start().await;
        let cookie = expired(&app);
        app.emulator.fault(Endpoint::AuthenticateRefresh, fault);
        let started = Instant::now();
        assert!(app.ask(ME, &cookie).await.cannot_tell());
        assert!(started.elapsed() < Duration::from_secs(12));
        app.emulator.clear_faults();
        renewed(&app, &app.ask(ME, &cookie).await);
    });
    join_all(asked).await;
}

#[tokio::test]
async fn when_our_own_key_is_wrong_nobody_is_signed_out_and_the_log_is_loud() {
    let log = Log::capture();
    let app = TestApp::builder()
        .emulator(|emulator| {
            let users = (0..20).map(|index| {
                EmulatorUser::new(format!("{index}@example.com")).id(format!("user_loud_{index}_"))
            });
            users.fold(emulator, EmulatorBuilder::user)
        })
        .start()
        .await;
    let mut faults: Vec<_> = [401, 403, 404, 405, 410, 422].map(Fault::Status).to_vec();
    for status in [400, 401, 403] {
        faults.push(Fault::json(status, json!({"error": "invalid_client"})));
    }
    faults.push(Fault::json(401, json!({"error": "invalid_grant"})));
    faults.push(Fault::json(
        403,
        json!({"error": "forbidden", "code": "forbidden"}),
    ));
    for (index, fault) in faults.into_iter().enumerate() {
        let cookie = cookie(&app, &app.session(format!("{index}@example.com").as_str()));
        app.clock.advance(EXPIRED);
        app.emulator
            .fault(Endpoint::AuthenticateRefresh, fault.clone());
        assert!(app.ask(ME, &cookie).await.cannot_tell(), "{fault:?}");
        app.emulator.clear_faults();
        renewed(&app, &app.ask(ME, &cookie).await);
        let lines = log.lines_with(&format!("user_loud_{index}_"));
        let loud = lines.iter().filter(|line| line.contains("ERROR"));
        assert_eq!(loud.count(), 1, "{fault:?} {lines:?}");
    }
}

#[tokio::test]
async fn a_wrong_api_key_signs_nobody_out() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.api_key("sk_test_wrong"))
        .start()
        .await;
    let cookie = expired(&app);
    for _ in 0..3 {
        assert!(app.ask(ME, &cookie).await.cannot_tell());
    }
}

#[tokio::test]
async fn a_session_that_has_ended_is_dropped_after_one_call() {
    let app = TestApp::start().await;
    let cookie = expired(&app);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::json(
            400,
            json!({"error": "invalid_grant", "error_description": "Session has already ended."}),
        ),
    );
    for _ in 0..3 {
        assert!(app.ask(ME, &cookie).await.drops_the_session());
    }
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn somebody_whose_session_was_ended_elsewhere_is_led_to_sign_in() {
    let app = TestApp::start().await;
    let session = app.emulator.session_for(ADA).expect("ada");
    let mut browser = app.browser();
    let content = json!({
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "user": session.user,
    });
    browser.set_cookie("wos-session", &app.seal(&content));
    assert!(app.emulator.end_session(&session.session_id));
    assert_eq!(browser.get("/account").await.status, 200);
    app.clock.advance(EXPIRED);
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 302);
    assert!(answer.removes("wos-session"));
    assert!(
        answer
            .location()
            .expect("AuthKit")
            .contains("/user_management/authorize?")
    );
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn a_session_ended_early_is_told_as_soon_as_it_is_known() {
    let app = TestApp::start().await;
    let cookie = cookie(&app, &app.session(ADA));
    app.clock.advance(280);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::json(400, json!({"error": "invalid_grant"})),
    );
    assert!(app.ask(ME, &cookie).await.drops_the_session());
}

#[tokio::test]
async fn another_step_at_authkit_is_taken_with_the_organization() {
    for code in [
        "sso_required",
        "mfa_enrollment",
        "organization_selection_required",
    ] {
        let app = TestApp::start().await;
        let mut browser = app.with_session(ADA);
        app.clock.advance(EXPIRED);
        let asked = Fault::json(403, json!({"code": code, "message": "Another step."}));
        app.emulator.fault(Endpoint::AuthenticateRefresh, asked);
        let mut program = browser.clone();
        let answer = browser.get("/account").await;
        assert_eq!(answer.status, 302, "{code}");
        assert!(answer.removes("wos-session"));
        assert_eq!(
            answer.location_parameter("organization_id").as_deref(),
            Some("org_acme")
        );
        assert!(program.api("/account").await.drops_the_session());
        assert_eq!(refreshes(&app), 1);
    }
}

#[tokio::test]
async fn who_left_the_organization_is_led_to_authkit_too() {
    let app = TestApp::start().await;
    let mut browser = app.with_session(ADA);
    app.emulator
        .change_user(ADA, |ada| ada.leave("org_acme"))
        .expect("ada");
    app.clock.advance(EXPIRED);
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 302);
    assert!(answer.removes("wos-session"));
    assert_eq!(
        answer.location_parameter("organization_id").as_deref(),
        Some("org_acme")
    );
}

#[tokio::test]
async fn an_organization_that_demands_single_sign_on_is_entered_through_authkit() {
    let app = TestApp::builder()
        .emulator(|emulator| {
            emulator
                .organization(EmulatorOrganization::new("org_sso", "SSO").demands(StepUp::Sso))
                .organization(EmulatorOrganization::new("org_acme", "Acme"))
                .user(
                    EmulatorUser::new(ADA)
                        .member_of("org_acme", "member")
                        .member_of("org_sso", "member"),
                )
        })
        .start()
        .await;
    let mut session = app.session(NewSession::new(ADA).organization("org_acme"));
    let mut claims = app.claims(&session["access_token"]);
    claims["org_id"] = json!("org_sso");
    session["access_token"] = json!(app.emulator.mint(claims));
    let mut browser = app.browser();
    browser.set_cookie("wos-session", &app.seal(&session));
    app.clock.advance(EXPIRED);
    let answer = browser.get("/account").await;
    assert_eq!(
        answer.location_parameter("organization_id").as_deref(),
        Some("org_sso")
    );
}

#[tokio::test]
async fn however_many_ask_at_once_one_call_is_made_and_all_get_its_session() {
    for many in [2, 10, 100] {
        let app = strict().await;
        let cookie = expired(&app);
        app.emulator.fault(
            Endpoint::AuthenticateRefresh,
            Fault::Delay(Duration::from_millis(300)),
        );
        let answers = join_all((0..many).map(|_| app.ask(ME, &cookie))).await;
        assert_eq!(refreshes(&app), 1, "{many}");
        let sessions: Vec<_> = answers.iter().map(|answer| renewed(&app, answer)).collect();
        assert!(
            sessions.iter().all(|session| *session == sessions[0]),
            "{many}"
        );
    }
}

#[tokio::test]
async fn many_who_ask_shortly_before_the_end_make_one_call_as_well() {
    let app = TestApp::start().await;
    let cookie = cookie(&app, &app.session(ADA));
    app.clock.advance(280);
    let delay = Fault::Delay(Duration::from_millis(300));
    app.emulator.fault(Endpoint::AuthenticateRefresh, delay);
    let answers = join_all((0..50).map(|_| app.ask(ME, &cookie))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn a_refresh_token_that_stays_the_same_is_spent_again_when_it_is_due() {
    let app = TestApp::start().await;
    let mut session = app.session(ADA);
    let mut cookie = cookie(&app, &session);
    for (seconds, round) in [(EXPIRED, 1), (280, 2), (EXPIRED, 3)] {
        app.clock.advance(seconds);
        session["access_token"] = app.session(ADA)["access_token"].clone();
        let same = Fault::json(200, session.clone());
        app.emulator
            .fault(Endpoint::AuthenticateRefresh, same.times(1));
        let new = renewed(&app, &app.ask(ME, &cookie).await);
        assert_eq!(new["access_token"], session["access_token"]);
        assert_eq!(refreshes(&app), round);
        cookie = format!("wos-session={}", app.seal(&new));
    }
}

/// An app that has just fetched the keys, a browser whose session has expired there, and a new key.
async fn with_a_new_key() -> (TestApp, Browser) {
    let app = strict().await;
    let browser = app.with_session(ADA);
    app.clock.advance(EXPIRED);
    let other = cookie(&app, &app.session("alan@example.com"));
    assert_eq!(app.ask(ME, &other).await.status, 200);
    app.clock.advance(1);
    app.emulator.rotate_key();
    (app, browser)
}

#[tokio::test]
async fn a_session_signed_with_a_key_that_may_not_be_fetched_yet_is_not_lost() {
    let (app, mut browser) = with_a_new_key().await;
    for _ in 0..3 {
        assert_eq!(browser.api(ME).await.status, 503);
    }
    app.clock.advance(30);
    assert_eq!(browser.api(ME).await.status, 200);
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn a_session_signed_with_a_key_that_does_not_come_is_not_lost() {
    for fault in [Fault::Status(500), Fault::Hang] {
        let (app, mut browser) = with_a_new_key().await;
        app.clock.advance(30);
        app.emulator.fault(Endpoint::Jwks, fault.clone());
        let started = Instant::now();
        assert_eq!(browser.api(ME).await.status, 503, "{fault:?}");
        assert!(started.elapsed() < Duration::from_secs(7), "{fault:?}");
        app.emulator.clear_faults();
        app.clock.advance(40);
        assert_eq!(browser.api(ME).await.status, 200, "{fault:?}");
    }
}

#[tokio::test]
async fn one_call_is_made_for_many_also_when_it_fails() {
    for (fault, dropped) in [
        (Fault::json(400, json!({"error": "invalid_grant"})), true),
        (Fault::json(403, json!({"code": "sso_required"})), true),
    ] {
        let app = TestApp::start().await;
        let cookie = expired(&app);
        app.emulator.fault(Endpoint::AuthenticateRefresh, fault);
        let answers = join_all((0..50).map(|_| app.ask(ME, &cookie))).await;
        assert!(
            answers
                .iter()
                .all(|answer| answer.drops_the_session() == dropped)
        );
        assert_eq!(refreshes(&app), 1);
    }
}

#[tokio::test]
async fn a_straggler_with_the_old_cookie_is_served_without_a_call_for_a_minute() {
    let app = strict().await;
    let old = expired(&app);
    let new = renewed(&app, &app.ask(ME, &old).await);
    for _ in 0..6 {
        app.clock.advance(10);
        let answer = app.ask(ME, &old).await;
        assert_eq!(renewed(&app, &answer), new);
    }
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn a_straggler_is_led_over_several_refreshes() {
    let app = TestApp::builder()
        .emulator(|emulator| {
            let emulator = emulator.refresh_reuse(RefreshReuse::Strict);
            emulator.access_token_lifetime(Duration::from_secs(40))
        })
        .authkit(|authkit| authkit.leeway(Duration::ZERO))
        .start()
        .await;
    let first = cookie(&app, &app.session(ADA));
    app.clock.advance(41);
    let answer = app.ask(ME, &first).await;
    let second = answer
        .set_cookie("wos-session")
        .expect("a new session")
        .value;
    app.clock.advance(41);
    let third = renewed(&app, &app.ask(ME, &format!("wos-session={second}")).await);
    assert_eq!(renewed(&app, &app.ask(ME, &first).await), third);
    assert_eq!(refreshes(&app), 2);
}

#[tokio::test]
async fn users_whose_sessions_expire_together_never_get_each_others() {
    let app = TestApp::builder()
        .emulator(|emulator| {
            let emails = (0..50).map(|index| format!("user{index}@example.com"));
            emails.fold(emulator, |emulator, email| {
                emulator.user(EmulatorUser::new(email))
            })
        })
        .start()
        .await;
    let users: Vec<_> = (0..50)
        .map(|index| {
            let email = format!("user{index}@example.com");
            let cookie = cookie(&app, &app.session(email.as_str()));
            (email, cookie)
        })
        .collect();
    app.clock.advance(EXPIRED);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::Delay(Duration::from_millis(50)),
    );
    let requests = (0..3).flat_map(|_| &users).map(|(email, cookie)| async {
        let answer = app.ask(ME, cookie).await;
        assert_eq!(answer.json()["user"]["email"], email.as_str());
        assert_eq!(renewed(&app, &answer)["user"]["email"], email.as_str());
    });
    join_all(requests).await;
    assert_eq!(refreshes(&app), 50);
}

#[tokio::test]
async fn a_browser_that_leaves_during_a_refresh_loses_nothing() {
    let app = strict().await;
    let cookie = expired(&app);
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::Delay(Duration::from_millis(200)).after_effect(),
    );
    let mut stream =
        TcpStream::connect(app.origin.trim_start_matches("http://")).expect("a connection");
    let request = format!("GET {ME} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    while refreshes(&app) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    tokio::time::sleep(Duration::from_millis(400)).await;
    renewed(&app, &app.ask(ME, &cookie).await);
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn a_handler_that_fails_after_a_rotation_does_not_lose_the_session() {
    let app = TestApp::start().await;
    let answer = app.ask("/fail", &expired(&app)).await;
    assert_eq!(answer.status, 500);
    let new = answer
        .set_cookie("wos-session")
        .expect("the new session")
        .value;
    let again = app.ask(ME, &format!("wos-session={new}")).await;
    assert_eq!(again.status, 200);
    assert_eq!(refreshes(&app), 1);
}

#[get("/panic")]
async fn panics(_user: AuthUser) -> String {
    panic!("on purpose, right after a rotation")
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

#[get("/counted")]
async fn counted(user: Option<AuthUser>) -> impl Responder {
    HANDLED.fetch_add(1, Ordering::SeqCst);
    user.map_or("nobody".to_owned(), |user| user.email.clone())
}

fn own_routes(_: &AuthKit, config: &mut web::ServiceConfig) {
    config.service(panics).service(counted);
}

#[tokio::test]
async fn a_handler_that_panics_after_a_rotation_does_not_lose_the_session() {
    let app = TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .routes(own_routes)
        .start()
        .await;
    let cookie = expired(&app);
    let request = format!(
        "GET /panic HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncookie: {cookie}\r\n\r\n"
    );
    raw_exchange(&app.origin, request.as_bytes());
    let answer = app.ask("/counted", &cookie).await;
    assert_eq!(answer.body, ADA);
    renewed(&app, &answer);
    assert_eq!(refreshes(&app), 1);
}

#[tokio::test]
async fn an_optional_user_is_never_nobody_while_nothing_is_known() {
    let app = TestApp::builder().routes(own_routes).start().await;
    let cookie = expired(&app);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(500));
    let before = HANDLED.load(Ordering::SeqCst);
    assert!(app.ask("/counted", &cookie).await.cannot_tell());
    assert!(
        HANDLED.load(Ordering::SeqCst) <= before + 1,
        "the other test's one"
    );
    app.emulator.clear_faults();
    assert_eq!(app.ask("/counted", &cookie).await.body, ADA);
}

#[tokio::test]
async fn a_page_that_can_degrade_is_told_that_nothing_is_known() {
    let app = TestApp::start().await;
    let cookie = expired(&app);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(500));
    let answer = app.ask("/status", &cookie).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "cannot tell"));
    assert!(answer.set_cookies().is_empty());
    app.emulator.clear_faults();
    assert_eq!(app.ask("/status", &cookie).await.body, "signed in");
    assert_eq!(app.ask("/status", "").await.body, "signed out");
}

#[tokio::test]
async fn nobody_is_refreshed_who_is_not_asked_about() {
    let app = TestApp::start().await;
    let cookie = expired(&app);
    let answer = app.ask("/public.txt", &cookie).await;
    assert_eq!(answer.status, 200);
    assert!(answer.set_cookies().is_empty());
    assert_eq!(refreshes(&app), 0);
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 0);
}
