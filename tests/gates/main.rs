//! What a request may cost at most, in calls to WorkOS and in memory: counted, and so the same on every
//! machine. What it costs in time is measured by the benchmarks of the library.

use actix_web::{
    App, Error, HttpMessage as _, HttpRequest,
    dev::{Service, ServiceResponse},
    http::header::COOKIE,
    rt::System,
    test::{TestRequest, init_service},
    web,
};
use allocation_counter::{AllocationInfo, measure};
use authkit_actix::{AuthKit, AuthStatus, AuthUser, Clock as _, emulator::Endpoint};
use authkit_tests::TestApp;
use futures::{FutureExt as _, future::join_all};
use serde_json::{Value, json};

#[actix_web::test]
async fn a_thousand_requests_with_live_sessions_fetch_the_keys_once_and_ask_nothing_else() {
    let app = TestApp::start().await;
    let cookies: Vec<_> = (0..10).map(|number| cookie(&app, number)).collect();
    for cookie in cookies.iter().cycle().take(1000) {
        let answer = app.ask("/api/me", cookie).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(calls(&app), [1, 0, 0]);
}

#[actix_web::test]
async fn hostile_cookies_cause_no_call_and_strange_keys_one() {
    let app = TestApp::start().await;
    let good = cookie(&app, 1);
    app.ask("/api/me", &good).await;
    let hostile = [
        "wos-session=".to_owned(),
        format!("wos-session={}", "A".repeat(3000)),
        format!("{good}A"),
    ];
    for cookie in hostile.iter().cycle().take(99) {
        assert_eq!(app.ask("/api/me", cookie).await.status, 401);
    }
    assert_eq!(calls(&app), [1, 0, 0]);
    for number in 0..100 {
        let token = app.emulator.mint_with_unknown_key(claims(&app, number));
        let cookie = app.seal(&session(token, number));
        let answer = app.ask("/api/me", &format!("wos-session={cookie}")).await;
        assert_ne!(answer.status, 200, "{}", answer.body);
    }
    assert!(calls(&app)[0] <= 2, "{:?}", calls(&app));
    assert_eq!(calls(&app)[1..], [0, 0]);
}

#[actix_web::test]
async fn a_storm_of_requests_with_one_expired_session_makes_one_call() {
    let app = TestApp::start().await;
    let session = app.session("ada@example.com");
    let cookie = format!("wos-session={}", app.seal(&session));
    app.clock.advance(600);
    let requests: Vec<_> = (0..1000).map(|_| request(&cookie)).collect();
    let sessions = join_all(requests.iter().map(|request| app.authkit.session(request))).await;
    let is_signed_in = |status| matches!(status, AuthStatus::SignedIn(_));
    assert!(
        sessions
            .iter()
            .all(|session| is_signed_in(session.status()))
    );
    assert_eq!(calls(&app), [1, 1, 0]);
}

#[test]
fn a_check_allocates_a_few_times_and_a_public_route_less() {
    let (app, authkit) = started();
    let cookie = cookie(&app, 1);
    let of = |path: &str, cookie: &str| {
        System::new().block_on(async {
            let routes = |config: &mut web::ServiceConfig| {
                config
                    .route("/", web::get().to(async || "public"))
                    .route("/account", web::get().to(account));
            };
            let bare = init_service(App::new().configure(routes)).await;
            let ours = App::new().wrap(authkit.middleware()).configure(routes);
            let ours = init_service(ours).await;
            let get = |path| {
                let request = TestRequest::get().uri(path);
                request.insert_header((COOKIE, cookie)).to_request()
            };
            allocations(&ours, || get(path)) - allocations(&bare, || get("/"))
        })
    };
    let of_public = of("/", "");
    let of_public_with_a_session = of("/", &cookie);
    let of_a_check = of("/account", &cookie);
    println!("allocations: {of_public}, {of_public_with_a_session}, {of_a_check}");
    assert_eq!(of_public, 0);
    assert!(of_public_with_a_session <= 3, "{of_public_with_a_session}");
    assert!(of_a_check <= 11, "{of_a_check}");
}

#[test]
fn a_remembered_token_takes_less_than_its_bound_and_goes_after_its_end() {
    let (app, authkit) = started();
    let learn = |numbers: std::ops::Range<usize>| {
        let requests: Vec<_> = numbers
            .map(|number| request(&cookie(&app, number)))
            .collect();
        measure(|| {
            for request in &requests {
                assert!(is_signed_in(&authkit, request));
            }
        })
    };
    learn(0..10);
    let AllocationInfo { bytes_current, .. } = learn(10..10 + TOKENS);
    let per_token = bytes_current / TOKENS as i64;
    println!("{per_token} bytes for each remembered token");
    assert!((100..=1200).contains(&per_token), "{per_token}");

    // An hour later all of them have ended, and the next new session sweeps them out.
    app.clock.advance(3600);
    let AllocationInfo { bytes_current, .. } = learn(5000..5001);
    assert!(bytes_current < -(TOKENS as i64) * 500, "{bytes_current}");
}

#[test]
fn a_session_that_was_seen_before_leaves_nothing_behind() {
    let (app, authkit) = started();
    let request = request(&cookie(&app, 1));
    assert!(is_signed_in(&authkit, &request));
    let left = measure(|| {
        for _ in 0..1000 {
            assert!(is_signed_in(&authkit, &request));
        }
    });
    assert_eq!((left.bytes_current, left.count_current), (0, 0));
}

/// An application with its keys fetched.
fn started() -> (TestApp, AuthKit) {
    System::new().block_on(async {
        let app = TestApp::start().await;
        let request = request(&cookie(&app, 0));
        let _ = app.authkit.session(&request).await;
        let authkit = app.authkit.clone();
        (app, authkit)
    })
}

async fn account(user: AuthUser) -> &'static str {
    assert_eq!(user.email, "ada@example.com");
    "account"
}

/// How often a request allocates once everything is warm.
fn allocations<S, R, B>(app: &S, request: impl Fn() -> R) -> i64
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
{
    let answer = |request| {
        let response = app.call(request).now_or_never();
        let response = response.expect("no wait").expect("a response");
        assert_eq!(response.status(), 200);
    };
    (0..3).for_each(|_| answer(request()));
    let request = request();
    let counted = measure(|| answer(request));
    counted.count_total.try_into().expect("a small number")
}

/// Nobody waits for anything, and nothing of the request is left.
fn is_signed_in(authkit: &AuthKit, request: &HttpRequest) -> bool {
    let session = authkit.session(request).now_or_never();
    let status = session.expect("no wait").status();
    request.extensions_mut().clear();
    matches!(status, AuthStatus::SignedIn(_))
}

fn request(cookie: &str) -> HttpRequest {
    TestRequest::default()
        .insert_header((COOKIE, cookie))
        .to_http_request()
}

/// Fetches of keys, refreshes, and everything else.
fn calls(app: &TestApp) -> [usize; 3] {
    let others = [
        Endpoint::AuthenticateCode,
        Endpoint::AuthenticateOrganization,
        Endpoint::ApiKeyValidation,
        Endpoint::Other,
    ];
    let calls = |endpoint| app.emulator.calls(endpoint);
    [
        calls(Endpoint::Jwks),
        calls(Endpoint::AuthenticateRefresh),
        others.into_iter().map(calls).sum(),
    ]
}

fn cookie(app: &TestApp, number: usize) -> String {
    let token = app.emulator.mint(claims(app, number));
    format!("wos-session={}", app.seal(&session(token, number)))
}

fn session(token: String, number: usize) -> Value {
    json!({
        "access_token": token,
        "refresh_token": number.to_string(),
        "user": {"id": format!("user_{number}"), "email": "ada@example.com"},
    })
}

/// As many claims as WorkOS usually makes.
fn claims(app: &TestApp, number: usize) -> Value {
    let now = app.clock.unix_seconds();
    json!({
        "iss": "https://api.workos.com/user_management/client_01HXYZ00000000000000000000",
        "sub": format!("user_{number}"),
        "sid": format!("session_01HXYZ{number:020}"),
        "jti": format!("01HXYZ{number:020}"),
        "iat": now,
        "exp": now + 300,
        "org_id": "org_01HXYZ00000000000000000000",
        "role": "admin",
        "roles": ["admin", "member"],
        "permissions": ["billing:manage", "posts:write", "posts:publish", "users:manage"],
        "entitlements": ["audit-logs", "sso"],
        "feature_flags": ["new-editor", "beta"],
    })
}

const TOKENS: usize = 1500;
