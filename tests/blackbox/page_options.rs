use actix_web::{HttpResponse, Responder, get, web};
use authkit_actix::{
    Auth, AuthKit, AuthStatus, AuthUser, PrivateWhen,
    emulator::{EmulatorOrganization, EmulatorUser, Endpoint, Fault, NewSession},
};
use authkit_tests::{Answer, Browser, TestApp, TestAppBuilder};
use reqwest::Method;
use serde_json::json;

#[get("/page")]
async fn plain_page() -> impl Responder {
    "a page that asks for no session"
}

#[get("/file")]
async fn file_page() -> impl Responder {
    HttpResponse::Ok()
        .insert_header(("cache-control", "public, max-age=3600"))
        .body("a file")
}

#[get("/me")]
async fn me_page(user: AuthUser) -> impl Responder {
    user.email.clone()
}

#[get("/status")]
async fn status_page(status: AuthStatus) -> impl Responder {
    match status {
        AuthStatus::SignedIn(_) => "signed in",
        AuthStatus::SignedOut => "signed out",
        AuthStatus::CannotTell => "cannot tell",
    }
}

#[get("/banner")]
async fn banner_page(auth: Auth) -> impl Responder {
    let banner = auth.impersonation_banner();
    banner.map_or("none".to_owned(), |banner| banner.to_string())
}

#[get("/banner-with-nonce")]
async fn banner_with_nonce_page(auth: Auth) -> impl Responder {
    let banner = auth.impersonation_banner();
    banner.map_or("none".to_owned(), |it| it.nonce("n\"1").to_string())
}

fn app() -> TestAppBuilder {
    TestApp::builder().routes(|authkit: &AuthKit, config: &mut web::ServiceConfig| {
        config
            .service(authkit.handle_auth())
            .service(authkit.routes())
            .service(plain_page)
            .service(file_page)
            .service(me_page)
            .service(status_page)
            .service(banner_page)
            .service(banner_with_nonce_page);
    })
}

fn eager() -> TestAppBuilder {
    app().authkit(|authkit| authkit.eager_auth())
}

const EAGER: &str = "workos-access-token";

/// The access token that a response gives to the page's scripts.
fn given(answer: &Answer) -> Option<String> {
    let cookie = answer.set_cookie(EAGER)?;
    Some(cookie.value)
}

#[tokio::test]
async fn a_document_with_a_session_brings_the_access_token_for_half_a_minute() {
    let app = eager().start().await;
    let session = app.session("ada@example.com");
    let mut browser = app.browser();
    browser.set_cookie("wos-session", &app.seal(&session));
    for path in ["/page", "/me"] {
        browser.forget(EAGER);
        let answer = browser.get(path).await;
        let cookie = answer.set_cookie(EAGER).expect("an eager cookie");
        assert_eq!(json!(cookie.value), session["access_token"], "{path}");
        let mut attributes = cookie.attributes.clone();
        attributes.sort();
        assert_eq!(
            attributes,
            ["Max-Age=30", "Path=/", "SameSite=Lax"],
            "{path}"
        );
        assert!(
            answer.headers_joined("cache-control").contains("no-store"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_eager_cookie_is_secure_where_the_sessions_is_and_always_of_this_host() {
    let app = eager()
        .authkit(|authkit| {
            let authkit = authkit.eager_auth().base_url("https://app.example.test");
            authkit.cookie_domain("example.test")
        })
        .start()
        .await;
    let answer = app.with_session("ada@example.com").get("/page").await;
    let cookie = answer.set_cookie(EAGER).expect("an eager cookie");
    assert_eq!(cookie.attribute("secure"), Some(""), "{cookie:?}");
    assert_eq!(cookie.attribute("domain"), None, "{cookie:?}");
}

#[tokio::test]
async fn only_documents_with_a_session_bring_it() {
    let app = eager().start().await;
    let mut ada = app.with_session("ada@example.com");
    assert_eq!(given(&ada.api("/me").await), None);
    for headers in [
        vec![("accept", "text/html"), ("hx-request", "true")],
        vec![("accept", "text/html"), ("sec-purpose", "prefetch")],
        vec![("accept", "text/html"), ("sec-fetch-mode", "cors")],
    ] {
        let answer = ada.send(Method::GET, "/page", &headers, "").await;
        assert_eq!(given(&answer), None, "{headers:?}");
    }
    let submitted = ada.submit("/page", &[]).await;
    assert_eq!(given(&submitted), None);
    assert_eq!(given(&app.browser().get("/page").await), None);
    let mut stranger = app.browser();
    stranger.set_cookie("wos-session", "garbage");
    assert_eq!(given(&stranger.get("/page").await), None);
}

#[tokio::test]
async fn without_the_option_there_is_none() {
    let app = app().start().await;
    let answer = app.with_session("ada@example.com").get("/me").await;
    assert_eq!(given(&answer), None);
}

#[tokio::test]
async fn what_the_browser_still_has_is_not_sent_again() {
    let app = eager().start().await;
    let mut ada = app.with_session("ada@example.com");
    assert!(given(&ada.get("/page").await).is_some());
    assert_eq!(given(&ada.get("/page").await), None);
    ada.set_cookie(EAGER, "another");
    assert!(given(&ada.get("/page").await).is_some());
}

#[tokio::test]
async fn a_refreshed_session_brings_its_new_token() {
    let app = eager().start().await;
    let mut ada = app.with_session("ada@example.com");
    let first = given(&ada.get("/page").await);
    app.clock.advance(3600);
    let answer = ada.get("/page").await;
    let sealed = answer.set_cookie("wos-session").expect("a new session");
    let second = given(&answer).expect("a new token");
    assert_eq!(app.open(&sealed.value)["access_token"], json!(second));
    assert_ne!(first, Some(second));
}

#[tokio::test]
async fn a_token_that_fits_no_cookie_is_not_sent() {
    let app = eager()
        .emulator(|emulator| {
            let claims = json!({"long": "l".repeat(4000)});
            emulator.user(
                EmulatorUser::new("ada@example.com")
                    .password("password")
                    .claims(claims),
            )
        })
        .start()
        .await;
    let mut ada = app.signed_in("ada@example.com").await;
    let answer = ada.get("/me").await;
    assert_eq!(
        (answer.status, given(&answer)),
        (200, None),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn the_eager_cookie_goes_at_sign_out() {
    let app = eager().start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    ada.get("/page").await;
    assert!(ada.cookie(EAGER).is_some());
    let answer = ada.submit("/sign-out", &[]).await;
    assert!(answer.removes(EAGER), "{:?}", answer.headers);
    assert!(ada.cookie_names().is_empty(), "{:?}", ada.cookie_names());
}

#[tokio::test]
async fn the_eager_cookie_goes_with_a_session_that_has_ended() {
    let app = eager().start().await;
    let mut ada = app.with_session("ada@example.com");
    ada.get("/page").await;
    let refused = Fault::json(400, json!({"error": "invalid_grant"}));
    app.emulator.fault(Endpoint::AuthenticateRefresh, refused);
    app.clock.advance(3600);
    let answer = ada.get("/page").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(ada.cookie_names().is_empty(), "{:?}", answer.headers);
}

#[tokio::test]
async fn on_cannot_tell_nothing_happens() {
    let app = eager().start().await;
    let mut ada = app.with_session("ada@example.com");
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    app.clock.advance(3600);
    let answer = ada.get("/page").await;
    assert_eq!((answer.status, answer.set_cookies()), (200, Vec::new()));
    assert_eq!(ada.get("/status").await.body, "cannot tell");
}

#[tokio::test]
async fn a_new_sign_in_replaces_the_token_of_another_user() {
    let app = eager().start().await;
    let mut browser = app.with_session("grace@example.com");
    browser.get("/page").await;
    browser.sign_in("ada@example.com").await;
    browser.get("/page").await;
    let sealed = browser.cookie("wos-session").expect("a session").to_owned();
    let token = browser.cookie(EAGER).expect("a token").to_owned();
    assert_eq!(app.open(&sealed)["access_token"], json!(token));
}

#[tokio::test]
async fn the_banner_says_who_acts_and_how_to_stop() {
    let app = app()
        .authkit(|authkit| authkit.sign_out_path("/leave"))
        .emulator(|emulator| {
            emulator
                .organization(EmulatorOrganization::new("org_<acme>", "Acme"))
                .user(EmulatorUser::new("a<b>@example.com").member_of("org_<acme>", "admin"))
        })
        .start()
        .await;
    let session = NewSession::new("a<b>@example.com")
        .organization("org_<acme>")
        .impersonated_by("<script>op</script>@workos.example", "a ticket");
    let mut browser = app.with_session(session);
    let page = browser.get("/banner").await.body;
    assert!(
        page.contains("&lt;script&gt;op&lt;/script&gt;@workos.example"),
        "{page}"
    );
    assert!(page.contains("a&lt;b&gt;@example.com"), "{page}");
    assert!(page.contains("org_&lt;acme&gt;"), "{page}");
    assert!(
        page.contains(r#"<form method="post" action="/leave">"#),
        "{page}"
    );
    assert!(
        !page.contains("<script>") && !page.contains("nonce"),
        "{page}"
    );
    let page = browser.get("/banner-with-nonce").await.body;
    assert!(page.contains(r#"<style nonce="n&quot;1">"#), "{page}");
}

#[tokio::test]
async fn without_an_operator_there_is_no_banner() {
    let app = app().start().await;
    assert_eq!(
        app.with_session("ada@example.com")
            .get("/banner")
            .await
            .body,
        "none"
    );
    assert_eq!(app.browser().get("/banner").await.body, "none");
}

#[tokio::test]
async fn files_stay_in_caches_where_only_what_used_the_session_is_private() {
    for (private_when, file) in [
        (PrivateWhen::SessionUsed, "public, max-age=3600"),
        (PrivateWhen::CredentialsSent, PRIVATE),
    ] {
        let app = app()
            .authkit(move |authkit| authkit.private_when(private_when))
            .start()
            .await;
        // Watched by this test alone: elsewhere a request with a session makes every answer private.
        let mut ada = Browser::at(&app.origin);
        ada.set_cookie("wos-session", &app.seal(&app.session("ada@example.com")));
        assert_eq!(ada.get("/file").await.headers_joined("cache-control"), file);
        for used in ["/me", "/status", "/sign-in"] {
            let answer = ada.get(used).await;
            assert_eq!(answer.headers_joined("cache-control"), PRIVATE, "{used}");
        }
        // A session that was read and dropped is no public page either.
        ada.set_cookie("wos-session", "garbage");
        let answer = ada.get("/status").await;
        assert_eq!(answer.headers_joined("cache-control"), PRIVATE);
    }
}

const PRIVATE: &str = "private, no-cache, no-store, must-revalidate, max-age=0";
