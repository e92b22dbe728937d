use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{HttpRequest, HttpResponse, Responder, get};
use authkit_actix::{
    Admission, Auth, AuthKit, AuthUser, CallbackError, CallbackService, SignIn, SignInError,
    emulator::{EmulatorBuilder, EmulatorOrganization, EmulatorUser, Endpoint, Fault},
};
use authkit_tests::{Answer, Browser, TestApp, TestAppBuilder};
use futures::future::join_all;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[get("/me")]
async fn me(user: AuthUser) -> impl Responder {
    user.email.clone()
}

/// What the application gives a sign-in to carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Team {
    team: u32,
}

#[get("/with-team")]
async fn with_team(auth: Auth) -> Result<impl Responder, SignInError> {
    let url = auth.sign_in_url().return_to("/me?team");
    Ok(url.state(&Team { team: 7 })?.start())
}

/// An application whose callback has options.
fn with(
    options: impl Fn(CallbackService) -> CallbackService + Send + Sync + 'static,
) -> TestAppBuilder {
    TestApp::builder().routes(move |authkit: &AuthKit, config| {
        config
            .service(options(authkit.handle_auth()))
            .service(authkit.routes())
            .service(me)
            .service(with_team);
    })
}

/// Everything that hooks have been told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Value>>>);

impl Told {
    fn note(&self, what: Value) {
        self.0.lock().expect("no test panics in here").push(what);
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().expect("no test panics in here").clone()
    }
}

/// A browser that stands before the callback.
async fn arrive(app: &TestApp, path: &str, email: &str) -> (Browser, String) {
    let mut browser = app.browser();
    let start = browser.get(path).await;
    let callback = browser.authenticate(&start, email).await;
    (browser, callback)
}

fn sets_a_session(answer: &Answer) -> bool {
    let cookie = answer.set_cookie("wos-session");
    cookie.is_some_and(|cookie| !cookie.value.is_empty())
}

/// The ids of a user's sessions that WorkOS holds to be alive.
async fn live_sessions(app: &TestApp, user: &str) -> usize {
    let sessions = sessions(app, user).await;
    let sessions = sessions["data"].as_array().cloned().unwrap_or_default();
    let alive = |session: &&Value| session["status"] == "active";
    sessions.iter().filter(alive).count()
}

async fn sessions(app: &TestApp, user: &str) -> Value {
    let key = format!("Bearer {}", app.emulator.api_key());
    let path = format!("/user_management/users/{user}/sessions");
    Browser::at(app.emulator.api_url())
        .send(Method::GET, &path, &[("authorization", &key)], "")
        .await
        .json()
}

#[tokio::test]
async fn the_return_pathname_serves_sign_ins_that_have_no_page_of_their_own() {
    let app = with(|callback| callback.return_pathname("/welcome?new"))
        .start()
        .await;
    for (start, end) in [
        ("/sign-in", "/welcome?new"),
        ("/sign-in?return_to=/", "/welcome?new"),
        ("/sign-in?return_to=/me", "/me"),
    ] {
        let (mut browser, callback) = arrive(&app, start, "ada@example.com").await;
        let answer = browser.get(&callback).await;
        assert_eq!(
            answer.location(),
            Some(format!("{}{end}", app.origin)),
            "{start}"
        );
    }
}

#[tokio::test]
async fn a_return_pathname_that_leads_off_the_site_is_not_followed() {
    for hostile in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "evil",
    ] {
        let app = with(move |callback| callback.return_pathname(hostile))
            .start()
            .await;
        let (mut browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
        let answer = browser.get(&callback).await;
        assert_eq!(
            answer.location(),
            Some(format!("{}/", app.origin)),
            "{hostile}"
        );
    }
}

#[tokio::test]
async fn who_is_admitted_gets_a_session_and_who_is_refused_gets_none_anywhere() {
    let admit = |sign_in: SignIn| async move {
        match sign_in.user.email.as_str() {
            "ada@example.com" => Admission::Allow,
            _ => Admission::refuse("a <stranger>"),
        }
    };
    let app = with(move |callback| callback.on_authenticated(admit))
        .start()
        .await;
    let (mut ada, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    assert_eq!(ada.get(&callback).await.status, 303);
    assert_eq!(app.emulator.calls(Endpoint::Revoke), 0);

    let (mut alan, callback) = arrive(&app, "/sign-in", "alan@example.com").await;
    let refused = alan.get(&callback).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(!sets_a_session(&refused), "{:?}", refused.headers);
    assert!(alan.cookie_names().is_empty(), "{:?}", alan.cookie_names());
    let link = format!(
        "href=\"{}/user_management/sessions/logout?",
        app.emulator.api_url()
    );
    assert!(refused.body.contains(&link), "{}", refused.body);
    assert!(!refused.body.contains("stranger"), "{}", refused.body);
    assert_eq!(app.emulator.calls(Endpoint::Revoke), 1);
    assert_eq!(live_sessions(&app, "user_alan").await, 0);
    assert_eq!(live_sessions(&app, "user_ada").await, 1);
}

#[tokio::test]
async fn a_refusal_stands_when_workos_cannot_be_told() {
    let refuse = |_: SignIn| async { Admission::refuse("nobody") };
    let app = with(move |callback| callback.on_authenticated(refuse))
        .start()
        .await;
    app.emulator.fault(Endpoint::Revoke, Fault::Status(503));
    let (mut browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    let refused = browser.get(&callback).await;
    assert_eq!((refused.status, sets_a_session(&refused)), (403, false));
}

async fn assert_refused_and_ended(app: TestApp) {
    let (mut browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    let refused = browser.get(&callback).await;
    assert_eq!(
        (refused.status, sets_a_session(&refused)),
        (403, false),
        "{}",
        refused.body
    );
    assert_eq!(app.emulator.calls(Endpoint::Revoke), 1);
}

#[tokio::test]
async fn a_hook_that_panics_while_it_runs_refuses() {
    let panics = |_: SignIn| async { panic!("on purpose") };
    assert_refused_and_ended(with(move |it| it.on_authenticated(panics)).start().await).await;
}

#[tokio::test]
async fn a_hook_that_panics_before_it_runs_refuses() {
    let panics = |sign_in: SignIn| {
        assert!(sign_in.user.email.is_empty(), "on purpose");
        async { Admission::Allow }
    };
    assert_refused_and_ended(with(move |it| it.on_authenticated(panics)).start().await).await;
}

#[tokio::test]
async fn a_refusal_takes_no_older_session_away() {
    let refuse = |_: SignIn| async { Admission::refuse("nobody") };
    let app = with(move |callback| callback.on_authenticated(refuse))
        .start()
        .await;
    let mut browser = app.with_session("grace@example.com");
    let start = browser.get("/sign-in").await;
    let callback = browser.authenticate(&start, "ada@example.com").await;
    assert_eq!(browser.get(&callback).await.status, 403);
    assert_eq!(browser.get("/me").await.body, "grace@example.com");
}

#[tokio::test]
async fn the_success_hook_is_told_all_about_the_sign_in() {
    let told = Told::default();
    let notes = told.clone();
    let app = with(move |callback| {
        let notes = notes.clone();
        callback.on_success(move |sign_in: SignIn<Team>| {
            let tokens = sign_in.oauth_tokens.as_ref();
            notes.note(json!({
                "email": sign_in.user.email,
                "method": sign_in.user.authentication_method(),
                "session": sign_in.user.session_id().is_empty(),
                "organization": sign_in.organization_id,
                "provider": tokens.and_then(|tokens| tokens.provider.clone()),
                "scopes": tokens.and_then(|tokens| tokens.scopes.clone()),
                "team": sign_in.state,
                "path": sign_in.request.path,
                "method_of_request": sign_in.request.method,
                "user_agent": sign_in.request.user_agent,
                "shown": format!("{sign_in:?}").contains("oauth-secret"),
            }));
            async {}
        })
    })
    .emulator(|emulator| {
        let tokens = json!({
            "provider": "GoogleOAuth", "access_token": "oauth-secret-1",
            "refresh_token": "oauth-secret-2", "expires_at": 1_900_000_000, "scopes": ["mail"],
        });
        let ada = EmulatorUser::new("ada@example.com")
            .member_of("org_acme", "admin")
            .authentication_method("GoogleOAuth")
            .oauth_tokens(tokens)
            .password("password");
        emulator
            .organization(EmulatorOrganization::new("org_acme", "Acme"))
            .user(ada)
    })
    .start()
    .await;
    let (mut browser, callback) = arrive(&app, "/with-team", "ada@example.com").await;
    let headers = [("accept", "text/html"), ("user-agent", "Told/1.0")];
    let end = browser.send(Method::GET, &callback, &headers, "").await;
    assert_eq!(end.location(), Some(format!("{}/me?team", app.origin)));
    let expected = json!({
        "email": "ada@example.com", "method": "GoogleOAuth", "session": false,
        "organization": "org_acme", "provider": "GoogleOAuth", "scopes": ["mail"],
        "team": {"team": 7}, "path": "/callback", "method_of_request": "GET",
        "user_agent": "Told/1.0", "shown": false,
    });
    assert_eq!(told.all(), [expected]);
}

#[tokio::test]
async fn a_custom_state_of_another_type_or_none_is_none() {
    let told = Told::default();
    let notes = told.clone();
    let app = with(move |callback| {
        let notes = notes.clone();
        callback.on_success(move |sign_in: SignIn<Vec<String>>| {
            notes.note(json!(sign_in.state));
            async {}
        })
    })
    .start()
    .await;
    for start in ["/with-team", "/sign-in"] {
        let (mut browser, callback) = arrive(&app, start, "ada@example.com").await;
        assert_eq!(browser.get(&callback).await.status, 303, "{start}");
    }
    assert_eq!(told.all(), [Value::Null, Value::Null]);
}

async fn assert_sign_in_stands(app: TestApp) {
    let (mut browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    let end = browser.get(&callback).await;
    assert_eq!(end.status, 303, "{}", end.body);
    assert_eq!(browser.get("/me").await.body, "ada@example.com");
}

#[tokio::test]
async fn a_sign_in_stands_when_the_success_hook_fails() {
    let fails = |_: SignIn| async { Err::<(), _>("no database") };
    assert_sign_in_stands(with(move |it| it.on_success(fails)).start().await).await;
}

#[tokio::test]
async fn a_sign_in_stands_when_the_success_hook_panics_while_it_runs() {
    async fn panics(sign_in: SignIn) {
        assert!(sign_in.user.email.is_empty(), "on purpose");
    }
    assert_sign_in_stands(with(|it| it.on_success(panics)).start().await).await;
}

#[tokio::test]
async fn a_sign_in_stands_when_the_success_hook_panics_before_it_runs() {
    let panics = |sign_in: SignIn| {
        assert!(sign_in.user.email.is_empty(), "on purpose");
        async {}
    };
    assert_sign_in_stands(with(move |it| it.on_success(panics)).start().await).await;
}

#[tokio::test]
async fn the_hooks_run_once_for_twenty_callbacks() {
    let told = Told::default();
    let notes = told.clone();
    let app = with(move |callback| {
        let (admitted, succeeded) = (notes.clone(), notes.clone());
        callback
            .on_authenticated(move |_: SignIn| {
                admitted.note(json!("authenticated"));
                async { Admission::Allow }
            })
            .on_success(move |_: SignIn| {
                succeeded.note(json!("success"));
                tokio::time::sleep(Duration::from_millis(50))
            })
    })
    .workers(2)
    .start()
    .await;
    let (browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    let answers = join_all((0..20).map(|_| {
        let (mut browser, callback) = (browser.clone(), callback.clone());
        async move { browser.get(&callback).await }
    }))
    .await;
    assert!(
        answers
            .iter()
            .all(|it| it.status == 303 && sets_a_session(it))
    );
    assert_eq!(told.all(), ["authenticated", "success"]);
}

#[tokio::test]
async fn on_error_replaces_the_response_and_nothing_else() {
    let app = with(|callback| {
        callback.on_error(|error: &CallbackError, request: &HttpRequest| {
            HttpResponse::build(error.status())
                .insert_header(("x-code", error.code()))
                .insert_header(("cache-control", "public, max-age=60"))
                .body(format!("mine, at {}", request.path()))
        })
    })
    .start()
    .await;
    let (mut browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    let cancelled = format!("{}&error=access_denied", callback.replace("code=", "c="));
    let answer = browser.get(&cancelled).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (400, "mine, at /callback")
    );
    assert_eq!(answer.header("x-code"), Some("sign_in_cancelled"));
    assert!(
        browser.cookie_names().is_empty(),
        "{:?}",
        browser.cookie_names()
    );
    assert!(
        answer.headers_joined("cache-control").contains("no-store"),
        "{:?}",
        answer.headers
    );

    app.emulator
        .fault(Endpoint::AuthenticateCode, Fault::Status(500));
    let (mut browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    let answer = browser.get(&callback).await;
    assert_eq!(
        (answer.status, answer.header("x-code")),
        (502, Some("sign_in_failed"))
    );
}

#[tokio::test]
async fn on_error_hears_why_a_user_was_refused() {
    let app = with(|callback| {
        callback
            .on_authenticated(|_: SignIn| async { Admission::refuse("nobody") })
            .on_error(|error, _| HttpResponse::Ok().body(error.code()))
    })
    .start()
    .await;
    let (mut browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    let answer = browser.get(&callback).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "not_admitted"));
    assert!(!sets_a_session(&answer));
}

/// A callback behind a proxy that writes the browser's address into a header of its own.
fn behind_a_proxy(callback: CallbackService) -> CallbackService {
    callback.client_ip(|request| {
        let address = request.headers().get("x-proxy-address")?;
        address.to_str().ok()?.parse().ok()
    })
}

const FROM_THE_PROXY: [(&str, &str); 3] = [
    ("accept", "text/html"),
    ("sec-fetch-mode", "navigate"),
    ("x-proxy-address", "2001:db8::9"),
];

#[tokio::test]
async fn workos_is_told_the_address_that_the_application_says() {
    let app = with(behind_a_proxy).start().await;
    let (mut browser, callback) = arrive(&app, "/sign-in", "ada@example.com").await;
    browser
        .send(Method::GET, &callback, &FROM_THE_PROXY, "")
        .await;
    let sessions = sessions(&app, "user_ada").await;
    assert_eq!(sessions["data"][0]["ip_address"], "2001:db8::9");
}

fn choosing(emulator: EmulatorBuilder) -> EmulatorBuilder {
    emulator
        .organization_selection_at_exchange()
        .organization(EmulatorOrganization::new("org_acme", "Acme & <b>Sons</b>"))
        .organization(EmulatorOrganization::new("org_globex", "Globex"))
        .organization(EmulatorOrganization::new("org_foreign", "Foreign"))
        .user(
            EmulatorUser::new("grace@example.com")
                .id("user_grace")
                .member_of("org_acme", "member")
                .member_of("org_globex", "admin")
                .password("password"),
        )
}

#[get("/organization")]
async fn organization(user: AuthUser) -> impl Responder {
    user.organization_id().unwrap_or("none").to_owned()
}

/// A user before the choice of an organization, and the address of the page.
async fn before_the_choice(app: &TestApp, start: &str) -> (Browser, String) {
    let (mut browser, callback) = arrive(app, start, "grace@example.com").await;
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert!(!sets_a_session(&answer), "{:?}", answer.headers);
    let page = answer.location().expect("the page of the choice");
    (browser, page)
}

fn picker(
    options: impl Fn(CallbackService) -> CallbackService + Send + Sync + 'static,
) -> TestAppBuilder {
    TestApp::builder()
        .emulator(choosing)
        .routes(move |authkit: &AuthKit, config| {
            config
                .service(options(authkit.handle_auth()))
                .service(authkit.routes())
                .service(with_team)
                .service(me)
                .service(organization);
        })
}

const CHOICE: &str = "/authkit/select-organization";

async fn choose(browser: &mut Browser, organization_id: &str) -> Answer {
    let choice = [("organization_id", organization_id)];
    browser.submit(CHOICE, &choice).await
}

#[tokio::test]
async fn who_belongs_to_several_organizations_chooses_one_and_is_signed_in_to_it() {
    let app = picker(|callback| callback).start().await;
    let (mut grace, address) = before_the_choice(&app, "/sign-in?return_to=/organization").await;
    assert_eq!(address, format!("{}{CHOICE}", app.origin));
    let page = grace.get(&address).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(
        page.body.contains("Acme &amp; &lt;b&gt;Sons&lt;/b&gt;"),
        "{}",
        page.body
    );
    assert!(
        page.body.contains("Globex") && !page.body.contains("Foreign"),
        "{}",
        page.body
    );
    assert!(
        page.headers_joined("cache-control").contains("no-store"),
        "{:?}",
        page.headers
    );

    let end = choose(&mut grace, "org_globex").await;
    assert_eq!(end.status, 303, "{}", end.body);
    assert_eq!(end.location(), Some(format!("{}/organization", app.origin)));
    assert_eq!(grace.get("/organization").await.body, "org_globex");
    assert_eq!(grace.cookie_names(), ["wos-session"]);
}

#[tokio::test]
async fn the_pending_sign_in_is_sealed_for_ten_minutes_and_for_nothing_else() {
    let app = picker(|callback| callback).start().await;
    let (mut grace, callback) = arrive(&app, "/sign-in", "grace@example.com").await;
    let answer = grace.get(&callback).await;
    let pending = answer.set_cookies();
    let pending = pending
        .iter()
        .find(|cookie| !cookie.value.is_empty())
        .expect("a cookie");
    assert_eq!(pending.attribute("max-age"), Some("600"));
    assert_eq!(pending.attribute("httponly"), Some(""));
    assert_eq!(pending.attribute("path"), Some("/"));
    assert!(!pending.value.contains("pending"), "{}", pending.value);
    let as_session = format!("wos-session={}", pending.value);
    assert_eq!(app.ask("/me", &as_session).await.status, 401);
}

#[tokio::test]
async fn an_organization_that_was_not_offered_is_refused() {
    let app = picker(|callback| callback).start().await;
    let (mut grace, _) = before_the_choice(&app, "/sign-in").await;
    for foreign in ["org_foreign", "", "org_acme\0", "ORG_ACME"] {
        let answer = choose(&mut grace, foreign).await;
        assert!(
            answer.status < 500 && !sets_a_session(&answer),
            "{foreign} {answer:?}"
        );
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateOrganization), 0);
    let end = choose(&mut grace, "org_acme").await;
    assert_eq!(end.status, 303, "{}", end.body);
}

#[tokio::test]
async fn a_choice_that_another_site_sends_is_refused_and_costs_nothing() {
    let app = picker(|callback| callback).start().await;
    let (mut grace, _) = before_the_choice(&app, "/sign-in").await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    for headers in [
        vec![form, ("sec-fetch-site", "cross-site")],
        vec![form, ("sec-fetch-site", "same-site")],
        vec![form, ("origin", "https://evil.example")],
        vec![form, ("origin", "null")],
        vec![form],
    ] {
        let body = "organization_id=org_acme";
        let answer = grace.send(Method::POST, CHOICE, &headers, body).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.set_cookies().is_empty(), "{headers:?} {answer:?}");
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateOrganization), 0);
    let end = choose(&mut grace, "org_acme").await;
    assert_eq!(end.status, 303, "{}", end.body);
}

#[tokio::test]
async fn a_choice_is_open_for_ten_minutes() {
    for (seconds, status) in [(600, 303), (601, 400)] {
        let app = picker(|callback| callback).start().await;
        let (mut grace, _) = before_the_choice(&app, "/sign-in").await;
        app.clock.advance(seconds);
        let end = choose(&mut grace, "org_acme").await;
        assert_eq!(end.status, status, "{seconds} {}", end.body);
        assert_eq!(sets_a_session(&end), status == 303, "{seconds}");
        let is_gone = !grace
            .cookie_names()
            .iter()
            .any(|name| name.contains("pending"));
        assert!(is_gone, "{:?}", grace.cookie_names());
    }
}

#[tokio::test]
async fn the_choice_is_nobodys_without_its_cookie() {
    let app = picker(|callback| callback).start().await;
    for answer in [
        app.browser().get(CHOICE).await,
        choose(&mut app.browser(), "org_acme").await,
    ] {
        assert_eq!(
            (answer.status, sets_a_session(&answer)),
            (400, false),
            "{}",
            answer.body
        );
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateOrganization), 0);
}

#[tokio::test]
async fn a_choice_that_goes_wrong_signs_nobody_in() {
    for (fault, status) in [
        (Fault::Status(500), 502),
        (Fault::json(400, json!({"error": "invalid_grant"})), 400),
        (Fault::WrongKey, 502),
    ] {
        let app = picker(|callback| callback).start().await;
        let (mut grace, _) = before_the_choice(&app, "/sign-in").await;
        app.emulator
            .fault(Endpoint::AuthenticateOrganization, fault);
        let end = choose(&mut grace, "org_acme").await;
        assert_eq!(
            (end.status, sets_a_session(&end)),
            (status, false),
            "{}",
            end.body
        );
    }
}

#[tokio::test]
async fn the_hooks_run_and_the_custom_state_arrives_after_the_choice() {
    let told = Told::default();
    let notes = told.clone();
    let app = picker(move |callback| {
        let notes = notes.clone();
        callback
            .return_pathname("/welcome")
            .on_success(move |sign_in: SignIn<Team>| {
                notes.note(json!([sign_in.organization_id, sign_in.state]));
                async {}
            })
    })
    .start()
    .await;
    let (mut grace, _) = before_the_choice(&app, "/with-team").await;
    assert!(
        told.all().is_empty(),
        "before the choice nobody is signed in"
    );
    let end = choose(&mut grace, "org_acme").await;
    assert_eq!(end.location(), Some(format!("{}/me?team", app.origin)));
    assert_eq!(told.all(), [json!(["org_acme", {"team": 7}])]);

    let (mut grace, _) = before_the_choice(&app, "/sign-in").await;
    let end = choose(&mut grace, "org_acme").await;
    assert_eq!(end.location(), Some(format!("{}/welcome", app.origin)));
}

#[tokio::test]
async fn who_is_refused_after_the_choice_gets_no_session() {
    let app = picker(|callback| {
        callback.on_authenticated(|sign_in: SignIn| async move {
            match sign_in.organization_id.as_deref() {
                Some("org_acme") => Admission::Allow,
                _ => Admission::refuse("of another organization"),
            }
        })
    })
    .start()
    .await;
    let (mut grace, _) = before_the_choice(&app, "/sign-in").await;
    let end = choose(&mut grace, "org_globex").await;
    assert_eq!(
        (end.status, sets_a_session(&end)),
        (403, false),
        "{}",
        end.body
    );
    assert_eq!(app.emulator.calls(Endpoint::Revoke), 1);
}

#[tokio::test]
async fn workos_is_told_the_same_address_after_the_choice() {
    let app = picker(behind_a_proxy).start().await;
    let (mut grace, _) = before_the_choice(&app, "/sign-in").await;
    let mut headers = FROM_THE_PROXY.to_vec();
    headers.push(("sec-fetch-site", "same-origin"));
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    let end = grace
        .send(Method::POST, CHOICE, &headers, "organization_id=org_acme")
        .await;
    assert_eq!(end.status, 303, "{}", end.body);
    let sessions = sessions(&app, "user_grace").await;
    assert_eq!(sessions["data"][0]["ip_address"], "2001:db8::9");
}

#[tokio::test]
async fn a_choice_that_is_sent_twice_is_made_once() {
    let app = picker(|callback| callback).workers(2).start().await;
    let (grace, _) = before_the_choice(&app, "/sign-in").await;
    let answers = join_all((0..10).map(|_| {
        let mut grace = grace.clone();
        async move { choose(&mut grace, "org_acme").await }
    }))
    .await;
    assert!(
        answers
            .iter()
            .all(|it| it.status == 303 && sets_a_session(it))
    );
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateOrganization), 1);
}

/// The second name of this machine stands for a tenant's host.
#[tokio::test]
async fn the_choice_happens_on_the_origin_that_the_sign_in_comes_back_to() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let tenant = format!("http://localhost:{port}");
    let redirect_uri = format!("{tenant}/callback");
    let _app = picker(|callback| callback)
        .listener(listener)
        .authkit(move |authkit| {
            authkit.redirect_uri_for([redirect_uri.clone()], move |_| Some(redirect_uri.clone()))
        })
        .start()
        .await;
    let mut grace = Browser::at(&tenant);
    let start = grace.get("/sign-in?return_to=/organization").await;
    let callback = grace.authenticate(&start, "grace@example.com").await;
    let choice = grace.get(&callback).await;
    assert_eq!(choice.location(), Some(format!("{tenant}{CHOICE}")));
    let end = choose(&mut grace, "org_acme").await;
    assert_eq!(end.location(), Some(format!("{tenant}/organization")));
}

#[tokio::test]
async fn the_page_of_the_choice_may_be_the_applications_own() {
    let app = picker(|it| {
        it.organization_page(|choices, request| {
            let names: Vec<_> = choices.iter().map(|choice| choice.id.as_str()).collect();
            HttpResponse::Ok().body(format!("{} at {}", names.join(" "), request.path()))
        })
    })
    .start()
    .await;
    let (mut browser, page) = before_the_choice(&app, "/sign-in").await;
    let shown = browser.get(&page).await;
    assert_eq!(
        shown.body,
        "org_acme org_globex at /authkit/select-organization"
    );
    assert!(shown.headers_joined("cache-control").contains("no-store"));
    let chosen = [("organization_id", "org_globex")];
    let answer = browser.submit(&page, &chosen).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(browser.get("/organization").await.body, "org_globex");
}
