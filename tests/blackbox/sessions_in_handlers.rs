use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use actix_web::{FromRequest, HttpRequest, Responder, ResponseError as _, get, post, web};
use authkit_actix::{
    Auth, AuthKit, AuthKitBuilder, AuthStatus, AuthUser, Authentication, Clock as _, RefreshError,
    RefreshFailureClass, RequestInfo, SaveSessionError,
    emulator::{
        EmulatorOrganization, EmulatorUser, Endpoint, Fault, FaultPlan, NewSession, StepUp,
    },
};
use authkit_tests::{Answer, Browser, TestApp, TestAppBuilder};
use futures::future::{join, join_all};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Serialize)]
struct Seen {
    email: Option<String>,
    organization: Option<String>,
    token: Option<String>,
}

fn seen(auth: &Auth) -> Seen {
    let user = auth.user();
    Seen {
        email: user.as_ref().map(|user| user.email.clone()),
        organization: user.and_then(|user| user.organization_id().map(str::to_owned)),
        token: auth.access_token(),
    }
}

#[get("/seen")]
async fn seen_page(auth: Auth) -> impl Responder {
    web::Json(seen(&auth))
}

#[post("/refresh")]
async fn refresh_page(auth: Auth) -> Result<impl Responder, RefreshError> {
    let before = auth.access_token();
    auth.refresh_session().await?;
    Ok(web::Json(json!([before, auth.access_token()])))
}

#[get("/switch/{organization}")]
async fn switch_page(
    auth: Auth,
    earlier: AuthUser,
    request: HttpRequest,
    organization: web::Path<String>,
) -> Result<impl Responder, RefreshError> {
    let switched = auth.switch_to_organization(&organization).await?;
    // Whoever asks from now on, of the same request.
    let later = <AuthUser as FromRequest>::extract(&request).await.ok();
    Ok(web::Json(json!({
        "earlier": earlier.organization_id(),
        "switched": switched.organization_id(),
        "role": switched.role(),
        "auth": auth.user().and_then(|user| user.organization_id().map(str::to_owned)),
        "later": later.as_ref().and_then(|user| user.organization_id()),
    })))
}

/// A handler that goes on when the switch fails, and says how.
#[get("/try/{organization}")]
async fn try_page(auth: Auth, organization: web::Path<String>) -> impl Responder {
    let switched = auth.switch_to_organization(&organization).await;
    let error = switched.err();
    let code = match &error {
        Some(RefreshError::StepUp(step_up)) => Some(step_up.code().to_owned()),
        _ => None,
    };
    web::Json(json!({
        "status": error.map(|error| error.status_code().as_u16()),
        "code": code,
        "organization": seen(&auth).organization,
    }))
}

#[get("/twice")]
async fn twice_page(auth: Auth) -> Result<impl Responder, RefreshError> {
    auth.refresh_session().await?;
    auth.switch_to_organization("org_globex").await?;
    auth.refresh_session().await?;
    Ok(web::Json(seen(&auth)))
}

#[get("/fails")]
async fn fails_page(auth: Auth) -> actix_web::Result<&'static str> {
    auth.switch_to_organization("org_globex").await?;
    Err(actix_web::error::ErrorInternalServerError("on purpose"))
}

#[get("/leave")]
async fn leave_page(auth: Auth, to: web::Query<To>) -> impl Responder {
    auth.sign_out().return_to(&to.to)
}

#[derive(Deserialize)]
struct To {
    to: String,
}

#[get("/recent/{seconds}")]
async fn recent_page(auth: Auth, seconds: web::Path<u64>) -> impl Responder {
    web::Json(auth.recent(Duration::from_secs(*seconds)))
}

#[derive(Serialize, Deserialize)]
struct Plan {
    plan: String,
}

#[get("/plan")]
async fn plan_page(auth: Auth) -> impl Responder {
    let plan = auth.claims::<Plan>();
    web::Json(plan.map(|plan| plan.map_err(|_| "unfit")))
}

#[post("/save")]
async fn save_page(
    auth: Auth,
    authentication: web::Json<Authentication>,
) -> Result<impl Responder, SaveSessionError> {
    let user = auth.save_session(authentication.into_inner()).await?;
    Ok(web::Json(json!([user.email.clone(), seen(&auth).email])))
}

#[get("/status")]
async fn status_page(status: AuthStatus) -> impl Responder {
    match status {
        AuthStatus::SignedIn(_) => "signed in",
        AuthStatus::SignedOut => "signed out",
        AuthStatus::CannotTell => "cannot tell",
    }
}

fn app() -> TestAppBuilder {
    TestApp::builder().routes(|authkit: &AuthKit, config: &mut web::ServiceConfig| {
        config
            .service(authkit.handle_auth())
            .service(authkit.routes())
            .service(seen_page)
            .service(refresh_page)
            .service(switch_page)
            .service(try_page)
            .service(twice_page)
            .service(fails_page)
            .service(leave_page)
            .service(recent_page)
            .service(plan_page)
            .service(save_page)
            .service(status_page);
    })
}

fn grace(app: &TestApp) -> Browser {
    app.with_session(NewSession::new("grace@example.com").organization("org_acme"))
}

fn refreshes(app: &TestApp) -> usize {
    app.emulator.calls(Endpoint::AuthenticateRefresh)
}

/// The session that a response sets, the only cookie of it.
fn new_session(app: &TestApp, answer: &Answer) -> Value {
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 1, "{answer:?}");
    app.open(&cookies[0].value)
}

#[tokio::test]
async fn a_handler_refreshes_the_session_and_everybody_sees_the_new_one() {
    let app = app().start().await;
    let mut ada = app.with_session("ada@example.com");
    app.clock.advance(1);
    let answer = ada.submit("/refresh", &[]).await;
    let tokens = answer.json();
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(new_session(&app, &answer)["access_token"], tokens[1]);
    assert_eq!(refreshes(&app), 1);
    assert_eq!(ada.get("/seen").await.json()["token"], tokens[1]);
}

#[tokio::test]
async fn a_switch_is_seen_by_later_readers_and_leaves_one_cookie() {
    let app = app().start().await;
    let mut grace = grace(&app);
    let answer = grace.get("/switch/org_globex").await;
    let expected = json!({
        "earlier": "org_acme", "switched": "org_globex", "role": "admin",
        "auth": "org_globex", "later": "org_globex",
    });
    assert_eq!(answer.json(), expected);
    let token = &new_session(&app, &answer)["access_token"];
    assert_eq!(app.claims(token)["org_id"], "org_globex");
    assert_eq!(
        grace.get("/seen").await.json()["organization"],
        "org_globex"
    );
}

#[tokio::test]
async fn several_changes_in_one_request_leave_one_cookie() {
    let app = app().start().await;
    let answer = grace(&app).get("/twice").await;
    let session = new_session(&app, &answer);
    assert_eq!(answer.json()["token"], session["access_token"]);
    assert_eq!(app.claims(&session["access_token"])["org_id"], "org_globex");
}

#[tokio::test]
async fn a_switch_reaches_the_browser_when_the_handler_fails_after_it() {
    let app = app().start().await;
    let answer = grace(&app).get("/fails").await;
    assert_eq!(answer.status, 500);
    let token = &new_session(&app, &answer)["access_token"];
    assert_eq!(app.claims(token)["org_id"], "org_globex");
}

fn demanding(step_up: StepUp) -> TestAppBuilder {
    app().emulator(move |emulator| {
        emulator
            .organization(EmulatorOrganization::new("org_acme", "Acme"))
            .organization(EmulatorOrganization::new("org_strict", "Strict").demands(step_up))
            .organization(EmulatorOrganization::new("org_globex", "Globex"))
            .user(
                EmulatorUser::new("grace@example.com")
                    .member_of("org_acme", "member")
                    .member_of("org_strict", "member"),
            )
    })
}

#[tokio::test]
async fn a_demanding_organization_is_reached_through_an_authorization_url() {
    for (step_up, code) in [
        (StepUp::Sso, "sso_required"),
        (StepUp::MfaEnrollment, "mfa_enrollment"),
    ] {
        let app = demanding(step_up).start().await;
        let mut grace = grace(&app);
        let document = grace.get("/switch/org_strict").await;
        assert_eq!(document.status, 302, "{}", document.body);
        let organization = document.location_parameter("organization_id");
        assert_eq!(organization.as_deref(), Some("org_strict"));
        assert!(document.set_cookie("wos-session").is_none(), "{document:?}");

        let call = grace.api("/switch/org_strict").await;
        assert_eq!(call.status, 401, "{}", call.body);
        assert!(call.json()["sign_in_url"].is_string(), "{}", call.body);
        assert!(call.set_cookies().is_empty(), "{call:?}");

        let told = grace.api("/try/org_strict").await.json();
        let expected = json!({"status": 401, "code": code, "organization": "org_acme"});
        assert_eq!(told, expected);
        assert_eq!(grace.api("/seen").await.json()["organization"], "org_acme");
    }
}

#[tokio::test]
async fn the_way_into_a_demanding_organization_comes_back_to_the_page() {
    let app = demanding(StepUp::Sso).start().await;
    let mut grace = grace(&app);
    let call = grace.api("/switch/org_strict").await.json();
    let link = call["sign_in_url"].as_str().expect("an address").to_owned();
    let start = grace.get(&link).await;
    let organization = start.location_parameter("organization_id");
    assert_eq!(organization.as_deref(), Some("org_strict"));
}

#[tokio::test]
async fn an_address_that_authkit_names_is_the_way_on() {
    let app = app().start().await;
    let mut grace = grace(&app);
    let address = format!("{}/user_management/authorize?x=1", app.emulator.api_url());
    let answer = json!({"code": "sso_required", "authkit_redirect_url": address});
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::json(403, answer));
    let document = grace.get("/switch/org_globex").await;
    assert_eq!(document.location(), Some(address), "{}", document.body);
    assert!(document.set_cookies().is_empty(), "{document:?}");
}

#[tokio::test]
async fn a_switch_that_fails_leaves_the_session_as_it_was() {
    let cases: [(&str, FaultPlan, u16); 7] = [
        ("500", Fault::Status(500).into(), 503),
        ("429", Fault::Status(429).into(), 503),
        ("401", Fault::Status(401).into(), 503),
        ("403", Fault::Status(403).into(), 503),
        ("reset", Fault::Reset.into(), 503),
        ("empty", Fault::Empty.into(), 503),
        (
            "ended",
            Fault::json(400, json!({"error": "invalid_grant"})).into(),
            401,
        ),
    ];
    for (case, plan, status) in cases {
        let app = app().start().await;
        let mut grace = grace(&app);
        app.emulator.fault(Endpoint::AuthenticateRefresh, plan);
        let answer = grace.api("/try/org_globex").await;
        let expected = json!({"status": status, "code": null, "organization": "org_acme"});
        assert_eq!(answer.json(), expected, "{case}");
        assert!(answer.set_cookies().is_empty(), "{case} {answer:?}");
        app.emulator.clear_faults();
        assert_eq!(
            grace.api("/seen").await.json()["organization"],
            "org_acme",
            "{case}"
        );
    }
}

#[tokio::test]
async fn a_foreign_organization_lets_nobody_in_and_ends_no_session() {
    let app = demanding(StepUp::Sso).start().await;
    let mut grace = grace(&app);
    for foreign in ["org_globex", "org_unknown", "%20", "x%0Ay"] {
        let answer = grace.api(&format!("/try/{foreign}")).await.json();
        assert_ne!(answer["status"], Value::Null, "{foreign}");
        assert_eq!(answer["organization"], "org_acme", "{foreign}");
    }
    assert_eq!(grace.api("/seen").await.json()["organization"], "org_acme");
    app.clock.advance(3600);
    assert_eq!(grace.api("/seen").await.json()["organization"], "org_acme");
}

#[tokio::test]
async fn nobody_can_refresh_or_switch_signed_out() {
    let app = app().start().await;
    assert_eq!(app.browser().submit("/refresh", &[]).await.status, 401);
    let answer = app.ask("/try/org_acme", "").await.json();
    assert_eq!(
        answer,
        json!({"status": 401, "code": null, "organization": null})
    );
    assert_eq!(refreshes(&app), 0);
}

#[tokio::test]
async fn a_switch_wins_over_twenty_renewals_and_nobody_is_signed_out() {
    for delay in [0, 20, 60] {
        let app = app().workers(2).start().await;
        let grace = grace(&app);
        app.clock.advance(3600);
        app.emulator.fault(
            Endpoint::AuthenticateRefresh,
            Fault::Delay(Duration::from_millis(40)),
        );
        let renewals = join_all((0..20).map(|_| {
            let mut browser = grace.clone();
            async move { browser.api("/seen").await }
        }));
        let mut switcher = grace.clone();
        let switch = async {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            switcher.api("/switch/org_globex").await
        };
        let (renewed, switched) = join(renewals, switch).await;
        assert!(
            renewed
                .iter()
                .all(|answer| answer.json()["email"] == "grace@example.com")
        );
        assert!(!renewed.iter().any(|answer| answer.removes("wos-session")));
        assert_eq!(switched.json()["switched"], "org_globex", "{delay}");
        let session = new_session(&app, &switched);
        assert_eq!(app.claims(&session["access_token"])["org_id"], "org_globex");
        app.emulator.clear_faults();
        // Whichever cookie the browser kept, a straggler's included, it is in that organization.
        app.clock.advance(30);
        let straggler = grace.clone().api("/seen").await;
        assert_eq!(straggler.json()["organization"], "org_globex", "{delay}");
        app.clock.advance(3600);
        let later = switcher.api("/seen").await;
        assert_eq!(later.json()["organization"], "org_globex", "{delay}");
    }
}

#[tokio::test]
async fn a_handler_signs_out_and_says_where_to_go() {
    let app = app()
        .authkit(|authkit| authkit.return_to_origins(["https://www.example.test"]))
        .start()
        .await;
    for (to, expected) in [
        ("/goodbye?x=1", Some(format!("{}/goodbye?x=1", app.origin))),
        (
            "https://www.example.test/bye",
            Some("https://www.example.test/bye".to_owned()),
        ),
        ("https://evil.example/", None),
        ("//evil.example/", None),
        ("javascript:alert(1)", None),
    ] {
        let mut ada = app.with_session("ada@example.com");
        let to: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
        let answer = ada.get(&format!("/leave?to={to}")).await;
        assert_eq!(answer.status, 303, "{to}");
        let logout = format!(
            "{}/user_management/sessions/logout?",
            app.emulator.api_url()
        );
        assert!(
            answer.location().is_some_and(|it| it.starts_with(&logout)),
            "{to}"
        );
        assert!(answer.location_parameter("session_id").is_some(), "{to}");
        assert_eq!(answer.location_parameter("return_to"), expected, "{to}");
        assert!(ada.cookie_names().is_empty(), "{to}");
        assert_eq!(ada.get("/status").await.body, "signed out");
    }
}

#[tokio::test]
async fn who_is_signed_out_already_goes_where_the_handler_says() {
    let app = app().start().await;
    let answer = app.browser().get("/leave?to=/goodbye").await;
    assert_eq!(answer.location(), Some(format!("{}/goodbye", app.origin)));
    let answer = app.browser().get("/leave?to=https://evil.example").await;
    assert_eq!(answer.location(), Some(format!("{}/", app.origin)));
}

#[tokio::test]
async fn a_handler_asks_how_recent_the_sign_in_is() {
    let app = app().start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    let signed_in_at = app.clock.unix_seconds();
    app.clock.advance(60);
    for (seconds, is_stale) in [(61, false), (60, false), (59, true)] {
        let recent = ada.api(&format!("/recent/{seconds}")).await.json();
        let expected = json!({"authenticated_at": signed_in_at, "is_stale": is_stale});
        assert_eq!(recent, expected, "{seconds}");
    }
    assert_eq!(app.ask("/recent/60", "").await.json(), Value::Null);
}

#[tokio::test]
async fn a_handler_reads_claims_of_its_own_and_the_token() {
    let app = app()
        .emulator(|emulator| {
            let ada = EmulatorUser::new("ada@example.com").claims(json!({"plan": "gold"}));
            let alan = EmulatorUser::new("alan@example.com").claims(json!({"plan": 7}));
            emulator.user(ada).user(alan)
        })
        .start()
        .await;
    let mut ada = app.with_session("ada@example.com");
    assert_eq!(
        ada.api("/plan").await.json(),
        json!({"Ok": {"plan": "gold"}})
    );
    let mut alan = app.with_session("alan@example.com");
    assert_eq!(alan.api("/plan").await.json(), json!({"Err": "unfit"}));
    assert_eq!(app.ask("/plan", "").await.json(), Value::Null);
    let token = ada.api("/seen").await.json()["token"].clone();
    assert_eq!(app.claims(&token)["plan"], "gold");
    assert_eq!(app.ask("/seen", "").await.json()["token"], Value::Null);
}

async fn save(browser: &mut Browser, session: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    browser
        .send(
            reqwest::Method::POST,
            "/save",
            &headers,
            &session.to_string(),
        )
        .await
}

#[tokio::test]
async fn a_session_of_another_flow_becomes_the_browsers() {
    let app = app().start().await;
    for mut browser in [app.browser(), app.with_session("grace@example.com")] {
        let session = app.session("ada@example.com");
        let answer = save(&mut browser, &session).await;
        assert_eq!(answer.json(), json!(["ada@example.com", "ada@example.com"]));
        let sealed = new_session(&app, &answer);
        assert_eq!(sealed["access_token"], session["access_token"]);
        assert_eq!(
            browser.api("/seen").await.json()["email"],
            "ada@example.com"
        );
        app.clock.advance(3600);
        assert_eq!(
            browser.api("/seen").await.json()["email"],
            "ada@example.com"
        );
    }
}

#[tokio::test]
async fn a_session_that_does_not_verify_is_not_saved() {
    let app = app().start().await;
    let ada = app.session("ada@example.com");
    let of_another = app.session("grace@example.com")["user"].clone();
    let with = |member: &str, value: Value| {
        let mut session = ada.clone();
        session[member] = value;
        session
    };
    let claims = app.claims(&ada["access_token"]);
    let mut expired = claims.clone();
    expired["exp"] = json!(app.clock.unix_seconds() - 60);
    for session in [
        with("user", of_another),
        with("access_token", json!("garbage")),
        with(
            "access_token",
            json!(app.emulator.mint_with_unknown_key(claims)),
        ),
        with("access_token", json!(app.emulator.mint(expired))),
    ] {
        let mut browser = app.with_session("alan@example.com");
        let answer = save(&mut browser, &session).await;
        assert_eq!(
            (answer.status, answer.set_cookies().len()),
            (502, 0),
            "{}",
            answer.body
        );
        assert_eq!(
            browser.api("/seen").await.json()["email"],
            "alan@example.com"
        );
        let authentication: Authentication = serde_json::from_value(session).expect("members");
        assert!(app.authkit.session_cookies(authentication).await.is_err());
    }
}

#[tokio::test]
async fn a_session_is_cookies_outside_a_request_too() {
    let app = app().start().await;
    let session = app.session("ada@example.com");
    let authentication: Authentication = serde_json::from_value(session).expect("a session");
    let cookies = app
        .authkit
        .session_cookies(authentication)
        .await
        .expect("genuine");
    assert_eq!(cookies.len(), 1);
    assert!(
        cookies[0].contains("; HttpOnly") && cookies[0].contains("; Path=/"),
        "attributes"
    );
    let pair = cookies[0].split(';').next().expect("a pair");
    let seen = app.ask("/seen", pair).await.json();
    assert_eq!(seen["email"], "ada@example.com");
}

/// What the session hooks have been told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Value>>>);

impl Told {
    fn note(&self, hook: &str, about: Value, request: &RequestInfo) {
        let note = json!([hook, about, request.method, request.path]);
        self.0.lock().expect("no test panics in here").push(note);
    }

    /// The notes, once there are so many of them; hooks run after the fact.
    async fn once(&self, count: usize) -> Vec<Value> {
        for _ in 0..100 {
            if self.0.lock().expect("no test panics in here").len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // One that is too much has its time to come.
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.0.lock().expect("no test panics in here").clone()
    }
}

fn noting(told: &Told) -> impl FnOnce(AuthKitBuilder) -> AuthKitBuilder + 'static {
    let told = [told.clone(), told.clone(), told.clone(), told.clone()];
    move |authkit| {
        let [refreshed, failed, signed_in, signed_out] = told;
        authkit
            .on_refreshed(move |user: AuthUser, request| {
                let organization = json!([user.email.clone(), user.organization_id()]);
                refreshed.note("refreshed", organization, &request);
                async {}
            })
            .on_refresh_failed(move |class: RefreshFailureClass, request| {
                failed.note("failed", json!(format!("{class:?}")), &request);
                async {}
            })
            .on_signed_in(move |user: AuthUser, request| {
                signed_in.note("signed in", json!(user.email.clone()), &request);
                async {}
            })
            .on_signed_out(move |user: AuthUser, request| {
                signed_out.note("signed out", json!(user.email.clone()), &request);
                async {}
            })
    }
}

#[tokio::test]
async fn each_hook_is_told_once_what_happened() {
    let told = Told::default();
    let app = app().authkit(noting(&told)).start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    app.clock.advance(3600);
    join_all((0..10).map(|_| {
        let mut browser = ada.clone();
        async move { browser.api("/seen").await }
    }))
    .await;
    ada.api("/seen").await;
    ada.get("/leave?to=/").await;
    let mut expected = [
        json!(["signed in", "ada@example.com", "GET", "/callback"]),
        json!(["refreshed", ["ada@example.com", "org_acme"], "GET", "/seen"]),
        json!(["signed out", "ada@example.com", "GET", "/leave"]),
    ]
    .map(|note| note.to_string());
    let mut notes: Vec<_> = told.once(3).await.iter().map(Value::to_string).collect();
    notes.sort();
    expected.sort();
    assert_eq!(notes, expected);
}

#[tokio::test]
async fn a_sign_out_by_the_ready_made_route_is_told_once() {
    for seconds in [0, 3600] {
        let told = Told::default();
        let app = app().authkit(noting(&told)).start().await;
        let mut ada = app.with_session("ada@example.com");
        app.clock.advance(seconds);
        ada.submit("/sign-out", &[]).await;
        let expected = json!(["signed out", "ada@example.com", "POST", "/sign-out"]);
        assert_eq!(told.once(1).await, [expected], "{seconds}");
    }
}

#[tokio::test]
async fn a_sign_out_of_nobody_is_not_told() {
    let told = Told::default();
    let app = app().authkit(noting(&told)).start().await;
    app.browser().get("/leave?to=/").await;
    app.browser().submit("/sign-out", &[]).await;
    app.with_session("ada@example.com").get("/leave?to=/").await;
    let expected = json!(["signed out", "ada@example.com", "GET", "/leave"]);
    assert_eq!(told.once(1).await, [expected]);
}

#[tokio::test]
async fn a_failed_refresh_is_told_with_its_class() {
    for (plan, class) in [
        (Fault::Status(503), "Unavailable"),
        (Fault::Status(401), "Unavailable"),
        (Fault::json(400, json!({"error": "invalid_grant"})), "Ended"),
        (Fault::json(403, json!({"code": "sso_required"})), "StepUp"),
    ] {
        let told = Told::default();
        let app = app().authkit(noting(&told)).start().await;
        let mut ada = app.with_session("ada@example.com");
        app.emulator.fault(Endpoint::AuthenticateRefresh, plan);
        app.clock.advance(3600);
        ada.api("/seen").await;
        let expected = json!(["failed", class, "GET", "/seen"]);
        assert_eq!(told.once(1).await, [expected]);
    }
}

type Hooks = fn(AuthKitBuilder) -> AuthKitBuilder;

async fn panic_later() {
    panic!("on purpose");
}

/// A sign-in, a refresh, a switch, a refused refresh and a sign-out, as if there were no hooks.
async fn assert_harmless(hooks: Hooks) {
    let app = app().authkit(hooks).start().await;
    let mut grace = signed_in_to_acme(&app).await;
    app.clock.advance(3600);
    let refreshed = grace.api("/seen").await;
    assert_eq!(refreshed.status, 200, "after a refresh: {}", refreshed.body);
    assert_eq!(refreshed.json()["email"], "grace@example.com");
    new_session(&app, &refreshed);
    let switched = grace.api("/switch/org_globex").await;
    assert_eq!(switched.status, 200, "after a switch: {}", switched.body);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    let failed = grace.api("/try/org_acme").await;
    assert_eq!(
        failed.json()["status"],
        503,
        "after a failure: {}",
        failed.body
    );
    let out = grace.get("/leave?to=/").await;
    assert_eq!(out.status, 303, "after a sign-out");
    assert!(grace.cookie_names().is_empty());
}

async fn signed_in_to_acme(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    let start = browser.get("/sign-in?organization_id=org_acme").await;
    let callback = browser.authenticate(&start, "grace@example.com").await;
    let end = browser.get(&callback).await;
    assert_eq!(end.status, 303, "after a sign-in: {}", end.body);
    browser
}

#[tokio::test]
async fn hooks_that_panic_while_they_run_harm_nothing() {
    assert_harmless(|authkit| {
        authkit
            .on_refreshed(|_, _| panic_later())
            .on_refresh_failed(|_, _| panic_later())
            .on_signed_in(|_, _| panic_later())
            .on_signed_out(|_, _| panic_later())
    })
    .await;
}

/// A panic of the closure itself, before there is a future.
fn panic_now() -> std::future::Ready<()> {
    panic!("on purpose");
}

#[tokio::test]
async fn a_signed_in_hook_that_panics_before_it_runs_harms_nothing() {
    assert_harmless(|authkit| authkit.on_signed_in(|_, _| panic_now())).await;
}

#[tokio::test]
async fn a_refreshed_hook_that_panics_before_it_runs_harms_nothing() {
    assert_harmless(|authkit| authkit.on_refreshed(|_, _| panic_now())).await;
}

#[tokio::test]
async fn a_session_that_has_ended_is_over_though_a_hook_panics_before_it_runs() {
    let app = app()
        .authkit(|authkit| authkit.on_refresh_failed(|_, _| panic_now()))
        .start()
        .await;
    let refused = Fault::json(400, json!({"error": "invalid_grant"}));
    app.emulator.fault(Endpoint::AuthenticateRefresh, refused);
    let mut ada = app.with_session("ada@example.com");
    app.clock.advance(3600);
    assert_eq!(ada.api("/status").await.body, "signed out");
}

#[tokio::test]
async fn a_refresh_failed_hook_that_panics_before_it_runs_harms_nothing() {
    assert_harmless(|authkit| authkit.on_refresh_failed(|_, _| panic_now())).await;
}

#[tokio::test]
async fn hooks_that_wait_for_long_delay_nobody() {
    let slow: Hooks = |authkit| {
        let wait = || tokio::time::sleep(Duration::from_secs(8));
        authkit
            .on_refreshed(move |_, _| wait())
            .on_refresh_failed(move |_, _| wait())
            .on_signed_in(move |_, _| wait())
            .on_signed_out(move |_, _| wait())
    };
    let done = tokio::time::timeout(Duration::from_secs(6), assert_harmless(slow));
    done.await.expect("no hook is waited for");
}

#[tokio::test]
async fn a_hook_that_blocks_its_thread_while_it_runs_delays_nobody() {
    let slow: Hooks = |authkit| {
        let block = || async { thread::sleep(Duration::from_secs(6)) };
        authkit
            .on_refreshed(move |_, _| block())
            .on_signed_in(move |_, _| block())
            .on_signed_out(move |_, _| block())
    };
    let done = tokio::time::timeout(Duration::from_secs(5), assert_harmless(slow));
    done.await.expect("no hook is waited for");
}

#[tokio::test]
async fn a_hook_that_blocks_before_it_runs_delays_nobody() {
    let slow: Hooks = |authkit| {
        let block = || {
            thread::sleep(Duration::from_secs(6));
            std::future::ready(())
        };
        authkit
            .on_refreshed(move |_, _| block())
            .on_signed_in(move |_, _| block())
            .on_signed_out(move |_, _| block())
    };
    let done = tokio::time::timeout(Duration::from_secs(5), assert_harmless(slow));
    done.await.expect("no hook is waited for");
}

#[tokio::test]
async fn a_signed_out_hook_that_panics_before_it_runs_leaves_nobody_signed_in() {
    assert_harmless(|authkit| authkit.on_signed_out(|_, _| panic_now())).await;
}
