use std::time::{Duration, Instant};

use actix_web::{HttpResponse, Responder, get, web};
use authkit_actix::{
    AuthKit, AuthUser, EvaluationContext, FeatureFlag, FeatureFlagsError,
    emulator::{EmulatorFlag, Endpoint, Fault, NewSession},
};
use authkit_tests::{Log, TestApp, TestAppBuilder};
use serde_json::json;

#[get("/flags")]
async fn all_flags(user: Option<AuthUser>, authkit: web::Data<AuthKit>) -> impl Responder {
    HttpResponse::Ok().json(authkit.feature_flags().all_flags(user.as_ref()))
}

#[get("/reports")]
async fn reports(user: AuthUser, authkit: web::Data<AuthKit>) -> impl Responder {
    if authkit.feature_flags().is_enabled("new-reports", &user) {
        "the new reports"
    } else {
        "the old reports"
    }
}

fn routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    config
        .app_data(web::Data::new(authkit.clone()))
        .service(all_flags)
        .service(reports);
}

fn app() -> TestAppBuilder {
    TestApp::builder().routes(routes).emulator(|emulator| {
        emulator
            .feature_flag(
                EmulatorFlag::new("new-reports")
                    .enabled(true)
                    .user("user_ada", false)
                    .organization("org_acme", true),
            )
            .feature_flag(EmulatorFlag::new("off").default_value(true))
            .feature_flag(EmulatorFlag::new("on").enabled(true).default_value(true))
    })
}

#[tokio::test]
async fn a_flag_is_evaluated_for_the_user_and_the_organization_of_the_session() {
    let app = app().start().await;
    let flags = app.authkit.feature_flags();
    flags.wait_until_ready(LONG).await.expect("flags");
    for (email, organization, page) in [
        ("grace@example.com", "org_acme", "the new reports"),
        ("grace@example.com", "org_globex", "the old reports"),
        ("ada@example.com", "org_acme", "the old reports"),
    ] {
        let session = NewSession::new(email).organization(organization);
        let answer = app.with_session(session).get("/reports").await;
        assert_eq!(answer.body, page, "{email} in {organization}");
    }
    let answer = app.browser().get("/flags").await;
    assert_eq!(
        answer.json(),
        json!({"new-reports": false, "off": false, "on": true})
    );
    assert!(!flags.is_enabled("unknown", EvaluationContext::new()));
}

#[tokio::test]
async fn one_client_serves_every_worker_and_no_request_calls_workos() {
    let app = app().workers(4).start().await;
    let flags = app.authkit.feature_flags();
    flags.wait_until_ready(LONG).await.expect("flags");
    let mut grace = app.with_session("grace@example.com");
    for _ in 0..20 {
        grace.get("/flags").await;
    }
    assert_eq!(app.emulator.calls(Endpoint::FeatureFlags), 1);
}

#[tokio::test]
async fn an_application_that_asks_for_no_flags_polls_none() {
    let app = TestApp::start().await;
    app.with_session("ada@example.com").get("/account").await;
    assert_eq!(app.emulator.calls(Endpoint::FeatureFlags), 0);
}

#[tokio::test]
async fn bootstrap_flags_hold_while_workos_is_down_and_its_first_answer_replaces_them() {
    let bootstrap = FeatureFlag::new("new-reports")
        .enabled(true)
        .default_value(true);
    let app = app()
        .authkit(|authkit| authkit.bootstrap_feature_flags([bootstrap]))
        .start()
        .await;
    app.emulator
        .fault(Endpoint::FeatureFlags, Fault::Status(503));
    let flags = app.authkit.feature_flags();
    let mut changes = flags.changes();
    assert_eq!(flags.wait_until_ready(Duration::ZERO).await, Ok(()));
    let answer = app.browser().get("/flags").await;
    assert_eq!(answer.json(), json!({"new-reports": true}));

    app.emulator.clear_faults();
    let slugs: Vec<String> = tokio::time::timeout(LONG, changes.changed())
        .await
        .expect("an answer after the outage")
        .into_iter()
        .flatten()
        .map(|change| change.slug)
        .collect();
    assert_eq!(slugs, ["new-reports", "off", "on"]);
    let answer = app.browser().get("/flags").await;
    assert_eq!(
        answer.json(),
        json!({"new-reports": false, "off": false, "on": true})
    );
}

#[tokio::test]
async fn a_wrong_api_key_ends_the_polling_with_one_error_in_the_log() {
    let log = Log::capture();
    let app = app()
        .authkit(|authkit| authkit.api_key("sk_wrong_key_of_the_flags_test"))
        .start()
        .await;
    let flags = app.authkit.feature_flags();
    assert_eq!(
        flags.wait_until_ready(LONG).await,
        Err(FeatureFlagsError::Unauthorized)
    );
    assert_eq!(flags.changes().changed().await, None);
    assert!(!flags.is_enabled("on", EvaluationContext::new()));
    assert_eq!(app.emulator.calls(Endpoint::FeatureFlags), 1);
    assert!(log.contains("WorkOS refuses the API key: feature flags stay as they are"));
    assert!(!log.contains("sk_wrong_key_of_the_flags_test"));
}

#[tokio::test]
async fn the_last_handle_of_an_authkit_takes_the_polling_with_it() {
    let app = app().routes(|_, _| ()).without_middleware().start().await;
    let authkit = AuthKit::builder()
        .emulator(&app.emulator)
        .cookie_password(authkit_tests::PASSWORD)
        .redirect_uri("http://localhost:3000/callback")
        .build()
        .expect("a right configuration");
    let flags = authkit.feature_flags().clone();
    flags.wait_until_ready(LONG).await.expect("flags");
    let started = Instant::now();
    drop(authkit);
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(flags.changes().changed().await, None);
    assert!(flags.is_enabled("on", EvaluationContext::new()));
}

#[tokio::test]
async fn the_emulator_puts_the_flags_that_are_on_into_tokens() {
    let app = TestApp::builder()
        .emulator(|emulator| {
            emulator.feature_flag(
                EmulatorFlag::new("early")
                    .enabled(true)
                    .user("user_ada", true),
            )
        })
        .start()
        .await;
    let flags = |email: &str| {
        let mut browser = app.with_session(email);
        async move { browser.api("/api/me").await.json()["feature_flags"].clone() }
    };
    assert_eq!(flags("ada@example.com").await, json!(["beta", "early"]));
    assert_eq!(flags("alan@example.com").await, json!([]));
    app.emulator.set_feature_flag(EmulatorFlag::new("early"));
    assert_eq!(flags("ada@example.com").await, json!(["beta"]));
}

const LONG: Duration = Duration::from_secs(20);
