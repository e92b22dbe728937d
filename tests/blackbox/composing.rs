use std::time::Duration;

use actix_web::{
    Error, Responder,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    get,
    middleware::{Next, from_fn},
    web,
};
use authkit_actix::{
    Auth, AuthKit, AuthStatus, AuthUser,
    emulator::{Endpoint, Fault},
    ensure_signed_in,
};
use authkit_tests::{TestApp, TestAppBuilder};

/// A middleware of the application's own, with the session in it.
async fn own(
    authkit: web::Data<AuthKit>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let session = authkit.session(request.request()).await;
    let status = match session.status() {
        AuthStatus::SignedIn(user) => format!("signed in as {}", user.email),
        AuthStatus::SignedOut => "signed out".to_owned(),
        AuthStatus::CannotTell => "cannot tell".to_owned(),
    };
    let sign_in = session
        .auth(request.request())
        .sign_in_url()
        .return_to("/me")
        .to_string();
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    for (name, value) in [("x-status", status), ("x-sign-in", sign_in)] {
        let name = actix_web::http::header::HeaderName::from_static(name);
        headers.insert(name, value.parse().expect("a header value"));
    }
    session.apply(headers).await;
    Ok(response)
}

#[get("/page")]
async fn plain_page() -> impl Responder {
    "a page"
}

#[get("/me")]
async fn me_page(user: AuthUser) -> impl Responder {
    user.email.clone()
}

#[get("/maybe")]
async fn maybe_page(user: Option<AuthUser>) -> impl Responder {
    user.map_or("nobody".to_owned(), |user| user.email.clone())
}

#[get("/auth")]
async fn auth_page(auth: Auth) -> impl Responder {
    auth.user()
        .map_or("nobody".to_owned(), |user| user.email.clone())
}

#[get("/guarded")]
#[ensure_signed_in]
async fn guarded_page() -> impl Responder {
    "guarded"
}

#[get("/switch")]
async fn switch_page(auth: Auth) -> impl Responder {
    let switched = auth.switch_to_organization("org_globex").await;
    switched.map(|user| user.organization_id().unwrap_or("none").to_owned())
}

fn routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    config
        .app_data(web::Data::new(authkit.clone()))
        .service(authkit.handle_auth())
        .service(authkit.routes())
        .service(
            web::scope("")
                .wrap(from_fn(own))
                .service(plain_page)
                .service(me_page)
                .service(maybe_page)
                .service(auth_page)
                .service(guarded_page)
                .service(switch_page),
        );
}

/// The application's own middleware and none of AuthKit's.
fn alone() -> TestAppBuilder {
    TestApp::builder().routes(routes).without_middleware()
}

/// The same inside AuthKit's own middleware.
fn nested() -> TestAppBuilder {
    TestApp::builder().routes(routes)
}

#[tokio::test]
async fn a_middleware_of_ones_own_knows_who_is_signed_in() {
    for builder in [alone(), nested()] {
        let app = builder.start().await;
        let mut ada = app.with_session("ada@example.com");
        for path in ["/page", "/me", "/maybe", "/auth", "/guarded"] {
            let answer = ada.get(path).await;
            assert_eq!(answer.status, 200, "{path} {}", answer.body);
            assert_eq!(
                answer.header("x-status"),
                Some("signed in as ada@example.com")
            );
            assert!(answer.set_cookies().is_empty(), "{path} {answer:?}");
            assert!(
                answer.headers_joined("cache-control").contains("no-store"),
                "{path}"
            );
        }
        let answer = app.browser().get("/page").await;
        assert_eq!(answer.header("x-status"), Some("signed out"));
        assert_eq!(answer.headers_joined("vary").to_lowercase(), "cookie");
    }
}

#[tokio::test]
async fn a_session_that_was_refreshed_is_written_once() {
    for builder in [alone(), nested()] {
        let app = builder.start().await;
        let mut ada = app.with_session("ada@example.com");
        for path in ["/page", "/me", "/guarded"] {
            app.clock.advance(3600);
            let calls = app.emulator.calls(Endpoint::AuthenticateRefresh);
            let answer = ada.get(path).await;
            assert_eq!(answer.status, 200, "{path} {}", answer.body);
            assert_eq!(answer.set_cookies().len(), 1, "{path} {answer:?}");
            assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), calls + 1);
            let cache = answer.headers.get_all("cache-control").iter().count();
            assert_eq!(cache, 1, "{path} {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_a_handler_changes_is_written_by_the_middleware_around_it() {
    for builder in [alone(), nested()] {
        let app = builder.start().await;
        let mut grace = app.with_session("grace@example.com");
        let answer = grace.get("/switch").await;
        assert_eq!(answer.body, "org_globex");
        let cookies = answer.set_cookies();
        assert_eq!(cookies.len(), 1, "{answer:?}");
        let token = &app.open(&cookies[0].value)["access_token"];
        assert_eq!(app.claims(token)["org_id"], "org_globex");
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_read_is_dropped() {
    for builder in [alone(), nested()] {
        let app = builder.start().await;
        let mut browser = app.browser();
        browser.set_cookie("wos-session", "garbage");
        let answer = browser.get("/page").await;
        assert_eq!(answer.header("x-status"), Some("signed out"));
        assert!(answer.removes("wos-session"), "{answer:?}");
        assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_middleware_of_ones_own_can_lead_to_the_sign_in() {
    for builder in [alone(), nested()] {
        let app = builder.start().await;
        let mut browser = app.browser();
        let link = browser
            .get("/page")
            .await
            .header("x-sign-in")
            .map(str::to_owned);
        let link = link.expect("a link");
        assert!(
            link.starts_with(&format!("{}/sign-in?", app.origin)),
            "{link}"
        );
        let start = browser.get(&link).await;
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let end = browser.get(&callback).await;
        assert_eq!(end.location(), Some(format!("{}/me", app.origin)));
        assert_eq!(browser.get("/me").await.body, "ada@example.com");
    }
}

#[tokio::test]
async fn signed_out_and_guarded_documents_are_sent_to_authkit() {
    for builder in [alone(), nested()] {
        let app = builder.start().await;
        for path in ["/me", "/guarded"] {
            let answer = app.browser().get(path).await;
            assert_eq!(answer.status, 302, "{path} {}", answer.body);
            let verifiers = answer.set_cookies();
            assert_eq!(verifiers.len(), 1, "{path} {answer:?}");
            assert_eq!(app.ask(path, "").await.status, 401, "{path}");
        }
    }
}

/// The status of a request whose session cannot be told; 0 when there is no answer within a second.
async fn status_on_cannot_tell(app: &TestApp, path: &str) -> (u16, Vec<String>) {
    let mut ada = app.with_session("ada@example.com");
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503));
    app.clock.advance(3600);
    let answer = tokio::time::timeout(Duration::from_secs(1), ada.get(path)).await;
    answer.map_or((0, Vec::new()), |answer| {
        let cookies = answer.set_cookies().into_iter();
        (answer.status, cookies.map(|cookie| cookie.name).collect())
    })
}

#[tokio::test]
async fn cannot_tell_is_503_and_keeps_the_cookie_inside_authkits_middleware() {
    for (path, status) in EXTRACTORS {
        let app = nested().start().await;
        assert_eq!(
            status_on_cannot_tell(&app, path).await,
            (status, Vec::new()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn cannot_tell_is_503_and_keeps_the_cookie_with_ones_own_middleware_alone() {
    // Nobody stands outside to answer for an optional user: the documentation says so.
    for (path, status) in EXTRACTORS.into_iter().filter(|(path, _)| *path != "/maybe") {
        let app = alone().start().await;
        assert_eq!(
            status_on_cannot_tell(&app, path).await,
            (status, Vec::new()),
            "{path}"
        );
    }
}

const EXTRACTORS: [(&str, u16); 5] = [
    ("/page", 200),
    ("/guarded", 503),
    ("/me", 503),
    ("/auth", 503),
    ("/maybe", 503),
];
