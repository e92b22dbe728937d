//! How a sign-in ends: the callback, its checks in their order, and what goes wrong there.

use std::time::{Duration, Instant};

use actix_web::web;
use authkit_actix::{
    AuthKit, SameSite,
    emulator::{Endpoint, Fault, FaultPlan},
};
use authkit_tests::{Answer, Browser, Log, PASSWORD, TestApp, raw_exchange, seal};
use futures::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

const VERIFIER: &str = "wos-auth-verifier-";
const SESSION: &str = "wos-session";

/// A sign-in that has come back from AuthKit, and whose callback was not opened yet.
struct Arrival {
    browser: Browser,
    callback: String,
    code: String,
    state: String,
}

impl Arrival {
    async fn at(app: &TestApp) -> Self {
        Self::to(app, "/account").await
    }

    async fn to(app: &TestApp, path: &str) -> Self {
        let mut browser = app.browser();
        let start = browser.get(path).await;
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let (code, state) = (
            parameter(&callback, "code").expect("a code"),
            parameter(&callback, "state").expect("a state"),
        );
        Self {
            browser,
            callback,
            code,
            state,
        }
    }

    async fn open(&mut self) -> Answer {
        self.browser.get(&self.callback).await
    }

    fn verifier_name(&self) -> String {
        let names = self.browser.cookie_names();
        let name = names.iter().find(|name| name.starts_with(VERIFIER));
        (*name.expect("a verifier cookie")).to_owned()
    }
}

fn parameter(address: &str, name: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let (_, value) = url.query_pairs().find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

fn path_of(address: &str) -> String {
    let url = Url::parse(address).expect("an absolute address");
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

fn exchanges(app: &TestApp) -> usize {
    app.emulator.calls(Endpoint::AuthenticateCode)
}

fn sets_a_session(answer: &Answer) -> bool {
    let cookie = answer.set_cookie(SESSION);
    cookie.is_some_and(|cookie| !cookie.value.is_empty())
}

/// A failure as it should look: this status, no session, the verifier gone.
fn assert_failed(answer: &Answer, status: u16, verifier: &str, case: &str) {
    assert_eq!(answer.status, status, "{case} {}", answer.body);
    assert!(!sets_a_session(answer), "{case}");
    assert!(answer.removes(verifier), "{case} {:?}", answer.headers);
}

fn fnv_1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The status and the whole text of the answer to a document request, sent byte for byte.
fn raw_get(app: &TestApp, target: &[u8], cookies: &[&str]) -> (u16, String) {
    let mut request = [b"GET ", target, b" HTTP/1.1\r\nHost: x\r\n"].concat();
    for cookie in cookies {
        request.extend_from_slice(format!("Cookie: {cookie}\r\n").as_bytes());
    }
    request.extend_from_slice(b"Accept: text/html\r\nConnection: close\r\n\r\n");
    let answer = raw_exchange(&app.origin, &request);
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), answer)
}

#[tokio::test]
async fn a_sign_in_ends_with_a_session_on_the_page_that_was_asked_for() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::to(&app, "/account?tab=1&x=%20y").await;
    let name = arrival.verifier_name();
    let end = arrival.open().await;
    assert_eq!(end.status, 303);
    assert_eq!(
        end.location(),
        Some(format!("{}/account?tab=1&x=%20y", app.origin))
    );
    assert!(sets_a_session(&end) && end.removes(&name));
    let removal = end.set_cookie(&name).expect("a removal");
    for attribute in ["Path=/", "HttpOnly", "SameSite=Lax"] {
        assert!(
            removal.attributes.contains(&attribute.to_owned()),
            "{removal:?}"
        );
    }
    let cache = end.header("cache-control").expect("Cache-Control");
    assert!(
        cache.contains("no-store") && cache.contains("private"),
        "{cache}"
    );
}

#[tokio::test]
async fn a_callback_that_is_not_in_order_is_refused_without_a_call() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    let cookie = format!("{}={}", arrival.verifier_name(), arrival.state);
    let (c, s) = (arrival.code.clone(), arrival.state.clone());
    let long = "x".repeat(8000);
    let mut targets: Vec<Vec<u8>> = [
        "/callback".to_owned(),
        "/callback?".to_owned(),
        "/callback?&&==&".to_owned(),
        format!("/callback?code={c}"),
        format!("/callback?state={s}"),
        format!("/callback?code={c}&state="),
        format!("/callback?code=&state={s}"),
        format!("/callback?code={c}&code={c}&state={s}"),
        format!("/callback?code={c}&code=&state={s}"),
        format!("/callback?code={c}&state={s}&state={s}"),
        format!("/callback?code={c}&state={s}&state=other"),
        format!("/callback?code={c}&state=other&state={s}"),
        format!("/callback?code[]={c}&state={s}"),
        format!("/callback?CODE={c}&state={s}"),
        format!("/callback?code={long}&state={s}"),
        format!("/callback?code={c}&state={long}"),
        format!("/callback?code={c}&state={s}{long}"),
        format!("/callback?code={c}%00&state={s}"),
        format!("/callback?code={c}&state={s}%00"),
        format!("/callback?code=%00&state={s}"),
        format!("/callback?code=%0d%0aX-Evil:1&state={s}"),
        format!("/callback?code=%20&state={s}"),
        format!("/callback?code=%ff%fe&state={s}"),
        format!("/callback?code=%c3%28&state={s}"),
        format!("/callback?code={c}&state=%ff"),
        format!("/callback?code={c}&state={s}%"),
        format!("/callback?code={c}&state={s}%f"),
        format!("/callback?code={c}&state=%zz{s}"),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    let state = format!("&state={s}");
    targets.push([b"/callback?code=\xff\xfe", state.as_bytes()].concat());
    targets.push([b"/callback?code=\0", state.as_bytes()].concat());
    targets.push([b"/callback?code=\xc3\xa9", state.as_bytes()].concat());
    for target in targets {
        let (status, answer) = raw_get(&app, &target, &[&cookie]);
        let target = String::from_utf8_lossy(&target);
        assert!((400..500).contains(&status), "{target} {answer}");
        assert!(!answer.contains("set-cookie: wos-session="), "{target}");
        assert!(!answer.contains("x-evil"), "{target}");
        assert_eq!(exchanges(&app), 0, "{target}");
    }
    assert_eq!(arrival.open().await.status, 303, "the state was not spent");
}

#[tokio::test]
async fn a_code_with_broken_percent_encoding_is_refused_without_a_call() {
    let app = TestApp::start().await;
    let arrival = Arrival::at(&app).await;
    let cookie = format!("{}={}", arrival.verifier_name(), arrival.state);
    for code in ["%zz", "%", "code%", "code%4", "%%41"] {
        let target = format!("/callback?code={code}&state={}", arrival.state);
        let (status, answer) = raw_get(&app, target.as_bytes(), &[&cookie]);
        assert!((400..500).contains(&status), "{code} {answer}");
        assert_eq!(exchanges(&app), 0, "{code}");
    }
}

#[tokio::test]
async fn a_cancelled_sign_in_is_told_in_our_own_words() {
    let app = TestApp::start().await;
    for (extra, accept) in [
        ("", "text/html"),
        ("", "application/json"),
        ("&code=code_anything", "text/html"),
        ("&error=", "text/html"),
    ] {
        let mut arrival = Arrival::at(&app).await;
        let name = arrival.verifier_name();
        let address = format!(
            "/callback?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E\
             &error_uri=http://evil.example&state={}{extra}",
            arrival.state
        );
        let headers = [("accept", accept)];
        let answer = arrival
            .browser
            .send(Method::GET, &address, &headers, "")
            .await;
        assert_failed(&answer, 400, &name, extra);
        for echo in [
            "script>alert",
            "alert(1)",
            "evil.example",
            "access_denied",
            "code_anything",
        ] {
            assert!(!answer.body.contains(echo), "{}", answer.body);
        }
    }
    assert_eq!(exchanges(&app), 0);
}

#[tokio::test]
async fn a_failure_is_a_page_for_people_and_problem_details_for_programs() {
    let app = TestApp::start().await;
    let address = "/callback?code=code_echo_1&state=state_echo_1";
    let page = app.browser().get(address).await;
    assert_eq!(page.status, 400);
    assert!(
        page.header("content-type")
            .expect("a type")
            .starts_with("text/html")
    );
    assert!(
        page.body.contains(&format!("{}/sign-in", app.origin)),
        "{}",
        page.body
    );
    let problem = app.browser().api(address).await;
    assert_eq!(problem.status, 400);
    assert_eq!(
        problem.header("content-type"),
        Some("application/problem+json")
    );
    let json = problem.json();
    assert!(json["code"].is_string() && json["title"].is_string() && json["type"].is_string());
    assert_eq!(json["status"], 400);
    for answer in [page, problem] {
        assert!(!answer.body.contains("_echo_1"), "{}", answer.body);
        assert_eq!(answer.set_cookies(), []);
    }
}

#[tokio::test]
async fn another_browser_can_do_nothing_with_a_callback() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    let mut victim = app.browser();
    let answer = victim.get(&arrival.callback).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.set_cookies(), []);
    assert!(answer.body.contains(&format!("{}/sign-in", app.origin)));
    assert_eq!(exchanges(&app), 0);

    let mut signed_in = app.with_session("alan@example.com");
    let answer = signed_in.get(&arrival.callback).await;
    assert_eq!(answer.location(), Some(format!("{}/account", app.origin)));
    assert_eq!(answer.set_cookies(), []);
    assert_eq!(exchanges(&app), 0);
    assert_eq!(
        signed_in.get("/account").await.body,
        "account of alan@example.com"
    );

    assert_eq!(arrival.open().await.status, 303);
    assert_eq!(exchanges(&app), 1);
}

/// A state that is not quite the right one, in every way that comes to mind.
fn altered(state: &str) -> Vec<String> {
    let mut altered: Vec<String> = (0..state.len())
        .step_by(7)
        .map(|index| {
            let other = if &state[index..=index] == "A" {
                "B"
            } else {
                "A"
            };
            format!("{}{other}{}", &state[..index], &state[index + 1..])
        })
        .collect();
    altered.extend([
        state[..state.len() - 1].to_owned(),
        state[1..].to_owned(),
        state[..state.len() / 2].to_owned(),
        state.to_lowercase(),
        state.to_uppercase(),
        format!("{state}A"),
        format!("{state}="),
        format!("{state}{state}"),
    ]);
    altered
}

#[tokio::test]
async fn an_altered_state_is_refused_without_a_call() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    let cookie = format!("{}={}", arrival.verifier_name(), arrival.state);
    for state in altered(&arrival.state) {
        // The genuine cookie, one that was altered alike, and the altered one under the old name.
        let alike = format!("{VERIFIER}{:08x}={state}", fnv_1a(&state));
        let old_name = format!("{}={state}", arrival.verifier_name());
        for cookies in [
            &[cookie.as_str()][..],
            &[&alike],
            &[&cookie, &alike],
            &[&old_name],
        ] {
            let target = format!("/callback?code={}&state={state}", arrival.code);
            let (status, answer) = raw_get(&app, target.as_bytes(), cookies);
            assert!((400..500).contains(&status), "{state} {answer}");
            assert!(!answer.contains("wos-session="), "{state}");
        }
        // The genuine state with an altered cookie of the right name.
        let target = format!("/callback?code={}&state={}", arrival.code, arrival.state);
        let (status, answer) = raw_get(&app, target.as_bytes(), &[&old_name]);
        assert!((400..500).contains(&status), "{state} {answer}");
    }
    let twice: String = arrival
        .state
        .bytes()
        .map(|byte| format!("%25{byte:02x}"))
        .collect();
    let target = format!("/callback?code={}&state={twice}", arrival.code);
    assert_eq!(raw_get(&app, target.as_bytes(), &[&cookie]).0, 400);
    assert_eq!(exchanges(&app), 0);
    assert_eq!(arrival.open().await.status, 303);
}

#[tokio::test]
async fn a_value_that_was_sealed_for_something_else_is_no_state() {
    let app = TestApp::start().await;
    let arrival = Arrival::at(&app).await;
    let session = app.seal(&app.session("ada@example.com"));
    let document = seal::open(PASSWORD, seal::SIGN_IN_STATE, &arrival.state).expect("ours");
    let as_session = seal::seal(PASSWORD, seal::SESSION, &document);
    let password = "another password of more than 32 characters";
    let foreign = seal::seal(password, seal::SIGN_IN_STATE, &document);
    let nonsense = seal::seal(PASSWORD, seal::SIGN_IN_STATE, b"{\"code_verifier\": 1}");
    for state in [session, as_session, foreign, nonsense] {
        let cookie = format!("{VERIFIER}{:08x}={state}", fnv_1a(&state));
        let target = format!("/callback?code={}&state={state}", arrival.code);
        let (status, answer) = raw_get(&app, target.as_bytes(), &[&cookie]);
        assert_eq!(status, 400, "{answer}");
    }
    assert_eq!(exchanges(&app), 0);
}

#[tokio::test]
async fn two_verifier_cookies_of_one_name_are_refused() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    let name = arrival.verifier_name();
    let right = format!("{name}={}", arrival.state);
    let planted = format!("{name}=planted");
    let target = path_of(&arrival.callback);
    for cookies in [
        &[format!("{right}; {right}")][..],
        &[format!("{right}; {planted}")],
        &[format!("{planted}; {right}")],
        &[right.clone(), planted.clone()],
        &[planted.clone(), right.clone()],
        &[format!("{planted}; {SESSION}=x"), right.clone()],
    ] {
        let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
        let (status, answer) = raw_get(&app, target.as_bytes(), &cookies);
        assert_eq!(status, 400, "{cookies:?} {answer}");
        assert!(
            answer.contains(&format!("set-cookie: {name}=;")),
            "{answer}"
        );
    }
    assert_eq!(exchanges(&app), 0);
    assert_eq!(arrival.open().await.status, 303);
}

#[tokio::test]
async fn ten_minutes_are_enough_and_a_second_more_starts_again_once() {
    let app = TestApp::start().await;
    let mut in_time = Arrival::at(&app).await;
    let mut late = Arrival::at(&app).await;
    let mut late_and_refused = Arrival::at(&app).await;
    app.clock.advance(600);
    assert_eq!(in_time.open().await.status, 303);
    app.clock.advance(1);
    let again = late.open().await;
    assert_eq!(again.status, 302, "{}", again.body);
    assert_eq!(exchanges(&app), 1);
    assert!(again.removes(&format!("{VERIFIER}{:08x}", fnv_1a(&late.state))));
    assert_ne!(again.location_parameter("state"), Some(late.state.clone()));

    // Age comes before the error.
    let error = format!(
        "/callback?error=access_denied&state={}",
        late_and_refused.state
    );
    assert_eq!(late_and_refused.browser.get(&error).await.status, 302);

    let mut second = late.browser.clone();
    let callback = late.browser.authenticate(&again, "ada@example.com").await;
    let end = late.browser.get(&callback).await;
    assert_eq!(end.location(), Some(format!("{}/account", app.origin)));

    let callback = second.authenticate(&again, "ada@example.com").await;
    app.clock.advance(601);
    let name = format!(
        "{VERIFIER}{:08x}",
        fnv_1a(&parameter(&callback, "state").expect("one"))
    );
    let end = second.get(&callback).await;
    assert_failed(&end, 400, &name, "the second time");
    assert_eq!(exchanges(&app), 2);
}

#[tokio::test]
async fn a_restart_asks_for_the_same_again() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let query = "login_hint=ada@example.com&organization_id=org_acme&screen_hint=sign-up\
                 &invitation_token=token_1&return_to=/team";
    let start = browser.get(&format!("/sign-in?{query}")).await;
    let state = start.location_parameter("state").expect("a state");
    app.clock.advance(601);
    let again = browser
        .get(&format!("/callback?code=x&state={state}"))
        .await;
    for name in [
        "login_hint",
        "organization_id",
        "screen_hint",
        "invitation_token",
    ] {
        let first = start.location_parameter(name);
        assert!(first.is_some(), "{name}");
        assert_eq!(again.location_parameter(name), first, "{name}");
    }
}

#[tokio::test]
async fn the_back_button_leads_on_with_a_session_and_nowhere_without() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    arrival.open().await;
    for seconds in [0, 1000] {
        app.clock.advance(seconds);
        let session = arrival.browser.cookie(SESSION).map(str::to_owned);
        let again = arrival.open().await;
        assert_eq!(again.status, 303, "{}", again.body);
        assert_eq!(again.location(), Some(format!("{}/account", app.origin)));
        assert!(!again.removes(SESSION));
        if seconds == 0 {
            assert_eq!(again.set_cookies(), []);
            assert_eq!(arrival.browser.cookie(SESSION), session.as_deref());
        }
    }
    let altered = format!("{}A", arrival.callback);
    let refused = arrival.browser.get(&altered).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        arrival.browser.get("/account").await.status,
        200,
        "still signed in"
    );
    arrival.browser.forget(SESSION);
    let nobody = arrival.open().await;
    assert_eq!(nobody.status, 400);
    assert_eq!(nobody.set_cookies(), []);
    assert_eq!(exchanges(&app), 1);
}

#[tokio::test]
async fn a_replay_while_nothing_is_known_signs_nobody_out() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    arrival.open().await;
    app.clock.advance(400);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    let answer = arrival.open().await;
    assert_eq!(answer.status, 503);
    assert!(!answer.removes(SESSION));
}

#[tokio::test]
async fn twenty_callbacks_at_once_make_one_exchange_and_all_are_signed_in() {
    for workers in [1, 4] {
        let app = TestApp::builder().workers(workers).start().await;
        let arrival = Arrival::at(&app).await;
        let slow = Fault::Delay(Duration::from_millis(100));
        app.emulator.fault(Endpoint::AuthenticateCode, slow);
        let openings = (0..20).map(|_| {
            let (mut browser, callback) = (arrival.browser.clone(), arrival.callback.clone());
            async move {
                let end = browser.get(&callback).await;
                (end, browser)
            }
        });
        let mut sessions = Vec::new();
        for (end, mut browser) in join_all(openings).await {
            assert_eq!(end.status, 303, "{}", end.body);
            assert_eq!(end.location(), Some(format!("{}/account", app.origin)));
            assert!(sets_a_session(&end));
            let me = browser.api("/api/me").await.json();
            sessions.push(me["session_id"].to_string());
        }
        sessions.dedup();
        assert_eq!(sessions.len(), 1);
        assert_eq!(exchanges(&app), 1);
    }
}

#[tokio::test]
async fn who_still_holds_the_cookie_gets_the_answer_of_the_first() {
    let app = TestApp::start().await;
    let mut good = Arrival::at(&app).await;
    let mut again = good.browser.clone();
    good.open().await;
    app.clock.advance(30);
    assert_eq!(again.get(&good.callback).await.status, 303);
    assert_eq!(again.get("/account").await.status, 200);
    assert_eq!(exchanges(&app), 1);

    let mut bad = Arrival::at(&app).await;
    let mut again = bad.browser.clone();
    app.emulator.fault(
        Endpoint::AuthenticateCode,
        Fault::Reset.after_effect().times(1),
    );
    assert_eq!(bad.open().await.status, 502);
    let second = again.get(&bad.callback).await;
    assert_eq!(second.status, 502, "a code is never sent twice");
    assert_eq!(exchanges(&app), 2);
}

#[tokio::test]
async fn a_browser_that_leaves_and_comes_back_gets_the_session_of_its_one_exchange() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    let mut impatient = arrival.browser.clone();
    let slow = Fault::Delay(Duration::from_millis(300));
    app.emulator.fault(Endpoint::AuthenticateCode, slow);
    let leaving = impatient.get(&arrival.callback);
    let left = tokio::time::timeout(Duration::from_millis(100), leaving).await;
    assert!(left.is_err(), "it left before the answer");
    assert_eq!(arrival.open().await.status, 303);
    assert_eq!(arrival.browser.get("/account").await.status, 200);
    assert_eq!(exchanges(&app), 1);
}

fn body(status: u16, body: Value) -> FaultPlan {
    Fault::json(status, body).times(1)
}

#[tokio::test]
async fn an_exchange_that_goes_wrong_ends_without_a_session() {
    let app = TestApp::start().await;
    let html = |status| Fault::Body {
        status,
        content_type: "text/html".to_owned(),
        body: "<html><h1>Bad gateway</h1>upstream_echo</html>".to_owned(),
    };
    let wrong = |member: &str, value: Value| {
        let mut good = json!({
            "access_token": "x.y.z", "refresh_token": "refresh_1",
            "user": {"object": "user", "id": "user_ada", "email": "ada@example.com"},
        });
        good[member] = value;
        body(200, good)
    };
    let error = |code: &str| json!({"error": code, "error_description": "upstream_echo"});
    for (name, plan, expected) in [
        ("invalid_grant", body(400, error("invalid_grant")), 400),
        ("invalid_client", body(401, error("invalid_client")), 502),
        ("401", Fault::Status(401).times(1), 502),
        ("403", Fault::Status(403).times(1), 502),
        ("404", Fault::Status(404).times(1), 502),
        ("422", Fault::Status(422).times(1), 502),
        ("408", Fault::Status(408).times(1), 502),
        (
            "429",
            Fault::StatusWithRetryAfter(429, "9999999".into()).times(1),
            502,
        ),
        ("500", Fault::Status(500).times(1), 502),
        ("502", html(502).times(1), 502),
        (
            "503",
            Fault::StatusWithRetryAfter(503, "soon".into()).times(1),
            502,
        ),
        (
            "redirect",
            Fault::Redirect("http://127.0.0.1:1/".into()).times(1),
            502,
        ),
        ("reset", Fault::Reset.times(1), 502),
        ("lost answer", Fault::Reset.after_effect().times(1), 502),
        ("HTML", html(200).times(1), 502),
        ("empty", Fault::Empty.times(1), 502),
        ("truncated", Fault::Truncate.times(1), 502),
        ("5 MB", Fault::Oversize(5_000_000).times(1), 502),
        ("gzip bomb", Fault::GzipBomb.times(1), 502),
        ("null", body(200, Value::Null), 502),
        ("array", body(200, json!([])), 502),
        ("no members", body(200, json!({})), 502),
        ("token a number", wrong("access_token", json!(1)), 502),
        ("token no JWT", wrong("access_token", json!("x")), 502),
        ("token null", wrong("access_token", Value::Null), 502),
        ("user a string", wrong("user", json!("user_ada")), 502),
        ("user null", wrong("user", Value::Null), 502),
        (
            "user.id a number",
            wrong("user", json!({"id": 1, "email": "a@b.c"})),
            502,
        ),
        ("unknown key", Fault::WrongKey.times(1), 502),
    ] {
        let mut arrival = Arrival::at(&app).await;
        let verifier = arrival.verifier_name();
        let before = exchanges(&app);
        app.emulator.fault(Endpoint::AuthenticateCode, plan);
        let end = arrival.open().await;
        assert_failed(&end, expected, &verifier, name);
        assert!(!end.body.contains("upstream_echo"), "{name} {}", end.body);
        assert_eq!(exchanges(&app), before + 1, "{name}: a code is sent once");
        assert_eq!(arrival.browser.cookie_names(), Vec::<&str>::new(), "{name}");
        assert_eq!(arrival.browser.api("/api/me").await.status, 401, "{name}");
    }
    assert_eq!(
        Arrival::at(&app).await.open().await.status,
        303,
        "the app lives"
    );
}

#[tokio::test]
async fn tokens_that_are_not_this_users_and_clients_are_refused() {
    let app = TestApp::start().await;
    let good = app.emulator.session_for("ada@example.com").expect("Ada");
    let claims = token_claims(&good.access_token);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        app.emulator.mint(claims)
    };
    let answer = |access_token: String| json!({"access_token": access_token, "refresh_token": "refresh_1", "user": good.user});
    let mut no_refresh_token = answer(good.access_token.clone());
    no_refresh_token["refresh_token"] = Value::Null;
    let mut empty_refresh_token = answer(good.access_token.clone());
    empty_refresh_token["refresh_token"] = json!("");
    let mut missing_refresh_token = answer(good.access_token.clone());
    let members = missing_refresh_token.as_object_mut().expect("an object");
    members.remove("refresh_token");
    let mut other_user = answer(good.access_token.clone());
    other_user["user"]["id"] = json!("user_grace");
    for (name, answer) in [
        ("other sub", answer(with("sub", json!("user_grace")))),
        ("other user", other_user),
        (
            "other client",
            answer(with("client_id", json!("client_other"))),
        ),
        ("no sid", answer(with("sid", Value::Null))),
        ("expired", answer(with("exp", json!(1)))),
        (
            "unknown key",
            answer(app.emulator.mint_with_unknown_key(claims.clone())),
        ),
        ("refresh token null", no_refresh_token),
        ("refresh token empty", empty_refresh_token),
        ("refresh token missing", missing_refresh_token),
    ] {
        let mut arrival = Arrival::at(&app).await;
        let verifier = arrival.verifier_name();
        app.emulator
            .fault(Endpoint::AuthenticateCode, body(200, answer));
        let end = arrival.open().await;
        assert_failed(&end, 502, &verifier, name);
    }
    let mut arrival = Arrival::at(&app).await;
    app.emulator.fault(
        Endpoint::AuthenticateCode,
        body(200, answer(good.access_token.clone())),
    );
    assert_eq!(
        arrival.open().await.status,
        303,
        "the answer they are made of is good"
    );
}

fn token_claims(token: &str) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = token.split('.').nth(1).expect("a JWT");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    serde_json::from_slice(&claims).expect("JSON")
}

#[tokio::test]
async fn a_step_that_authkit_demands_is_told_and_signs_nobody_in() {
    let app = TestApp::start().await;
    for code in [
        "sso_required",
        "mfa_enrollment",
        "email_verification_required",
    ] {
        let mut arrival = Arrival::at(&app).await;
        let verifier = arrival.verifier_name();
        let answer = json!({"code": code, "message": "upstream_echo"});
        app.emulator
            .fault(Endpoint::AuthenticateCode, body(403, answer));
        let end = arrival.open().await;
        assert!((400..500).contains(&end.status), "{code} {}", end.status);
        assert_failed(&end, end.status, &verifier, code);
        assert!(!end.body.contains("upstream_echo"));
    }
}

#[tokio::test]
async fn the_key_set_out_of_reach_signs_nobody_in() {
    let app = TestApp::start().await;
    app.emulator.fault(Endpoint::Jwks, Fault::Status(503));
    let mut arrival = Arrival::at(&app).await;
    let verifier = arrival.verifier_name();
    let end = arrival.open().await;
    assert_failed(&end, 502, &verifier, "no keys");
}

/// How long the callback takes under a fault, while another user works and signs in.
async fn under(fault: Fault) -> (Duration, Answer) {
    let app = TestApp::start().await;
    let mut ada = app.with_session("ada@example.com");
    assert_eq!(ada.get("/account").await.status, 200);
    let mut stuck = Arrival::at(&app).await;
    let verifier = stuck.verifier_name();
    let mut other = Arrival::at(&app).await;
    app.emulator
        .fault(Endpoint::AuthenticateCode, fault.times(1));
    let started = Instant::now();
    let stuck = async {
        let end = stuck.open().await;
        (started.elapsed(), end)
    };
    let unaffected = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(ada.get("/account").await.status, 200);
        assert_eq!(other.open().await.status, 303);
        assert!(started.elapsed() < Duration::from_secs(5), "others wait");
    };
    let ((elapsed, end), ()) = join(stuck, unaffected).await;
    assert_failed(&end, 504, &verifier, "late");
    (elapsed, end)
}

#[tokio::test]
async fn an_exchange_that_hangs_or_drips_ends_within_ten_seconds_and_others_go_on() {
    let late = [
        Fault::Hang,
        Fault::Drip,
        Fault::Delay(Duration::from_secs(15)),
    ];
    for (elapsed, _) in join_all(late.into_iter().map(under)).await {
        assert!(elapsed < Duration::from_millis(10_900), "{elapsed:?}");
    }
}

#[tokio::test]
async fn a_key_fetch_that_hangs_is_within_the_same_ten_seconds() {
    let app = TestApp::start().await;
    app.emulator.fault(Endpoint::Jwks, Fault::Hang);
    let slow = Fault::Delay(Duration::from_secs(7));
    app.emulator.fault(Endpoint::AuthenticateCode, slow);
    let mut arrival = Arrival::at(&app).await;
    let started = Instant::now();
    let end = arrival.open().await;
    assert!(matches!(end.status, 502 | 504), "{}", end.status);
    assert!(
        started.elapsed() < Duration::from_millis(10_900),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn no_code_state_verifier_or_token_is_in_the_log_or_in_a_body() {
    let log = Log::capture();
    let app = TestApp::start().await;
    for fault in [
        None,
        Some(Fault::Status(500)),
        Some(Fault::json(400, json!({"error": "invalid_grant"}))),
        Some(Fault::WrongKey),
        Some(Fault::Truncate),
    ] {
        let mut arrival = Arrival::at(&app).await;
        if let Some(fault) = fault {
            app.emulator
                .fault(Endpoint::AuthenticateCode, fault.times(1));
        }
        let end = arrival.open().await;
        let opened = seal::open(PASSWORD, seal::SIGN_IN_STATE, &arrival.state).expect("ours");
        let document: Value = serde_json::from_slice(&opened).expect("JSON");
        let verifier = document["code_verifier"].as_str().expect("a verifier");
        let mut secrets = vec![
            arrival.code.clone(),
            arrival.state.clone(),
            verifier.to_owned(),
        ];
        if let Some(sealed) = arrival.browser.cookie(SESSION) {
            let session = app.open(sealed);
            secrets.push(sealed.to_owned());
            for name in ["access_token", "refresh_token"] {
                secrets.push(session[name].as_str().expect("a token").to_owned());
            }
        }
        for secret in secrets {
            let lines = log.lines_with(&secret);
            assert!(lines.is_empty(), "{:?}", lines.first());
            assert!(!end.body.contains(&secret), "{}", end.body);
        }
    }
    assert!(
        log.contains("authkit.callback"),
        "the log was there to be read"
    );
}

#[tokio::test]
async fn a_new_session_replaces_an_older_or_planted_one_entirely() {
    let app = TestApp::start().await;
    let chunk = "x".repeat(2000);
    for planted in [
        vec![(SESSION, app.seal(&app.session("alan@example.com")))],
        vec![(SESSION, "garbage".to_owned())],
        vec![
            ("wos-session.0", format!("2.{chunk}")),
            ("wos-session.1", chunk.clone()),
        ],
        vec![
            (SESSION, app.seal(&app.session("alan@example.com"))),
            ("wos-session.0", format!("2.{chunk}")),
            ("wos-session.7", chunk.clone()),
        ],
    ] {
        let mut arrival = Arrival::at(&app).await;
        for (name, value) in planted {
            arrival.browser.set_cookie(name, &value);
        }
        assert_eq!(arrival.open().await.status, 303);
        assert_eq!(arrival.browser.cookie_names(), [SESSION]);
        let page = arrival.browser.get("/account").await;
        assert_eq!(page.body, "account of ada@example.com");
    }
}

#[tokio::test]
async fn a_failed_sign_in_leaves_an_older_session_alone() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alan@example.com").await;
    let start = browser.get("/sign-in").await;
    let state = start.location_parameter("state").expect("a state");
    let answer = browser
        .get(&format!("/callback?error=access_denied&state={state}"))
        .await;
    assert_eq!(answer.status, 400);
    assert!(!answer.removes(SESSION));
    assert_eq!(
        browser.get("/account").await.body,
        "account of alan@example.com"
    );
}

#[tokio::test]
async fn the_callback_takes_get_only() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    for method in [
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::HEAD,
    ] {
        let mut browser = arrival.browser.clone();
        let answer = browser
            .send(method.clone(), &arrival.callback, &[], "")
            .await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET"), "{method}");
        assert!(!sets_a_session(&answer), "{method}");
    }
    assert_eq!(exchanges(&app), 0);
    assert_eq!(arrival.open().await.status, 303);
}

#[tokio::test]
async fn with_same_site_strict_a_page_goes_on_by_itself() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.cookie_same_site(SameSite::Strict))
        .start()
        .await;
    let mut arrival = Arrival::to(&app, "/account?a=\"><script>&b='").await;
    let verifier = arrival.verifier_name();
    let page = arrival.open().await;
    assert_eq!(page.status, 200);
    assert_eq!(page.location(), None);
    let cookie = page.set_cookie(SESSION).expect("a session");
    assert_eq!(cookie.attribute("samesite"), Some("Strict"));
    assert!(page.removes(&verifier));
    let target = format!("{}/account?a=", app.origin);
    assert!(
        page.body.contains("http-equiv=\"refresh\""),
        "{}",
        page.body
    );
    assert!(page.body.contains(&target), "{}", page.body);
    assert!(!page.body.contains("<script>"), "{}", page.body);
    assert_eq!(arrival.browser.get("/account").await.status, 200);
}

#[tokio::test]
async fn workos_is_told_who_signs_in() {
    let app = TestApp::start().await;
    let mut arrival = Arrival::at(&app).await;
    let headers = [
        ("accept", "text/html"),
        ("user-agent", "Browser of the test/1.0"),
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
    ];
    let end = arrival
        .browser
        .send(Method::GET, &arrival.callback, &headers, "")
        .await;
    assert_eq!(end.status, 303);
    let key = format!("Bearer {}", app.emulator.api_key());
    let sessions = Browser::at(app.emulator.api_url())
        .send(
            Method::GET,
            "/user_management/users/user_ada/sessions",
            &[("authorization", &key)],
            "",
        )
        .await
        .json();
    assert_eq!(sessions["data"][0]["ip_address"], "127.0.0.1");
    assert_eq!(sessions["data"][0]["user_agent"], "Browser of the test/1.0");
}

fn in_a_scope(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let scope = web::scope("/auth")
        .service(authkit.handle_auth())
        .service(authkit.routes());
    config.service(scope).service(me(authkit));
}

fn in_nested_scopes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let inner = web::scope("/v1").service(authkit.handle_auth());
    let scope = web::scope("/auth").service(inner).service(authkit.routes());
    config.service(scope).service(me(authkit));
}

fn in_a_wrapped_scope(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let scope = web::scope("/auth")
        .wrap(authkit.middleware())
        .service(authkit.handle_auth())
        .service(authkit.routes());
    config.service(scope).service(me(authkit));
}

fn beside_other_routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let scope = web::scope("/auth")
        .service(authkit.handle_auth())
        .service(authkit.routes())
        .route("/page", web::get().to(async || "page"))
        .default_service(web::to(async || "default"));
    config.service(scope).service(me(authkit));
}

fn at_another_path(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    config
        .service(authkit.handle_auth().path("/stripped/callback"))
        .service(authkit.routes())
        .service(me(authkit));
}

/// Says who is signed in, in a middleware of its own where there is none around all.
fn me(authkit: &AuthKit) -> impl actix_web::dev::HttpServiceFactory + 'static {
    web::resource("/me")
        .wrap(authkit.middleware())
        .route(web::get().to(async |user: authkit_actix::AuthUser| user.email.clone()))
}

#[tokio::test]
async fn the_routes_work_wherever_they_are_mounted() {
    type Routes = fn(&AuthKit, &mut web::ServiceConfig);
    let rows: [(Routes, &'static str, &'static str, &'static str); 5] = [
        (in_a_scope, "/auth/callback", "/auth", "/auth/callback"),
        (
            in_nested_scopes,
            "/auth/v1/callback",
            "/auth",
            "/auth/v1/callback",
        ),
        (
            in_a_wrapped_scope,
            "/auth/callback",
            "/auth",
            "/auth/callback",
        ),
        (
            beside_other_routes,
            "/auth/callback",
            "/auth",
            "/auth/callback",
        ),
        (
            at_another_path,
            "/public/callback",
            "",
            "/stripped/callback",
        ),
    ];
    for (routes, redirect_path, prefix, path) in rows {
        for is_wrapped in [true, false] {
            let app = TestApp::builder()
                .emulator(|emulator| emulator.allow_origin("https://app.example.com"))
                .authkit(move |authkit| {
                    authkit
                        .redirect_uri(format!("https://app.example.com{redirect_path}"))
                        .sign_in_path(format!("{prefix}/sign-in"))
                        .sign_up_path(format!("{prefix}/sign-up"))
                        .sign_out_path(format!("{prefix}/sign-out"))
                })
                .routes(routes);
            let app = if is_wrapped {
                app
            } else {
                app.without_middleware()
            };
            let app = app.start().await;
            let mut browser = app.browser();
            let start = browser
                .get(&format!("{prefix}/sign-in?return_to=/me"))
                .await;
            assert_eq!(start.status, 302, "{redirect_path} {is_wrapped}");
            let callback = browser.authenticate(&start, "ada@example.com").await;
            let query = Url::parse(&callback).expect("a URL");
            let query = query.query().expect("a query");
            let end = browser.get(&format!("{path}?{query}")).await;
            assert_eq!(end.status, 303, "{redirect_path} {is_wrapped} {}", end.body);
            assert_eq!(
                end.location().as_deref(),
                Some("https://app.example.com/me")
            );
            let sessions = end.headers.get_all("set-cookie").iter();
            let sessions = sessions.filter(|it| it.as_bytes().starts_with(b"wos-session="));
            assert_eq!(sessions.count(), 1, "one writer");
            assert_eq!(browser.get("/me").await.body, "ada@example.com");
            let out = browser.submit(&format!("{prefix}/sign-out"), &[]).await;
            assert!(out.removes(SESSION), "{redirect_path} {is_wrapped}");
            assert_eq!(browser.api("/me").await.status, 401);
        }
    }
}

#[tokio::test]
async fn other_routes_of_a_scope_stay_as_they_are() {
    let app = TestApp::builder()
        .authkit(|authkit| {
            authkit
                .redirect_uri("https://app.example.com/auth/callback")
                .sign_in_path("/auth/sign-in")
                .sign_up_path("/auth/sign-up")
                .sign_out_path("/auth/sign-out")
        })
        .routes(beside_other_routes)
        .start()
        .await;
    for (path, body) in [("/auth/page", "page"), ("/auth/callback/more", "default")] {
        assert_eq!(app.browser().get(path).await.body, body, "{path}");
    }
}
