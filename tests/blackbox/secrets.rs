//! No secret in a log or in a `{:?}`, whatever happens.

use actix_web::{Responder, get, web};
use authkit_actix::{
    Auth, AuthKit, AuthStatus, AuthUser,
    emulator::{EmulatorUser, Endpoint, Fault, NewSession},
};
use authkit_tests::{Log, PASSWORD, TestApp, seal};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";
const EXPIRED: i64 = 400;

/// What must not be seen, with a name for each.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, name: &'static str, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 16, "{name} is too short to be searched for");
        self.0.push((name, secret));
    }

    /// What a session holds.
    fn add_session(&mut self, session: &Value) {
        for name in ["access_token", "refresh_token"] {
            let token = session[name].as_str().expect("a token");
            let signature = token.rsplit('.').next().expect("a part");
            self.add(name, signature);
        }
    }

    /// What a sealed session holds, and the sealed value.
    fn add_sealed(&mut self, app: &TestApp, sealed: &str) {
        self.add("cookie", &sealed[sealed.len() - 40..]);
        self.add("cookie", &sealed[..40]);
        self.add_session(&app.open(sealed));
    }

    fn are_not_in(&self, log: &Log) {
        for (name, secret) in &self.0 {
            let lines = log.lines_with(secret);
            assert!(lines.is_empty(), "{name} {secret} in {lines:#?}");
        }
    }

    fn are_not_within(&self, text: &str) {
        for (name, secret) in &self.0 {
            assert!(!text.contains(secret), "{name} {secret} in {text}");
        }
    }
}

/// A key that no other test has.
fn api_key() -> String {
    let marker = seal::seal(PASSWORD, "marker", b"");
    format!("sk_test_{}", marker.replace(['-', '_'], "x"))
}

async fn app(api_key: &str) -> TestApp {
    let (of_emulator, of_app) = (api_key.to_owned(), api_key.to_owned());
    TestApp::builder()
        .emulator(move |emulator| emulator.api_key(of_emulator))
        .authkit(move |authkit| authkit.api_key(of_app))
        .routes(shown_routes)
        .start()
        .await
}

#[get("/shown")]
async fn shown(
    user: AuthUser,
    auth: Auth,
    status: AuthStatus,
    maybe: Option<AuthUser>,
) -> impl Responder {
    format!(
        "{user:?}\n{auth:?}\n{status:?}\n{maybe:?}\n{:#?}",
        auth.sign_in_url()
    )
}

fn shown_routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    config
        .service(authkit.handle_auth())
        .service(authkit.routes())
        .service(shown)
        .route(
            ME,
            web::get().to(|user: AuthUser| async move { user.email.clone() }),
        )
        .route(
            "/account",
            web::get().to(|user: AuthUser| async move { user.email.clone() }),
        );
}

fn parameter(address: &str, name: &str) -> String {
    let url = Url::parse(address).expect("an address");
    let mut pairs = url.query_pairs();
    pairs
        .find(|(key, _)| key == name)
        .expect("a parameter")
        .1
        .into_owned()
}

#[tokio::test]
async fn a_whole_sign_in_its_refreshes_and_its_end_leave_no_secret_in_the_log() {
    let log = Log::capture();
    let api_key = api_key();
    let app = app(&api_key).await;
    let mut secrets = Secrets::default();
    secrets.add("api key", &api_key);
    secrets.add("password", PASSWORD);
    let mut browser = app.browser();

    let start = browser.get("/account").await;
    let state = start.location_parameter("state").expect("a state");
    secrets.add("state", &state[..40]);
    secrets.add("state", &state[state.len() - 40..]);
    let opened = seal::open(PASSWORD, seal::SIGN_IN_STATE, &state).expect("our own");
    let opened: Value = serde_json::from_slice(&opened).expect("JSON");
    secrets.add(
        "code verifier",
        opened["code_verifier"].as_str().expect("a verifier"),
    );

    let callback = browser.authenticate(&start, ADA).await;
    secrets.add("code", parameter(&callback, "code"));
    assert_eq!(browser.get(&callback).await.status, 303);
    secrets.add_sealed(&app, browser.cookie("wos-session").expect("a session"));

    for _ in 0..2 {
        app.clock.advance(EXPIRED);
        assert_eq!(browser.api(ME).await.status, 200);
        secrets.add_sealed(&app, browser.cookie("wos-session").expect("a session"));
    }
    // The Back button, and a sign-out.
    browser.get(&callback).await;
    let end = browser.submit("/sign-out", &[]).await;
    assert_eq!(end.status, 303);
    secrets.are_not_in(&log);
}

#[tokio::test]
async fn whatever_workos_answers_leaves_no_secret_in_the_log() {
    let log = Log::capture();
    let api_key = api_key();
    let app = app(&api_key).await;
    let mut secrets = Secrets::default();
    secrets.add("api key", &api_key);
    let echo = app.session(ADA);
    secrets.add_session(&echo);
    let hostile = echo["refresh_token"].as_str().expect("a token");
    for fault in [
        Fault::Status(500),
        Fault::Status(401),
        Fault::Reset,
        Fault::Truncate,
        Fault::WrongKey,
        Fault::Redirect(format!("http://127.0.0.1:1/?{hostile}")),
        Fault::json(
            200,
            json!({"access_token": hostile, "refresh_token": hostile, "user": hostile}),
        ),
        Fault::json(200, echo.clone()),
        Fault::json(
            400,
            json!({"error": "invalid_grant", "error_description": hostile}),
        ),
        Fault::json(400, json!({"error": "other", "error_description": hostile})),
        Fault::json(
            403,
            json!({"code": "sso_required", "message": hostile, "authkit_redirect_url": hostile}),
        ),
        Fault::json(
            422,
            json!({"message": hostile, "errors": [{"code": "x", "message": hostile}]}),
        ),
        Fault::Body {
            status: 502,
            content_type: "text/html".to_owned(),
            body: format!("<html>{hostile}</html>"),
        },
    ] {
        for endpoint in [Endpoint::AuthenticateRefresh, Endpoint::AuthenticateCode] {
            app.emulator.clear_faults();
            app.emulator.fault(endpoint, fault.clone());
            let mut browser = app.browser();
            if endpoint == Endpoint::AuthenticateCode {
                let start = browser.get("/sign-in").await;
                let state = start.location_parameter("state").expect("a state");
                secrets.add("state", &state[..40]);
                let callback = browser.authenticate(&start, ADA).await;
                secrets.add("code", parameter(&callback, "code"));
                let answer = browser.get(&callback).await;
                secrets.are_not_within(&answer.body);
            } else {
                let session = app.session(ADA);
                secrets.add_session(&session);
                browser.set_cookie("wos-session", &app.seal(&session));
                app.clock.advance(EXPIRED);
                let answer = browser.api(ME).await;
                secrets.are_not_within(&answer.body);
            }
        }
    }
    secrets.are_not_in(&log);
}

#[tokio::test]
async fn what_is_forged_is_not_repeated_in_the_log() {
    let log = Log::capture();
    let app = app(&api_key()).await;
    let mut secrets = Secrets::default();
    let session = app.session(ADA);
    let sealed = app.seal(&session);
    secrets.add_session(&session);
    secrets.add("cookie", &sealed[10..50]);
    let mut forged = session.clone();
    forged["access_token"] = json!(
        app.emulator
            .mint_with_unknown_key(app.claims(&session["access_token"]))
    );
    secrets.add_session(&forged);
    let mut claims = app.claims(&session["access_token"]);
    claims["sub"] = json!("user_grace");
    let mut of_another = session.clone();
    of_another["access_token"] = json!(app.emulator.mint(claims));
    secrets.add_session(&of_another);
    for cookies in [
        sealed[1..].to_owned(),
        format!("{sealed}A"),
        app.seal(&forged),
        app.seal(&of_another),
        seal::seal(
            PASSWORD,
            seal::SIGN_IN_STATE,
            session.to_string().as_bytes(),
        ),
        session["access_token"]
            .as_str()
            .expect("a token")
            .to_owned(),
    ] {
        let answer = app.ask(ME, &format!("wos-session={cookies}")).await;
        assert!(matches!(answer.status, 401 | 503), "{answer:?}");
    }
    let doubled = format!(
        "wos-session={sealed}; wos-session={}",
        app.seal(&app.session(ADA))
    );
    app.ask(ME, &doubled).await;
    let address = format!(
        "/callback?code={}&state={}",
        &sealed[10..60],
        &sealed[10..80]
    );
    let headers = [
        ("authorization", sealed.as_str()),
        ("x-api-key", &sealed[10..90]),
    ];
    app.browser()
        .send(Method::GET, &address, &headers, "")
        .await;
    secrets.are_not_in(&log);
}

#[tokio::test]
async fn nothing_public_shows_a_secret_when_it_is_printed() {
    let api_key = api_key();
    let app = app(&api_key).await;
    let mut secrets = Secrets::default();
    secrets.add("api key", &api_key);
    secrets.add("password", PASSWORD);
    let session = NewSession::new(ADA).impersonated_by("operator@example.com", "ticket 7");
    let session = app.session(session);
    secrets.add_session(&session);
    let answer = app
        .ask("/shown", &format!("wos-session={}", app.seal(&session)))
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("AuthUser"), "{}", answer.body);
    secrets.are_not_within(&answer.body);

    let authkit = &app.authkit;
    let protected = authkit.middleware().protect();
    secrets.are_not_within(&format!("{authkit:?} {authkit:#?}"));
    secrets.are_not_within(&format!("{:#?} {:#?}", authkit.middleware(), protected));
    secrets.are_not_within(&format!(
        "{:#?} {:#?}",
        authkit.routes(),
        authkit.handle_auth()
    ));
    secrets.are_not_within(&format!("{:#?}", app.emulator));
    let builder = AuthKit::builder()
        .api_key(api_key.as_str())
        .cookie_password(PASSWORD)
        .previous_cookie_passwords([PASSWORD]);
    secrets.are_not_within(&format!("{builder:#?}"));
    let error = builder
        .client_id(api_key)
        .build()
        .expect_err("a wrong client id");
    secrets.are_not_within(&format!("{error} {error:#?}"));
}

#[tokio::test]
async fn the_log_says_what_became_of_a_session_without_a_secret() {
    let log = Log::capture();
    let app = TestApp::builder()
        .emulator(|emulator| emulator.user(EmulatorUser::new(ADA).id("user_in_the_log")))
        .start()
        .await;
    let cookie = app.cookie_of(ADA);
    app.clock.advance(EXPIRED);
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
    let lines = log.lines_with("user_in_the_log");
    let is_told = |line: &String| line.contains("authkit_actix") && line.contains("refreshed");
    assert!(lines.iter().any(is_told), "{lines:#?}");
}
