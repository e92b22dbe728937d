//! What a route says to those who are not signed in, or may not pass.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, Responder, get, post, web};
use authkit_actix::{
    Auth, AuthKit, AuthStatus, AuthUser,
    emulator::{EmulatorUser, Endpoint, Fault, NewSession},
    ensure_signed_in, sign_up_path,
};
use authkit_tests::{Answer, Browser, Log, TestApp, raw_exchange};
use reqwest::Method;
use serde_json::{Value, json};

const DOCUMENT: [(&str, &str); 2] = [("accept", "text/html"), ("sec-fetch-mode", "navigate")];
const API_CALL: [(&str, &str); 1] = [("accept", "application/json")];
const PREFLIGHT: [(&str, &str); 2] = [
    ("origin", "https://other.example"),
    ("access-control-request-method", "POST"),
];

/// Guarded by the attribute, by an extractor, and by middleware auth.
const PROTECTED: [&str; 3] = ["/account", "/api/me", "/private/page"];

fn leads_to_authkit(app: &TestApp, answer: &Answer) -> bool {
    let authorize = format!("{}/user_management/authorize?", app.emulator.api_url());
    answer
        .location()
        .is_some_and(|location| location.starts_with(&authorize))
}

fn starts_nothing(answer: &Answer) -> bool {
    answer.location().is_none() && answer.set_cookies().is_empty()
}

fn is_problem(answer: &Answer, status: u16) -> bool {
    let is_json = answer.header("content-type") == Some("application/problem+json");
    is_json && answer.status == status && answer.json()["status"] == status
}

fn is_page(answer: &Answer, status: u16) -> bool {
    let content_type = answer.header("content-type").unwrap_or_default();
    answer.status == status && content_type.starts_with("text/html")
}

#[tokio::test]
async fn a_document_is_led_to_sign_in() {
    let app = TestApp::start().await;
    for headers in [
        &[("sec-fetch-mode", "navigate")][..],
        &[("sec-fetch-mode", "navigate"), ("accept", "*/*")],
        &[("accept", "text/html")],
        &[(
            "accept",
            "application/xhtml+xml, Text/HTML;q=0.9, */*;q=0.1",
        )],
    ] {
        for path in PROTECTED {
            let answer = app.browser().send(Method::GET, path, headers, "").await;
            assert_eq!(answer.status, 302, "{path} {headers:?}");
            assert!(leads_to_authkit(&app, &answer), "{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn an_api_call_is_told_401_and_starts_nothing() {
    let app = TestApp::start().await;
    for headers in [
        &[][..],
        &[("accept", "*/*")],
        &[("accept", "application/json")],
        &[("accept", "text/htmlx")],
        &[("sec-fetch-mode", "cors"), ("accept", "text/html")],
        &[("sec-fetch-mode", "no-cors"), ("accept", "text/html")],
        &[("sec-fetch-mode", "same-origin"), ("accept", "text/html")],
        &[("sec-fetch-mode", "websocket"), ("accept", "text/html")],
        &[("sec-purpose", "prefetch"), DOCUMENT[0], DOCUMENT[1]],
        &[
            ("sec-purpose", "prefetch;prerender"),
            DOCUMENT[0],
            DOCUMENT[1],
        ],
        &[("purpose", "prefetch"), DOCUMENT[0], DOCUMENT[1]],
        &[("purpose", "Prefetch"), DOCUMENT[0], DOCUMENT[1]],
        &[("upgrade", "websocket"), DOCUMENT[0], DOCUMENT[1]],
        &[("upgrade", "anything"), DOCUMENT[0], DOCUMENT[1]],
        &[("hx-request", "true"), DOCUMENT[0], DOCUMENT[1]],
        &[("hx-request", ""), DOCUMENT[0], DOCUMENT[1]],
        &[
            ("x-requested-with", "XMLHttpRequest"),
            DOCUMENT[0],
            DOCUMENT[1],
        ],
    ] {
        for path in PROTECTED {
            let answer = app.browser().send(Method::GET, path, headers, "").await;
            assert!(is_problem(&answer, 401), "{path} {headers:?} {answer:?}");
            assert!(starts_nothing(&answer), "{path} {headers:?} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_mark_counts_whatever_bytes_follow_it() {
    let app = TestApp::start().await;
    for headers in [
        &[("sec-fetch-mode", "é"), ("accept", "text/html")][..],
        &[("sec-purpose", "prefetch;é"), DOCUMENT[0], DOCUMENT[1]],
        &[("purpose", "prefetch é"), DOCUMENT[0], DOCUMENT[1]],
    ] {
        let answer = app
            .browser()
            .send(Method::GET, "/account", headers, "")
            .await;
        assert!(is_problem(&answer, 401), "{headers:?} {answer:?}");
        assert!(starts_nothing(&answer), "{headers:?} {answer:?}");
    }
}

#[tokio::test]
async fn a_401_says_what_is_wrong_and_where_to_sign_in() {
    let app = TestApp::start().await;
    for path in PROTECTED {
        let answer = app.browser().api(path).await;
        assert_eq!(answer.header("www-authenticate"), Some("AuthKit"), "{path}");
        let problem = answer.json();
        for member in ["type", "title", "code"] {
            assert!(problem[member].is_string(), "{path} {problem}");
        }
        let address = problem["sign_in_url"].as_str().expect("an address");
        let sign_in = format!("{}/sign-in", app.origin);
        assert!(address.starts_with(&sign_in), "{path} {address}");
        let start = app.browser().get(address).await;
        assert!(leads_to_authkit(&app, &start), "{path} {address}");
    }
}

#[tokio::test]
async fn head_is_told_401_whoever_asks() {
    let app = TestApp::start().await;
    for path in ["/api/me", "/private/page"] {
        for headers in [&DOCUMENT[..], &API_CALL[..]] {
            let answer = app.browser().send(Method::HEAD, path, headers, "").await;
            assert!(starts_nothing(&answer), "{path} {answer:?}");
            assert!(
                matches!(answer.status, 401 | 404 | 405),
                "{path} {answer:?}"
            );
        }
    }
    let head = app
        .browser()
        .send(Method::HEAD, "/private/page", &DOCUMENT, "")
        .await;
    assert_eq!(head.status, 401);
    assert_eq!(head.header("www-authenticate"), Some("AuthKit"));
}

#[tokio::test]
async fn htmx_is_led_by_its_own_header() {
    let app = TestApp::start().await;
    for (current, expected) in [
        (
            format!("{}/page?x=1", app.origin),
            "/sign-in?return_to=%2Fpage%3Fx%3D1",
        ),
        ("http://evil.example/page".to_owned(), "/sign-in"),
        (format!("{}.evil.example/page", app.origin), "/sign-in"),
        (format!("{}@evil.example/page", app.origin), "/sign-in"),
        (format!("{}//evil.example", app.origin), "/sign-in"),
    ] {
        for path in PROTECTED {
            let headers = [("hx-request", "true"), ("hx-current-url", current.as_str())];
            let answer = app.browser().send(Method::GET, path, &headers, "").await;
            assert_eq!(answer.status, 401, "{path}");
            assert!(starts_nothing(&answer), "{path}");
            let redirect = answer.header("hx-redirect").expect("HX-Redirect");
            assert_eq!(redirect, format!("{}{expected}", app.origin), "{current}");
        }
    }
}

#[tokio::test]
async fn a_form_comes_back_to_the_page_it_was_sent_from() {
    let app = TestApp::start().await;
    let origin = &app.origin;
    for (referer, expected) in [
        (format!("{origin}/write?draft=1"), "/write?draft=1"),
        (format!("{origin}/"), "/"),
        (origin.clone(), "/"),
        (String::new(), "/"),
        ("http://evil.example/write".to_owned(), "/"),
        (format!("{origin}.evil.example/write"), "/"),
        (format!("{origin}1/write"), "/"),
        (format!("{origin}@evil.example/write"), "/"),
        (format!("{origin}//evil.example/write"), "/"),
        (format!("{origin}/\\evil.example/write"), "/"),
        (origin.replace("http:", "https:") + "/write", "/"),
    ] {
        let mut browser = app.browser();
        let mut headers = DOCUMENT.to_vec();
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        if !referer.is_empty() {
            headers.push(("referer", &referer));
        }
        let answer = browser.send(Method::POST, "/form", &headers, "a=1").await;
        assert_eq!(answer.status, 303, "{referer}");
        let callback = browser.authenticate(&answer, "ada@example.com").await;
        let end = browser.get(&callback).await;
        assert_eq!(
            end.location(),
            Some(format!("{origin}{expected}")),
            "{referer}"
        );
    }
}

#[tokio::test]
async fn a_form_without_a_session_is_never_handled() {
    let app = TestApp::start().await;
    let answer = app.browser().submit("/private/form", &[("a", "1")]).await;
    assert_eq!(answer.status, 303);
    let by_script = app
        .browser()
        .send(Method::POST, "/form", &API_CALL, "a=1")
        .await;
    assert!(is_problem(&by_script, 401) && starts_nothing(&by_script));
}

fn any_method(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    #[ensure_signed_in]
    async fn page() -> impl Responder {
        "guarded body"
    }
    config
        .service(authkit.routes())
        .service(web::resource("/any").to(page))
        .service(web::resource("/any/extracted").to(async |_: AuthUser| "guarded body"));
}

#[tokio::test]
async fn options_is_never_redirected() {
    let usual = TestApp::start().await;
    let any = TestApp::builder().routes(any_method).start().await;
    for (app, path) in [
        (&usual, "/private/page"),
        (&any, "/any"),
        (&any, "/any/extracted"),
    ] {
        for headers in [&DOCUMENT[..], &API_CALL[..], &[][..]] {
            let answer = app.browser().send(Method::OPTIONS, path, headers, "").await;
            assert!(starts_nothing(&answer), "{path} {answer:?}");
            assert!(!answer.body.contains("body"), "{path} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_cors_preflight_passes_to_the_layer_that_answers_it() {
    let app = TestApp::builder().routes(with_cors).start().await;
    for extra in [None, Some(DOCUMENT[1])] {
        let mut headers = PREFLIGHT.to_vec();
        headers.extend(extra);
        let answer = app
            .browser()
            .send(Method::OPTIONS, "/private/page", &headers, "")
            .await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert!(starts_nothing(&answer), "{answer:?}");
        assert_eq!(answer.header("cache-control"), None);
    }
}

fn with_cors(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let protected = authkit.middleware().protect().build().expect("no patterns");
    let preflight = web::method(actix_web::http::Method::OPTIONS).to(|| async {
        HttpResponse::NoContent()
            .insert_header(("access-control-allow-origin", "https://other.example"))
            .finish()
    });
    let page = web::resource("/private/page").route(preflight);
    config.service(web::scope("").wrap(protected).service(page));
}

#[tokio::test]
async fn a_preflight_that_no_layer_answers_serves_nobody_a_protected_page() {
    let app = TestApp::start().await;
    let answer = app
        .browser()
        .send(Method::OPTIONS, "/private/page", &PREFLIGHT, "")
        .await;
    assert_eq!(answer.status, 401);
    assert!(!answer.body.contains("private body"));
    assert!(starts_nothing(&answer), "{answer:?}");
    let get = [("access-control-request-method", "POST"), API_CALL[0]];
    let answer = app
        .browser()
        .send(Method::GET, "/private/page", &get, "")
        .await;
    assert_eq!(answer.status, 401, "only OPTIONS is a preflight");
}

#[tokio::test]
async fn a_right_is_asked_of_the_session() {
    let app = TestApp::start().await;
    let outsider = |user: EmulatorUser| user.member_of("org_globex", "member");
    let change = app.emulator.change_user("alan@example.com", outsider);
    change.expect("a known user");
    let mut ada = app.with_session("ada@example.com");
    let acme = NewSession::new("grace@example.com").organization("org_acme");
    let mut member = app.with_session(acme);
    let globex = NewSession::new("grace@example.com").organization("org_globex");
    let mut globex_admin = app.with_session(globex);
    let mut globex_member = app.with_session("alan@example.com");
    let mut nowhere = app.with_session("grace@example.com");
    for (path, allowed) in [
        // Ada, Grace in Acme, Grace in Globex, Alan in Globex, Grace in none.
        ("/account", [true, true, true, true, true]),
        ("/admin", [true, false, true, false, false]),
        ("/billing", [true, false, true, false, false]),
        ("/beta", [true, true, false, false, false]),
        ("/entitled", [true, true, false, false, false]),
        ("/team", [true, true, true, true, false]),
        ("/acme", [true, true, false, false, false]),
        ("/editors", [true, false, true, true, false]),
    ] {
        let browsers = [
            &mut ada,
            &mut member,
            &mut globex_admin,
            &mut globex_member,
            &mut nowhere,
        ];
        for (browser, is_allowed) in browsers.into_iter().zip(allowed) {
            let answer = browser.get(path).await;
            let expected = if is_allowed { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{path} {}", answer.body);
        }
    }
}

const ADMIN: &str = "admin";

mod permissions {
    pub(super) const BILLING: &str = "billing:manage";
}

fn combined(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    #[get("/and")]
    #[ensure_signed_in(role = ADMIN, permission = permissions::BILLING)]
    async fn and() -> impl Responder {
        "and"
    }
    #[get("/recent-admin")]
    #[ensure_signed_in(role = ADMIN, max_age = 300)]
    async fn recent_admin() -> impl Responder {
        "recent admin"
    }
    #[post("/posts")]
    #[ensure_signed_in(role = ADMIN)]
    async fn posts(user: AuthUser, post: web::Json<Value>) -> impl Responder {
        drop(user);
        post
    }
    #[get("/join/above")]
    #[sign_up_path]
    #[ensure_signed_in]
    async fn above() -> impl Responder {
        "joined"
    }
    #[ensure_signed_in]
    #[get("/join/below")]
    #[sign_up_path]
    async fn below() -> impl Responder {
        "joined"
    }
    config
        .service(authkit.handle_auth())
        .service(authkit.routes())
        .service(and)
        .service(recent_admin)
        .service(posts)
        .service(above)
        .service(below);
}

/// A session of Ada's whose token has these claims laid over its own.
fn with_claims(app: &TestApp, claims: Value) -> Browser {
    let change = move |user: EmulatorUser| user.claims(claims);
    let changed = app.emulator.change_user("ada@example.com", change);
    changed.expect("a known user");
    app.with_session("ada@example.com")
}

#[tokio::test]
async fn several_arguments_must_all_be_met() {
    let app = TestApp::builder().routes(combined).start().await;
    for (claims, expected) in [
        (json!({}), 200),
        (json!({"role": "member", "roles": ["member"]}), 403),
        (json!({"role": "member", "roles": ["member", "admin"]}), 200),
        (json!({"role": "admin", "roles": null}), 200),
        (json!({"role": null, "roles": null}), 403),
        (json!({"role": "Admin", "roles": ["admin "]}), 403),
        (json!({"role": "admin", "permissions": []}), 403),
        (json!({"role": "admin", "permissions": null}), 403),
        (json!({"role": "admin", "permissions": ["billing"]}), 403),
    ] {
        let mut browser = with_claims(&app, claims.clone());
        assert_eq!(browser.get("/and").await.status, expected, "{claims}");
    }
}

#[tokio::test]
async fn whoever_may_not_pass_is_told_so_and_stays_signed_in() {
    let app = TestApp::start().await;
    let mut alan = app.with_session("alan@example.com");
    let page = alan.get("/admin").await;
    assert!(is_page(&page, 403), "{page:?}");
    let problem = alan.api("/admin").await;
    assert!(is_problem(&problem, 403), "{problem:?}");
    for member in ["type", "title", "code"] {
        assert!(problem.json()[member].is_string(), "{problem:?}");
    }
    for answer in [page, problem] {
        assert!(starts_nothing(&answer), "{answer:?}");
        assert_eq!(answer.header("pragma"), Some("no-cache"));
    }
    assert_eq!(alan.get("/account").await.status, 200);
}

#[tokio::test]
async fn a_sign_in_is_recent_for_exactly_as_long_as_asked() {
    let app = TestApp::start().await;
    let mut ada = app.with_session("ada@example.com");
    app.clock.advance(300);
    assert_eq!(ada.get("/danger").await.body, "danger");
    app.clock.advance(1);
    let stale = ada.get("/danger").await;
    assert_eq!(stale.status, 302);
    assert!(leads_to_authkit(&app, &stale));
    assert_eq!(stale.location_parameter("max_age").as_deref(), Some("300"));
}

#[tokio::test]
async fn whoever_signs_in_again_gets_to_the_page() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    app.clock.advance(1000);
    let stale = ada.get("/danger").await;
    let callback = ada.authenticate(&stale, "ada@example.com").await;
    let end = ada.get(&callback).await;
    assert_eq!(end.location(), Some(format!("{}/danger", app.origin)));
    assert_eq!(ada.get("/danger").await.body, "danger");
    app.clock.advance(301);
    assert_eq!(ada.get("/danger").await.status, 302);
}

#[tokio::test]
async fn an_old_sign_in_at_authkit_is_not_recent_here() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    app.clock.advance(1000);
    ada.forget("wos-session");
    let start = ada.get("/danger").await;
    let end = ada.follow(start).await;
    assert!(end.body.contains("<form"), "asked for a proof: {end:?}");
    assert_eq!(ada.get("/account").await.status, 200);
}

#[tokio::test]
async fn an_api_call_learns_that_it_needs_a_more_recent_sign_in() {
    let app = TestApp::start().await;
    let mut ada = app.with_session("ada@example.com");
    app.clock.advance(301);
    let answer = ada.api("/danger").await;
    assert!(is_problem(&answer, 401), "{answer:?}");
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains(r#"error="insufficient_user_authentication""#));
    assert!(challenge.contains("max_age=300"), "{challenge}");
    assert!(!challenge.starts_with("Bearer"), "{challenge}");
    assert_eq!(answer.location(), None);
    assert!(
        answer
            .set_cookies()
            .iter()
            .all(|cookie| cookie.name == "wos-session")
    );
}

#[tokio::test]
async fn an_age_that_cannot_be_read_is_proved_once_then_refused() {
    let app = TestApp::start().await;
    for auth_time in [
        Value::Null,
        json!("yesterday"),
        json!("1700000000"),
        json!(-1),
        json!(1.5e300),
        json!(u64::MAX),
        json!([1]),
        json!({}),
        json!(true),
    ] {
        let mut ada = with_claims(&app, json!({ "auth_time": auth_time }));
        assert_eq!(ada.get("/account").await.status, 200, "{auth_time}");
        let stale = ada.get("/danger").await;
        assert_eq!(stale.status, 302, "{auth_time} {}", stale.body);
        assert_eq!(stale.location_parameter("max_age").as_deref(), Some("300"));
        let callback = ada.authenticate(&stale, "ada@example.com").await;
        assert_eq!(ada.get(&callback).await.status, 303, "{auth_time}");
        let page = ada.get("/danger").await;
        assert!(is_page(&page, 403), "{auth_time} {page:?}");
        assert!(page.body.contains("recent"), "the reason: {}", page.body);
        assert_eq!(ada.get("/account").await.status, 200, "{auth_time}");
    }
}

#[tokio::test]
async fn a_form_with_too_old_a_sign_in_is_proved_and_comes_back() {
    let app = TestApp::builder().routes(recent_form).start().await;
    let mut ada = app.with_session("ada@example.com");
    app.clock.advance(301);
    let referer = format!("{}/delete?really", app.origin);
    let mut headers = DOCUMENT.to_vec();
    headers.push(("referer", &referer));
    let answer = ada.send(Method::POST, "/delete", &headers, "a=1").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.location_parameter("max_age").as_deref(), Some("300"));
    let callback = ada.authenticate(&answer, "ada@example.com").await;
    assert_eq!(ada.get(&callback).await.location(), Some(referer));
}

fn recent_form(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    #[post("/delete")]
    #[ensure_signed_in(max_age = 300)]
    async fn delete() -> impl Responder {
        "deleted"
    }
    config.service(authkit.handle_auth()).service(delete);
}

#[tokio::test]
async fn nobody_signs_in_again_only_to_be_refused() {
    let app = TestApp::builder().routes(combined).start().await;
    let mut alan = app.with_session("alan@example.com");
    app.clock.advance(1000);
    assert_eq!(alan.get("/recent-admin").await.status, 403);
}

#[tokio::test]
async fn a_sign_up_path_asks_for_the_sign_up_screen() {
    let usual = TestApp::start().await;
    let combined = TestApp::builder().routes(combined).start().await;
    for (app, path, hint) in [
        (&usual, "/start", Some("sign-up")),
        (&usual, "/private/join", Some("sign-up")),
        (&combined, "/join/above", Some("sign-up")),
        (&combined, "/join/below", Some("sign-up")),
        (&usual, "/account", None),
        (&usual, "/private/page", None),
    ] {
        let answer = app.browser().get(path).await;
        assert!(leads_to_authkit(app, &answer), "{path}");
        let found = answer.location_parameter("screen_hint");
        let found = found.filter(|found| found != "sign-in");
        assert_eq!(found.as_deref(), hint, "{path}");
        assert_eq!(
            app.with_session("ada@example.com").get(path).await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_protected_scope_opens_what_its_list_names() {
    let app = TestApp::start().await;
    for (path, is_open) in [
        ("/private/open", true),
        ("/private/open?a=/secret", true),
        ("/private/docs", true),
        ("/private/docs/a", true),
        ("/private/docs/a/b/c", true),
        ("/private", false),
        ("/private/", false),
        ("/private/open/", false),
        ("/private/open/more", false),
        ("/private/opened", false),
        ("/private/OPEN", false),
        ("/private/docsy", false),
        ("/private/secret?/private/open", false),
        ("/private/secret?a=1#/private/open", false),
        ("/private/join", false),
    ] {
        let answer = app.browser().get(path).await;
        assert_eq!(answer.status, if is_open { 200 } else { 302 }, "{path}");
        let mut ada = app.with_session("ada@example.com");
        assert_eq!(ada.get(path).await.body, "private body", "{path}");
    }
}

/// Nothing is open but the library's own routes.
fn everything_protected(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let protect = authkit.middleware().protect().build().expect("no patterns");
    config.service(
        web::scope("")
            .wrap(protect)
            .service(authkit.handle_auth())
            .service(authkit.routes())
            .default_service(web::to(|| async { "private body" })),
    );
}

#[tokio::test]
async fn signing_in_works_where_everything_is_protected() {
    let usual = TestApp::builder();
    let renamed = TestApp::builder().authkit(|authkit| {
        authkit
            .sign_in_path("/enter/here")
            .sign_up_path("/enter/first")
            .sign_out_path("/leave")
    });
    for (app, sign_in) in [(usual, "/sign-in"), (renamed, "/enter/here")] {
        let app = app.routes(everything_protected).without_middleware();
        let app = app.start().await;
        let mut browser = app.browser();
        assert_eq!(browser.api("/anything").await.status, 401);
        assert_eq!(browser.api(&format!("{sign_in}/x")).await.status, 401);
        let start = browser.get(&format!("{sign_in}?return_to=/page")).await;
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let end = browser.get(&callback).await;
        assert_eq!(end.location(), Some(format!("{}/page", app.origin)));
        assert_eq!(browser.get("/page").await.body, "private body");
    }
}

#[tokio::test]
async fn the_librarys_own_routes_are_reachable_signed_out() {
    let app = TestApp::builder()
        .routes(everything_protected)
        .without_middleware()
        .start()
        .await;
    for path in ["/sign-in", "/sign-up"] {
        let answer = app.browser().api(path).await;
        assert_eq!(answer.status, 302, "{path}");
        assert!(leads_to_authkit(&app, &answer), "{path}");
    }
    assert_eq!(app.browser().get("/callback").await.status, 400);
    let out = app.browser().submit("/sign-out", &[]).await;
    assert_eq!(out.status, 303);
    assert!(!leads_to_authkit(&app, &out));
}

fn forgotten(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    #[get("/forgotten/attribute")]
    #[ensure_signed_in]
    async fn attribute() -> impl Responder {
        "leaked"
    }
    config
        .service(authkit.routes())
        .service(attribute)
        .route(
            "/forgotten/user",
            web::get().to(async |_: AuthUser| "leaked"),
        )
        .route("/forgotten/auth", web::get().to(async |_: Auth| "leaked"))
        .route(
            "/forgotten/status",
            web::get().to(async |_: AuthStatus| "leaked"),
        )
        .route(
            "/forgotten/option",
            web::get().to(async |user: Option<AuthUser>| {
                HttpResponse::Ok().body(if user.is_some() { "leaked" } else { "nobody" })
            }),
        );
}

#[tokio::test]
async fn a_route_without_the_middleware_fails_closed_and_the_log_says_what_to_add() {
    let log = Log::capture();
    let app = TestApp::builder()
        .routes(forgotten)
        .without_middleware()
        .start()
        .await;
    let mut ada = app.with_session("ada@example.com");
    for path in ["attribute", "user", "auth", "status"] {
        let path = format!("/forgotten/{path}");
        for browser in [&mut ada, &mut app.browser()] {
            assert!(is_page(&browser.get(&path).await, 500), "{path}");
            assert!(is_problem(&browser.api(&path).await, 500), "{path}");
        }
    }
    for browser in [&mut ada, &mut app.browser()] {
        assert_eq!(browser.get("/forgotten/option").await.body, "nobody");
    }
    for path in ["attribute", "user", "auth", "status", "option"] {
        let lines = log.lines_with(&format!("\"/forgotten/{path}\""));
        let is_taught =
            |line: &String| line.contains("ERROR") && line.contains(".wrap(authkit.middleware())");
        assert!(lines.iter().any(is_taught), "{path} {lines:?}");
    }
}

#[tokio::test]
async fn a_strangers_malformed_body_is_not_even_read() {
    let app = TestApp::builder().routes(combined).start().await;
    let json = [("content-type", "application/json"), API_CALL[0]];
    let stranger = app.browser().send(Method::POST, "/posts", &json, "{").await;
    assert_eq!(stranger.status, 401);
    let mut alan = app.with_session("alan@example.com");
    assert_eq!(
        alan.send(Method::POST, "/posts", &json, "{").await.status,
        403
    );
    let mut ada = app.with_session("ada@example.com");
    assert_eq!(
        ada.send(Method::POST, "/posts", &json, "{").await.status,
        400
    );
    assert_eq!(
        ada.send(Method::POST, "/posts", &json, "{}").await.body,
        "{}"
    );
}

#[tokio::test]
async fn a_stranger_is_answered_before_the_body_has_come() {
    let app = TestApp::start().await;
    let started = Instant::now();
    let answer = raw_exchange(
        &app.origin,
        b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
          Content-Length: 1000\r\n\r\n{",
    );
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_guard_answers_first_also_after_a_slow_refresh() {
    let slow = || Fault::Delay(Duration::from_millis(300)).times(1);
    let json = [("content-type", "application/json"), API_CALL[0]];
    let app = TestApp::start().await;
    let session = app.emulator.session_for("ada@example.com").expect("Ada");
    let mut ended = app.browser();
    let cookie = json!({
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "user": session.user,
    });
    ended.set_cookie("wos-session", &app.seal(&cookie));
    let mut alive = app.with_session("ada@example.com");
    let mut unsure = app.with_session("ada@example.com");
    app.clock.advance(400);

    app.emulator.end_session(&session.session_id);
    app.emulator.fault(Endpoint::AuthenticateRefresh, slow());
    let answer = ended.send(Method::POST, "/api/echo", &json, "{").await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.removes("wos-session"));

    app.emulator.fault(Endpoint::AuthenticateRefresh, slow());
    let answer = alive.send(Method::POST, "/api/echo", &json, "{").await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(
        answer.set_cookie("wos-session").is_some(),
        "the new session"
    );

    app.emulator.clear_faults();
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    let answer = unsure.send(Method::POST, "/api/echo", &json, "{").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
}

#[tokio::test]
async fn while_nothing_is_known_nobody_is_called_signed_out() {
    let app = TestApp::start().await;
    let mut ada = app.with_session("ada@example.com");
    app.clock.advance(400);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    for path in [
        "/",
        "/account",
        "/api/me",
        "/maybe",
        "/admin",
        "/danger",
        "/private/page",
    ] {
        let page = ada.get(path).await;
        assert!(is_page(&page, 503), "{path} {page:?}");
        let problem = ada.api(path).await;
        assert!(is_problem(&problem, 503), "{path} {problem:?}");
        for answer in [page, problem] {
            let seconds = answer.header("retry-after").expect("Retry-After");
            assert!(seconds.parse::<u32>().is_ok(), "{path} {seconds}");
            assert!(starts_nothing(&answer), "{path} {answer:?}");
        }
    }
    assert_eq!(ada.get("/status").await.body, "cannot tell");
    assert_eq!(ada.get("/private/open").await.status, 200);
}

#[tokio::test]
async fn a_page_with_both_views_shows_each_to_whom_it_is_for() {
    let app = TestApp::start().await;
    let mut ada = app.with_session("ada@example.com");
    assert_eq!(ada.get("/").await.body, "Signed in as ada@example.com");
    assert_eq!(ada.get("/maybe").await.body, "ada@example.com");
    assert_eq!(ada.get("/status").await.body, "signed in");
    let stranger = app.browser().get("/").await;
    assert!(stranger.body.contains("/sign-in") && stranger.body.contains("/sign-up"));
    assert!(starts_nothing(&stranger));
    assert_eq!(app.browser().get("/maybe").await.body, "nobody");
    assert_eq!(app.browser().get("/status").await.body, "signed out");
}

#[get("/owners")]
#[ensure_signed_in(role = "owner")]
async fn owners() -> impl Responder {
    "owners"
}

#[tokio::test]
async fn the_application_may_say_in_its_own_words_who_may_not_pass() {
    let app = TestApp::builder()
        .without_middleware()
        .routes(|authkit, config| {
            let own = authkit.middleware().on_forbidden(|why, request| {
                HttpResponse::Forbidden().body(format!("{why:?} at {}", request.path()))
            });
            config.service(web::scope("").wrap(own).service(owners));
        })
        .start()
        .await;
    let answer = app.with_session("ada@example.com").get("/owners").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (403, "Rights at /owners")
    );
    assert!(answer.headers_joined("cache-control").contains("no-store"));
    assert_eq!(app.browser().api("/owners").await.status, 401);
}
