//! Sessions in the shared seal: what other libraries' cookies are worth here, and what ours are there.
//! Those libraries themselves are in the test `interop`.

use authkit_actix::{
    AuthKitBuilder, SealFormat, UserField,
    emulator::{EmulatorUser, Endpoint},
};
use authkit_tests::{Browser, Log, PASSWORD, TestApp, iron};
use reqwest::Method;
use serde_json::{Value, json};

const ME: &str = "/api/me";
const ADA: &str = "ada@example.com";
const GRACE: &str = "grace@example.com";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;
const OTHER_PASSWORD: &str = "another password of at least 32 characters";

async fn sharing() -> TestApp {
    sharing_with(|authkit| authkit).await
}

async fn sharing_with(change: impl FnOnce(AuthKitBuilder) -> AuthKitBuilder + 'static) -> TestApp {
    let change = |authkit: AuthKitBuilder| change(authkit.seal_format(SealFormat::Iron));
    TestApp::builder().authkit(change).start().await
}

/// A session as other libraries write it.
fn foreign(app: &TestApp) -> Value {
    let session = app.session(ADA);
    json!({
        "accessToken": session["access_token"],
        "refreshToken": session["refresh_token"],
        "user": {"object": "user", "id": session["user"]["id"], "email": ADA, "firstName": "Ada"},
    })
}

fn sealed(session: &Value) -> String {
    iron::seal(PASSWORD, session.to_string().as_bytes(), "")
}

fn cookie(sealed: &str) -> String {
    format!("wos-session={sealed}")
}

/// What is in the session cookie that a browser holds.
fn content(browser: &Browser) -> Value {
    let sealed = browser.cookie("wos-session").expect("one cookie");
    let plaintext = iron::open(PASSWORD, sealed).expect("a genuine cookie in the shared form");
    serde_json::from_slice(&plaintext).expect("JSON")
}

fn change_ada(app: &TestApp, change: impl FnOnce(EmulatorUser) -> EmulatorUser) {
    app.emulator.change_user(ADA, change).expect("ada");
}

#[tokio::test]
async fn a_sign_in_sets_the_cookie_that_other_libraries_read() {
    let app = sharing().await;
    change_ada(&app, |ada| {
        ada.profile(json!({"metadata": {"plan": "gold"}}))
    });
    let browser = app.signed_in(ADA).await;
    let session = content(&browser);
    let names = |value: &Value| {
        let members = value.as_object().expect("an object");
        let mut names: Vec<_> = members.keys().cloned().collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        names(&session),
        [
            "accessToken",
            "authenticationMethod",
            "refreshToken",
            "user"
        ]
    );
    let user = &session["user"];
    let expected = [
        "createdAt",
        "email",
        "emailVerified",
        "externalId",
        "firstName",
        "id",
        "lastName",
        "lastSignInAt",
        "locale",
        "metadata",
        "object",
        "profilePictureUrl",
        "updatedAt",
    ];
    assert_eq!(names(user), expected);
    assert_eq!(user["object"], "user");
    assert_eq!(user["email"], ADA);
    assert_eq!(user["externalId"], Value::Null);
    assert_eq!(user["metadata"], json!({"plan": "gold"}));
}

#[tokio::test]
async fn what_belongs_to_the_sign_in_alone_keeps_the_default_seal() {
    let app = sharing().await;
    let mut browser = app.browser();
    let start = browser.get("/account").await;
    let state = start.location_parameter("state").expect("a state");
    assert!(!state.starts_with("Fe26"), "{state}");
    let as_session = browser.api_with(ME, &cookie(&state)).await;
    assert!(as_session.drops_the_session());
}

#[tokio::test]
async fn a_cookie_of_another_library_signs_in() {
    let app = sharing().await;
    let mut browser = app.browser();
    browser.set_cookie("wos-session", &sealed(&foreign(&app)));
    let answer = browser.api(ME).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["user"]["first_name"], "Ada");
    assert!(answer.set_cookies().is_empty(), "it is as it should be");
}

#[tokio::test]
async fn a_cookie_of_another_library_is_refreshed_in_its_own_form() {
    let app = sharing().await;
    let mut browser = app.browser();
    browser.set_cookie("wos-session", &sealed(&foreign(&app)));
    app.clock.advance(EXPIRED);
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(content(&browser)["user"]["email"], ADA);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
}

#[tokio::test]
async fn without_the_option_a_shared_cookie_is_refused() {
    let app = TestApp::start().await;
    let answer = app.ask(ME, &cookie(&sealed(&foreign(&app)))).await;
    assert!(answer.drops_the_session());
}

#[tokio::test]
async fn a_cookie_of_the_default_seal_opens_and_is_sealed_anew() {
    let app = sharing().await;
    let mut browser = app.with_session(ADA);
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(content(&browser)["user"]["email"], ADA);
    assert!(browser.get("/account").await.set_cookies().is_empty());
}

#[tokio::test]
async fn a_cookie_of_an_older_password_is_sealed_anew_and_a_removed_one_refused() {
    let app = sharing_with(|authkit| authkit.previous_cookie_passwords([OTHER_PASSWORD])).await;
    let session = foreign(&app).to_string();
    let mut browser = app.browser();
    let old = iron::seal(OTHER_PASSWORD, session.as_bytes(), "");
    browser.set_cookie("wos-session", &old);
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(content(&browser)["user"]["email"], ADA);
    let removed = iron::seal(
        "a password that nobody here knows at all",
        session.as_bytes(),
        "",
    );
    assert!(app.ask(ME, &cookie(&removed)).await.drops_the_session());
}

#[tokio::test]
async fn a_password_id_is_good_where_it_is_configured() {
    let app = sharing_with(|authkit| authkit.iron_passwords([("2", OTHER_PASSWORD)])).await;
    let session = foreign(&app).to_string();
    let sealed = |password, id| iron::seal_by_id(password, id, session.as_bytes(), "");
    for (good, value) in [
        (true, sealed(OTHER_PASSWORD, "2")),
        (true, sealed(PASSWORD, "1")),
        (true, sealed(PASSWORD, "")),
        (false, sealed(OTHER_PASSWORD, "1")),
        (false, sealed(PASSWORD, "2")),
        (false, sealed(OTHER_PASSWORD, "3")),
    ] {
        let answer = app.ask(ME, &cookie(&value)).await;
        assert_eq!(answer.status == 200, good, "{value}");
        assert_eq!(answer.drops_the_session(), !good, "{value}");
        assert!(!good || answer.set_cookies().is_empty(), "{value}");
    }
}

#[tokio::test]
async fn a_cookie_that_was_sealed_for_a_time_ends_a_minute_after_it() {
    let app = sharing().await;
    let session = foreign(&app).to_string();
    let now = authkit_actix::Clock::unix_seconds(&app.clock);
    let until = |seconds: i64| {
        let expiry = ((now + seconds) * 1000).to_string();
        cookie(&iron::seal(PASSWORD, session.as_bytes(), &expiry))
    };
    assert_eq!(app.ask(ME, &until(10)).await.status, 200);
    assert_eq!(app.ask(ME, &until(-59)).await.status, 200);
    assert!(app.ask(ME, &until(-60)).await.drops_the_session());
}

#[tokio::test]
async fn a_shared_cookie_is_refused_and_dropped_whatever_was_done_to_it() {
    let app = sharing().await;
    let good = sealed(&foreign(&app));
    assert_eq!(app.ask(ME, &cookie(&good)).await.status, 200);
    let mut altered = Vec::new();
    for index in (0..good.len() - 2).step_by(7) {
        let other = if &good[index..=index] == "A" {
            "B"
        } else {
            "A"
        };
        altered.push(format!("{}{other}{}", &good[..index], &good[index + 1..]));
        altered.push(good[..index].to_owned());
        altered.push(format!("{}A{}", &good[..index], &good[index..]));
    }
    altered.extend([
        good.replace("Fe26.2", "Fe26.1"),
        good.replace("*1*", "*7*"),
        good.replace("**", "*99999999999999999999*"),
        good.replace("~2", "~3"),
        format!("{good}*x"),
        good.replace('*', "%2A"),
        "Fe26.2*******~2".to_owned(),
        format!("Fe26.2{}", "*".repeat(10_000)),
        format!("Fe26.2*1*{}", "A".repeat(60_000)),
    ]);
    for altered in altered {
        let answer = app.ask(ME, &cookie(&altered)).await;
        assert!(answer.drops_the_session(), "{altered}");
    }
}

#[tokio::test]
async fn a_shared_cookie_that_is_wrong_inside_is_refused_and_dropped() {
    let app = sharing().await;
    let good = foreign(&app);
    let text = good.to_string();
    let with = |name: &str, value: Value| {
        let mut session = good.clone();
        session[name] = value;
        session.to_string()
    };
    let without = |name: &str| {
        let mut session = good.clone();
        session.as_object_mut().expect("an object").remove(name);
        session.to_string()
    };
    for wrong in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        without("accessToken"),
        without("refreshToken"),
        without("user"),
        with("accessToken", json!(7)),
        with("accessToken", json!("a.b.c")),
        with("refreshToken", json!(null)),
        with("user", json!(null)),
        with("user", json!({"id": "user_ada"})),
        with("user", json!({"id": "user_of_somebody_else", "email": ADA})),
        with("access_token", good["accessToken"].clone()),
        text.replacen('{', "{\"accessToken\":\"x\",", 1),
        text[..text.len() - 1].to_owned(),
        "[".repeat(20_000),
    ] {
        let answer = app
            .ask(ME, &cookie(&iron::seal(PASSWORD, wrong.as_bytes(), "")))
            .await;
        assert!(
            answer.drops_the_session(),
            "{}",
            &wrong[..wrong.len().min(80)]
        );
    }
    let latin = iron::seal(
        PASSWORD,
        &[b"{\"user\":\"".as_slice(), &[0xff]].concat(),
        "",
    );
    assert!(app.ask(ME, &cookie(&latin)).await.drops_the_session());
}

#[tokio::test]
async fn a_session_that_outgrows_one_cookie_loses_the_longest_of_its_user_first() {
    let app = sharing().await;
    let profile = json!({
        "metadata": {"notes": "n".repeat(2000)},
        "profile_picture_url": format!("https://example.com/{}", "p".repeat(1000)),
    });
    change_ada(&app, |ada| ada.profile(profile));
    let mut browser = app.signed_in(ADA).await;
    assert_eq!(browser.cookie_names(), ["wos-session"]);
    let length = "wos-session".len() + browser.cookie("wos-session").expect("it").len();
    assert!((3000..=4096).contains(&length), "{length}");
    let user = &content(&browser)["user"];
    assert_eq!(user["metadata"], json!({}));
    assert_eq!(user["firstName"], "Ada");
    assert!(user["profilePictureUrl"].is_string());
    let me = browser.api(ME).await.json();
    assert_eq!(me["user"]["metadata"], Value::Null);
    assert_eq!(me["user"]["first_name"], "Ada");

    let longer = "p".repeat(3000);
    let profile = json!({"metadata": {"notes": "n".repeat(900)}, "profile_picture_url": longer});
    change_ada(&app, |ada| ada.profile(profile));
    app.clock.advance(EXPIRED);
    assert_eq!(browser.get("/account").await.status, 200);
    let user = &content(&browser)["user"];
    assert_eq!(user["profilePictureUrl"], Value::Null);
    assert_eq!(user["metadata"]["notes"], "n".repeat(900));
}

#[tokio::test]
async fn a_session_that_no_trimming_makes_fit_is_split_and_an_error_says_so_once() {
    let log = Log::capture();
    let told = || log.lines_with("without its user's profile").len();
    let before = told();
    let app = sharing().await;
    let permissions: Vec<_> = (0..200).map(|number| format!("widgets:{number}")).collect();
    change_ada(&app, |ada| {
        ada.claims(json!({"permissions": permissions}))
            .profile(json!({"metadata": {"plan": "gold"}}))
    });
    let mut browser = app.signed_in(ADA).await;
    let mut names = browser.cookie_names();
    names.sort_unstable();
    assert_eq!(names, ["wos-session.0", "wos-session.1"]);
    let me = browser.api(ME).await.json();
    assert_eq!(me["permissions"].as_array().expect("a list").len(), 200);
    assert_eq!(me["user"]["metadata"]["plan"], "gold");
    app.clock.advance(EXPIRED);
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(told(), before + 1);
}

#[tokio::test]
async fn the_cookie_keeps_what_is_asked_for_of_the_user() {
    for format in [SealFormat::ChaCha, SealFormat::Iron] {
        let app = TestApp::builder()
            .authkit(move |authkit| {
                authkit
                    .seal_format(format)
                    .user_fields([UserField::LastName, UserField::Metadata])
            })
            .start()
            .await;
        change_ada(&app, |ada| {
            ada.name("Ada", "Lovelace")
                .profile(json!({"metadata": {"plan": "gold"}, "locale": "en-GB"}))
        });
        let mut browser = app.signed_in(ADA).await;
        let expected = json!({
            "id": app.session(ADA)["user"]["id"],
            "email": ADA,
            "email_verified": true,
            "last_name": "Lovelace",
            "metadata": {"plan": "gold"},
        });
        assert_eq!(browser.api(ME).await.json()["user"], expected, "{format:?}");
        app.clock.advance(EXPIRED);
        assert_eq!(browser.api(ME).await.json()["user"], expected, "{format:?}");
        assert_eq!(browser.api(ME).await.json()["user"], expected, "{format:?}");
    }
}

/// A browser whose refresh token is spent, as by another application.
async fn spent(app: &TestApp) -> Browser {
    let session = app.emulator.session_for(ADA).expect("ada");
    let mut browser = app.browser();
    let document = json!({
        "accessToken": session.access_token,
        "refreshToken": session.refresh_token,
        "user": session.user,
    });
    browser.set_cookie("wos-session", &sealed(&document));
    app.emulator.end_session(&session.session_id);
    app.clock.advance(EXPIRED);
    browser
}

#[tokio::test]
async fn a_page_whose_session_is_spent_is_loaded_once_more_before_the_cookie_goes() {
    for path in ["/account?tab=1", "/", "/private/page", "/api/me"] {
        let app = sharing().await;
        let mut browser = spent(&app).await;
        let once_more = browser.get(path).await;
        assert_eq!(once_more.status, 302, "{path}");
        assert_eq!(once_more.location(), Some(format!("{}{path}", app.origin)));
        assert_eq!(
            once_more.header("cache-control"),
            Some("private, no-cache, no-store, must-revalidate, max-age=0")
        );
        let mut names = browser.cookie_names();
        names.sort_unstable();
        assert_eq!(names, ["wos-session", "wos-session-spent"], "{path}");

        let gone = browser.get(path).await;
        assert!(gone.removes("wos-session"), "{path}");
        assert!(gone.removes("wos-session-spent"), "{path}");
        assert_ne!(gone.location(), once_more.location(), "{path}");
        assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
    }
}

#[tokio::test]
async fn a_cookie_that_another_application_renewed_meanwhile_shows_by_the_second_load() {
    let app = sharing().await;
    let mut browser = spent(&app).await;
    let once_more = browser.get("/account").await;
    browser.set_cookie("wos-session", &sealed(&foreign(&app)));
    let page = browser.follow(once_more).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body, "account of ada@example.com");

    // That session ends as well: the mark of the first says nothing about it.
    let renewed = spent(&app).await;
    browser.set_cookie("wos-session", renewed.cookie("wos-session").expect("it"));
    let once_more = browser.get("/account").await;
    assert_eq!(
        once_more.location(),
        Some(format!("{}/account", app.origin))
    );
    assert!(!once_more.removes("wos-session"));
}

#[tokio::test]
async fn a_call_whose_session_is_spent_is_refused_and_the_cookie_goes_with_the_second() {
    let app = sharing().await;
    let mut browser = spent(&app).await;
    let first = browser.api(ME).await;
    assert_eq!(first.status, 401);
    assert!(!first.removes("wos-session"));
    let second = browser.api(ME).await;
    assert!(second.drops_the_session());
    assert!(browser.cookie_names().is_empty());
}

#[tokio::test]
async fn a_form_whose_session_is_spent_is_not_sent_again() {
    let app = sharing().await;
    let mut browser = spent(&app).await;
    let answer = browser.submit("/form", &[]).await;
    assert_eq!(answer.status, 303);
    let location = answer.location().expect("a redirect");
    assert!(location.starts_with(app.emulator.api_url()), "{location}");
    assert!(!answer.removes("wos-session"));
}

#[tokio::test]
async fn requests_at_once_with_a_spent_session_do_not_remove_a_renewed_one() {
    let app = sharing().await;
    let browser = spent(&app).await;
    for _ in 0..5 {
        let mut late = browser.clone();
        let answer = late
            .send(Method::GET, "/account", &[("accept", "text/html")], "")
            .await;
        assert!(!answer.removes("wos-session"));
    }
}

#[tokio::test]
async fn with_the_default_seal_a_spent_session_goes_at_once() {
    let app = TestApp::start().await;
    let session = app.emulator.session_for(GRACE).expect("grace");
    let document = json!({
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "user": session.user,
    });
    let mut browser = app.browser();
    browser.set_cookie("wos-session", &app.seal(&document));
    app.emulator.end_session(&session.session_id);
    app.clock.advance(EXPIRED);
    let answer = browser.get("/account").await;
    assert!(answer.removes("wos-session"));
    assert_eq!(browser.cookie("wos-session-spent"), None);
}
