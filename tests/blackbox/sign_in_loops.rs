//! Browsers that sign in and do not bring their session along: the redirects end with a page that says
//! why, and nobody else ever sees it.

use authkit_actix::{AuthKitBuilder, SealFormat};
use authkit_tests::{Answer, Browser, Log, TestApp};
use reqwest::Method;
use serde_json::json;

const ADA: &str = "ada@example.com";

/// One way to AuthKit and back, until the browser stands before the page again.
async fn go_round(browser: &mut Browser) {
    let start = browser.get("/account").await;
    assert_eq!(start.status, 302, "{}", start.body);
    let callback = browser.authenticate(&start, ADA).await;
    let done = browser.get(&callback).await;
    assert_eq!(done.status, 303, "{}", done.body);
}

/// Goes round until the application calls a halt, which it does after three rounds.
async fn loops(browser: &mut Browser, lose: impl Fn(&mut Browser)) -> Answer {
    for _ in 0..3 {
        go_round(browser).await;
        lose(browser);
    }
    browser.get("/account").await
}

fn lose_session(browser: &mut Browser) {
    let names: Vec<_> = browser
        .cookie_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    for name in names.iter().filter(|name| name.starts_with("wos-session")) {
        browser.forget(name);
    }
}

fn is_explained(answer: &Answer, reason: &str) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("round in circles"), "{}", answer.body);
    assert!(answer.body.contains(reason), "{}", answer.body);
    assert_eq!(answer.location(), None);
}

#[tokio::test]
async fn a_session_that_the_browser_never_sends_ends_on_a_page_that_says_so() {
    let log = Log::capture();
    let before = log.lines_with("without keeping a session").len();
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let page = loops(&mut browser, lose_session).await;
    is_explained(&page, "another site on this domain may remove it");
    let told = log.lines_with("without keeping a session");
    assert!(told.len() > before);
    assert!(
        told.iter().any(|line| line.contains("rounds=3")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_click_on_the_page_begins_anew_and_comes_back_to_where_it_was() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let page = loops(&mut browser, lose_session).await;
    let link = page
        .body
        .split("href=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let link = link.expect("a link").replace("&amp;", "&");
    assert!(link.ends_with("/sign-in?return_to=%2Faccount"), "{link}");
    assert!(
        browser.cookie_names().is_empty(),
        "{:?}",
        browser.cookie_names()
    );
    let start = browser.get(&link).await;
    let callback = browser.authenticate(&start, ADA).await;
    let done = browser.get(&callback).await;
    assert_eq!(
        browser.follow(done).await.body,
        "account of ada@example.com"
    );
}

#[tokio::test]
async fn a_callback_whose_cookies_a_proxy_takes_away_ends_on_a_page_that_says_so() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for _ in 0..3 {
        let start = browser.get("/account").await;
        assert_eq!(start.status, 302, "{}", start.body);
        let callback = browser.authenticate(&start, ADA).await;
        let done = browser.clone().get(&callback).await;
        assert_eq!(done.status, 303, "{}", done.body);
    }
    let page = browser.get("/account").await;
    is_explained(&page, "(Set-Cookie)");
}

#[tokio::test]
async fn a_session_in_pieces_that_get_lost_ends_on_a_page_that_says_so() {
    let app = TestApp::start().await;
    let profile = json!({"metadata": {"notes": "n".repeat(5000)}});
    app.emulator
        .change_user(ADA, |ada| ada.profile(profile))
        .expect("ada");
    let page = loops(&mut app.browser(), lose_session).await;
    is_explained(&page, "too large");
}

#[tokio::test]
async fn a_session_that_somebody_overwrites_ends_on_a_page_that_says_so() {
    let app = TestApp::start().await;
    let overwrite = |browser: &mut Browser| browser.set_cookie("wos-session", "another-site's");
    let page = loops(&mut app.browser(), overwrite).await;
    is_explained(&page, "not accepted");
    assert!(page.removes("wos-session"));
}

#[tokio::test]
async fn instances_whose_clocks_are_apart_end_on_a_page_that_says_so() {
    let app = TestApp::start().await;
    let clock = app.clock.clone();
    let behind = move |browser: &mut Browser| {
        lose_session(browser);
        clock.advance(-100);
    };
    let page = loops(&mut app.browser(), behind).await;
    is_explained(&page, "clocks");
}

#[tokio::test]
async fn a_sign_in_route_that_a_redirect_leads_to_again_and_again_ends_as_well() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for _ in 0..3 {
        go_round(&mut browser).await;
        lose_session(&mut browser);
    }
    let arrive = async |mut browser: Browser, site: &str| {
        let headers = [("accept", "text/html"), ("sec-fetch-site", site)];
        browser.send(Method::GET, "/sign-in", &headers, "").await
    };
    is_explained(
        &arrive(browser.clone(), "cross-site").await,
        "Signing in has succeeded",
    );
    for by_hand in ["none", "same-origin"] {
        assert_eq!(arrive(browser.clone(), by_hand).await.status, 302);
    }
    assert_eq!(browser.get("/sign-in").await.status, 302);
}

/// The page of a callback whose verifier cookie a browser has refused to keep.
async fn without_verifier(
    change: impl FnOnce(AuthKitBuilder) -> AuthKitBuilder + 'static,
) -> Answer {
    let app = TestApp::builder()
        .emulator(|emulator| {
            emulator
                .allow_origin("http://app.example.com")
                .allow_origin("https://127.0.0.1")
        })
        .authkit(change)
        .start()
        .await;
    let mut browser = app.browser();
    let start = browser.get("/account").await;
    let callback = browser.authenticate(&start, ADA).await;
    let query = callback.split_once('?').expect("parameters").1;
    let mut none_kept = app.browser();
    none_kept.get(&format!("/callback?{query}")).await
}

#[tokio::test]
async fn secure_cookies_over_plain_http_are_named_where_the_sign_in_fails() {
    let log = Log::capture();
    let page = without_verifier(|authkit| {
        authkit
            .base_url("https://127.0.0.1")
            .redirect_uri("https://127.0.0.1/callback")
    })
    .await;
    assert_eq!(page.status, 400);
    assert!(page.body.contains("(Secure)"), "{}", page.body);
    let told = log.lines_with("came back without its cookie");
    assert!(
        told.iter().any(|line| line.contains("NotSecure")),
        "{told:?}"
    );
}

#[tokio::test]
async fn cookies_of_another_domain_or_host_are_named_where_the_sign_in_fails() {
    let page = without_verifier(|authkit| {
        authkit
            .base_url("http://app.example.com")
            .redirect_uri("http://app.example.com/callback")
            .cookie_domain("example.com")
    })
    .await;
    assert!(page.body.contains("WORKOS_COOKIE_DOMAIN"), "{}", page.body);
    let page = without_verifier(|authkit| {
        authkit
            .base_url("http://app.example.com")
            .redirect_uri("http://app.example.com/callback")
    })
    .await;
    assert!(page.body.contains("AUTHKIT_BASE_URL"), "{}", page.body);
}

#[tokio::test]
async fn a_sign_in_that_is_simply_unknown_is_not_explained() {
    let app = TestApp::start().await;
    let page = app.browser().get("/callback?code=x&state=y").await;
    assert_eq!(page.status, 400);
    assert!(!page.body.contains("seems to be"), "{}", page.body);
}

#[tokio::test]
async fn a_callback_that_leads_to_a_host_without_its_cookies_does_so_three_times_at_most() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.base_url("http://app.example.com"))
        .start()
        .await;
    let mut signed_in = app.with_session(ADA);
    for _ in 0..3 {
        let mut elsewhere = app.browser();
        let start = elsewhere.get("/account").await;
        let callback = elsewhere.authenticate(&start, ADA).await;
        let onward = signed_in.get(&callback).await;
        assert_eq!(onward.status, 303, "{}", onward.body);
        let account = "http://app.example.com/account".to_owned();
        assert_eq!(onward.location(), Some(account));
    }
    let mut elsewhere = app.browser();
    let start = elsewhere.get("/account").await;
    let callback = elsewhere.authenticate(&start, ADA).await;
    let page = signed_in.get(&callback).await;
    assert_eq!(page.status, 400, "{:?}", page.location());
    assert!(page.body.contains("AUTHKIT_BASE_URL"), "{}", page.body);
    assert!(signed_in.cookie("wos-session").is_some());
}

#[tokio::test]
async fn a_sign_in_whose_session_comes_back_leaves_no_other_cookie() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        let mut browser = app.browser();
        for _ in 0..2 {
            assert_eq!(browser.sign_in(ADA).await.status, 303);
            assert_eq!(browser.cookie_names(), ["wos-session"]);
        }
        assert_eq!(browser.get("/account").await.status, 200);
    }
}

#[tokio::test]
async fn a_session_that_comes_back_at_last_ends_the_count() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for _ in 0..2 {
        for _ in 0..2 {
            go_round(&mut browser).await;
            lose_session(&mut browser);
        }
        assert!(browser.cookie("wos-auth-rounds").is_some());
        go_round(&mut browser).await;
        assert_eq!(browser.get("/account").await.status, 200);
        browser.sign_in(ADA).await;
        assert_eq!(browser.cookie_names(), ["wos-session"]);
        assert_eq!(browser.get("/account").await.status, 200);
        lose_session(&mut browser);
    }
}

#[tokio::test]
async fn many_tabs_that_sign_in_at_once_are_no_loop() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let mut starts = Vec::new();
    for _ in 0..5 {
        starts.push(browser.get("/account").await);
    }
    for start in starts {
        let callback = browser.authenticate(&start, ADA).await;
        assert_eq!(browser.get(&callback).await.status, 303);
        assert_eq!(browser.get("/account").await.status, 200);
    }
}

#[tokio::test]
async fn signing_in_and_out_again_and_again_is_no_loop() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for _ in 0..8 {
        go_round(&mut browser).await;
        assert_eq!(browser.get("/account").await.status, 200);
        browser.submit("/sign-out", &[]).await;
        assert_eq!(browser.cookie("wos-session"), None);
    }
}

#[tokio::test]
async fn starts_that_nobody_finishes_are_no_loop() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for _ in 0..20 {
        assert_eq!(browser.get("/account").await.status, 302);
    }
}

#[tokio::test]
async fn sessions_that_end_now_and_then_are_no_loop() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for _ in 0..6 {
        go_round(&mut browser).await;
        lose_session(&mut browser);
        app.clock.advance(31);
    }
    assert_eq!(browser.get("/account").await.status, 302);
}

#[tokio::test]
async fn a_count_that_somebody_forged_shows_the_page_and_no_more() {
    let app = TestApp::start().await;
    for forged in [
        "",
        "x",
        "255.0.0",
        "9.99999999999999999999.1",
        "3",
        "-1.-1.-1",
        "300.1.1",
    ] {
        let mut browser = app.browser();
        browser.set_cookie("wos-auth-rounds", forged);
        assert_eq!(browser.get("/account").await.status, 302, "{forged}");
    }
    let now = authkit_actix::Clock::unix_seconds(&app.clock);
    let mut browser = app.browser();
    browser.set_cookie(
        "wos-auth-rounds",
        &format!("255.{now}.18446744073709551615"),
    );
    is_explained(&browser.get("/account").await, "too large");
    assert_eq!(browser.get("/account").await.status, 302);
}

#[tokio::test]
async fn a_shared_session_that_is_signed_in_is_no_loop_whatever_the_count_says() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.seal_format(SealFormat::Iron))
        .start()
        .await;
    let now = authkit_actix::Clock::unix_seconds(&app.clock);
    let mut browser = app.signed_in(ADA).await;
    browser.set_cookie("wos-auth-rounds", &format!("9.{now}.100"));
    assert_eq!(browser.get("/account").await.status, 200);
    app.clock.advance(301);
    let now = now + 301;
    browser.set_cookie("wos-auth-rounds", &format!("9.{now}.100"));
    assert_eq!(browser.get("/danger").await.status, 302, "to sign in again");
}
