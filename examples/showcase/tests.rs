//! The showcase's own handlers, tested as an application tests its handlers: without an emulator, and
//! without a change to them.

use std::time::Duration;

use actix_http::Request;
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    http::StatusCode,
    test::{TestRequest, call_and_read_body_json, call_service, init_service, read_body},
    web,
};
use authkit_actix::{
    AuthKit,
    testing::{RouteInventory, SeenByStrangers, SignedIn as _, TestClock, TestUser},
};
use serde_json::{Value, json};

use crate::{api, pages, sign_ins::SignIns};

async fn showcase(
    authkit: AuthKit,
    more: fn(&mut web::ServiceConfig),
) -> impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
    let private = authkit
        .middleware()
        .protect()
        .unauthenticated_paths(["/private/open", "/private/docs/:path*"])
        .build()
        .expect("patterns");
    let app = App::new()
        .wrap(authkit.middleware())
        .app_data(web::Data::new(authkit.clone()))
        .app_data(web::Data::new(SignIns::default()))
        .service(authkit.handle_auth())
        .service(authkit.routes())
        .configure(pages::routes)
        .configure(|config| api::routes(config, false))
        .configure(more)
        .service(
            web::scope("/private")
                .wrap(private)
                .configure(pages::private),
        );
    init_service(app).await
}

fn authkit() -> AuthKit {
    let authkit = AuthKit::builder().testing().build();
    authkit.expect("a configuration for tests")
}

fn get(path: &str, user: &TestUser) -> Request {
    let request = TestRequest::get().uri(path);
    request.signed_in(user.clone()).to_request()
}

#[actix_web::test]
async fn every_guard_of_the_showcase_tells_who_may_pass() {
    let app = showcase(authkit(), |_| {}).await;
    let nobody_special = TestUser::new("alan@example.com");
    let ada = TestUser::new("ada@example.com")
        .organization("org_acme")
        .role("admin")
        .permission("billing:manage")
        .feature_flag("beta");
    for path in ["/admin", "/billing", "/beta", "/team"] {
        let answer = call_service(&app, get(path, &nobody_special)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        let answer = call_service(&app, get(path, &ada)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
}

#[actix_web::test]
async fn handlers_see_the_user_that_the_test_describes() {
    let app = showcase(authkit(), |_| {}).await;
    let ada = TestUser::new("ada@example.com")
        .name("Ada", "Lovelace")
        .profile(|user| user.external_id = Some("7".to_owned()))
        .organization("org_acme")
        .role("admin")
        .role("editor")
        .permission("posts:write")
        .entitlement("audit-logs")
        .feature_flag("beta")
        .claim("plan", "pro")
        .authentication_method("GoogleOAuth")
        .impersonated_by("support@example.com");
    let me: Value = call_and_read_body_json(&app, get("/api/me", &ada)).await;
    assert_eq!(me["user"]["email"], "ada@example.com");
    assert_eq!(me["user"]["external_id"], "7");
    assert_eq!(me["organization_id"], "org_acme");
    assert_eq!(me["role"], "admin");
    assert_eq!(me["roles"], json!(["admin", "editor"]));
    assert_eq!(me["permissions"], json!(["posts:write"]));
    assert_eq!(me["entitlements"], json!(["audit-logs"]));
    assert_eq!(me["feature_flags"], json!(["beta"]));
    assert_eq!(me["impersonator"]["email"], "support@example.com");
    assert_eq!(me["authentication_method"], "GoogleOAuth");
    let claims: Value = call_and_read_body_json(&app, get("/api/claims", &ada)).await;
    assert_eq!(claims["plan"], "pro");
    let page = read_body(call_service(&app, get("/", &ada)).await).await;
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("Signed in as ada@example.com"), "{page}");
    assert!(page.contains("support@example.com"), "{page}");
}

#[actix_web::test]
async fn an_old_sign_in_is_not_good_enough_for_danger() {
    let app = showcase(authkit(), |_| {}).await;
    let ada = TestUser::new("ada@example.com");
    for (minutes, status) in [(5, StatusCode::OK), (6, StatusCode::UNAUTHORIZED)] {
        let ada = ada.clone().signed_in_ago(Duration::from_secs(minutes * 60));
        let answer = call_service(&app, get("/danger", &ada)).await;
        assert_eq!(answer.status(), status, "{minutes}");
    }
}

#[actix_web::test]
async fn time_goes_on_when_the_test_says_so() {
    let clock = TestClock::now();
    let authkit = AuthKit::builder().testing().clock(clock.clone());
    let authkit = authkit.build().expect("a configuration for tests");
    let app = showcase(authkit.clone(), |_| {}).await;
    let ada = TestUser::new("ada@example.com").of_app(&authkit);
    let request = || get("/api/me", &ada);
    let asked_now = request();
    let answer = call_service(&app, request()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(2 * 3600));
    let answer = call_service(&app, asked_now).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    clock.turn_back(Duration::from_secs(2 * 3600));
    let answer = call_service(&app, get("/api/me", &ada.clone().expired())).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[actix_web::test]
async fn test_users_are_nobody_to_an_application_that_is_not_under_test() {
    let app = AuthKit::builder()
        .testing()
        .cookie_password("another password, of 32 characters")
        .build()
        .expect("a configuration");
    let app = showcase(app, |_| {}).await;
    let answer = call_service(&app, get("/api/me", &TestUser::new("ada@example.com"))).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_browser_can_be_given_the_session() {
    let ada = TestUser::new("ada@example.com").of_app(&authkit());
    let state = ada.storage_state();
    let cookie = &state["cookies"][0];
    assert_eq!(cookie["name"], "wos-session");
    assert_eq!(cookie["domain"], "localhost");
    assert_eq!(cookie["httpOnly"], true);

    let app = showcase(authkit(), |_| {}).await;
    let value = cookie["value"].as_str().expect("a value");
    let header = ("cookie", format!("wos-session={value}"));
    let request = TestRequest::get().uri("/api/me").insert_header(header);
    let me: Value = call_and_read_body_json(&app, request.to_request()).await;
    assert_eq!(me["user"]["email"], "ada@example.com");
}

#[actix_web::test]
async fn a_large_profile_is_spread_over_cookies_as_in_a_browser() {
    let app = showcase(authkit(), |_| {}).await;
    let ada = TestUser::new("ada@example.com").claim("plan", "x".repeat(6000));
    assert!(ada.cookie_header().contains("wos-session.1="));
    let answer = call_service(&app, get("/api/me", &ada)).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

/// What the showcase shows to everybody.
const PUBLIC: &[&str] = &[
    "/",
    "/link",
    "/fail",
    "/cached",
    "/public.txt",
    "/private/open",
    "/private/docs/{a}/{b}",
];

#[actix_web::test]
async fn no_route_of_the_showcase_lacks_its_guard() {
    let app = showcase(authkit(), |_| {}).await;
    let inventory = RouteInventory::introspect(&app).await;
    inventory.assert_public(PUBLIC);
    let seen = |path| {
        let mut routes = inventory.routes().iter();
        routes
            .find(|route| route.path == path)
            .map(|route| route.seen)
    };
    assert_eq!(seen("/account"), Some(SeenByStrangers::Nothing));
    assert_eq!(seen("/private"), Some(SeenByStrangers::Nothing));
    assert_eq!(seen("/api/keyed"), Some(SeenByStrangers::Nothing));
    assert_eq!(seen("/sign-in"), Some(SeenByStrangers::OwnRoute));
    assert_eq!(seen("/"), Some(SeenByStrangers::Answer(StatusCode::OK)));
    assert!(inventory.to_string().contains("guarded"), "{inventory}");
}

#[actix_web::test]
async fn a_route_without_its_guard_is_found() {
    let app = showcase(authkit(), |config| {
        let orders = web::get().to(async || "Everybody's orders");
        config.route("/orders/{id}", orders);
    })
    .await;
    let routes = [("GET", "/account"), ("GET", "/orders/{id}")];
    for inventory in [
        RouteInventory::introspect(&app).await,
        RouteInventory::of(&app, routes).await,
    ] {
        let check = || inventory.assert_public(PUBLIC);
        let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        let failure = failure.expect_err("the route is open");
        let message = failure.downcast_ref::<String>().expect("a message");
        assert!(message.contains("/orders/{id}"), "{message}");
        assert!(message.contains("open: 200 OK"), "{message}");
        assert!(!message.contains("/account"), "{message}");
    }
}

#[actix_web::test]
async fn a_route_that_cannot_be_reached_is_no_guarded_one() {
    let app = showcase(authkit(), |_| {}).await;
    let inventory = RouteInventory::of(&app, [("GET", "/misspelt"), ("PUT", "/account")]).await;
    for route in inventory.routes() {
        assert_eq!(route.seen, SeenByStrangers::Unreached, "{route}");
    }
}
