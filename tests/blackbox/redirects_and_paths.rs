//! Where the browser may be sent, what strangers' headers can do, and what paths look like.

use actix_web::web;
use authkit_actix::{AuthKit, emulator::Endpoint};
use authkit_tests::{Answer, Browser, PASSWORD, TestApp, raw_exchange, seal};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

const DOCUMENT: [(&str, &str); 2] = [("accept", "text/html"), ("sec-fetch-mode", "navigate")];

/// Return paths that would lead a browser elsewhere, or break a header.
const HOSTILE: [&str; 38] = [
    "//evil.example",
    "///evil.example",
    "////evil.example/..",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\0/evil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/a/..//evil.example",
    "/%2e%2e//evil.example",
    "/.\\/evil.example",
    "/..\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "http:///evil.example",
    "HTTPS://EVIL.EXAMPLE",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "@evil.example",
    ".evil.example",
    ":80@evil.example",
    "evil.example",
    "/\r\nSet-Cookie: evil=1",
    "/%0d%0aSet-Cookie:%20evil=1",
    "/\u{2028}/evil.example",
    "/\u{ff0f}evil.example",
    "/\u{e000}//evil.example",
    "",
    "/%zz%",
];

fn is_here(app: &TestApp, answer: &Answer) -> bool {
    let location = answer.location().expect("a redirect");
    let origin = Url::parse(&app.origin).expect("an origin").origin();
    Url::parse(&location).is_ok_and(|location| location.origin() == origin)
}

fn fnv_1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn a_hostile_return_path_at_the_start_leads_nowhere_else() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for route in ["/sign-in", "/sign-up"] {
        for path in HOSTILE {
            let start = browser
                .get(&format!("{route}?return_to={}", encoded(path)))
                .await;
            assert_eq!(start.status, 302, "{path:?}");
            let start = match route {
                "/sign-up" => without_sign_up(start),
                _ => start,
            };
            let callback = browser.authenticate(&start, "ada@example.com").await;
            let end = browser.get(&callback).await;
            assert_eq!(end.status, 303, "{path:?}");
            assert!(is_here(&app, &end), "{path:?} {:?}", end.location());
            assert_eq!(browser.cookie("evil"), None, "{path:?}");
        }
    }
}

/// The same way to AuthKit, but to the page for those who have an account.
fn without_sign_up(mut start: Answer) -> Answer {
    let location = start.location().expect("a redirect");
    let location = location.replace("&screen_hint=sign-up", "");
    start
        .headers
        .insert("location", location.parse().expect("a URL"));
    start
}

#[tokio::test]
async fn a_hostile_return_path_in_the_state_itself_leads_nowhere_else() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for path in HOSTILE {
        let mut start = browser.get("/sign-in?return_to=/marker").await;
        let state = start.location_parameter("state").expect("a state");
        let opened = seal::open(PASSWORD, seal::SIGN_IN_STATE, &state).expect("sealed");
        let document = String::from_utf8(opened).expect("JSON");
        let document = document.replace("\"/marker\"", &json!(path).to_string());
        let hostile = seal::seal(PASSWORD, seal::SIGN_IN_STATE, document.as_bytes());
        let name = format!("wos-auth-verifier-{:08x}", fnv_1a(&hostile));
        browser.set_cookie(&name, &hostile);
        let location = start
            .location()
            .expect("a redirect")
            .replace(&state, &hostile);
        start
            .headers
            .insert("location", location.parse().expect("a URL"));
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let end = browser.get(&callback).await;
        assert_eq!(end.status, 303, "{path:?} {}", end.body);
        assert!(is_here(&app, &end), "{path:?} {:?}", end.location());
        assert_ne!(end.location(), Some(format!("{}/marker", app.origin)));
        assert_eq!(browser.cookie("evil"), None, "{path:?}");
    }
}

/// Nothing is open; every path is a page.
fn everything_protected(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let protect = authkit
        .middleware()
        .protect()
        .unauthenticated_paths(["/", "/about", "/docs/:path*", "/files/{tail:.*}"])
        .build()
        .expect("patterns");
    config.service(
        web::scope("")
            .wrap(protect)
            .service(authkit.handle_auth())
            .service(authkit.routes())
            .default_service(web::to(|| async { "private body" })),
    );
}

#[tokio::test]
async fn a_hostile_address_that_is_protected_leads_nowhere_else() {
    let app = TestApp::builder()
        .routes(everything_protected)
        .start()
        .await;
    for path in [
        "//evil.example/x",
        "///evil.example",
        "/\\evil.example",
        "/..//evil.example",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "/%2e%2e//evil.example",
        "/@evil.example",
        "/x?next=//evil.example",
        "/x?%0d%0aSet-Cookie:evil=1",
        "/%0d%0aSet-Cookie:evil=1",
    ] {
        let mut browser = app.browser();
        let start = browser.get(&format!("{}{path}", app.origin)).await;
        assert_eq!(start.status, 302, "{path} {}", start.body);
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let end = browser.get(&callback).await;
        assert_eq!(end.status, 303, "{path} {}", end.body);
        assert!(is_here(&app, &end), "{path} {:?}", end.location());
        assert_eq!(browser.cookie("evil"), None, "{path}");
    }
}

#[tokio::test]
async fn a_link_with_a_hostile_return_path_is_a_link_without_one() {
    let app = TestApp::builder().routes(link).start().await;
    for path in HOSTILE {
        let address = format!("/link?to={}", encoded(path));
        let link = app.browser().get(&address).await.body;
        let url = Url::parse(&link).expect("absolute");
        assert!(
            link.starts_with(&format!("{}/sign-in", app.origin)),
            "{link}"
        );
        for (_, value) in url.query_pairs() {
            let returns = Url::parse(&app.origin).and_then(|origin| origin.join(&value));
            let returns = returns.expect("a path");
            assert_eq!(returns.origin(), url.origin(), "{path:?} {link}");
        }
    }
}

fn link(_: &AuthKit, config: &mut web::ServiceConfig) {
    #[actix_web::get("/link")]
    async fn link(auth: authkit_actix::Auth, query: web::Query<Value>) -> String {
        let to = query["to"].as_str().unwrap_or_default();
        auth.sign_in_url().return_to(to).to_string()
    }
    config.service(link);
}

/// What a stranger, or a proxy that a stranger talks through, may claim about the request.
const CLAIMS: [&[(&str, &str)]; 9] = [
    &[("host", "evil.example")],
    &[
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
    ],
    &[
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-ssl", "on"),
    ],
    &[("forwarded", "for=203.0.113.9;host=evil.example;proto=https")],
    &[
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-path", "/evil"),
    ],
    &[("x-original-url", "/evil"), ("x-rewrite-url", "/evil")],
    &[
        ("x-original-host", "evil.example"),
        ("x-host", "evil.example"),
    ],
    &[
        ("front-end-https", "on"),
        ("x-url-scheme", "https"),
        ("x-scheme", "https"),
    ],
    &[
        ("origin", "http://evil.example"),
        ("referer", "http://evil.example/x"),
    ],
];

async fn open(browser: &mut Browser, address: &str, claims: &[(&str, &str)]) -> Answer {
    let headers = [&DOCUMENT[..], claims].concat();
    browser.send(Method::GET, address, &headers, "").await
}

#[tokio::test]
async fn what_strangers_say_about_host_and_scheme_has_no_effect() {
    let app = TestApp::start().await;
    for claims in CLAIMS {
        let mut browser = app.browser();
        let start = open(&mut browser, "/account", claims).await;
        assert_eq!(start.status, 302, "{claims:?}");
        let redirect_uri = start.location_parameter("redirect_uri");
        assert_eq!(redirect_uri, Some(format!("{}/callback", app.origin)));
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let end = open(&mut browser, &callback, claims).await;
        assert_eq!(
            end.location(),
            Some(format!("{}/account", app.origin)),
            "{claims:?}"
        );
        for cookie in [start.set_cookies(), end.set_cookies()].concat() {
            assert_eq!(cookie.attribute("secure"), None, "{claims:?} {cookie:?}");
            assert_eq!(cookie.attribute("domain"), None, "{claims:?} {cookie:?}");
            assert_eq!(cookie.attribute("path"), Some("/"), "{claims:?} {cookie:?}");
        }
        let refused = app
            .browser()
            .send(Method::GET, "/account", claims, "")
            .await;
        let sign_in = refused.json()["sign_in_url"].to_string();
        assert!(
            sign_in.contains(&format!("{}/sign-in", app.origin)),
            "{sign_in}"
        );
        let failed = open(&mut app.browser(), "/callback", claims).await;
        assert!(failed.body.contains(&app.origin), "{}", failed.body);
        let home = open(&mut app.browser(), "/", claims).await;
        for answer in [failed, home, refused] {
            assert!(!answer.body.contains("evil"), "{}", answer.body);
        }

        let same_origin = [claims, &[("sec-fetch-site", "same-origin")]].concat();
        let out = app
            .browser()
            .send(Method::POST, "/sign-out?return_to=/bye", &same_origin, "")
            .await;
        assert_eq!(
            out.location(),
            Some(format!("{}/bye", app.origin)),
            "{claims:?}"
        );
    }
}

#[tokio::test]
async fn an_address_in_the_request_line_has_no_effect() {
    let app = TestApp::start().await;
    let redirect_uri = encoded(&format!("{}/callback", app.origin));
    for request in [
        "GET http://evil.example/account HTTP/1.1\r\nHost: evil.example",
        "GET https://evil.example/account HTTP/1.1\r\nHost: x",
        "GET /account HTTP/1.1\r\nHost: evil.example:80",
        "GET /account HTTP/1.0\r\nX-Forwarded-Host: evil.example",
    ] {
        let request = format!("{request}\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
        let answer = raw_exchange(&app.origin, request.as_bytes());
        assert!(answer.contains(" 302 "), "{request} {answer}");
        assert!(answer.contains(&redirect_uri), "{request} {answer}");
        assert!(
            !answer.contains("evil") && !answer.contains("Secure"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn an_https_application_behind_a_proxy_sets_secure_cookies_whatever_the_proxy_says() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.redirect_uri("https://app.example.com/callback"))
        .start()
        .await;
    for claims in [
        &[("x-forwarded-proto", "http")][..],
        &[("forwarded", "proto=http")],
        &[],
    ] {
        let start = open(&mut app.browser(), "/account", claims).await;
        assert!(
            start.set_cookies()[0].attribute("secure").is_some(),
            "{claims:?}"
        );
    }
}

/// Names that mean something to other AuthKit libraries, frameworks and proxies.
fn foreign_identity(app: &TestApp) -> Vec<(&'static str, String)> {
    let session = app.session("alan@example.com");
    let token = session["access_token"].as_str().expect("a token");
    let sealed = app.seal(&session);
    let text = session.to_string();
    let mut headers = vec![
        ("x-workos-session", sealed.clone()),
        ("x-workos-access-token", token.to_owned()),
        ("x-wos-session", sealed),
        ("authorization", format!("Bearer {token}")),
        ("x-workos-user", text),
    ];
    headers.extend(
        [
            ("x-workos-middleware", "true"),
            ("x-workos-user-id", "user_alan"),
            ("x-redirect-uri", "http://evil.example/callback"),
            ("x-sign-up-paths", "/account,/private/page"),
            ("x-url", "http://evil.example/private/open"),
            (
                "x-middleware-subrequest",
                "middleware:middleware:middleware:middleware:middleware",
            ),
            ("x-middleware-next", "1"),
            ("x-middleware-rewrite", "/private/open"),
            ("x-middleware-set-cookie", "wos-session=x"),
            ("x-middleware-override-headers", "cookie"),
            ("x-middleware-request-cookie", "wos-session=x"),
            ("x-middleware-cache", "no-cache"),
            ("x-nextjs-data", "1"),
            ("x-invoke-path", "/private/open"),
            ("x-matched-path", "/private/open"),
            ("x-original-url", "/private/open"),
            ("x-rewrite-url", "/private/open"),
            ("x-http-method-override", "OPTIONS"),
            ("access-control-request-method", "GET"),
            ("x-authenticated-user", "alan@example.com"),
            ("x-remote-user", "alan@example.com"),
            ("remote-user", "alan@example.com"),
            ("x-user-id", "user_alan"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    );
    headers
}

#[tokio::test]
async fn headers_that_mean_something_elsewhere_have_no_effect() {
    let app = TestApp::start().await;
    let foreign = foreign_identity(&app);
    let (mut stranger, mut ada) = (app.browser(), app.with_session("ada@example.com"));
    let one_by_one = foreign.iter().map(|header| vec![header]);
    for headers in one_by_one.chain([foreign.iter().collect()]) {
        let claims: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        for path in ["/account", "/private/page", "/api/me", "/admin"] {
            let answer = open(&mut stranger, path, &claims).await;
            assert_eq!(answer.status, 302, "{path} {claims:?}");
            assert_eq!(
                answer.location_parameter("screen_hint"),
                None,
                "{path} {claims:?}"
            );
            let redirect_uri = answer.location_parameter("redirect_uri");
            assert_eq!(redirect_uri, Some(format!("{}/callback", app.origin)));
        }
        let refused = stranger.send(Method::GET, "/api/me", &claims, "").await;
        assert_eq!(refused.status, 401, "{claims:?}");
        assert_eq!(open(&mut stranger, "/maybe", &claims).await.body, "nobody");
        let page = open(&mut ada, "/account", &claims).await;
        assert_eq!(page.body, "account of ada@example.com", "{claims:?}");
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

fn raw(app: &TestApp, method: &str, target: &[u8]) -> String {
    let request = [
        method.as_bytes(),
        b" ",
        target,
        b" HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n",
    ];
    raw_exchange(&app.origin, &request.concat())
}

#[tokio::test]
async fn path_tricks_never_get_the_protected_body() {
    let app = TestApp::start().await;
    for target in [
        &b"/private/OPEN"[..],
        b"/Private/open",
        b"/private//open",
        b"//private/open",
        b"//private/page",
        b"/private//page",
        b"/private/./open",
        b"/private/./page",
        b"/./private/page",
        b"/private/open/",
        b"/private/open//",
        b"/private/open/.",
        b"/private/open/..",
        b"/private/open/../page",
        b"/private/open/..;/page",
        b"/private/open;/page",
        b"/private/open;x",
        b"/private/open;.css",
        b"/private/open%3bx",
        b"/private/open%3Bx=1",
        b"/private/open.json",
        b"/private/open.",
        b"/private/open%20",
        b"/private/open%09",
        b"/private/open%00",
        b"/private/open%00.css",
        b"/private/open%0a",
        b"/private/open%0d%0a",
        b"/private/open%2f",
        b"/private/open%2F..%2Fpage",
        b"/private/open%252f..%252fpage",
        b"/private/open%5c..%5cpage",
        b"/private/open\\..\\page",
        b"/private/open\\",
        b"/private\\open",
        b"/private/docs/../page",
        b"/private/docs/..",
        b"/private/docs/a/../../page",
        b"/private/docs/%2e%2e/page",
        b"/private/docs/%2E%2E/page",
        b"/private/docs/.%2e/page",
        b"/private/docs/%252e%252e/page",
        b"/private/docs/..%2fpage",
        b"/private/docs/..%c0%afpage",
        b"/private/docs/%c0%ae%c0%ae/page",
        b"/private/docs/..%5cpage",
        b"/private/docs/..;/page",
        b"/private/docs//page",
        b"/private/docs/",
        b"/private/docs/a%2fb",
        b"/private/docs/a%5cb",
        b"/private/docs/a;b",
        b"/private/docs/a%00b",
        b"/private/docs/a%ff",
        b"/private/docs/a\xff",
        b"/private/docs/a\xc3\xa9\xff",
        b"/private/docs%2fa",
        b"/private/docs%2e",
        b"/private/docsx",
        b"/private/page?/private/open",
        b"/private/page?x=/private/docs/a",
        b"/private/page#/private/open",
        b"/private/page%23/private/open",
        b"/private/page%3f/private/open",
        b"/private/page/private/open",
        b"http://x/private/page",
        b"http://x/private/open/../page",
        b"http://x//private/page",
        b"/private/sign-in",
        b"/private/callback",
        b"/private/page/sign-in",
        b"/private",
        b"/private/",
    ] {
        let answer = raw(&app, "GET", target);
        let target = String::from_utf8_lossy(target);
        assert!(!answer.contains("private body"), "{target} {answer}");
        assert!(answer.starts_with("HTTP/1.1 "), "{target}");
        assert!(!answer.starts_with("HTTP/1.1 5"), "{target} {answer}");
    }
}

#[tokio::test]
async fn the_librarys_own_paths_open_nothing_beside_them() {
    let app = TestApp::builder()
        .routes(everything_protected)
        .start()
        .await;
    for target in [
        &b"/sign-in/x"[..],
        b"/sign-in/",
        b"/sign-in/../page",
        b"/sign-in/..;/page",
        b"/sign-in;/page",
        b"/sign-in%2f..%2fpage",
        b"/Sign-In",
        b"//sign-in",
        b"/x/sign-in",
        b"/callback/x",
        b"/callback;x",
        b"/callback/",
        b"/callback%2f",
        b"/callback%00",
        b"/about/",
        b"/about/x",
        b"/about;x",
        b"/ABOUT",
        b"/docs/../page",
        b"/docs/%2e%2e/page",
        b"/files/../page",
        b"/files/..;/page",
        b"/files/a//b",
        b"/files/a%2f..%2fpage",
        b"/files/%2e%2e/page",
        b"/files/a%5c..%5cpage",
        b"/files/a%00",
        b"/.",
        b"/./",
        b"//",
        b"/%2e",
        b"/%2f",
        b"/?/../page/",
        b"*",
    ] {
        let answer = raw(&app, "GET", target);
        let name = String::from_utf8_lossy(target);
        let is_the_open_root = target.starts_with(b"/?");
        assert!(
            is_the_open_root || !answer.contains("private body"),
            "{name} {answer}"
        );
        assert!(!answer.starts_with("HTTP/1.1 5"), "{name} {answer}");
    }
    for path in [
        "/",
        "/about",
        "/docs",
        "/docs/a/b",
        "/files/a",
        "/files/a/b.css",
    ] {
        assert_eq!(app.browser().get(path).await.body, "private body", "{path}");
    }
}

#[tokio::test]
async fn a_method_opens_nothing() {
    let app = TestApp::start().await;
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
        "ANYTHING", "get",
    ] {
        let answer = raw(&app, method, b"/private/page");
        assert!(!answer.contains("private body"), "{method} {answer}");
        assert!(!answer.starts_with("HTTP/1.1 5"), "{method} {answer}");
        assert!(!answer.starts_with("HTTP/1.1 2"), "{method} {answer}");
    }
    assert_eq!(
        app.with_session("ada@example.com")
            .get("/private/page")
            .await
            .status,
        200
    );
}
