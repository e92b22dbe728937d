use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use actix_web::{HttpResponse, Responder, get, web};
use authkit_actix::{
    Auth, AuthKit, AuthUser, RequestInfo, SignInError, SignInUrl,
    emulator::{Endpoint, Fault},
};
use authkit_tests::{Answer, Browser, Log, TestApp, TestAppBuilder};
use reqwest::Method;
use serde_json::json;
use url::Url;

type Setter = fn(SignInUrl) -> SignInUrl;

/// What each setter adds to the authorization URL, in order of the names.
const SETTERS: [(Setter, &[(&str, &str)]); 13] = [
    (|url| url, &[("provider", "authkit")]),
    (
        |url| url.organization_id("org_acme"),
        &[("organization_id", "org_acme"), ("provider", "authkit")],
    ),
    (
        |url| url.login_hint("ada+1@example.com"),
        &[("login_hint", "ada+1@example.com"), ("provider", "authkit")],
    ),
    (
        |url| url.domain_hint("example.com"),
        &[("domain_hint", "example.com"), ("provider", "authkit")],
    ),
    (
        |url| url.invitation_token("inv & token"),
        &[("invitation_token", "inv & token"), ("provider", "authkit")],
    ),
    (
        |url| url.prompt("login"),
        &[("prompt", "login"), ("provider", "authkit")],
    ),
    (
        |url| url.max_age(Duration::ZERO),
        &[("max_age", "0"), ("provider", "authkit")],
    ),
    (
        |url| url.max_age(Duration::from_secs(90)),
        &[("max_age", "90"), ("provider", "authkit")],
    ),
    (
        |url| url.connection("conn_1"),
        &[("connection_id", "conn_1")],
    ),
    (
        |url| url.provider_with_scopes("GoogleOAuth", ["mail", "calendar"]),
        &[
            ("provider", "GoogleOAuth"),
            ("provider_scopes", "mail,calendar"),
        ],
    ),
    (
        |url| url.provider("GitHubOAuth"),
        &[("provider", "GitHubOAuth")],
    ),
    (
        |url| url.provider("GoogleOAuth").connection("conn_1"),
        &[("connection_id", "conn_1")],
    ),
    (
        |url| {
            url.connection("conn_1")
                .provider_with_scopes("GoogleOAuth", ["mail"])
        },
        &[("provider", "GoogleOAuth"), ("provider_scopes", "mail")],
    ),
];

fn set(auth: &Auth, setter: &web::Path<usize>) -> SignInUrl {
    SETTERS[**setter].0(auth.sign_in_url().return_to("/me?tab=1"))
}

#[get("/link/{setter}")]
async fn link_page(auth: Auth, setter: web::Path<usize>) -> impl Responder {
    HttpResponse::Ok().json(json!({"url": set(&auth, &setter).to_string()}))
}

#[get("/start/{setter}")]
async fn start_page(auth: Auth, setter: web::Path<usize>) -> impl Responder {
    set(&auth, &setter).start()
}

#[get("/respond/{setter}")]
async fn respond_page(auth: Auth, setter: web::Path<usize>) -> impl Responder {
    set(&auth, &setter)
}

#[get("/sign-up-link")]
async fn sign_up_link_page(auth: Auth) -> impl Responder {
    auth.sign_up_url().login_hint("new@example.com").to_string()
}

#[get("/sealed/{size}")]
async fn sealed_page(auth: Auth, size: web::Path<usize>) -> Result<String, SignInError> {
    let url = auth.sign_in_url().state(&"s".repeat(*size))?;
    Ok(url.to_string())
}

#[get("/return/{path:.*}")]
async fn returning_page(auth: Auth, path: web::Path<String>) -> impl Responder {
    auth.sign_in_url().return_to(&path).to_string()
}

#[get("/me")]
async fn me_page(user: AuthUser) -> impl Responder {
    user.email.clone()
}

#[get("/login")]
async fn login_page(auth: Auth) -> impl Responder {
    auth.sign_in_url().to_string()
}

fn app() -> TestAppBuilder {
    TestApp::builder().routes(|authkit: &AuthKit, config| {
        let protected = authkit.middleware().protect().build().expect("no patterns");
        config
            .service(authkit.handle_auth())
            .service(authkit.routes())
            .service(link_page)
            .service(start_page)
            .service(respond_page)
            .service(sign_up_link_page)
            .service(sealed_page)
            .service(returning_page)
            .service(me_page)
            .service(web::scope("").wrap(protected).service(login_page));
    })
}

/// What an authorization URL asks for beyond what every one does.
fn asked(answer: &Answer) -> Vec<(String, String)> {
    let location = answer.location().expect("a redirect to AuthKit");
    let url = Url::parse(&location).expect("an absolute address");
    assert!(url.path().ends_with("/authorize"), "{location}");
    let usual = [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "response_type",
        "state",
    ];
    let mut asked: Vec<_> = url.query_pairs().into_owned().collect();
    asked.retain(|(name, _)| !usual.contains(&name.as_str()));
    asked.sort();
    asked
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|&(name, value)| (name.into(), value.into()))
        .collect()
}

#[tokio::test]
async fn every_option_reaches_authkit_by_link_by_start_and_as_a_response() {
    let app = app().start().await;
    for (index, (_, expected)) in SETTERS.iter().enumerate() {
        let link = app.ask(&format!("/link/{index}"), "").await.json();
        let link = link["url"].as_str().expect("a url").to_owned();
        let prefix = format!("{}/sign-in?return_to=%2Fme%3Ftab%3D1", app.origin);
        assert!(link.starts_with(&prefix), "{link}");
        for address in [link, format!("/start/{index}"), format!("/respond/{index}")] {
            let mut browser = app.browser();
            let start = browser.get(&address).await;
            assert_eq!(start.status, 302, "{address}");
            assert_eq!(asked(&start), owned(expected), "{address}");
            assert_eq!(browser.cookie_names().len(), 1, "{address}");
        }
    }
}

#[tokio::test]
async fn a_link_sets_no_cookie_and_shows_no_option() {
    let app = app().start().await;
    for index in 1..SETTERS.len() {
        let page = app.browser().get(&format!("/link/{index}")).await;
        assert!(page.set_cookies().is_empty(), "{page:?}");
        for hint in ["acme", "example.com", "inv", "conn_1", "GoogleOAuth"] {
            assert!(!page.body.contains(hint), "{}", page.body);
        }
    }
}

#[tokio::test]
async fn a_link_leads_through_the_sign_in_and_back() {
    let app = app().start().await;
    let mut browser = app.browser();
    let link = browser.get("/link/0").await.json();
    let start = browser.get(link["url"].as_str().expect("a url")).await;
    let callback = browser.authenticate(&start, "ada@example.com").await;
    let end = browser.get(&callback).await;
    assert_eq!(end.location(), Some(format!("{}/me?tab=1", app.origin)));
}

#[tokio::test]
async fn options_that_somebody_has_tampered_with_are_ignored() {
    let app = app().start().await;
    let link = app.ask("/link/1", "").await.json();
    let link = link["url"].as_str().expect("a url").to_owned();
    let (before, options) = link.split_once("options=").expect("sealed options");
    let middle = options.len() / 2;
    let flipped = if &options[middle..=middle] == "A" {
        "B"
    } else {
        "A"
    };
    let another_purpose = app.seal(&json!({"organization_id": "org_acme"}));
    for options in [
        format!("{}{flipped}{}", &options[..middle], &options[middle + 1..]),
        options[..options.len() - 1].to_owned(),
        "eyJvcmdhbml6YXRpb25faWQiOiJvcmdfYWNtZSJ9".to_owned(),
        another_purpose,
        String::new(),
        "%ff%00".to_owned(),
    ] {
        let start = app
            .browser()
            .get(&format!("{before}options={options}"))
            .await;
        assert_eq!(
            asked(&start),
            owned(&[("provider", "authkit")]),
            "{options}"
        );
    }
}

#[tokio::test]
async fn a_sign_up_link_asks_for_the_sign_up_screen() {
    let app = app().start().await;
    let mut browser = app.browser();
    let link = browser.get("/sign-up-link").await.body;
    assert!(
        link.starts_with(&format!("{}/sign-up?", app.origin)),
        "{link}"
    );
    let expected = [
        ("login_hint", "new@example.com"),
        ("provider", "authkit"),
        ("screen_hint", "sign-up"),
    ];
    assert_eq!(asked(&browser.get(&link).await), owned(&expected));
}

#[tokio::test]
async fn a_custom_state_that_is_too_large_is_an_error_when_the_url_is_built() {
    let app = app().start().await;
    // The quotes of JSON count.
    for (size, is_error) in [(1022, false), (1023, true), (100_000, true)] {
        let answer = app.ask(&format!("/sealed/{size}"), "").await;
        assert_eq!(answer.status >= 400, is_error, "{size}");
    }
    let link = app.ask("/sealed/1022", "").await.body;
    let mut browser = app.browser();
    let start = browser.get(&link).await;
    let callback = browser.authenticate(&start, "ada@example.com").await;
    assert_eq!(browser.get(&callback).await.status, 303);
}

#[tokio::test]
async fn a_link_returns_to_this_site_only() {
    let app = app().start().await;
    for hostile in ["//evil.example", "https://evil.example/", "evil"] {
        let link = app.ask(&format!("/return/{hostile}"), "").await.body;
        assert!(!link.contains("evil"), "{link}");
    }
    let link = app.ask("/return//me", "").await.body;
    assert!(link.ends_with("?return_to=%2Fme"), "{link}");
}

#[tokio::test]
async fn in_an_unclaimed_environment_a_nonce_goes_along() {
    let app = app()
        .authkit(|it| it.claim_token("claim-token-1"))
        .start()
        .await;
    let nonce = Fault::json(200, json!({"nonce": "n/1 & more"}));
    app.emulator.fault(Endpoint::Other, nonce);
    let expected = [("claim_nonce", "n/1 & more"), ("provider", "authkit")];
    assert_eq!(
        asked(&app.browser().get("/sign-in").await),
        owned(&expected)
    );
    for page in ["/start/0", "/respond/0", "/me"] {
        let mut browser = app.browser();
        let start = browser.get(page).await;
        let start = match start.location() {
            Some(location) if location.starts_with(&app.origin) => browser.get(&location).await,
            _ => start,
        };
        assert_eq!(asked(&start), owned(&expected), "{page}");
    }
}

#[tokio::test]
async fn a_page_is_returned_to_in_an_unclaimed_environment_too() {
    let app = app()
        .authkit(|it| it.claim_token("claim-token-2"))
        .start()
        .await;
    app.emulator.fault(
        Endpoint::Other,
        Fault::json(200, json!({"nonce": "n"})).times(1),
    );
    let mut browser = app.browser();
    let first = browser.get("/me?tab=2").await;
    let start = match first.location() {
        Some(location) if location.starts_with(&app.origin) => browser.get(&location).await,
        _ => first,
    };
    let callback = browser.authenticate(&start, "ada@example.com").await;
    let end = browser.get(&callback).await;
    assert_eq!(end.location(), Some(format!("{}/me?tab=2", app.origin)));
}

#[tokio::test]
async fn an_environment_that_was_claimed_goes_on_in_silence() {
    let log = Log::capture();
    let app = app()
        .authkit(|it| it.claim_token("claim-token-3"))
        .start()
        .await;
    app.emulator.fault(Endpoint::Other, Fault::Status(409));
    let before = log.lines_with("claim nonce").len();
    let start = app.browser().get("/sign-in").await;
    assert_eq!(asked(&start), owned(&[("provider", "authkit")]));
    // The tests beside this one fail on purpose, with other statuses.
    let lines = log.lines_with("claim nonce");
    let about_409 = |line: &&String| line.contains("409");
    assert!(
        !lines[before..].iter().any(|line| about_409(&line)),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_nonce_that_cannot_be_had_keeps_nobody_from_signing_in() {
    let log = Log::capture();
    let app = app()
        .authkit(|it| it.claim_token("claim-token-4"))
        .start()
        .await;
    for fault in [
        Fault::Status(500),
        Fault::Status(401),
        Fault::Reset,
        Fault::Hang,
        Fault::Drip,
        Fault::Empty,
        Fault::json(200, json!({"nonce": 7})),
        Fault::json(200, json!([])),
    ] {
        let case = format!("{fault:?}");
        app.emulator.clear_faults();
        app.emulator.fault(Endpoint::Other, fault);
        let begun = Instant::now();
        let start = app.browser().get("/sign-in").await;
        assert!(begun.elapsed() < Duration::from_millis(2900), "{case}");
        assert_eq!(asked(&start), owned(&[("provider", "authkit")]), "{case}");
    }
    assert!(!log.lines_with("no claim nonce").is_empty());
    assert!(!log.contains("claim-token-4"));
}

/// An application that tenants reach by hosts of their own: here, by another name of this machine.
async fn with_tenant(choose: fn(&RequestInfo, &str) -> Option<String>) -> (TestApp, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let tenant = format!("http://localhost:{port}");
    let redirect_uri = format!("{tenant}/callback");
    let app = app()
        .listener(listener)
        .authkit(move |authkit| {
            let tenant = redirect_uri.clone();
            authkit.redirect_uri_for([redirect_uri], move |request| choose(request, &tenant))
        })
        .start()
        .await;
    (app, tenant)
}

#[tokio::test]
async fn the_callback_returns_to_the_origin_that_was_chosen_for_the_request() {
    let (app, tenant) = with_tenant(|request, tenant| {
        let host = request.host.as_deref()?;
        host.starts_with("localhost:").then(|| tenant.to_owned())
    })
    .await;
    for (origin, path) in [
        (&tenant, "/me"),
        (&app.origin, "/me"),
        (&tenant, "/sign-in"),
    ] {
        let mut browser = Browser::at(origin);
        let start = browser.get(path).await;
        let chosen = start.location_parameter("redirect_uri");
        assert_eq!(chosen, Some(format!("{origin}/callback")));
        let callback = browser.authenticate(&start, "ada@example.com").await;
        assert!(callback.starts_with(origin), "{callback}");
        let end = browser.get(&callback).await;
        let path = if path == "/me" { "/me" } else { "/" };
        assert_eq!(end.location(), Some(format!("{origin}{path}")));
        assert_eq!(browser.get("/me").await.body, "ada@example.com");
    }
}

#[tokio::test]
async fn a_tenants_links_and_sign_outs_stay_on_the_tenants_host() {
    let (app, tenant) = with_tenant(|request, tenant| {
        let host = request.host.as_deref()?;
        host.starts_with("localhost:").then(|| tenant.to_owned())
    })
    .await;
    for origin in [&tenant, &app.origin] {
        let mut browser = Browser::at(origin);
        let refused = browser.api("/me").await;
        assert_eq!(refused.status, 401);
        let address = refused.json()["sign_in_url"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            address.starts_with(&format!("{origin}/sign-in")),
            "{address}"
        );
        let start = browser.get(&address).await;
        let callback = browser.authenticate(&start, "ada@example.com").await;
        browser.get(&callback).await;
        assert_eq!(browser.get("/me").await.body, "ada@example.com");

        let headers = [("origin", origin.as_str()), ("accept", "text/html")];
        let end = browser
            .send(Method::POST, "/sign-out?return_to=/goodbye", &headers, "")
            .await;
        assert_eq!(end.status, 303, "{}", end.body);
        let return_to = end.location_parameter("return_to");
        assert_eq!(return_to, Some(format!("{origin}/goodbye")));
        let end = browser.send(Method::POST, "/sign-out", &headers, "").await;
        assert_eq!(end.location(), Some(format!("{origin}/")));
    }
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_listed_is_not_used() {
    let choices: [fn(&RequestInfo, &str) -> Option<String>; 5] = [
        |_, _| Some("https://evil.example/callback".to_owned()),
        |_, tenant| Some(format!("{tenant}?next=1")),
        |_, tenant| Some(tenant.replace("localhost", "LOCALHOST.evil.example")),
        |_, _| Some(String::new()),
        |_, _| None,
    ];
    for choose in choices {
        let (app, _) = with_tenant(choose).await;
        let start = app.browser().get("/sign-in").await;
        let used = start.location_parameter("redirect_uri");
        assert_eq!(used, Some(format!("{}/callback", app.origin)));
    }
}

#[tokio::test]
async fn what_strangers_write_into_the_host_chooses_no_address() {
    let (app, _) = with_tenant(|request, _| {
        let host = request.host.as_deref()?;
        Some(format!("http://{host}/callback"))
    })
    .await;
    let headers = [("accept", "text/html"), ("host", "evil.example")];
    let start = app
        .browser()
        .send(Method::GET, "/sign-in", &headers, "")
        .await;
    let used = start.location_parameter("redirect_uri");
    assert_eq!(used, Some(format!("{}/callback", app.origin)));
}

#[tokio::test]
async fn signed_out_documents_go_to_the_applications_own_login_page() {
    let app = app().authkit(|it| it.login_page("/login")).start().await;
    let mut browser = app.browser();
    let answer = browser.get("/me?tab=%201").await;
    let expected = format!("{}/login?return_to=%2Fme%3Ftab%3D%25201", app.origin);
    assert_eq!((answer.status, answer.location()), (302, Some(expected)));
    assert!(browser.cookie_names().is_empty());
    // It can be opened signed out, though its scope is protected.
    let page = browser.get("/login?return_to=%2Fme").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let call = browser.api("/me").await;
    assert_eq!(call.status, 401);
    // The sign-in routes go on to AuthKit.
    assert_eq!(
        asked(&browser.get("/sign-in").await),
        owned(&[("provider", "authkit")])
    );
}
