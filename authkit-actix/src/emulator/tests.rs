use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::json;
use url::{Url, form_urlencoded};

use super::*;

#[actix_web::test]
async fn a_person_signs_in_and_gets_tokens_once() {
    let app = App::start(Emulator::builder());
    let page = app.get(&app.authorize(&[])).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<h1>Sign in</h1>"));

    let back = app.submit("sign-in", &[], ADA, None).await;
    let query = back.query();
    assert_eq!(query["state"], "st&te");
    assert!(
        back.cookie
            .is_some_and(|cookie| cookie.starts_with("authkit-emulator-"))
    );

    let tokens = app.exchange(&query["code"], VERIFIER).await;
    assert_eq!(tokens.status, 200);
    let tokens = tokens.json();
    assert_eq!(tokens["user"]["email"], "ada@example.com");
    assert_eq!(tokens["organization_id"], "org_acme");
    assert_eq!(tokens["authentication_method"], "Password");
    let claims = app.verified(&tokens["access_token"]);
    assert_eq!(claims["sub"], tokens["user"]["id"]);
    assert_eq!(claims["role"], "admin");
    assert_eq!(claims["permissions"][0], "billing:manage");
    assert_eq!(claims["feature_flags"], json!(["beta"]));
    assert_eq!(claims["exp"], NOW + 300);

    let again = app.exchange(&query["code"], VERIFIER).await;
    assert_eq!(
        (again.status, &again.json()["error"]),
        (400, &json!("invalid_grant"))
    );
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateCode), 2);
}

#[actix_web::test]
async fn a_wrong_verifier_or_none_is_refused_and_uses_the_code_up() {
    let app = App::start(Emulator::builder());
    for wrong in ["another-verifier-that-is-long-enough-for-rfc-7636", ""] {
        let code = app.submit("sign-in", &[], ADA, None).await.query()["code"].clone();
        let refused = app.exchange(&code, wrong).await;
        assert_eq!(refused.json()["error"], "invalid_grant");
        assert_eq!(app.exchange(&code, VERIFIER).await.status, 400);
    }
}

#[actix_web::test]
async fn a_code_expires_after_ten_minutes() {
    let app = App::start(Emulator::builder());
    let code = app.submit("sign-in", &[], ADA, None).await.query()["code"].clone();
    app.advance(601);
    assert_eq!(
        app.exchange(&code, VERIFIER).await.json()["error"],
        "invalid_grant"
    );
}

#[actix_web::test]
async fn a_client_with_the_wrong_secret_is_refused() {
    let app = App::start(Emulator::builder());
    let body = json!({"client_id": "client_emulator", "client_secret": "sk_other", "grant_type": "refresh_token"});
    let refused = app.post("/user_management/authenticate", body).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (401, &json!("invalid_client"))
    );
    let garbage = app
        .post("/user_management/authenticate", json!([{"grant_type": 7}]))
        .await;
    assert_eq!(garbage.status, 401);
}

#[actix_web::test]
async fn a_repeated_refresh_gets_the_same_pair_for_thirty_seconds() {
    let app = App::start(Emulator::builder());
    let session = app.emulator.session_for("ada@example.com").expect("ada");
    app.advance(100);
    let first = app.refresh(&session.refresh_token, None).await.json();
    assert_ne!(first["refresh_token"], session.refresh_token);
    let (before, after) = (
        app.verified(&json!(session.access_token)),
        app.verified(&first["access_token"]),
    );
    assert_eq!(before["sid"], after["sid"]);
    assert_eq!(before["auth_time"], after["auth_time"]);
    assert_eq!(after["iat"], NOW + 100);

    app.advance(30);
    assert_eq!(
        app.refresh(&session.refresh_token, None).await.json(),
        first
    );
    app.advance(1);
    let late = app.refresh(&session.refresh_token, None).await;
    assert_eq!(
        (late.status, &late.json()["error"]),
        (400, &json!("invalid_grant"))
    );
    let next = first["refresh_token"].as_str().expect("a token");
    assert_eq!(app.refresh(next, None).await.status, 200);
}

#[actix_web::test]
async fn a_strict_emulator_takes_a_refresh_token_once() {
    let app = App::start(Emulator::builder().refresh_reuse(RefreshReuse::Strict));
    let session = app.emulator.session_for("ada@example.com").expect("ada");
    assert_eq!(app.refresh(&session.refresh_token, None).await.status, 200);
    let again = app.refresh(&session.refresh_token, None).await;
    assert_eq!(again.json()["error"], "invalid_grant");
}

#[actix_web::test]
async fn a_refresh_switches_the_organization_for_members_only() {
    let builder = Emulator::builder()
        .organization(EmulatorOrganization::new("org_a", "A"))
        .organization(EmulatorOrganization::new("org_b", "B").entitlement("audit"))
        .organization(EmulatorOrganization::new("org_c", "C"))
        .organization(EmulatorOrganization::new("org_sso", "S").demands(StepUp::Sso))
        .user(
            EmulatorUser::new("grace@example.com")
                .member_of("org_a", "member")
                .member_of("org_b", "admin")
                .member_of("org_b", "editor")
                .member_of("org_sso", "member"),
        );
    let app = App::start(builder);
    let session = NewSession::new("grace@example.com").organization("org_a");
    let session = app.emulator.session_for(session).expect("grace");
    let switched = app
        .refresh(&session.refresh_token, Some("org_b"))
        .await
        .json();
    assert_eq!(switched["organization_id"], "org_b");
    let claims = app.verified(&switched["access_token"]);
    assert_eq!(claims["roles"], json!(["admin", "editor"]));
    assert_eq!(claims["entitlements"], json!(["audit"]));

    let token = switched["refresh_token"].as_str().expect("a token");
    let stranger = app.refresh(token, Some("org_c")).await;
    assert_eq!(
        (stranger.status, &stranger.json()["code"]),
        (403, &json!("organization_not_authorized"))
    );
    let demanded = app.refresh(token, Some("org_sso")).await;
    assert_eq!(
        (demanded.status, &demanded.json()["code"]),
        (403, &json!("sso_required"))
    );
    let stays = app.refresh(token, None).await.json();
    assert_eq!(
        stays["organization_id"], "org_b",
        "a refusal spends nothing"
    );
}

#[actix_web::test]
async fn an_ended_session_refreshes_no_more() {
    let app = App::start(Emulator::builder());
    let session = app.emulator.session_for("ada@example.com").expect("ada");
    assert!(app.emulator.end_session(&session.session_id));
    let refused = app.refresh(&session.refresh_token, None).await;
    assert_eq!(refused.json()["error"], "invalid_grant");
    assert!(!app.emulator.end_session("session_other"));
}

#[actix_web::test]
async fn a_person_in_two_organizations_chooses_one() {
    let app = App::start(Emulator::builder());
    let page = app.submit("sign-in", &[], GRACE, None).await;
    assert!(page.body.contains("Choose an organization") && page.body.contains("Globex"));
    let cookie = page.cookie.as_deref();
    let chosen = [("organization_id", "org_globex")];
    let code = app
        .submit("organization", &[], &chosen, cookie)
        .await
        .query()["code"]
        .clone();
    assert_eq!(
        app.exchange(&code, VERIFIER).await.json()["organization_id"],
        "org_globex"
    );

    let foreign = app
        .submit("organization", &[], &[("organization_id", "org_x")], cookie)
        .await;
    assert_eq!(foreign.query()["error"], "access_denied");
}

#[actix_web::test]
async fn the_choice_can_be_left_to_the_application() {
    let app = App::start(Emulator::builder().organization_selection_at_exchange());
    let code = app.submit("sign-in", &[], GRACE, None).await.query()["code"].clone();
    let asked = app.exchange(&code, VERIFIER).await;
    assert_eq!(asked.status, 403);
    let asked = asked.json();
    assert_eq!(asked["code"], "organization_selection_required");
    assert_eq!(
        asked["organizations"][1],
        json!({"id": "org_globex", "name": "Globex"})
    );
    let body = app.client_body(json!({
        "grant_type": "urn:workos:oauth:grant-type:organization-selection",
        "pending_authentication_token": asked["pending_authentication_token"],
        "organization_id": "org_globex",
    }));
    let tokens = app
        .post("/user_management/authenticate", body.clone())
        .await
        .json();
    assert_eq!(tokens["organization_id"], "org_globex");
    assert_eq!(
        app.post("/user_management/authenticate", body).await.status,
        400
    );
}

#[actix_web::test]
async fn a_browser_that_is_signed_in_goes_straight_back() {
    let app = App::start(Emulator::builder());
    let cookie = app.submit("sign-in", &[], ADA, None).await.cookie;
    let cookie = cookie.as_deref();
    let asks = |page: Answer| page.status == 200 && page.body.contains("<h1>Sign in</h1>");
    app.advance(60);
    assert!(
        app.get_with(&app.authorize(&[]), cookie)
            .await
            .query()
            .contains_key("code")
    );
    assert!(
        app.get_with(&app.authorize(&[("max_age", "60")]), cookie)
            .await
            .query()
            .contains_key("code")
    );
    assert!(asks(
        app.get_with(&app.authorize(&[("max_age", "59")]), cookie)
            .await
    ));
    assert!(asks(
        app.get_with(&app.authorize(&[("max_age", "0")]), cookie)
            .await
    ));
    assert!(asks(
        app.get_with(&app.authorize(&[("prompt", "login")]), cookie)
            .await
    ));
    let silent = app.get(&app.authorize(&[("prompt", "none")])).await;
    assert_eq!(silent.query()["error"], "login_required");
    let other = app
        .get_with(&app.authorize(&[("organization_id", "org_globex")]), cookie)
        .await;
    assert_eq!(other.query()["error"], "access_denied");
}

#[actix_web::test]
async fn a_sign_out_ends_the_session_and_the_browsers_sign_in() {
    let app = App::start(Emulator::builder());
    let back = app.submit("sign-in", &[], ADA, None).await;
    let cookie = back.cookie.as_deref();
    let tokens = app.exchange(&back.query()["code"], VERIFIER).await.json();
    let sid = app.verified(&tokens["access_token"])["sid"].clone();
    let sid = sid.as_str().expect("a session id");

    let path = format!(
        "/user_management/sessions/logout?session_id={sid}&return_to=https%3A%2F%2Fevil.example"
    );
    let out = app.get_with(&path, cookie).await;
    assert_eq!(out.location.as_deref(), Some("http://localhost:3000/"));
    assert!(
        out.cookie.is_some_and(|cookie| cookie.ends_with('=')),
        "the cookie goes"
    );
    assert_eq!(
        app.get_with(&app.authorize(&[]), cookie).await.status,
        200,
        "the page asks again"
    );
    let refresh_token = tokens["refresh_token"].as_str().expect("a token");
    assert_eq!(app.refresh(refresh_token, None).await.status, 400);

    let path = "/user_management/sessions/logout?session_id=x&return_to=http%3A%2F%2Flocalhost%3A3000%2Fbye";
    assert_eq!(
        app.get(path).await.location.as_deref(),
        Some("http://localhost:3000/bye")
    );
}

#[actix_web::test]
async fn a_new_person_signs_up_and_signs_in_again() {
    let app = App::start(Emulator::builder());
    let page = app.get(&app.authorize(&[("screen_hint", "sign-up")])).await;
    assert!(page.body.contains("Create your account"));
    let new = [
        ("first_name", "Katherine"),
        ("last_name", "<Johnson>"),
        ("email", "kj@example.com"),
        ("password", "orbital mechanics"),
    ];
    let code = app.submit("sign-up", &[], &new, None).await.query()["code"].clone();
    let tokens = app.exchange(&code, VERIFIER).await.json();
    assert_eq!(tokens["user"]["last_name"], "<Johnson>");
    assert_eq!(tokens["organization_id"], json!(null));
    let again = app.submit("sign-up", &[], &new, None).await;
    assert_eq!(again.status, 422);
    assert!(again.body.contains("already") && again.body.contains("&lt;Johnson&gt;"));
    assert!(!again.body.contains("orbital"));
    assert!(
        app.submit("sign-in", &[], &new[2..], None)
            .await
            .query()
            .contains_key("code")
    );
}

#[actix_web::test]
async fn a_wrong_password_is_told_and_nothing_is_set() {
    let app = App::start(Emulator::builder());
    let typed = [("email", "ada@example.com"), ("password", "wrong")];
    let page = app.submit("sign-in", &[], &typed, None).await;
    assert_eq!((page.status, page.cookie.clone()), (401, None));
    assert!(page.body.contains("do not match") && page.body.contains("value=\"ada@example.com\""));
}

#[actix_web::test]
async fn an_operator_impersonates_a_user() {
    let app = App::start(Emulator::builder());
    let form = [
        ("email", "ada@example.com"),
        ("operator", "op@workos.example"),
        ("reason", "ticket 7"),
    ];
    let code = app.submit("impersonate", &[], &form, None).await.query()["code"].clone();
    let tokens = app.exchange(&code, VERIFIER).await.json();
    let expected = json!({"email": "op@workos.example", "reason": "ticket 7"});
    assert_eq!(tokens["impersonator"], expected);
    assert_eq!(
        app.verified(&tokens["access_token"])["act"],
        json!({"sub": "op@workos.example"})
    );

    let session =
        NewSession::new("ada@example.com").impersonated_by("op@workos.example", "ticket 7");
    let session = app.emulator.session_for(session).expect("ada");
    let refreshed = app.refresh(&session.refresh_token, None).await.json();
    assert_eq!(refreshed["impersonator"], expected);
}

#[actix_web::test]
async fn requests_that_cannot_be_trusted_get_a_page_and_no_redirect() {
    let app = App::start(Emulator::builder());
    for parameter in [
        ("client_id", "client_other"),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "/callback"),
    ] {
        let page = app.get(&app.authorize(&[parameter])).await;
        assert_eq!((page.status, page.location), (400, None), "{parameter:?}");
    }
    let twice = format!("{}&state=other", app.authorize(&[]));
    assert_eq!(app.get(&twice).await.status, 400);
    for (parameter, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("provider", ""), "invalid_request"),
        (("max_age", "-1"), "invalid_request"),
    ] {
        let back = app.get(&app.authorize(&[parameter])).await;
        assert_eq!(back.query()["error"], error, "{parameter:?}");
        assert_eq!(back.query()["state"], "st&te");
    }
}

#[actix_web::test]
async fn what_comes_from_outside_is_escaped_in_pages() {
    let app = App::start(Emulator::builder());
    let hostile = "\"><script>alert('1')</script>";
    for hint in ["sign-in", "sign-up"] {
        let page = app
            .get(&app.authorize(&[
                ("login_hint", hostile),
                ("state", hostile),
                ("screen_hint", hint),
            ]))
            .await;
        assert_eq!(page.status, 200);
        assert!(
            page.body.contains("&quot;&gt;&lt;script&gt;"),
            "the hint is there, harmless"
        );
        assert!(!page.body.contains("<script"));
    }
}

#[actix_web::test]
async fn server_calls_need_the_api_key_and_answer_lists() {
    let app = App::start(Emulator::builder());
    let session = app
        .emulator
        .session_for("grace@example.com")
        .expect("grace");
    for path in [
        "/organizations/org_acme",
        "/user_management/users/user_grace",
    ] {
        assert_eq!(app.get(path).await.status, 401);
    }
    let organization = app.get_as_server("/organizations/org_acme").await.json();
    assert_eq!(organization["name"], "Acme");
    let memberships = "/user_management/organization_memberships?user_id=user_grace";
    let memberships = app.get_as_server(memberships).await.json();
    assert_eq!(memberships["data"][1]["organization_name"], "Globex");
    assert_eq!(memberships["data"][1]["role"]["slug"], "admin");
    let sessions = "/user_management/users/user_grace/sessions";
    assert_eq!(
        app.get_as_server(sessions).await.json()["data"][0]["id"],
        session.session_id
    );
    assert_eq!(app.get_as_server("/organizations/org_x").await.status, 404);

    let body = json!({"session_id": session.session_id});
    assert_eq!(
        app.post("/user_management/sessions/revoke", body)
            .await
            .status,
        401
    );
    assert_eq!(app.emulator.calls(Endpoint::Revoke), 1);
}

#[actix_web::test]
async fn key_rotation_keeps_or_drops_the_old_key() {
    let app = App::start(Emulator::builder());
    let old = app.emulator.mint(json!({"sub": "user_1"}));
    assert_eq!(app.verified(&json!(old))["sub"], "user_1");
    app.emulator.rotate_key();
    app.verified(&json!(old));
    app.emulator.rotate_key_and_drop_old();
    assert!(app.key_of(&old).is_none());
    assert!(
        app.key_of(&app.emulator.mint_with_unknown_key(json!({})))
            .is_none()
    );
    assert!(
        app.emulator
            .public_key_pem()
            .starts_with("-----BEGIN PUBLIC KEY-----\nMII")
    );

    app.emulator.set_jwks_body(Some("not json".to_owned()));
    assert_eq!(app.get("/sso/jwks/client_emulator").await.body, "not json");
    app.emulator.set_jwks_body(None);
    assert!(app.get("/sso/jwks/client_emulator").await.json()["keys"][0]["n"].is_string());
    assert_eq!(app.get("/sso/jwks/client_other").await.status, 404);
}

#[actix_web::test]
async fn planned_faults_strike_in_turn_before_or_after_the_effect() {
    let app = App::start(Emulator::builder());
    let jwks = "/sso/jwks/client_emulator";
    app.emulator
        .fault(Endpoint::Jwks, Fault::Status(503).times(1));
    app.emulator.fault(
        Endpoint::Jwks,
        Fault::StatusWithRetryAfter(429, "7".to_owned()).times(1),
    );
    app.emulator.fault(Endpoint::Jwks, Fault::Empty.times(1));
    app.emulator
        .fault(Endpoint::Jwks, Fault::json(200, json!({"keys": 7})));
    assert_eq!(app.get(jwks).await.status, 503);
    assert_eq!(app.get(jwks).await.status, 429);
    assert_eq!(app.get(jwks).await.body, "");
    assert_eq!(app.get(jwks).await.body, "{\"keys\":7}");
    assert_eq!(app.get(jwks).await.body, "{\"keys\":7}");
    app.emulator.clear_faults();
    assert!(app.get(jwks).await.json()["keys"].is_array());
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 6);

    let session = app.emulator.session_for("ada@example.com").expect("ada");
    let refresh = Endpoint::AuthenticateRefresh;
    app.emulator.fault(refresh, Fault::Status(500).times(1));
    app.emulator
        .fault(refresh, Fault::Status(500).times(1).after_effect());
    for _ in 0..2 {
        assert_eq!(app.refresh(&session.refresh_token, None).await.status, 500);
    }
    app.advance(31);
    assert_eq!(
        app.refresh(&session.refresh_token, None).await.status,
        400,
        "the second one spent it"
    );
}

#[actix_web::test]
async fn broken_answers_break_as_they_are_named() {
    let app = App::start(Emulator::builder());
    let url = format!("{}/sso/jwks/client_emulator", app.emulator.api_url());
    let fault = |fault: Fault| app.emulator.fault(Endpoint::Jwks, fault.times(1));
    let short = || app.client.get(&url).timeout(Duration::from_millis(1_500));

    fault(Fault::Reset);
    assert!(
        short().send().await.is_err_and(|error| !error.is_timeout()),
        "no head"
    );
    fault(Fault::Hang);
    assert!(short().send().await.is_err_and(|error| error.is_timeout()));
    fault(Fault::Drip);
    let dripping = short().send().await.expect("a head");
    assert!(dripping.text().await.is_err_and(|error| error.is_timeout()));
    fault(Fault::Truncate);
    let truncated = short().send().await.expect("a head");
    assert_eq!(truncated.content_length(), Some(2048));
    assert!(
        truncated
            .bytes()
            .await
            .is_err_and(|error| !error.is_timeout())
    );
    fault(Fault::Oversize(300_000));
    assert_eq!(
        short()
            .send()
            .await
            .expect("a head")
            .bytes()
            .await
            .expect("all of it")
            .len(),
        300_002
    );
    fault(Fault::GzipBomb);
    let bomb = short().send().await.expect("a head");
    assert_eq!(bomb.headers()["content-encoding"], "gzip");
    assert!(bomb.bytes().await.expect("all of it").len() < 500_000);
    fault(Fault::Redirect("https://evil.example/".to_owned()));
    assert_eq!(short().send().await.expect("an answer").status(), 302);
    fault(Fault::Delay(Duration::from_millis(200)));
    let before = Instant::now();
    assert_eq!(short().send().await.expect("an answer").status(), 200);
    assert!(before.elapsed() >= Duration::from_millis(200));
    fault(Fault::WrongKey);
    let strange = short()
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a body");
    assert!(!strange.contains(&app.emulator.key_id()));
}

#[actix_web::test]
async fn a_changed_user_shows_in_the_next_refresh() {
    let app = App::start(Emulator::builder());
    let session = app.emulator.session_for("ada@example.com").expect("ada");
    app.emulator
        .change_user("ada@example.com", |ada| {
            ada.claims(json!({"plan": "pro", "role": null}))
                .profile(json!({"locale": "en-GB"}))
        })
        .expect("ada");
    app.emulator
        .set_access_token_lifetime(Duration::from_secs(60));
    let tokens = app.refresh(&session.refresh_token, None).await.json();
    assert_eq!(tokens["user"]["locale"], "en-GB");
    let claims = app.verified(&tokens["access_token"]);
    assert_eq!(
        (&claims["plan"], &claims["role"]),
        (&json!("pro"), &json!(null))
    );
    assert_eq!(claims["exp"], NOW + 60);

    app.emulator
        .change_user("ada@example.com", |ada| ada.leave("org_acme"))
        .expect("ada");
    let token = tokens["refresh_token"].as_str().expect("a token");
    assert_eq!(app.refresh(token, None).await.status, 403);
    let nowhere = app
        .emulator
        .change_user("ada@example.com", |ada| ada.member_of("org_x", "member"));
    assert!(matches!(
        nowhere,
        Err(EmulatorError::UnknownOrganization { .. })
    ));
}

#[test]
fn the_last_handle_stops_the_server_and_frees_the_port() {
    let emulator = Emulator::builder()
        .allow_in_release()
        .quiet()
        .start()
        .expect("a free port");
    let clone = emulator.clone();
    drop(emulator);
    let port = clone.port();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    drop(clone);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn seeds_that_do_not_fit_together_are_refused() {
    let lost =
        Emulator::builder().user(EmulatorUser::new("a@example.com").member_of("org_x", "admin"));
    assert!(matches!(
        lost.allow_in_release().quiet().start(),
        Err(EmulatorError::UnknownOrganization { .. })
    ));
    let twice = Emulator::builder()
        .user(EmulatorUser::new("a@example.com"))
        .user(EmulatorUser::new("A@example.com"));
    assert!(matches!(
        twice.allow_in_release().quiet().start(),
        Err(EmulatorError::DuplicateUser(_))
    ));
}

#[test]
fn times_are_written_as_the_api_writes_them() {
    assert_eq!(state::rfc3339(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(state::rfc3339(1_709_210_096), "2024-02-29T12:34:56.000Z");
    assert_eq!(state::rfc3339(-1), "1969-12-31T23:59:59.000Z");
}

/// An application's side of the wire, with a browser that follows nothing by itself.
struct App {
    emulator: Emulator,
    clock: Arc<AtomicI64>,
    client: reqwest::Client,
}

struct Answer {
    status: u16,
    location: Option<String>,
    cookie: Option<String>,
    body: String,
}

impl App {
    fn start(builder: EmulatorBuilder) -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let time = Arc::clone(&clock);
        let builder = builder
            .clock(move || time.load(Ordering::SeqCst))
            .allow_in_release();
        Self {
            emulator: builder.quiet().start().expect("an emulator"),
            clock,
            client: reqwest::Client::builder()
                .redirect(Policy::none())
                .build()
                .expect("a client"),
        }
    }

    fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The path of a good authorization request, with some parameters set otherwise.
    fn authorize(&self, changes: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let usual = [
            ("client_id", self.emulator.client_id()),
            ("redirect_uri", "http://localhost:3000/callback"),
            ("response_type", "code"),
            ("provider", "authkit"),
            ("state", "st&te"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let unchanged = usual
            .iter()
            .filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(unchanged)
            .extend_pairs(changes)
            .finish();
        format!("{}?{query}", authorize::AUTHORIZE)
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, None).await
    }

    async fn get_with(&self, path: &str, cookie: Option<&str>) -> Answer {
        let url = format!("{}{path}", self.emulator.api_url());
        Answer::of(
            self.client
                .get(url)
                .header(COOKIE, cookie.unwrap_or_default()),
        )
        .await
    }

    async fn get_as_server(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.emulator.api_url());
        Answer::of(self.client.get(url).bearer_auth(self.emulator.api_key())).await
    }

    async fn submit(
        &self,
        form: &str,
        changes: &[(&str, &str)],
        fields: &[(&str, &str)],
        cookie: Option<&str>,
    ) -> Answer {
        let path = self
            .authorize(changes)
            .replacen('?', &format!("/{form}?"), 1);
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .client
            .post(format!("{}{path}", self.emulator.api_url()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(COOKIE, cookie.unwrap_or_default());
        Answer::of(request.body(body)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self
            .client
            .post(format!("{}{path}", self.emulator.api_url()))
            .header(CONTENT_TYPE, "application/json");
        Answer::of(request.body(body.to_string())).await
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Answer {
        let body =
            json!({"grant_type": "authorization_code", "code": code, "code_verifier": verifier});
        self.post("/user_management/authenticate", self.client_body(body))
            .await
    }

    async fn refresh(&self, token: &str, organization_id: Option<&str>) -> Answer {
        let body = json!({"grant_type": "refresh_token", "refresh_token": token, "organization_id": organization_id});
        self.post("/user_management/authenticate", self.client_body(body))
            .await
    }

    fn client_body(&self, mut body: Value) -> Value {
        body["client_id"] = json!(self.emulator.client_id());
        body["client_secret"] = json!(self.emulator.api_key());
        body
    }

    /// The published key that a token names.
    fn key_of(&self, token: &str) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
        let header = part(token, 0);
        let set: Value = serde_json::from_str(&self.emulator.jwks_body()).expect("a key set");
        let key = set["keys"]
            .as_array()?
            .iter()
            .find(|key| key["kid"] == header["kid"])?;
        let member = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
        Some(RsaPublicKeyComponents {
            n: member("n")?,
            e: member("e")?,
        })
    }

    /// The claims of a token whose signature holds.
    fn verified(&self, token: &Value) -> Value {
        let token = token.as_str().expect("a token");
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        self.key_of(token)
            .expect("a published key")
            .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature)
            .expect("a signature of that key");
        part(token, 1)
    }
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        Self {
            status: response.status().as_u16(),
            location: header(LOCATION),
            cookie: header(SET_COOKIE).and_then(|it| Some(it.split_once(';')?.0.to_owned())),
            body: response.text().await.expect("a body"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The query of the address that the answer redirects to.
    fn query(&self) -> std::collections::HashMap<String, String> {
        let location = self.location.as_deref().expect("a redirect");
        let uri = Url::parse(location).expect("a URL");
        assert_eq!((uri.port(), uri.path()), (Some(3000), "/callback"));
        uri.query_pairs().into_owned().collect()
    }
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    let json = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

const NOW: i64 = 1_800_000_000;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const ADA: &[(&str, &str)] = &[("email", "Ada@example.com "), ("password", "password")];
const GRACE: &[(&str, &str)] = &[("email", "grace@example.com"), ("password", "password")];
