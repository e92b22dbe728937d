//! The shared seal against the libraries that it is shared with: a neighbour on Node with their real
//! packages, and our application, hand one cookie back and forth.

mod neighbour;

use authkit_actix::{
    AuthKitBuilder, SealFormat,
    emulator::{EmulatorBuilder, NewSession, RefreshReuse},
};
use authkit_tests::{Browser, TestApp};
use neighbour::Neighbour;
use reqwest::Method;
use serde_json::{Value, json};

const ADA: &str = "ada@example.com";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;
const OTHER_PASSWORD: &str = "another password of at least 32 characters";

async fn start() -> (TestApp, Neighbour) {
    start_with(|authkit| authkit, |emulator| emulator).await
}

async fn start_with(
    authkit: impl FnOnce(AuthKitBuilder) -> AuthKitBuilder + 'static,
    emulator: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder + 'static,
) -> (TestApp, Neighbour) {
    let app = TestApp::builder()
        .authkit(|builder| authkit(builder.seal_format(SealFormat::Iron)))
        .emulator(emulator)
        .start()
        .await;
    let neighbour = Neighbour::beside(&app);
    (app, neighbour)
}

/// Takes the session along to another application of the domain, as browsers do.
fn take_along(from: &Browser, mut to: Browser) -> Browser {
    let sealed = from.cookie("wos-session").expect("a session");
    to.set_cookie("wos-session", sealed);
    to
}

async fn post(browser: &mut Browser, path: &str, body: &Value) -> Value {
    let answer = browser
        .send(Method::POST, path, &[], &body.to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// A session as authkit-nextjs seals it, with what a `saveSession` of a whole answer adds.
fn session_of_theirs(app: &TestApp) -> Value {
    let session = app.session(NewSession::new(ADA).impersonated_by("support@example.com", "help"));
    json!({
        "accessToken": session["access_token"],
        "refreshToken": session["refresh_token"],
        "user": {
            "object": "user",
            "id": session["user"]["id"],
            "email": ADA,
            "emailVerified": true,
            "firstName": "Ädä",
            "lastName": null,
            "profilePictureUrl": null,
            "lastSignInAt": "2026-01-01T00:00:00.000Z",
            "locale": null,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": "2026-01-01T00:00:00.000Z",
            "externalId": "crm-7",
            "metadata": {"plan": "gold"},
        },
        "impersonator": {"email": "support@example.com", "reason": "ticket 42"},
        "authenticationMethod": "Password",
        "organizationId": null,
        "oauthTokens": {"accessToken": "x", "scopes": ["a"], "expiresAt": 1},
    })
}

async fn sealed_there(neighbour: &Neighbour, request: &Value) -> String {
    let sealed = post(&mut neighbour.browser(), "/seal", request).await;
    sealed.as_str().expect("a sealed value").to_owned()
}

#[tokio::test]
async fn authkit_session_takes_a_sign_in_here_for_its_own() {
    let (app, neighbour) = start().await;
    let here = app.signed_in(ADA).await;
    let mut there = take_along(&here, neighbour.browser());
    let answer = there.get("/me").await;
    assert_eq!(answer.set_cookie("wos-session"), None, "nothing to refresh");
    let me = answer.json();
    assert_eq!(me["user"]["email"], ADA);
    assert_eq!(me["user"]["emailVerified"], true);
    assert_eq!(me["user"]["firstName"], "Ada");
    assert_eq!(me["sessionId"], app.claims(&me["accessToken"])["sid"]);
}

#[tokio::test]
async fn iron_session_finds_in_our_cookie_what_authkit_nextjs_expects() {
    let (app, neighbour) = start().await;
    let here = app.signed_in(ADA).await;
    let mut there = take_along(&here, neighbour.browser());
    let session = there.get("/cookie").await.json();
    assert!(session["accessToken"].is_string());
    assert!(session["refreshToken"].is_string());
    assert_eq!(session["authenticationMethod"], "Password");
    assert_eq!(session["user"]["object"], "user");
    assert_eq!(session["user"]["id"], app.session(ADA)["user"]["id"]);
    assert_eq!(session["user"]["externalId"], Value::Null);
    assert_eq!(session["user"]["metadata"], json!({}));
}

#[tokio::test]
async fn a_sign_in_at_the_neighbours_signs_in_here() {
    let (app, neighbour) = start().await;
    let mut there = neighbour.browser();
    let start = there.get("/sign-in").await;
    let callback = there.authenticate(&start, ADA).await;
    let done = there.get(&callback).await;
    assert_eq!(done.status, 302, "{}", done.body);

    let mut here = take_along(&there, app.browser());
    assert_eq!(
        here.get("/account").await.body,
        "account of ada@example.com"
    );
    let me = here.api("/api/me").await.json();
    assert_eq!(me["user"]["first_name"], "Ada");
    assert_eq!(me["user"]["email_verified"], true);
}

#[tokio::test]
async fn what_iron_session_seals_for_authkit_nextjs_signs_in_here() {
    let (app, neighbour) = start().await;
    let session = session_of_theirs(&app);
    let sealed = sealed_there(&neighbour, &json!({"session": session})).await;
    let mut here = app.browser();
    here.set_cookie("wos-session", &sealed);
    let answer = here.api("/api/me").await;
    assert_eq!(answer.status, 200);
    assert!(answer.set_cookies().is_empty());
    let me = answer.json();
    assert_eq!(me["user"]["first_name"], "Ädä");
    assert_eq!(me["user"]["external_id"], "crm-7");
    assert_eq!(me["user"]["metadata"]["plan"], "gold");
    assert_eq!(me["user"]["created_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(me["impersonator"]["reason"], "ticket 42");
    assert_eq!(me["authentication_method"], "Password");
}

#[tokio::test]
async fn a_session_is_renewed_by_turns() {
    let (app, neighbour) = start().await;
    let mut here = app.signed_in(ADA).await;
    for _ in 0..2 {
        app.clock.advance(EXPIRED);
        let mut there = take_along(&here, neighbour.browser());
        post(&mut there, "/refresh", &Value::Null).await;
        here = take_along(&there, here);
        let unchanged = here.get("/account").await;
        assert_eq!(unchanged.status, 200);
        assert_eq!(unchanged.set_cookie("wos-session"), None);

        app.clock.advance(EXPIRED);
        assert!(
            here.get("/account")
                .await
                .set_cookie("wos-session")
                .is_some()
        );

        app.clock.advance(EXPIRED);
        let mut there = take_along(&here, neighbour.browser());
        post(&mut there, "/next/refresh", &Value::Null).await;
        here = take_along(&there, here);
        assert_eq!(here.get("/account").await.status, 200);
    }
}

#[tokio::test]
async fn a_page_that_comes_too_late_to_refresh_finds_the_cookie_that_the_neighbour_renewed() {
    let strict = |emulator: EmulatorBuilder| emulator.refresh_reuse(RefreshReuse::Strict);
    let (app, neighbour) = start_with(|authkit| authkit, strict).await;
    let mut here = app.signed_in(ADA).await;
    app.clock.advance(EXPIRED);
    let mut there = take_along(&here, neighbour.browser());
    post(&mut there, "/next/refresh", &Value::Null).await;

    // The browser had sent this one before the neighbour's answer came.
    let once_more = here.get("/account").await;
    assert_eq!(
        once_more.location(),
        Some(format!("{}/account", app.origin))
    );
    here = take_along(&there, here);
    let page = here.follow(once_more).await;
    assert_eq!(page.body, "account of ada@example.com");
}

#[tokio::test]
async fn a_sign_out_here_is_one_there() {
    let (app, neighbour) = start().await;
    let mut here = app.signed_in(ADA).await;
    let mut there = take_along(&here, neighbour.browser());
    let out = here.submit("/sign-out", &[]).await;
    assert!(out.removes("wos-session"));
    here.get(&out.location().expect("on to WorkOS")).await;
    let refused = there.send(Method::POST, "/refresh", &[], "null").await;
    assert_eq!(refused.status, 500, "{}", refused.body);
    there.forget("wos-session");
    assert_eq!(there.get("/me").await.json()["user"], Value::Null);
}

#[tokio::test]
async fn a_trimmed_session_is_read_there() {
    let (app, neighbour) = start().await;
    let profile = json!({"metadata": {"notes": "n".repeat(3000)}});
    app.emulator
        .change_user(ADA, |ada| ada.profile(profile))
        .expect("ada");
    let here = app.signed_in(ADA).await;
    let mut there = take_along(&here, neighbour.browser());
    let me = there.get("/me").await.json();
    assert_eq!(me["user"]["email"], ADA);
    assert_eq!(me["user"]["metadata"], json!({}));
}

#[tokio::test]
async fn passwords_by_their_ids_open_what_iron_session_seals_with_the_newest() {
    let by_id = |authkit: AuthKitBuilder| authkit.iron_passwords([("2", OTHER_PASSWORD)]);
    let (app, neighbour) = start_with(by_id, |emulator| emulator).await;
    let passwords = json!({"1": authkit_tests::PASSWORD, "2": OTHER_PASSWORD});
    let request = json!({"session": session_of_theirs(&app), "passwords": passwords});
    let sealed = sealed_there(&neighbour, &request).await;
    assert!(sealed.starts_with("Fe26.2*2*"));
    let answer = app.ask("/api/me", &format!("wos-session={sealed}")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.set_cookies().is_empty());
}

#[tokio::test]
async fn what_iron_session_seals_for_a_time_ends_with_it() {
    let (app, neighbour) = start().await;
    let request = json!({"session": session_of_theirs(&app), "ttl": 100});
    let cookie = format!("wos-session={}", sealed_there(&neighbour, &request).await);
    assert_eq!(app.ask("/api/me", &cookie).await.status, 200);
    app.clock.advance(100 + 70);
    let answer = app.ask("/api/me", &cookie).await;
    assert_eq!(answer.status, 401);
    assert!(answer.removes("wos-session"));
}
