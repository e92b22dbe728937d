//! Callers without a browser: API keys and access tokens.

use std::{ops::Deref, time::Duration};

use actix_web::{HttpResponse, Responder, get, post, web};
use authkit_actix::{
    ApiKey, ApiKeyOwner, Auth, AuthKit, AuthUser, BearerUser, Caller, ProfileError,
    emulator::{EmulatorApiKey, Endpoint, Fault, NewSession},
    ensure_signed_in, require_api_key,
};
use authkit_tests::{Answer, Browser, Log, TestApp, TestAppBuilder, raw_exchange};
use reqwest::Method;
use serde_json::{Value, json};

#[get("/key")]
async fn whose_key(key: ApiKey) -> impl Responder {
    HttpResponse::Ok().json(key)
}

#[get("/maybe-key")]
async fn maybe_key(key: Option<ApiKey>) -> impl Responder {
    key.map_or("no key".to_owned(), |key| key.name)
}

#[get("/reports")]
#[require_api_key(permission = "reports:read")]
async fn reports(key: ApiKey) -> impl Responder {
    format!("reports of {}", key.organization_id().unwrap_or("nobody"))
}

#[require_api_key(any(permission = "reports:write", permission = "admin"))]
#[post("/reports")]
async fn write_report(report: web::Json<Value>) -> impl Responder {
    report
}

#[get("/me")]
#[ensure_signed_in(accept(session, bearer, api_key))]
async fn me(caller: Caller, user: Option<AuthUser>) -> impl Responder {
    let beside = user.map_or("nobody".to_owned(), |user| user.email.clone());
    let caller = match caller {
        Caller::User(user) => format!("user {}", user.email),
        Caller::Bearer(user) => format!("bearer {}", user.user_id()),
        Caller::ApiKey(key) => format!("key {}", key.id),
    };
    format!("{caller}, session of {beside}")
}

#[get("/me")]
#[ensure_signed_in(accept(session, bearer, api_key))]
async fn vault(caller: Caller, auth: Auth) -> impl Responder {
    format!("{:?} {}", caller.user_id(), auth.user().is_some())
}

#[get("/token-only")]
#[ensure_signed_in(accept(bearer))]
async fn token_only(user: BearerUser) -> impl Responder {
    HttpResponse::Ok().json(json!({
        "user_id": user.user_id(),
        "session_id": user.session_id(),
        "organization_id": user.organization_id(),
        "role": user.role(),
        "impersonator": user.impersonator(),
    }))
}

#[get("/bare-token")]
async fn bare_token(user: BearerUser) -> impl Responder {
    user.user_id().to_owned()
}

#[get("/profile")]
#[ensure_signed_in(accept(bearer))]
async fn profile(user: BearerUser) -> Result<impl Responder, ProfileError> {
    Ok(user.profile().await?.email.clone())
}

#[get("/admin")]
#[ensure_signed_in(accept(session, bearer, api_key), role = "admin")]
async fn admin() -> impl Responder {
    "admin"
}

#[get("/billing")]
#[ensure_signed_in(accept(bearer, api_key), permission = "billing:manage")]
async fn billing() -> impl Responder {
    "billing"
}

#[get("/danger")]
#[ensure_signed_in(accept(session, bearer, api_key), max_age = 300)]
async fn danger() -> impl Responder {
    "danger"
}

#[get("/session-only")]
#[ensure_signed_in]
async fn session_only(caller: Caller) -> impl Responder {
    format!("{:?}", caller.user_id())
}

#[get("/unguarded")]
async fn unguarded(caller: Caller) -> impl Responder {
    format!("{:?}", caller.user_id())
}

fn routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    let protected = authkit.middleware().protect().build();
    config
        .service(
            web::scope("/vault")
                .wrap(protected.expect("no patterns"))
                .service(vault),
        )
        .service((authkit.handle_auth(), authkit.routes()))
        .service((whose_key, maybe_key, reports, write_report, me, token_only))
        .service((bare_token, profile, admin, billing, danger))
        .service((session_only, unguarded));
}

fn app() -> TestAppBuilder {
    TestApp::builder().routes(routes).emulator(|emulator| {
        emulator
            .issue_api_key(
                EmulatorApiKey::of_organization("org_acme", KEY)
                    .id("api_key_reports")
                    .name("Reports")
                    .permission("reports:read"),
            )
            .issue_api_key(
                EmulatorApiKey::of_user("ada@example.com", ADAS_KEY).permission("billing:manage"),
            )
    })
}

/// The application, with connections that all its strangers share: a client takes long to make.
struct Service {
    app: TestApp,
    client: Browser,
}

impl Service {
    async fn start(app: TestAppBuilder) -> Self {
        let app = app.start().await;
        Self {
            client: app.browser(),
            app,
        }
    }

    fn stranger(&self) -> Browser {
        self.client.clone()
    }
}

impl Deref for Service {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

async fn call(browser: &mut Browser, path: &str, authorization: &str) -> Answer {
    let headers = [
        ("accept", "application/json"),
        ("authorization", authorization),
    ];
    browser.send(Method::GET, path, &headers, "").await
}

async fn with_key(app: &Service, path: &str, key: &str) -> Answer {
    call(&mut app.stranger(), path, &format!("Bearer {key}")).await
}

fn validations(app: &TestApp) -> usize {
    app.emulator.calls(Endpoint::ApiKeyValidation)
}

fn token(app: &TestApp, session: impl Into<NewSession>) -> String {
    let session = app.emulator.session_for(session).expect("a known user");
    session.access_token
}

fn challenge(answer: &Answer) -> (u16, &str) {
    let challenge = answer.header("www-authenticate");
    (answer.status, challenge.unwrap_or_default())
}

#[tokio::test]
async fn a_valid_key_is_let_in_with_its_owner_and_permissions() {
    let app = Service::start(app()).await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = call(&mut app.stranger(), "/key", &format!("{scheme} {KEY}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let key = answer.json();
        assert_eq!(key["id"], "api_key_reports");
        assert_eq!(key["name"], "Reports");
        assert_eq!(
            key["owner"],
            json!({"type": "organization", "id": "org_acme"})
        );
        assert_eq!(key["permissions"], json!(["reports:read"]));
        assert!(!answer.body.contains(KEY), "{}", answer.body);
    }
    assert_eq!(validations(&app), 3);
    let key: ApiKey = serde_json::from_str(&with_key(&app, "/key", ADAS_KEY).await.body)
        .expect("a key that was written can be read");
    let owner = ApiKeyOwner::User {
        id: "user_ada".to_owned(),
        organization_id: Some("org_acme".to_owned()),
    };
    assert_eq!(key.owner, owner);
}

#[tokio::test]
async fn a_guard_and_an_extractor_cost_one_call_together() {
    let app = Service::start(app()).await;
    let answer = with_key(&app, "/reports", KEY).await;
    assert_eq!(answer.body, "reports of org_acme");
    assert_eq!(validations(&app), 1);
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_without_a_call() {
    let app = Service::start(app()).await;
    let long = format!("Bearer {}", "x".repeat(64 * 1024));
    let jwt = format!("Bearer {}", token(&app, "ada@example.com"));
    for path in ["/key", "/reports"] {
        let missing = app.stranger().api(path).await;
        assert_eq!(challenge(&missing), (401, "Bearer"));
        assert_eq!(
            missing.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(missing.json()["code"], "credentials_missing");
        for (authorization, expected) in [
            ("", "Bearer"),
            ("Bearer", "Bearer"),
            ("Basic c2tfbGl2ZTo=", "Bearer"),
            (KEY, "Bearer"),
            (&long, "Bearer error=\"invalid_token\""),
            (&jwt, "Bearer error=\"invalid_token\""),
            ("Bearer sk live", "Bearer error=\"invalid_token\""),
            ("Bearer sk_\u{e4}", "Bearer error=\"invalid_token\""),
        ] {
            let answer = call(&mut app.stranger(), path, authorization).await;
            assert_eq!(challenge(&answer), (401, expected), "{authorization:.40}");
        }
        let two = raw_exchange(
            &app.origin,
            format!(
                "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Authorization: Bearer {KEY}\r\nAuthorization: Bearer {KEY}\r\n\r\n"
            )
            .as_bytes(),
        );
        assert!(two.starts_with("HTTP/1.1 401 "), "{two}");
    }
    assert_eq!(validations(&app), 0);
}

#[tokio::test]
async fn an_unknown_or_revoked_key_is_refused() {
    let app = Service::start(app()).await;
    let unknown = with_key(&app, "/key", "sk_live_unknown").await;
    assert_eq!(challenge(&unknown), (401, "Bearer error=\"invalid_token\""));
    assert_eq!(unknown.json()["code"], "invalid_token");
    assert_eq!(with_key(&app, "/key", KEY).await.status, 200);
    assert!(app.emulator.revoke_api_key(KEY));
    assert_eq!(with_key(&app, "/key", KEY).await.status, 401);
}

#[tokio::test]
async fn a_key_without_the_permission_gets_403_before_its_body_is_read() {
    let app = Service::start(app()).await;
    assert_eq!(with_key(&app, "/reports", ADAS_KEY).await.status, 403);
    for (authorization, expected) in [(format!("Bearer {KEY}"), 403), (String::new(), 401)] {
        let headers = [
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
        ];
        let answer = app
            .stranger()
            .send(Method::POST, "/reports", &headers, "{malformed")
            .await;
        assert_eq!(answer.status, expected, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_cookie_does_not_help_where_a_key_is_asked_for() {
    let app = Service::start(app()).await;
    let mut ada = app.with_session("ada@example.com");
    for path in ["/key", "/reports"] {
        assert_eq!(challenge(&ada.api(path).await), (401, "Bearer"));
        assert_eq!(ada.get(path).await.status, 401);
    }
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 0);
}

#[tokio::test]
async fn a_validator_that_is_down_lets_nobody_in_and_calls_nobody_invalid() {
    let app = Service::start(app()).await;
    for fault in [
        Fault::Status(500),
        Fault::Status(429),
        Fault::Status(401),
        Fault::Status(404),
        Fault::Status(422),
        Fault::Reset,
        Fault::Empty,
        Fault::Truncate,
        Fault::Oversize(2 << 20),
        Fault::GzipBomb,
        Fault::Redirect("https://example.com".to_owned()),
        Fault::json(200, json!({})),
        Fault::json(200, json!({"api_key": true})),
        Fault::json(200, json!({"valid": true, "api_key": {}})),
        Fault::Body {
            status: 200,
            content_type: "text/html".to_owned(),
            body: "<html>Welcome to the hotel</html>".to_owned(),
        },
    ] {
        let described = format!("{fault:?}");
        app.emulator.fault(Endpoint::ApiKeyValidation, fault);
        for path in ["/key", "/maybe-key", "/reports", "/me"] {
            let answer = with_key(&app, path, KEY).await;
            assert_eq!(answer.status, 503, "{described:.60} {path}");
            assert!(answer.header("retry-after").is_some(), "{described:.60}");
            assert_eq!(answer.json()["code"], "credentials_unavailable");
        }
        app.emulator.clear_faults();
        assert_eq!(with_key(&app, "/key", KEY).await.status, 200);
    }
}

#[tokio::test]
async fn a_validator_that_hangs_is_waited_for_five_seconds_at_most() {
    let app = Service::start(app()).await;
    app.emulator.fault(Endpoint::ApiKeyValidation, Fault::Hang);
    let started = std::time::Instant::now();
    assert_eq!(with_key(&app, "/key", KEY).await.status, 503);
    assert!(started.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn requests_at_once_with_one_key_share_a_call() {
    let app = Service::start(app()).await;
    let slow = Fault::Delay(Duration::from_millis(300));
    app.emulator.fault(Endpoint::ApiKeyValidation, slow);
    let calls = (0..50).map(|_| with_key(&app, "/reports", KEY));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(validations(&app), 1);
}

#[tokio::test]
async fn a_cached_key_costs_no_call_until_its_time_is_over() {
    let app =
        Service::start(app().authkit(|authkit| authkit.api_key_cache(Duration::from_secs(60))))
            .await;
    for _ in 0..3 {
        assert_eq!(with_key(&app, "/reports", KEY).await.status, 200);
        assert_eq!(with_key(&app, "/key", "sk_live_unknown").await.status, 401);
    }
    assert_eq!(validations(&app), 1 + 3, "only valid keys are kept");
    app.emulator
        .fault(Endpoint::ApiKeyValidation, Fault::Status(500));
    assert_eq!(with_key(&app, "/reports", KEY).await.status, 200);
    app.emulator.clear_faults();
    app.emulator.revoke_api_key(KEY);
    app.clock.advance(60);
    assert_eq!(with_key(&app, "/reports", KEY).await.status, 401);
}

#[tokio::test]
async fn each_credential_is_known_for_what_it_is() {
    let app = Service::start(app()).await;
    let mut ada = app.with_session("ada@example.com");
    assert_eq!(
        ada.api("/me").await.body,
        "user ada@example.com, session of ada@example.com"
    );
    let grace = token(&app, "grace@example.com");
    assert_eq!(
        with_key(&app, "/me", &grace).await.body,
        "bearer user_grace, session of nobody"
    );
    assert_eq!(
        with_key(&app, "/me", KEY).await.body,
        "key api_key_reports, session of nobody"
    );
}

#[tokio::test]
async fn an_authorization_header_wins_over_a_cookie_and_never_falls_back_to_it() {
    let app = Service::start(app()).await;
    let mut ada = app.with_session("ada@example.com");
    let grace = format!("Bearer {}", token(&app, "grace@example.com"));
    let answer = call(&mut ada, "/me", &grace).await;
    assert_eq!(answer.body, "bearer user_grace, session of nobody");
    assert!(answer.set_cookies().is_empty());
    let answer = call(&mut ada, "/me", &format!("Bearer {KEY}")).await;
    assert_eq!(answer.body, "key api_key_reports, session of nobody");
    for authorization in [
        "Bearer sk_live_unknown",
        "Basic c2tfbGl2ZTo=",
        "",
        "Bearer a.b.c",
    ] {
        let answer = call(&mut ada, "/me", authorization).await;
        assert_eq!(answer.status, 401, "{authorization}: {}", answer.body);
        assert!(answer.set_cookies().is_empty());
    }
    assert_eq!(ada.api("/me").await.status, 200, "the session lives on");
}

#[tokio::test]
async fn a_session_that_was_refreshed_before_the_guard_reaches_its_browser() {
    let app = Service::start(app()).await;
    let mut ada = app.with_session("ada@example.com");
    app.clock.advance(400);
    let grace = format!("Bearer {}", token(&app, "grace@example.com"));
    let answer = call(&mut ada, "/vault/me", &grace).await;
    assert_eq!(answer.body, "Some(\"user_grace\") false");
    assert!(answer.set_cookie("wos-session").is_some());
    assert_eq!(ada.api("/me").await.status, 200);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
    let alone = call(&mut app.stranger(), "/vault/me", &grace).await;
    assert_eq!(
        challenge(&alone),
        (401, "AuthKit"),
        "protect() is about sessions"
    );
}

#[tokio::test]
async fn an_authorization_header_is_not_looked_at_where_nobody_accepts_one() {
    let app = Service::start(app()).await;
    let grace = format!("Bearer {}", token(&app, "grace@example.com"));
    let mut ada = app.with_session("ada@example.com");
    for path in ["/session-only", "/unguarded"] {
        for authorization in [grace.as_str(), "Bearer garbage", "Basic eDp5"] {
            let answer = call(&mut ada, path, authorization).await;
            assert_eq!(answer.body, "Some(\"user_ada\")");
            let answer = call(&mut app.stranger(), path, authorization).await;
            assert_eq!(challenge(&answer), (401, "AuthKit"));
        }
    }
    assert_eq!(validations(&app), 0);
}

#[tokio::test]
async fn strangers_are_challenged_by_what_the_route_accepts() {
    let app = Service::start(app()).await;
    let mut stranger = app.stranger();
    for path in ["/me", "/admin", "/danger", "/billing", "/token-only"] {
        assert_eq!(
            challenge(&stranger.api(path).await),
            (401, "Bearer"),
            "{path}"
        );
    }
    assert_eq!(stranger.get("/me").await.status, 302, "people sign in");
    assert_eq!(stranger.get("/billing").await.status, 401);
}

#[tokio::test]
async fn an_access_token_says_who_comes_and_what_they_may() {
    let app = Service::start(app()).await;
    let ada = app.emulator.session_for(
        NewSession::new("ada@example.com").impersonated_by("root@workos.example", "a ticket"),
    );
    let ada = ada.expect("ada");
    let answer = with_key(&app, "/token-only", &ada.access_token).await;
    let expected = json!({
        "user_id": "user_ada",
        "session_id": ada.session_id,
        "organization_id": "org_acme",
        "role": "admin",
        "impersonator": {"email": "root@workos.example"},
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(
        with_key(&app, "/bare-token", &ada.access_token).await.body,
        "user_ada"
    );
    for path in ["/admin", "/billing", "/danger"] {
        assert_eq!(with_key(&app, path, &ada.access_token).await.status, 200);
    }
    let alan = token(&app, "alan@example.com");
    for path in ["/admin", "/billing"] {
        assert_eq!(with_key(&app, path, &alan).await.status, 403);
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_now_is_invalid() {
    let app = Service::start(app()).await;
    let now = authkit_actix::Clock::unix_seconds(&app.clock);
    let claims = |iat: i64, exp: i64| {
        json!({"sub": "user_ada", "sid": "session_1", "iat": iat, "exp": exp,
               "client_id": app.emulator.client_id()})
    };
    let mut foreign = claims(now, now + 300);
    foreign["client_id"] = json!("client_of_another");
    let good = app.emulator.mint(claims(now, now + 300));
    assert_eq!(with_key(&app, "/bare-token", &good).await.status, 200);
    let mut altered = good.clone();
    altered.replace_range(good.len() - 3..good.len() - 2, "_");
    for (what, token) in [
        ("expired", app.emulator.mint(claims(now - 400, now - 100))),
        ("early", app.emulator.mint(claims(now + 100, now + 400))),
        ("foreign", app.emulator.mint(foreign)),
        ("altered", altered),
        (
            "unsigned",
            app.emulator.mint_with(
                json!({"alg": "none", "kid": app.emulator.key_id()}),
                claims(now, now + 300),
            ),
        ),
        ("not a token", "a.b.c".to_owned()),
        ("a key", KEY.to_owned()),
    ] {
        for path in ["/bare-token", "/token-only"] {
            let answer = with_key(&app, path, &token).await;
            let expected = (401, "Bearer error=\"invalid_token\"");
            assert_eq!(challenge(&answer), expected, "{what}");
        }
    }
    assert_eq!(validations(&app), 0);
}

#[tokio::test]
async fn tokens_cannot_be_told_while_the_keys_are_out_of_reach() {
    let app = Service::start(app()).await;
    app.emulator.fault(Endpoint::Jwks, Fault::Status(500));
    let ada = token(&app, "ada@example.com");
    for path in ["/bare-token", "/token-only", "/me"] {
        let answer = with_key(&app, path, &ada).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 1);
}

#[tokio::test]
async fn an_api_key_has_no_role_and_is_no_recent_sign_in() {
    let app = Service::start(app()).await;
    assert_eq!(with_key(&app, "/billing", ADAS_KEY).await.status, 200);
    assert_eq!(with_key(&app, "/billing", KEY).await.status, 403);
    assert_eq!(with_key(&app, "/admin", ADAS_KEY).await.status, 403);
    let stale = with_key(&app, "/danger", ADAS_KEY).await;
    assert_eq!(challenge(&stale), (401, STALE));
}

#[tokio::test]
async fn a_token_of_an_old_sign_in_is_told_how_old_it_may_be() {
    let app = Service::start(app()).await;
    let now = authkit_actix::Clock::unix_seconds(&app.clock);
    for (auth_time, expected) in [
        (json!(now - 300), 200),
        (json!(now - 301), 401),
        (json!("yesterday"), 401),
        (Value::Null, 401),
    ] {
        let token = app.emulator.mint(json!({
            "sub": "user_ada", "sid": "session_1", "iat": now, "exp": now + 300,
            "auth_time": auth_time,
        }));
        let headers = [
            ("accept", "text/html"),
            ("sec-fetch-mode", "navigate"),
            ("authorization", &format!("Bearer {token}")),
        ];
        let answer = app
            .stranger()
            .send(Method::GET, "/danger", &headers, "")
            .await;
        assert_eq!(answer.status, expected, "{auth_time}");
        if expected == 401 {
            assert_eq!(challenge(&answer), (401, STALE));
            assert_eq!(answer.json()["max_age"], 300);
        }
    }
}

#[tokio::test]
async fn a_profile_is_fetched_on_demand_and_kept_where_wished() {
    let app =
        Service::start(app().authkit(|authkit| authkit.profile_cache(Duration::from_secs(60))))
            .await;
    let ada = token(&app, "ada@example.com");
    let fetches = || app.emulator.calls(Endpoint::Other);
    with_key(&app, "/token-only", &ada).await;
    assert_eq!(fetches(), 0);
    for _ in 0..3 {
        let answer = with_key(&app, "/profile", &ada).await;
        assert_eq!(answer.body, "ada@example.com");
    }
    assert_eq!(fetches(), 1);
    app.clock.advance(60);
    app.emulator.fault(Endpoint::Other, Fault::Status(401));
    let answer = with_key(&app, "/profile", &ada).await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    app.emulator.clear_faults();
    let other = Fault::json(
        200,
        json!({"id": "user_grace", "email": "grace@example.com"}),
    );
    app.emulator.fault(Endpoint::Other, other);
    assert_eq!(with_key(&app, "/profile", &ada).await.status, 503);
    app.emulator.clear_faults();
    let now = authkit_actix::Clock::unix_seconds(&app.clock);
    let ghost = app.emulator.mint(json!({
        "sub": "user_ghost", "sid": "session_1", "iat": now, "exp": now + 300,
    }));
    assert_eq!(with_key(&app, "/profile", &ghost).await.status, 403);
}

#[tokio::test]
async fn answers_to_machines_are_kept_in_no_cache() {
    let app = Service::start(app()).await;
    for answer in [
        with_key(&app, "/reports", KEY).await,
        with_key(&app, "/reports", ADAS_KEY).await,
        with_key(&app, "/reports", "sk_live_unknown").await,
    ] {
        let cache = answer.header("cache-control").unwrap_or_default();
        assert!(cache.contains("no-store"), "{cache}");
        assert!(answer.headers_joined("vary").contains("Authorization"));
    }
}

#[tokio::test]
async fn without_the_middleware_nobody_is_let_in() {
    let app = Service::start(app().without_middleware()).await;
    let ada = token(&app, "ada@example.com");
    for path in [
        "/key",
        "/reports",
        "/me",
        "/token-only",
        "/bare-token",
        "/unguarded",
    ] {
        for credential in [KEY, &ada] {
            let answer = with_key(&app, path, credential).await;
            assert_eq!(answer.status, 500, "{path}");
        }
    }
}

#[tokio::test]
async fn no_key_and_no_token_stands_in_a_log() {
    let log = Log::capture();
    let app = Service::start(app()).await;
    let ada = token(&app, "ada@example.com");
    for credential in [KEY, ADAS_KEY, "sk_live_marked_unknown", &ada] {
        for path in ["/me", "/reports", "/profile", "/danger"] {
            with_key(&app, path, credential).await;
        }
    }
    app.emulator
        .fault(Endpoint::ApiKeyValidation, Fault::Status(422));
    with_key(&app, "/key", KEY).await;
    for secret in [KEY, ADAS_KEY, "sk_live_marked_unknown", &ada] {
        assert!(!log.contains(secret), "a secret was logged");
    }
}

const KEY: &str = "sk_live_marked_reports_key_of_acme";
const ADAS_KEY: &str = "sk_live_marked_key_of_ada";
const STALE: &str = "Bearer error=\"insufficient_user_authentication\", max_age=300";
