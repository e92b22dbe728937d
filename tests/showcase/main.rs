//! The showcase as it is started, looked at as a browser and as a program look at it.

mod live;

use std::{
    process::{Command, Output},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authkit_actix::emulator::{
    Emulator, EmulatorApiKey, EmulatorBuilder, EmulatorOrganization, EmulatorUser, Endpoint, Fault,
    NewSession,
};
use authkit_tests::{Answer, Browser, Program, free_port, seal, variables_at};
use serde_json::json;

/// The program in front of an emulator of the test.
struct Showcase {
    _program: Program,
    emulator: Emulator,
    origin: String,
}

impl Showcase {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        Self::in_front_of(Emulator::builder(), variables)
    }

    fn in_front_of(emulator: EmulatorBuilder, variables: &[(&str, &str)]) -> Self {
        let emulator = emulator.quiet().start().expect("an emulator");
        let mut command = showcase();
        command
            .envs(variables_at(free_port(), &emulator))
            .envs(variables.iter().copied());
        let (program, origin) = Program::start(&mut command, "Open ");
        Self {
            _program: program,
            emulator,
            origin,
        }
    }

    /// A browser that has been nowhere yet.
    fn browser(&self) -> Browser {
        Browser::at(&self.origin)
    }

    async fn signed_in(&self, email: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(email).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    /// A browser with a session that was made without a sign-in.
    fn with_session(&self, session: impl Into<NewSession>) -> Browser {
        let mut browser = self.browser();
        browser.set_cookie("wos-session", &seal::cookie(&self.emulator, session));
        browser
    }
}

fn showcase() -> Command {
    let mut command = Program::alone(env!("CARGO_BIN_EXE_showcase"));
    command.envs([("SHOWCASE_LOG", "warn"), ("SHOWCASE_WORKERS", "1")]);
    command
}

fn refused(variables: &[(&str, &str)]) -> String {
    let Output { status, stderr, .. } = showcase()
        .envs(variables.iter().copied())
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "{said}");
    said
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs() as i64
}

async fn post_json(browser: &mut Browser, path: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json")];
    let method = "POST".parse().expect("a method");
    browser.send(method, path, &headers, body).await
}

async fn get_as(browser: &mut Browser, path: &str, authorization: &str) -> Answer {
    let headers = [("authorization", authorization)];
    let method = "GET".parse().expect("a method");
    browser.send(method, path, &headers, "").await
}

// Pages

#[actix_web::test]
async fn strangers_are_offered_to_sign_in_and_the_signed_in_are_greeted() {
    let showcase = Showcase::start();
    let mut browser = showcase.browser();
    let home = browser.get("/").await;
    assert_eq!(home.status, 200);
    assert!(home.body.contains(r#"href="/sign-in""#));
    assert!(home.body.contains(r#"href="/sign-up""#));

    browser.sign_in("ada@example.com").await;
    let home = browser.get("/").await;
    assert!(home.body.contains("Signed in as ada@example.com"));
    assert!(home.body.contains(r#"action="/sign-out""#));

    let answer = browser.submit("/sign-out", &[]).await;
    assert_eq!(answer.status, 303);
    assert!(answer.removes("wos-session"));
    assert!(!browser.get("/").await.body.contains("ada@example.com"));
}

#[actix_web::test]
async fn the_account_page_switches_organizations() {
    let showcase = Showcase::start();
    let answer = showcase.browser().get("/account").await;
    assert_eq!(answer.status, 302);

    let mut browser =
        showcase.with_session(NewSession::new("grace@example.com").organization("org_acme"));
    let account = browser.get("/account").await;
    for text in [
        "grace@example.com",
        "Grace Hopper",
        "Acme",
        "Globex",
        "<dd>member</dd>",
    ] {
        assert!(account.body.contains(text), "{text}: {}", account.body);
    }

    let globex = [("organization_id", "org_globex")];
    let answer = browser.submit("/account/organization", &globex).await;
    assert_eq!(answer.location().as_deref(), Some("/account"));
    let account = browser.get("/account").await;
    assert!(account.body.contains("<dd>Globex</dd>"), "{}", account.body);
    assert!(account.body.contains("<dd>admin</dd>"));

    let fault = Fault::Status(500);
    showcase
        .emulator
        .fault(Endpoint::AuthenticateRefresh, fault);
    let acme = [("organization_id", "org_acme")];
    let answer = browser.submit("/account/organization", &acme).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("Nothing was switched"));
    let account = browser.get("/account").await;
    assert!(account.body.contains("<dd>Globex</dd>"));

    let answer = browser.submit("/account/organization", &[]).await;
    assert_eq!(answer.status, 400);
}

#[actix_web::test]
async fn the_account_page_stands_while_organizations_cannot_be_listed() {
    let showcase = Showcase::start();
    let mut browser = showcase.with_session("ada@example.com");
    browser.get("/account").await;
    let fault = Fault::Status(500);
    showcase.emulator.fault(Endpoint::Other, fault);
    let account = browser.get("/account").await;
    assert_eq!(account.status, 200);
    assert!(account.body.contains("cannot be listed"));
}

#[actix_web::test]
async fn an_impersonated_account_says_so() {
    let showcase = Showcase::start();
    let session = NewSession::new("ada@example.com")
        .impersonated_by("support@example.com", "a <b>ticket</b>");
    let account = showcase.with_session(session).get("/account").await;
    assert!(account.body.contains("is acting as"));
    assert!(account.body.contains("support@example.com"));
    let mut ada = showcase.with_session("ada@example.com");
    assert!(!ada.get("/account").await.body.contains("is acting as"));
}

#[actix_web::test]
async fn whatever_a_page_shows_is_text() {
    let emulator = Emulator::builder()
        .organization(EmulatorOrganization::new("org_x", "<script>1</script>"))
        .user(
            EmulatorUser::new("eve@example.com")
                .name("<script>", "\"onload=")
                .member_of("org_x", "<i>"),
        );
    let showcase = Showcase::in_front_of(emulator, &[]);
    let mut browser = showcase.with_session("eve@example.com");
    for path in [
        "/",
        "/account",
        "/start",
        "/team",
        "/private/docs/%3Cscript%3E/b",
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains("<script>"), "{path}: {}", page.body);
        assert!(!page.body.contains("<i>"), "{path}: {}", page.body);
    }
}

#[actix_web::test]
async fn each_guard_lets_in_whom_it_should() {
    let showcase = Showcase::start();
    let mut ada = showcase.with_session("ada@example.com");
    let mut alan = showcase.with_session("alan@example.com");
    for path in ["/admin", "/billing", "/beta", "/team"] {
        let stranger = showcase.browser().get(path).await;
        assert_eq!(stranger.status, 302, "{path}");
        assert_eq!(ada.get(path).await.status, 200, "{path}");
        assert_eq!(alan.get(path).await.status, 403, "{path}");
    }
    for path in ["/account", "/start", "/danger", "/private", "/private/join"] {
        assert_eq!(alan.get(path).await.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn strangers_sign_up_to_start() {
    let showcase = Showcase::start();
    for (path, hint) in [
        ("/start", Some("sign-up")),
        ("/private/join", Some("sign-up")),
        ("/private", None),
        ("/account", None),
    ] {
        let answer = showcase.browser().get(path).await;
        assert_eq!(answer.status, 302, "{path}");
        let given = answer.location_parameter("screen_hint");
        assert_eq!(
            given.filter(|it| it == "sign-up").as_deref(),
            hint,
            "{path}"
        );
    }
}

#[actix_web::test]
async fn the_private_scope_has_its_open_doors() {
    let showcase = Showcase::start();
    let mut browser = showcase.browser();
    for (path, status) in [
        ("/private/open", 200),
        ("/private/docs/a/b", 200),
        ("/private/unheard-of", 302),
        ("/private/docs/a%2fb", 302),
    ] {
        assert_eq!(browser.get(path).await.status, status, "{path}");
    }
    assert_eq!(browser.api("/private").await.status, 401);
}

#[actix_web::test]
async fn an_old_proof_of_identity_is_asked_for_again() {
    let lifetime = Duration::from_secs(3600);
    let emulator = Emulator::builder().access_token_lifetime(lifetime);
    let showcase = Showcase::in_front_of(emulator.clock(|| now() - 600), &[]);
    let mut browser = showcase.with_session("ada@example.com");
    let answer = browser.get("/danger").await;
    assert_eq!(answer.status, 302);
    assert_eq!(answer.location_parameter("max_age").as_deref(), Some("300"));
    assert_eq!(browser.api("/danger").await.status, 401);

    for (max_age, is_stale) in [
        ("300", true),
        ("900", false),
        ("18446744073709551615", false),
    ] {
        let recent = browser.api(&format!("/api/recent?max_age={max_age}")).await;
        assert_eq!(recent.json()["is_stale"], is_stale, "{max_age}");
        assert!(recent.json()["authenticated_at"].is_i64());
    }
    for query in [
        "",
        "?max_age",
        "?max_age=-1",
        "?max_age=1e9",
        "?max_age=18446744073709551616",
    ] {
        let answer = browser.api(&format!("/api/recent{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

// JSON

#[actix_web::test]
async fn programs_learn_who_is_signed_in() {
    let showcase = Showcase::start();
    let mut browser = showcase.browser();
    for path in ["/api/me", "/api/claims", "/api/recent", "/last-sign-in"] {
        assert_eq!(browser.api(path).await.status, 401, "{path}");
    }
    browser.sign_in("ada@example.com").await;
    let me = browser.api("/api/me").await.json();
    assert_eq!(me["user"]["email"], "ada@example.com");
    assert_eq!(me["organization_id"], "org_acme");
    assert_eq!(me["role"], "admin");
    assert_eq!(me["roles"], json!(["admin"]));
    assert_eq!(
        me["permissions"],
        json!(["billing:manage", "posts:read", "posts:write"])
    );
    assert_eq!(me["entitlements"], json!(["audit-logs"]));
    assert_eq!(me["feature_flags"], json!(["beta"]));
    assert_eq!(me["impersonator"], json!(null));
    assert_eq!(me["authentication_method"], "Password");

    let claims = browser.api("/api/claims").await.json();
    assert_eq!(claims["sub"], me["user"]["id"]);
    assert_eq!(claims["sid"], me["session_id"]);
    assert!(claims["exp"].is_i64() && claims["iss"].is_string());
}

#[actix_web::test]
async fn strangers_get_no_opinion_on_their_json() {
    let showcase = Showcase::start();
    let mut browser = showcase.browser();
    assert_eq!(post_json(&mut browser, "/api/echo", "{").await.status, 401);
    browser.sign_in("ada@example.com").await;
    assert_eq!(post_json(&mut browser, "/api/echo", "{").await.status, 400);
    let answer = post_json(&mut browser, "/api/echo", r#"{"a":[1]}"#).await;
    assert_eq!(answer.json(), json!({"a": [1]}));
}

#[actix_web::test]
async fn a_link_carries_its_options_to_authkit_and_back() {
    let showcase = Showcase::start();
    let mut browser = showcase.browser();
    let link = "/link?return_to=/team&organization_id=org_acme&login_hint=ada%40example.com\
                &prompt=login&state=tea%20%26%20cake&max_age=60&screen_hint=sign-up";
    let url = browser.api(link).await.json()["url"].clone();
    let url = url.as_str().expect("a URL");
    assert!(
        url.starts_with(&format!("{}/sign-up?", showcase.origin)),
        "{url}"
    );
    // Only what no base64url text can spell by chance.
    assert!(
        !url.contains("example.com") && !url.contains("tea%20"),
        "{url}"
    );

    let start = browser.get(url).await;
    for (name, value) in [
        ("organization_id", "org_acme"),
        ("login_hint", "ada@example.com"),
        ("prompt", "login"),
        ("max_age", "60"),
        ("screen_hint", "sign-up"),
    ] {
        assert_eq!(
            start.location_parameter(name).as_deref(),
            Some(value),
            "{name}"
        );
    }
}

#[actix_web::test]
async fn the_hook_of_each_session_got_the_state_of_its_sign_in() {
    let showcase = Showcase::start();
    let mut first = showcase.browser();
    let url = first.api("/link?state=tea&return_to=/team").await.json()["url"].clone();
    let start = first.get(url.as_str().expect("a URL")).await;
    let callback = first.authenticate(&start, "ada@example.com").await;
    let answer = first.get(&callback).await;
    assert!(answer.location().is_some_and(|it| it.ends_with("/team")));
    let mut second = showcase.signed_in("alan@example.com").await;

    let sign_in = first.api("/last-sign-in").await;
    assert_eq!(sign_in.json()["state"], "tea");
    assert_eq!(sign_in.json()["user"]["email"], "ada@example.com");
    assert_eq!(sign_in.json()["organization_id"], "org_acme");
    assert!(!sign_in.body.contains("token"), "{}", sign_in.body);
    let session = first.api("/api/me").await.json()["session_id"].clone();
    assert_eq!(sign_in.json()["session_id"], session);
    assert_eq!(
        second.api("/last-sign-in").await.json()["state"],
        json!(null)
    );

    let mut unknown = showcase.with_session("ada@example.com");
    assert_eq!(unknown.api("/last-sign-in").await.status, 404);
}

#[actix_web::test]
async fn nonsense_makes_no_link_and_no_failure() {
    let showcase = Showcase::start();
    let mut browser = showcase.browser();
    let long = format!("state={}", "x".repeat(2000));
    for query in [
        "max_age=-1",
        "max_age=",
        "max_age=9e9",
        "screen_hint=up",
        "state=a&state=b",
        &long,
    ] {
        let answer = browser.api(&format!("/link?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
    for query in [
        "",
        "return_to=//evil.example",
        "max_age=18446744073709551615&state=%00%ff&x=1",
    ] {
        let answer = browser.api(&format!("/link?{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
        assert!(!answer.body.contains("evil"), "{query}");
    }
}

#[actix_web::test]
async fn api_keys_open_what_is_for_programs() {
    let key = EmulatorApiKey::of_organization("org_acme", "sk_showcase")
        .id("api_key_1")
        .name("CI");
    let showcase = Showcase::in_front_of(Emulator::builder().issue_api_key(key), &[]);
    let mut browser = showcase.signed_in("ada@example.com").await;
    assert_eq!(browser.api("/api/keyed").await.status, 401);
    let answer = get_as(&mut browser, "/api/keyed", "Bearer sk_other").await;
    assert_eq!(answer.status, 401);
    let answer = get_as(&mut browser, "/api/keyed", "bearer sk_showcase").await;
    let owner = json!({"type": "organization", "id": "org_acme"});
    assert_eq!(
        answer.json(),
        json!({"id": "api_key_1", "name": "CI", "owner": owner})
    );
}

#[actix_web::test]
async fn access_tokens_count_only_where_they_are_asked_for() {
    let closed = Showcase::start();
    let open = Showcase::with(&[("SHOWCASE_BEARER", "true")]);
    for (showcase, status) in [(&closed, 401), (&open, 200)] {
        let session = showcase.emulator.session_for("ada@example.com");
        let session = session.expect("a known user");
        let token = format!("Bearer {}", session.access_token);
        let mut browser = showcase.browser();
        for path in ["/api/me", "/api/claims"] {
            let answer = get_as(&mut browser, path, &token).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
            if path == "/api/me" && status == 200 {
                assert_eq!(answer.json()["user"], json!({"id": "user_ada"}));
                assert_eq!(answer.json()["session_id"], session.session_id);
            }
            if path == "/api/claims" && status == 200 {
                assert_eq!(answer.json()["sub"], "user_ada");
            }
        }
        let mut browser = showcase.signed_in("alan@example.com").await;
        let me = browser.api("/api/me").await.json();
        assert_eq!(me["user"]["email"], "alan@example.com");
        let answer = get_as(&mut browser, "/api/me", "Bearer x.y.z").await;
        assert_eq!(answer.status, if status == 200 { 401 } else { 200 });
    }
}

// Caches and failures

#[actix_web::test]
async fn a_refreshed_session_survives_a_failing_handler() {
    // Tokens that end in 100 seconds, which the usual buffer leaves alone.
    let emulator = || Emulator::builder().clock(|| now() - 200);
    let usual = Showcase::in_front_of(emulator(), &[]);
    let eager = Showcase::in_front_of(emulator(), &[("SHOWCASE_REFRESH_BUFFER", "120")]);
    for (showcase, is_refreshed) in [(&usual, false), (&eager, true)] {
        assert_eq!(showcase.browser().get("/fail").await.status, 500);
        let mut browser = showcase.with_session("ada@example.com");
        let answer = browser.get("/fail").await;
        assert_eq!(answer.status, 500);
        assert_eq!(answer.set_cookie("wos-session").is_some(), is_refreshed);
        assert!(browser.get("/").await.body.contains("ada@example.com"));
    }
}

#[actix_web::test]
async fn only_what_is_the_same_for_everyone_is_cached() {
    let showcase = Showcase::start();
    let mut browser = showcase.browser();
    for path in ["/public.txt", "/cached"] {
        let answer = browser.get(path).await;
        assert_eq!(
            answer.header("cache-control"),
            Some("public, max-age=3600"),
            "{path}"
        );
    }
    assert_eq!(browser.get("/cached").await.header("vary"), Some("Cookie"));
    browser.sign_in("ada@example.com").await;
    let answer = browser.get("/cached").await;
    assert!(
        answer
            .header("cache-control")
            .is_some_and(|it| it.starts_with("private"))
    );
}

// Variables

#[actix_web::test]
async fn eager_auth_and_return_addresses_are_switched_on_by_variables() {
    let usual = Showcase::start();
    let changed = Showcase::with(&[
        ("SHOWCASE_EAGER_AUTH", "true"),
        (
            "SHOWCASE_RETURN_TO_ORIGINS",
            "https://one.example, https://two.example",
        ),
    ]);
    for (showcase, is_changed) in [(&usual, false), (&changed, true)] {
        let mut browser = showcase.with_session("ada@example.com");
        let home = browser.get("/").await;
        let eager = home.set_cookie("workos-access-token");
        assert_eq!(eager.is_some(), is_changed);
        let there = "https://two.example/bye";
        let answer = browser
            .submit(&format!("/sign-out?return_to={there}"), &[])
            .await;
        let return_to = answer.location_parameter("return_to");
        assert_eq!(return_to.as_deref() == Some(there), is_changed);
    }
}

#[actix_web::test]
async fn without_workos_variables_an_emulator_signs_people_in() {
    let (_program, origin) = Program::start(showcase().env("PORT", "0"), "Open ");
    let mut browser = Browser::at(&origin);
    browser.sign_in("ada@example.com").await;
    let home = browser.get("/").await;
    assert!(home.body.contains("Signed in as ada@example.com"));
}

#[actix_web::test]
async fn the_base_url_wins_over_the_port() {
    let port = free_port().to_string();
    let base_url = format!("http://localhost:{port}");
    let mut command = showcase();
    command.env("PORT", port).env("AUTHKIT_BASE_URL", &base_url);
    let (_program, origin) = Program::start(&mut command, "Open ");
    assert_eq!(origin, base_url);
    let answer = Browser::at(&origin).get("/account").await;
    assert_eq!(
        answer.location_parameter("redirect_uri"),
        Some(format!("{base_url}/callback"))
    );
}

#[test]
fn every_variable_that_is_wrong_is_named() {
    let said = refused(&[
        ("PORT", "99999"),
        ("SHOWCASE_LOG", "a=b=c"),
        ("SHOWCASE_WORKERS", "0"),
        ("SHOWCASE_REFRESH_BUFFER", "-1"),
        ("SHOWCASE_EAGER_AUTH", "perhaps"),
        ("SHOWCASE_BEARER", "2"),
        ("SHOWCASE_SEAL_FORMAT", "rot13"),
    ]);
    for name in [
        "PORT",
        "SHOWCASE_LOG",
        "SHOWCASE_WORKERS",
        "SHOWCASE_REFRESH_BUFFER",
        "SHOWCASE_EAGER_AUTH",
        "SHOWCASE_BEARER",
        "SHOWCASE_SEAL_FORMAT",
    ] {
        assert!(said.contains(&format!("- {name} ")), "{name}: {said}");
    }
}

#[tokio::test]
async fn sessions_are_sealed_as_the_variable_says() {
    for (format, start) in [("chacha", "A"), ("iron", "Fe26.2*1*")] {
        let mut command = showcase();
        command.env("PORT", "0").env("SHOWCASE_SEAL_FORMAT", format);
        let (_program, origin) = Program::start(&mut command, "Open ");
        let mut browser = Browser::at(&origin);
        browser.sign_in("ada@example.com").await;
        let sealed = browser.cookie("wos-session").expect("a session");
        assert!(sealed.starts_with(start), "{format}: {sealed}");
        assert_eq!(browser.get("/account").await.status, 200);
    }
}

#[test]
fn an_incomplete_configuration_is_no_reason_for_an_emulator() {
    let said = refused(&[("PORT", "0"), ("WORKOS_CLIENT_ID", "client_1")]);
    assert!(said.contains("WORKOS_API_KEY"), "{said}");
    let said = refused(&[
        ("PORT", "0"),
        ("AUTHKIT_BASE_URL", "https://app.example.com"),
    ]);
    assert!(said.contains("WORKOS_CLIENT_ID"), "{said}");
    let said = refused(&[("PORT", "0"), ("SHOWCASE_RETURN_TO_ORIGINS", "nowhere")]);
    assert!(said.contains("return_to_origins"), "{said}");
}
