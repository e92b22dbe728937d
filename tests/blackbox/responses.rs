//! What the session does to responses: cookies on every arm, and how far a response may travel.

use actix_web::{
    HttpResponse, Responder,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::ErrorImATeapot,
    get,
    http::header::VARY,
    middleware::{Next, from_fn},
    post, web,
};
use authkit_actix::{
    Auth, AuthKit, AuthStatus, AuthUser,
    emulator::{Endpoint, Fault},
    ensure_signed_in,
};
use authkit_tests::{Answer, TestApp};
use reqwest::Method;
use serde_json::Value;

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";
const EXPIRED: i64 = 400;
const NOWHERE: &str = "private, no-cache, no-store, must-revalidate, max-age=0";

fn expired(app: &TestApp) -> String {
    let cookie = app.cookie_of(ADA);
    app.clock.advance(EXPIRED);
    cookie
}

/// Sends a request with a session that has to be refreshed.
async fn with_expired(app: &TestApp, method: Method, path: &str, body: &str) -> Answer {
    let cookie = expired(app);
    let headers = [
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("cookie", &cookie),
    ];
    app.browser().send(method, path, &headers, body).await
}

/// The new session reached the browser, once.
fn is_renewed(app: &TestApp, answer: &Answer) -> bool {
    let cookies = answer.set_cookies();
    cookies.len() == 1 && app.open(&cookies[0].value)["user"]["email"] == ADA
}

fn vary(answer: &Answer) -> Vec<String> {
    let vary = answer.headers_joined("vary").to_lowercase();
    let names = vary.split(',').map(|name| name.trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

fn is_private(answer: &Answer) -> bool {
    let one = |name: &str| answer.headers.get_all(name).iter().count() == 1;
    answer.header("cache-control") == Some(NOWHERE)
        && answer.header("pragma") == Some("no-cache")
        && answer.header("expires") == Some("0")
        && ["cache-control", "pragma", "expires"].into_iter().all(one)
        && vary(answer).contains(&"cookie".to_owned())
}

/// As the handler wrote it, but for `Vary: Cookie`.
fn varies_only(answer: &Answer) -> bool {
    let untouched = ["pragma", "expires"]
        .into_iter()
        .all(|name| answer.header(name).is_none());
    untouched && vary(answer) == ["cookie"]
}

#[get("/vary/{how}")]
async fn varies(how: web::Path<String>, _auth: Auth) -> impl Responder {
    let mut response = HttpResponse::Ok();
    for value in how.split('+') {
        response.append_header((VARY, value));
    }
    response.finish()
}

#[post("/both")]
async fn both(user: AuthUser, body: web::Json<Value>) -> impl Responder {
    format!("{} {}", user.email, *body)
}

#[post("/body-first")]
async fn body_first(body: web::Json<Value>, user: AuthUser) -> impl Responder {
    format!("{} {}", user.email, *body)
}

#[get("/numbers/{number}")]
#[ensure_signed_in]
async fn number(number: web::Path<u32>) -> impl Responder {
    number.to_string()
}

#[get("/three")]
#[ensure_signed_in]
async fn three(
    user: AuthUser,
    auth: Auth,
    status: AuthStatus,
    maybe: Option<AuthUser>,
) -> impl Responder {
    let of_auth = auth.user();
    let of_status = match &status {
        AuthStatus::SignedIn(user) => Some(user.access_token()),
        _ => None,
    };
    let own = Some(user.access_token());
    let others = [
        of_auth.as_ref().map(|user| user.access_token()),
        of_status,
        maybe.as_ref().map(AuthUser::access_token),
    ];
    others.iter().all(|other| *other == own).to_string()
}

/// Fails after it has asked for the session.
async fn fails(
    _user: AuthUser,
    _request: ServiceRequest,
    _next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    Err::<ServiceResponse, _>(ErrorImATeapot("from a middleware"))
}

fn own_routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let protected = authkit.middleware().protect().build().expect("no patterns");
    config
        .service(authkit.routes())
        .service(varies)
        .service(both)
        .service(body_first)
        .service(number)
        .service(three)
        .service(
            web::scope("/failing")
                .wrap(from_fn(fails))
                .default_service(web::to(HttpResponse::Ok)),
        )
        .service(
            web::scope("/nested")
                .wrap(authkit.middleware())
                .wrap(protected)
                .wrap(authkit.middleware())
                .service(
                    web::resource("/page").to(|user: AuthUser| async move { user.email.clone() }),
                ),
        );
}

async fn own() -> TestApp {
    TestApp::builder().routes(own_routes).start().await
}

#[tokio::test]
async fn the_new_session_reaches_the_browser_with_every_kind_of_response() {
    let app = TestApp::start().await;
    for (method, path, body, status) in [
        (Method::GET, "/api/me", "", 200),
        (Method::GET, "/maybe", "", 200),
        (Method::GET, "/", "", 200),
        (Method::GET, "/status", "", 200),
        (Method::GET, "/account", "", 200),
        (Method::GET, "/fail", "", 500),
        (Method::GET, "/danger", "", 401),
        (Method::GET, "/plan", "", 403),
        (Method::GET, "/private/page", "", 200),
        (Method::POST, "/api/echo", "{}", 200),
        (Method::POST, "/api/echo", "{", 400),
        (Method::GET, "/cached", "", 200),
    ] {
        let answer = with_expired(&app, method, path, body).await;
        assert_eq!(answer.status, status, "{path} {}", answer.body);
        assert!(is_renewed(&app, &answer), "{path} {answer:?}");
        assert!(is_private(&answer), "{path} {answer:?}");
    }
}

#[tokio::test]
async fn the_new_session_reaches_the_browser_also_when_others_fail() {
    let app = own().await;
    for (method, path, body, status) in [
        (Method::POST, "/both", "{", 400),
        (Method::POST, "/body-first", "{", 400),
        (Method::POST, "/both", "{}", 200),
        (Method::GET, "/numbers/seven", "", 404),
        (Method::GET, "/failing/page", "", 418),
        (Method::GET, "/nested/missing", "", 404),
    ] {
        let answer = with_expired(&app, method, path, body).await;
        assert_eq!(answer.status, status, "{path} {}", answer.body);
        assert!(is_renewed(&app, &answer), "{path} {answer:?}");
        assert!(is_private(&answer), "{path} {answer:?}");
    }
}

#[tokio::test]
async fn a_dropped_session_is_dropped_with_every_kind_of_response() {
    let app = own().await;
    for (method, path, body) in [
        (Method::POST, "/both", "{"),
        (Method::GET, "/numbers/seven", ""),
        (Method::GET, "/failing/page", ""),
        (Method::GET, "/nested/page", ""),
        (Method::GET, "/vary/Accept", ""),
    ] {
        let headers = [
            ("content-type", "application/json"),
            ("cookie", "wos-session=garbage"),
        ];
        let answer = app.browser().send(method, path, &headers, body).await;
        assert!(answer.removes("wos-session"), "{path} {answer:?}");
        assert_eq!(answer.set_cookies().len(), 1, "{path} {answer:?}");
        assert!(is_private(&answer), "{path} {answer:?}");
    }
}

#[tokio::test]
async fn middlewares_in_one_another_share_one_session_and_write_it_once() {
    let app = own().await;
    let answer = with_expired(&app, Method::GET, "/nested/page", "").await;
    assert_eq!(answer.body, ADA);
    assert!(is_renewed(&app, &answer), "{answer:?}");
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
    for name in ["cache-control", "pragma", "expires"] {
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{name}");
    }
    assert_eq!(vary(&answer), ["cookie"]);
}

#[tokio::test]
async fn every_reader_of_a_request_sees_the_same_current_session() {
    let app = own().await;
    let answer = with_expired(&app, Method::GET, "/three", "").await;
    assert_eq!(answer.body, "true");
    assert!(is_renewed(&app, &answer));
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
}

#[tokio::test]
async fn what_has_nothing_to_do_with_a_session_stays_untouched() {
    let app = TestApp::start().await;
    for cookies in ["", "theme=dark", "wos-session-2=x; wos-auth=y"] {
        let answer = app.ask("/public.txt", cookies).await;
        assert_eq!(
            answer.header("cache-control"),
            Some("public, max-age=3600"),
            "{cookies}"
        );
        for name in ["pragma", "expires", "vary", "set-cookie"] {
            assert_eq!(answer.header(name), None, "{cookies} {name}");
        }
    }
}

#[tokio::test]
async fn where_a_session_was_asked_for_and_there_was_none_only_the_cookie_is_named() {
    let app = TestApp::start().await;
    for path in ["/cached", "/", "/maybe", "/status"] {
        let answer = app.ask(path, "theme=dark").await;
        assert_eq!(answer.status, 200);
        assert!(varies_only(&answer), "{path} {answer:?}");
    }
    let answer = app.ask("/cached", "").await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
}

#[tokio::test]
async fn what_was_made_for_a_session_or_came_with_one_is_kept_nowhere() {
    let app = TestApp::start().await;
    let session = app.cookie_of(ADA);
    for cookies in [
        session.as_str(),
        "wos-session=garbage",
        "wos-session=",
        "wos-session.0=2.x",
    ] {
        for path in ["/cached", "/public.txt", "/", "/maybe", "/missing"] {
            let answer = app.ask(path, cookies).await;
            assert!(is_private(&answer), "{path} {cookies} {answer:?}");
        }
    }
    for path in [ME, "/account", "/fail", "/private/page", "/danger", "/plan"] {
        let answer = app.ask(path, &session).await;
        assert!(is_private(&answer), "{path} {answer:?}");
    }
}

#[tokio::test]
async fn what_leads_to_authkit_is_kept_nowhere() {
    let app = TestApp::start().await;
    for path in [
        "/sign-in",
        "/sign-up",
        "/account",
        "/start",
        "/private/page",
        "/callback",
        "/callback?code=a&state=b",
    ] {
        let answer = app.browser().get(path).await;
        assert!(is_private(&answer), "{path} {answer:?}");
    }
    let mut browser = app.browser();
    let start = browser.get("/sign-in").await;
    let callback = browser.authenticate(&start, ADA).await;
    assert!(is_private(&browser.get(&callback).await));
    assert!(is_private(&browser.submit("/sign-out", &[]).await));
}

#[tokio::test]
async fn a_request_with_authorization_is_answered_for_it_alone() {
    let app = TestApp::start().await;
    for path in ["/public.txt", "/cached", "/", "/missing"] {
        let headers = [("authorization", "Basic YTpi")];
        let answer = app.browser().send(Method::GET, path, &headers, "").await;
        assert!(is_private(&answer), "{path} {answer:?}");
        assert_eq!(vary(&answer), ["cookie", "authorization"], "{path}");
    }
}

#[tokio::test]
async fn what_the_handler_varies_by_is_kept_and_nothing_is_named_twice() {
    let app = own().await;
    for (handler, expected) in [
        ("Accept", &["accept", "cookie"][..]),
        (
            "Accept,%20Accept-Language",
            &["accept", "accept-language", "cookie"],
        ),
        ("Accept+Origin", &["accept", "origin", "cookie"]),
        ("Cookie", &["cookie"]),
        ("cookie,%20Accept", &["cookie", "accept"]),
        ("Accept+COOKIE", &["accept", "cookie"]),
        ("X-Cookie", &["x-cookie", "cookie"]),
        ("*", &["*"]),
    ] {
        for cookies in ["", &app.cookie_of(ADA)] {
            let answer = app.ask(&format!("/vary/{handler}"), cookies).await;
            assert_eq!(vary(&answer), expected, "{handler}");
        }
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_told_is_kept_nowhere_either() {
    let app = TestApp::start().await;
    let cookie = expired(&app);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(500));
    for path in [ME, "/account", "/maybe", "/status", "/private/page"] {
        assert!(is_private(&app.ask(path, &cookie).await), "{path}");
    }
}

#[tokio::test]
async fn no_header_but_the_cookie_says_who_somebody_is() {
    let app = TestApp::start().await;
    let token = app.session("grace@example.com")["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let bearer = format!("Bearer {token}");
    let sealed = app.seal(&app.session("grace@example.com"));
    let user = app.session("grace@example.com")["user"].to_string();
    let session = app.cookie_of(ADA);
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("authorization", sealed.as_str()),
        ("x-workos-session", &sealed),
        ("x-workos-middleware", "true"),
        ("x-workos-user", &user),
        ("x-workos-access-token", &token),
        ("x-url", "http://127.0.0.1/private/open"),
        ("x-redirect-uri", "http://evil.example/callback"),
        ("x-sign-up-paths", "/"),
        (
            "x-middleware-subrequest",
            "middleware:middleware:middleware",
        ),
        ("x-original-url", "/private/open"),
        ("x-rewrite-url", "/private/open"),
        ("x-http-method-override", "OPTIONS"),
        ("x-forwarded-user", "grace@example.com"),
        ("x-user-id", "user_grace"),
        ("remote-user", "grace@example.com"),
        ("wos-session", &sealed),
        ("set-cookie", &format!("wos-session={sealed}")),
        ("cookie2", &format!("wos-session={sealed}")),
    ] {
        for path in [ME, "/account", "/private/page"] {
            let stranger = app
                .browser()
                .send(Method::GET, path, &[(name, value)], "")
                .await;
            assert_eq!(stranger.status, 401, "{path} {name}");
            let headers = [(name, value), ("cookie", &session)];
            let ada = app.browser().send(Method::GET, path, &headers, "").await;
            assert_eq!(ada.status, 200, "{path} {name}");
            assert!(!ada.body.contains("grace"), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_shared_cache_in_front_gives_nobody_anothers_page() {
    let app = TestApp::start().await;
    let ada = app.ask("/cached", &app.cookie_of(ADA)).await;
    let nobody = app.ask("/cached", "").await;
    // A cache may keep the second, for requests with the same cookies: none.
    assert!(is_private(&ada));
    assert!(varies_only(&nobody));
    let renewed = with_expired(&app, Method::GET, "/cached", "").await;
    assert!(is_private(&renewed) && is_renewed(&app, &renewed));
}

#[tokio::test]
async fn a_response_without_a_body_is_no_exception() {
    let app = TestApp::start().await;
    let answer = with_expired(&app, Method::HEAD, "/private/page", "").await;
    assert_eq!(answer.status, 200);
    assert!(is_renewed(&app, &answer) && is_private(&answer));
}
