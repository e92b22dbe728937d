//! The routes that the scripts of a page call, and the module that calls them.

use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use authkit_actix::{
    Auth, AuthKit,
    emulator::{
        EmulatorBuilder, EmulatorOrganization, EmulatorUser, Endpoint, Fault, NewSession, StepUp,
    },
};
use authkit_tests::{Answer, Browser, TestApp, raw_exchange};
use reqwest::Method;
use serde_json::{Value, json};

const SESSION: &str = "wos-session";
const SCRIPT: [(&str, &str); 2] = [
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "cors"),
];
const READING: [&str; 3] = ["session", "token", "organization"];
const CHANGING: [&str; 3] = ["refresh", "organization", "sign-out"];

async fn post(browser: &mut Browser, name: &str, body: Value) -> Answer {
    let headers = [
        SCRIPT[0],
        SCRIPT[1],
        ("content-type", "application/json; charset=utf-8"),
    ];
    let address = format!("/authkit/{name}");
    let body = body.to_string();
    browser.send(Method::POST, &address, &headers, &body).await
}

async fn switch(browser: &mut Browser, organization_id: &str) -> Answer {
    post(
        browser,
        "organization",
        json!({ "organization_id": organization_id }),
    )
    .await
}

/// One person with two organizations, and one that is closed to her.
fn seeds(emulator: EmulatorBuilder) -> EmulatorBuilder {
    emulator
        .organization(EmulatorOrganization::new("org_acme", "Acme"))
        .organization(EmulatorOrganization::new("org_globex", "Globex"))
        .organization(EmulatorOrganization::new("org_foreign", "Foreign"))
        .organization(EmulatorOrganization::new("org_sso", "Single").demands(StepUp::Sso))
        .role("admin", ["billing:manage"])
        .user(
            EmulatorUser::new("grace@example.com")
                .name("Grace </script>", "Hopper")
                .member_of("org_acme", "admin")
                .member_of("org_globex", "member")
                .member_of("org_sso", "member"),
        )
        .user(EmulatorUser::new("alan@example.com"))
}

async fn app() -> TestApp {
    TestApp::builder().emulator(seeds).start().await
}

fn grace() -> NewSession {
    NewSession::new("grace@example.com").organization("org_acme")
}

#[tokio::test]
async fn a_page_learns_who_is_signed_in_and_gets_no_token_with_it() {
    let app = app().await;
    let mut browser = app.with_session(grace().impersonated_by("root@example.com", "support"));
    let answer = browser.api("/authkit/session").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let cache = answer.header("cache-control").expect("a rule for caches");
    assert!(cache.contains("no-store"), "{cache}");
    let session = answer.json();
    assert_eq!(session["user"]["email"], "grace@example.com");
    assert_eq!(session["organization_id"], "org_acme");
    assert_eq!(session["role"], "admin");
    assert_eq!(session["permissions"], json!(["billing:manage"]));
    assert_eq!(session["impersonator"]["email"], "root@example.com");
    assert_eq!(session["sign_in_url"], format!("{}/sign-in", app.origin));
    assert!(!answer.body.contains("token"), "{}", answer.body);
    let sealed = app.open(browser.cookie(SESSION).expect("a session"));
    for secret in ["access_token", "refresh_token"] {
        let secret = sealed[secret].as_str().expect("a token");
        assert!(!answer.body.contains(secret));
    }
}

#[tokio::test]
async fn the_token_is_fresh_and_says_how_long_it_will_be_so() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let first = browser.api("/authkit/token").await.json();
    assert_eq!(first["expires_in"], 300);
    assert_eq!(app.claims(&first["access_token"])["org_id"], "org_acme");
    assert_eq!(first["session"]["user"]["email"], "grace@example.com");

    app.clock.advance(100);
    let again = browser.api("/authkit/token").await.json();
    assert_eq!(again["expires_in"], 200);
    assert_eq!(again["access_token"], first["access_token"]);

    app.clock.advance(190);
    let fresh = browser.api("/authkit/token").await;
    assert!(fresh.set_cookie(SESSION).is_some());
    assert_eq!(fresh.json()["expires_in"], 300);
    assert_ne!(fresh.json()["access_token"], first["access_token"]);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
}

#[tokio::test]
async fn strangers_get_401_with_where_to_sign_in_even_in_the_address_bar() {
    let app = app().await;
    let mut browser = app.browser();
    for name in READING {
        let address = format!("/authkit/{name}");
        for answer in [browser.api(&address).await, browser.get(&address).await] {
            assert_eq!(answer.status, 401, "{name}");
            let problem = answer.json();
            assert_eq!(problem["code"], "signed_out");
            assert_eq!(problem["sign_in_url"], format!("{}/sign-in", app.origin));
        }
    }
    for name in ["refresh", "organization"] {
        let body = json!({"organization_id": "org_acme"});
        assert_eq!(post(&mut browser, name, body).await.status, 401, "{name}");
    }
    assert_eq!(browser.cookie_names(), Vec::<&str>::new());
}

#[tokio::test]
async fn while_nobody_can_tell_the_answer_is_503_and_the_session_stays() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let sealed = browser.cookie(SESSION).map(str::to_owned);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(500));
    app.clock.advance(400);
    for name in READING {
        let answer = browser.api(&format!("/authkit/{name}")).await;
        assert_eq!(answer.status, 503, "{name}");
        assert!(answer.header("retry-after").is_some());
    }
    for name in ["refresh", "organization"] {
        let body = json!({"organization_id": "org_globex"});
        assert_eq!(post(&mut browser, name, body).await.status, 503, "{name}");
    }
    assert_eq!(browser.cookie(SESSION).map(str::to_owned), sealed);
    app.emulator.clear_faults();
    assert_eq!(browser.api("/authkit/token").await.status, 200);
}

#[tokio::test]
async fn other_sites_learn_nothing_and_change_nothing() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let sealed = browser.cookie(SESSION).map(str::to_owned);
    let elsewhere: [&[(&str, &str)]; 6] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", &app.origin)],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("sec-purpose", "prefetch")],
    ];
    app.clock.advance(400);
    for from in elsewhere {
        for name in READING.iter().chain(&CHANGING) {
            for method in [Method::GET, Method::POST] {
                let mut headers = from.to_vec();
                headers.push(("content-type", "application/json"));
                let address = format!("/authkit/{name}");
                let body = r#"{"organization_id": "org_globex"}"#;
                let answer = browser.send(method, &address, &headers, body).await;
                assert_eq!(answer.status, 403, "{from:?} {name}");
                assert!(answer.set_cookies().is_empty());
            }
        }
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
    assert_eq!(browser.cookie(SESSION).map(str::to_owned), sealed);
}

#[tokio::test]
async fn what_changes_the_session_takes_json_of_its_own_site_only() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let body = r#"{"organization_id": "org_globex"}"#;
    for name in CHANGING {
        let address = format!("/authkit/{name}");
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "",
            "json",
        ] {
            let headers = [SCRIPT[0], ("content-type", media_type)];
            let answer = browser.send(Method::POST, &address, &headers, body).await;
            assert_eq!(answer.status, 403, "{name} {media_type}");
        }
        let unnamed = [("content-type", "application/json")];
        let answer = browser.send(Method::POST, &address, &unnamed, body).await;
        assert_eq!(answer.status, 403, "{name} of nobody knows which site");
        let headers = [SCRIPT[0], ("content-type", "application/json")];
        for broken in ["{", "[]", "7", "\u{0}", r#"{"organization_id": 7}"#] {
            let answer = browser.send(Method::POST, &address, &headers, broken).await;
            if name == "organization" || broken == "{" || broken == "\u{0}" {
                assert_eq!(answer.status, 400, "{name} {broken}");
            }
        }
    }
    assert_eq!(
        browser
            .send(Method::PUT, "/authkit/token", &SCRIPT, "")
            .await
            .status,
        405
    );
    assert_eq!(
        browser
            .send(Method::GET, "/authkit/refresh", &SCRIPT, "")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn a_refresh_in_a_loop_makes_one_call_in_two_seconds() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let before = browser.clone();
    app.clock.advance(1);
    let first = post(&mut browser, "refresh", json!({})).await;
    assert_eq!(first.status, 200);
    assert!(first.set_cookie(SESSION).is_some());
    for _ in 0..5 {
        let again = post(&mut browser, "refresh", json!({})).await;
        assert_eq!(again.json()["access_token"], first.json()["access_token"]);
    }
    let mut straggler = before;
    let behind = post(&mut straggler, "refresh", json!({})).await;
    assert_eq!(behind.json()["access_token"], first.json()["access_token"]);
    assert!(
        behind.set_cookie(SESSION).is_some(),
        "it gets the new session"
    );
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);

    tokio::time::sleep(Duration::from_millis(2100)).await;
    app.clock.advance(3);
    let later = post(&mut browser, "refresh", Value::Null).await;
    assert_ne!(later.json()["access_token"], first.json()["access_token"]);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 2);
}

#[tokio::test]
async fn a_refresh_of_a_session_that_has_ended_signs_out() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let session = browser.api("/authkit/session").await.json();
    app.emulator
        .end_session(session["session_id"].as_str().expect("an id"));
    let answer = post(&mut browser, "refresh", json!({})).await;
    assert_eq!(answer.status, 401);
    assert!(answer.removes(SESSION));
    assert_eq!(browser.api("/authkit/session").await.status, 401);
}

#[tokio::test]
async fn a_switch_answers_with_the_new_token_and_a_refused_one_changes_nothing() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let switched = switch(&mut browser, "org_globex").await;
    assert_eq!(switched.status, 200);
    assert_eq!(switched.json()["session"]["organization_id"], "org_globex");
    let name = browser.api("/authkit/organization").await.json();
    assert_eq!(name, json!({"id": "org_globex", "name": "Globex"}));

    let sealed = browser.cookie(SESSION).map(str::to_owned);
    for foreign in ["org_foreign", "org_nowhere", "", "\u{1f980}"] {
        let refused = switch(&mut browser, foreign).await;
        assert_eq!(refused.status, 403, "{foreign} {}", refused.body);
        assert!(foreign.is_empty() || !refused.body.contains(foreign));
    }
    let step = switch(&mut browser, "org_sso").await;
    assert_eq!(step.status, 403);
    assert_eq!(step.json()["code"], "step_required");
    let address = step.json()["sign_in_url"].as_str().map(str::to_owned);
    let start = browser.get(&address.expect("where to go on")).await;
    let organization = start.location_parameter("organization_id");
    assert_eq!(organization.as_deref(), Some("org_sso"));
    assert_eq!(browser.cookie(SESSION).map(str::to_owned), sealed);
}

#[tokio::test]
async fn the_organization_is_named_to_its_own_people_only() {
    let app = app().await;
    let mut grace = app.with_session(grace());
    for _ in 0..3 {
        let name = grace.api("/authkit/organization?id=org_foreign").await;
        assert_eq!(name.json(), json!({"id": "org_acme", "name": "Acme"}));
    }
    let mut alan = app.with_session("alan@example.com");
    assert_eq!(alan.api("/authkit/organization").await.status, 404);
}

#[tokio::test]
async fn a_script_signs_out_and_is_told_where_to_go_on() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let session = browser.api("/authkit/session").await.json();
    let out = post(&mut browser, "sign-out", json!({"return_to": "/goodbye"})).await;
    assert_eq!(out.status, 200);
    assert!(out.removes(SESSION));
    let url: url::Url = out.json()["url"]
        .as_str()
        .and_then(|url| url.parse().ok())
        .expect("an address");
    let parameter = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    assert_eq!(
        parameter("session_id").as_deref(),
        session["session_id"].as_str()
    );
    assert_eq!(
        parameter("return_to"),
        Some(format!("{}/goodbye", app.origin))
    );

    let evil = json!({"return_to": "https://evil.example"});
    let nobody = post(&mut browser, "sign-out", evil).await;
    assert_eq!(nobody.json()["url"], format!("{}/", app.origin));
}

#[tokio::test]
async fn the_module_is_the_same_for_everyone_and_cached_by_its_hash() {
    let app = app().await;
    let path = app.authkit.client_script().path().to_owned();
    let mut browser = app.with_session(grace());
    for (address, max_age) in [(path.as_str(), "31536000"), ("/authkit/client.js", "3600")] {
        let answer = browser.get(address).await;
        assert_eq!(answer.status, 200);
        let media_type = answer.header("content-type").expect("a type");
        assert!(media_type.starts_with("text/javascript"), "{media_type}");
        let cache = answer.header("cache-control").expect("a rule for caches");
        assert!(
            cache.starts_with(&format!("public, max-age={max_age}")),
            "{cache}"
        );
        assert_eq!(answer.header("vary"), None);
        assert!(answer.set_cookies().is_empty());
        assert_eq!(answer.body, app.browser().get(address).await.body);

        let known = [("if-none-match", answer.header("etag").expect("a tag"))];
        let again = browser.send(Method::GET, address, &known, "").await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
    }
    assert_eq!(browser.get("/authkit/client.other.js").await.status, 404);
}

#[get("/page")]
async fn carrier(auth: Auth, authkit: web::Data<AuthKit>) -> HttpResponse {
    let script = authkit.client_script().nonce("n\"1");
    let session = auth.browser_session();
    let session = session.map_or("null".to_owned(), |session| session.to_string());
    HttpResponse::Ok().body(format!("{script}<script>{session}</script>"))
}

#[tokio::test]
async fn a_page_carries_the_module_with_its_hash_and_the_session_without_a_way_out_of_its_script() {
    let app = TestApp::builder()
        .emulator(seeds)
        .routes(|authkit, config| {
            config
                .app_data(web::Data::new(authkit.clone()))
                .service(authkit.routes())
                .service(carrier);
        })
        .start()
        .await;
    let mut browser = app.with_session(grace());
    let page = browser.get("/page").await.body;
    let script = app.authkit.client_script();
    let element = format!(
        r#"<script type="module" src="{}" integrity="{}" nonce="n&quot;1"></script>"#,
        script.path(),
        script.integrity(),
    );
    assert!(page.starts_with(&element), "{page}");
    assert!(script.integrity().starts_with("sha384-"));
    let session = page
        .split("<script>")
        .nth(1)
        .and_then(|rest| rest.split("</script>").next())
        .expect("an element");
    let session: Value = serde_json::from_str(session).expect("it is whole");
    assert_eq!(session["user"]["first_name"], "Grace </script>");
    assert_eq!(
        app.browser().get("/page").await.body,
        format!("{}<script>null</script>", element)
    );
}

#[tokio::test]
async fn the_prefix_moves_every_route_under_it_in_scopes_and_under_protection_too() {
    let app = TestApp::builder()
        .emulator(|emulator| seeds(emulator).organization_selection_at_exchange())
        .authkit(|authkit| authkit.routes_prefix("/who/is").sign_in_path("/who/in"))
        .routes(|authkit, config| {
            let protected = authkit.middleware().protect().build().expect("no patterns");
            config.service(authkit.handle_auth()).service(
                web::scope("")
                    .wrap(protected)
                    .service(web::scope("/who").service(authkit.routes())),
            );
        })
        .start()
        .await;
    let mut browser = app.with_session(grace());
    for name in ["session", "token", "organization", "client.js"] {
        let answer = browser.api(&format!("/who/is/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
        let moved = browser.api(&format!("/authkit/{name}")).await;
        assert_eq!(moved.status, 404, "{name}");
    }
    let path = app.authkit.client_script().path().to_owned();
    assert!(path.starts_with("/who/is/client."), "{path}");
    let mut stranger = app.browser();
    assert_eq!(stranger.get(&path).await.status, 200);
    let problem = stranger.get("/who/is/session").await;
    assert_eq!(problem.json()["code"], "signed_out");

    let start = stranger.get("/who/in").await;
    let callback = stranger.authenticate(&start, "grace@example.com").await;
    let choice = stranger.get(&callback).await.location();
    let choice = choice.expect("a choice of organizations");
    assert_eq!(choice, format!("{}/who/is/select-organization", app.origin));
    assert_eq!(stranger.get(&choice).await.status, 200);
}

#[tokio::test]
async fn nonsense_is_refused_without_a_5xx() {
    let app = app().await;
    let mut browser = app.with_session(grace());
    let cookie = browser.session_cookie();
    let long = "x".repeat(300 << 10);
    for name in CHANGING {
        let headers = [SCRIPT[0], ("content-type", "application/json")];
        let address = format!("/authkit/{name}");
        let answer = browser.send(Method::POST, &address, &headers, &long).await;
        assert!(
            (400..500).contains(&answer.status),
            "{name} {}",
            answer.status
        );
        let request = format!(
            "POST {address} HTTP/1.1\r\nhost: a\r\nsec-fetch-site: same-origin\r\ncookie: {cookie}\r\n\
             content-type: application/json\r\ncontent-length: 4\r\nconnection: close\r\n\r\n\u{7f}\u{0}\u{0}\u{0}"
        );
        let answer = raw_exchange(&app.origin, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{name} {answer}");
    }
    assert_eq!(browser.api("/authkit/session").await.status, 200);
}
