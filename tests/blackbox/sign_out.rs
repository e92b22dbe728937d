//! Signing out: who may ask for it, what goes, and where it leads.

use authkit_actix::{SameSite, emulator::Endpoint, emulator::Fault};
use authkit_tests::{Answer, Browser, TestApp};
use reqwest::Method;
use serde_json::json;
use url::Url;

const SESSION: &str = "wos-session";
const SAME_ORIGIN: [(&str, &str); 1] = [("sec-fetch-site", "same-origin")];

async fn sign_out(browser: &mut Browser, query: &str) -> Answer {
    browser.submit(&format!("/sign-out{query}"), &[]).await
}

/// The session id of the WorkOS logout URL that an answer leads to.
fn logout_of(app: &TestApp, answer: &Answer) -> Option<String> {
    let logout = format!(
        "{}/user_management/sessions/logout?",
        app.emulator.api_url()
    );
    let location = answer.location()?;
    location.starts_with(&logout).then_some(())?;
    answer.location_parameter("session_id")
}

async fn session_id(browser: &mut Browser) -> String {
    let me = browser.api("/api/me").await.json();
    me["session_id"].as_str().expect("a session").to_owned()
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_at_workos() {
    let app = TestApp::start().await;
    for method in [Method::GET, Method::POST] {
        let mut ada = app.signed_in("ada@example.com").await;
        let mut thief = ada.clone();
        let id = session_id(&mut ada).await;
        let headers = [SAME_ORIGIN[0], ("sec-fetch-mode", "navigate")];
        let out = ada.send(method, "/sign-out", &headers, "").await;
        assert_eq!(out.status, 303);
        assert_eq!(logout_of(&app, &out), Some(id));
        assert_eq!(out.location_parameter("return_to"), None);
        assert!(out.removes(SESSION));
        assert_eq!(ada.cookie_names(), Vec::<&str>::new());

        let end = ada.follow(out).await;
        assert_eq!(end.status, 200, "back home: {}", end.body);
        assert_eq!(ada.get("/account").await.status, 302);
        app.clock.advance(400);
        assert_eq!(
            thief.api("/account").await.status,
            401,
            "WorkOS has ended it"
        );
    }
    assert_eq!(app.emulator.calls(Endpoint::Logout), 2);
}

#[tokio::test]
async fn only_the_site_itself_signs_anybody_out() {
    let app = TestApp::start().await;
    let own = app.origin.as_str();
    let port_off = format!("{own}1");
    let https = own.replace("http:", "https:");
    let rows: [(&[(&str, &str)], bool); 18] = [
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", own)], true),
        (&[("origin", own)], true),
        (&[], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", own)], false),
        (&[("sec-fetch-site", "same-site"), ("origin", own)], false),
        (&[("sec-fetch-site", "")], false),
        (&[("origin", "null")], false),
        (&[("origin", "http://evil.example")], false),
        (
            &[("origin", "http://evil.example"), ("host", "evil.example")],
            false,
        ),
        (&[("origin", &port_off)], false),
        (&[("origin", &https)], false),
        (&[("referer", own)], false),
        (
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-purpose", "prefetch"),
            ],
            false,
        ),
        (
            &[
                ("sec-fetch-site", "none"),
                ("purpose", "prefetch"),
                ("origin", own),
            ],
            false,
        ),
    ];
    for (headers, is_allowed) in rows {
        for method in [Method::GET, Method::POST] {
            let mut ada = app.with_session("ada@example.com");
            ada.get("/sign-in").await;
            let before = ada.cookie_names().len();
            let out = ada.send(method.clone(), "/sign-out", headers, "").await;
            if is_allowed {
                assert_eq!(out.status, 303, "{method} {headers:?}");
                assert!(logout_of(&app, &out).is_some(), "{method} {headers:?}");
                assert_eq!(ada.cookie_names(), Vec::<&str>::new());
            } else {
                assert_eq!(out.status, 403, "{method} {headers:?}");
                assert_eq!(out.location(), None);
                assert_eq!(out.set_cookies(), [], "{method} {headers:?}");
                assert_eq!(ada.cookie_names().len(), before);
                assert_eq!(ada.get("/account").await.status, 200);
            }
        }
    }
}

#[tokio::test]
async fn a_get_that_is_no_navigation_signs_nobody_out() {
    let app = TestApp::start().await;
    for mode in ["no-cors", "cors", "same-origin", "websocket"] {
        let mut ada = app.with_session("ada@example.com");
        let headers = [
            SAME_ORIGIN[0],
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", "image"),
        ];
        let out = ada.send(Method::GET, "/sign-out", &headers, "").await;
        assert_eq!(
            out.status, 403,
            "an <img src=/sign-out> in a comment: {mode}"
        );
        assert_eq!(out.set_cookies(), [], "{mode}");
    }
}

#[tokio::test]
async fn other_methods_remove_nothing() {
    let app = TestApp::start().await;
    let mut ada = app.with_session("ada@example.com");
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let out = ada
            .send(method.clone(), "/sign-out", &SAME_ORIGIN, "")
            .await;
        assert_eq!(out.status, 405, "{method}");
        assert!(
            out.header("allow")
                .is_some_and(|allow| allow.contains("POST"))
        );
        assert_eq!(out.set_cookies(), [], "{method}");
    }
    assert_eq!(ada.get("/account").await.status, 200);
}

#[tokio::test]
async fn chunks_and_pending_sign_ins_go_too() {
    let app = TestApp::start().await;
    let mut session = app.session("ada@example.com");
    session["user"]["metadata"] = json!({"filler": "x".repeat(9000)});
    let mut ada = app.with_session("ada@example.com");
    ada.set_cookie(SESSION, &app.seal(&session));
    let state = ada.get("/sign-in").await.location_parameter("state");
    ada.get("/sign-in").await;
    ada.set_cookie("wos-session.0", "3.leftover");
    ada.set_cookie("wos-session.5", "leftover");
    ada.set_cookie("theme", "dark");
    let out = sign_out(&mut ada, "").await;
    assert!(logout_of(&app, &out).is_some(), "{out:?}");
    assert_eq!(ada.cookie_names(), ["theme"]);
    let late = format!("/callback?code=x&state={}", state.expect("a state"));
    assert_eq!(ada.get(&late).await.status, 400);
}

#[tokio::test]
async fn a_removal_repeats_the_attributes() {
    let app = TestApp::builder()
        .authkit(|authkit| {
            authkit
                .redirect_uri("https://app.example.com/callback")
                .cookie_domain("example.com")
                .cookie_same_site(SameSite::None)
        })
        .start()
        .await;
    let mut ada = app.with_session("ada@example.com");
    ada.get("/sign-in").await;
    let out = sign_out(&mut ada, "").await;
    let of_session = |cookie: &&authkit_tests::Cookie| cookie.name == SESSION;
    let cookies = out.set_cookies();
    let sessions: Vec<_> = cookies.iter().filter(of_session).collect();
    assert_eq!(
        sessions.len(),
        2,
        "the host-only twin as well: {sessions:?}"
    );
    let mut domains: Vec<_> = sessions.iter().map(|it| it.attribute("domain")).collect();
    domains.sort();
    assert_eq!(domains, [None, Some("example.com")]);
    for cookie in &cookies {
        assert_eq!(cookie.attribute("path"), Some("/"), "{cookie:?}");
        assert_eq!(cookie.attribute("max-age"), Some("0"), "{cookie:?}");
        assert_eq!(cookie.attribute("samesite"), Some("None"), "{cookie:?}");
        assert_eq!(cookie.attribute("httponly"), Some(""), "{cookie:?}");
        assert_eq!(cookie.attribute("secure"), Some(""), "{cookie:?}");
    }
    assert_eq!(cookies.len(), 3, "{cookies:?}");
}

#[tokio::test]
async fn where_there_is_no_session_it_ends_here() {
    let app = TestApp::start().await;
    let stranger = sign_out(&mut app.browser(), "").await;
    assert_eq!(stranger.status, 303);
    assert_eq!(stranger.location(), Some(format!("{}/", app.origin)));
    assert_eq!(stranger.set_cookies(), []);

    let session = app.session("ada@example.com");
    let mut forged = session.clone();
    let claims = json!({"sub": "user_ada", "sid": "session_forged", "iat": 0, "exp": 9e9 as i64});
    forged["access_token"] = json!(app.emulator.mint_with_unknown_key(claims));
    for value in ["garbage", &app.seal(&forged), &app.seal(&json!({}))] {
        let mut browser = app.browser();
        browser.set_cookie(SESSION, value);
        let out = sign_out(&mut browser, "").await;
        assert_eq!(out.status, 303);
        assert_eq!(out.location(), Some(format!("{}/", app.origin)));
        assert!(out.removes(SESSION));
    }
}

#[tokio::test]
async fn a_session_whose_token_has_expired_is_ended_without_a_refresh() {
    let app = TestApp::start().await;
    let mut ada = app.with_session("ada@example.com");
    let id = session_id(&mut ada).await;
    app.clock.advance(10_000);
    let out = sign_out(&mut ada, "").await;
    assert_eq!(logout_of(&app, &out), Some(id));
    assert!(out.removes(SESSION));
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

#[tokio::test]
async fn signing_out_works_while_workos_is_out_of_reach() {
    let app = TestApp::start().await;
    app.emulator.fault(Endpoint::Jwks, Fault::Status(503));
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    for seconds in [0, 400] {
        let mut ada = app.with_session("ada@example.com");
        app.clock.advance(seconds);
        let out = sign_out(&mut ada, "").await;
        assert_eq!(out.status, 303);
        assert!(out.removes(SESSION));
    }
}

/// What `return_to` asks for, and where it may lead: a path here, an address of the list, nowhere.
const RETURNS: [(&str, Option<&str>); 35] = [
    ("/bye", Some("/bye")),
    ("/bye?a=1&b=//x", Some("/bye?a=1&b=//x")),
    ("/", Some("/")),
    (
        "https://www.example.com/out?a=1",
        Some("https://www.example.com/out?a=1"),
    ),
    ("https://www.example.com", Some("https://www.example.com/")),
    ("", None),
    ("bye", None),
    ("//evil.example", None),
    ("///evil.example", None),
    ("/\\evil.example", None),
    ("\\\\evil.example", None),
    ("/\t/evil.example", None),
    ("\t//evil.example", None),
    ("/\n/evil.example", None),
    ("/..//evil.example", None),
    ("/.//evil.example", None),
    ("https:evil.example", None),
    ("https:/evil.example", None),
    ("https:/\\evil.example", None),
    ("http://evil.example", None),
    ("https://evil.example/https://www.example.com", None),
    ("https://www.example.com.evil.example", None),
    ("https://www.example.com@evil.example", None),
    ("https://evil.example\\@www.example.com", None),
    ("https://evil.example#@www.example.com", None),
    ("https://user@www.example.com/", None),
    ("https://user:pass@www.example.com/", None),
    ("https://www.example.com:444/", None),
    ("http://www.example.com/", None),
    ("https://example.com/", None),
    ("https://sub.www.example.com/", None),
    ("javascript:alert(1)", None),
    ("data:text/html,x", None),
    ("ftp://www.example.com/", None),
    ("blob:https://www.example.com/x", None),
];

#[tokio::test]
async fn a_sign_out_returns_to_this_site_or_one_of_the_list_and_nowhere_else() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.return_to_origins(["https://www.example.com"]))
        .start()
        .await;
    for (asked, expected) in RETURNS {
        let expected = expected.map(|expected| match expected.starts_with('/') {
            true => format!("{}{expected}", app.origin),
            false => expected.to_owned(),
        });
        let value: String = url::form_urlencoded::byte_serialize(asked.as_bytes()).collect();
        let query = format!("?return_to={value}");

        let with = sign_out(&mut app.with_session("ada@example.com"), &query).await;
        assert!(logout_of(&app, &with).is_some(), "{asked}");
        assert_eq!(with.location_parameter("return_to"), expected, "{asked}");

        let without = sign_out(&mut app.browser(), &query).await;
        let home = format!("{}/", app.origin);
        assert_eq!(without.status, 303, "{asked}");
        assert_eq!(
            without.location(),
            Some(expected.unwrap_or(home)),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn a_return_path_splits_no_header_and_no_second_one_counts_against_it() {
    let app = TestApp::start().await;
    for query in [
        "?return_to=/%0d%0aSet-Cookie:%20evil=1",
        "?return_to=/bye&return_to=https://evil.example",
        "?return_to=https://evil.example&return_to=/bye",
        "?return_to=%ff%fe",
        "?return_to=%00",
        "?return_to",
        "?return_to=/%zz",
    ] {
        for mut browser in [app.browser(), app.with_session("ada@example.com")] {
            let out = sign_out(&mut browser, query).await;
            assert_eq!(out.status, 303, "{query}");
            assert_eq!(out.set_cookie("evil"), None, "{query}");
            let location = out.location().expect("a redirect");
            let returns = out.location_parameter("return_to");
            for address in [Some(location), returns].into_iter().flatten() {
                let address = Url::parse(&address).expect("absolute");
                assert_eq!(address.host_str(), Some("127.0.0.1"), "{query} {address}");
            }
        }
    }
}

#[tokio::test]
async fn a_sign_out_is_not_cached() {
    let app = TestApp::start().await;
    let cross_site = [("sec-fetch-site", "cross-site")];
    for out in [
        sign_out(&mut app.with_session("ada@example.com"), "").await,
        sign_out(&mut app.browser(), "").await,
        app.browser()
            .send(Method::POST, "/sign-out", &cross_site, "")
            .await,
    ] {
        let cache = out.header("cache-control").expect("Cache-Control");
        assert!(cache.contains("no-store"), "{cache}");
    }
}

#[tokio::test]
async fn somebody_else_can_sign_in_after_it() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("ada@example.com").await;
    let out = sign_out(&mut browser, "?return_to=/maybe").await;
    assert_eq!(browser.follow(out).await.body, "nobody");
    browser.sign_in("alan@example.com").await;
    assert_eq!(
        browser.get("/account").await.body,
        "account of alan@example.com"
    );
}
