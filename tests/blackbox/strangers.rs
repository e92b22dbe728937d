//! Requests that bring no credentials, whose session is made when somebody asks for it.

use actix_web::{
    Error, FromRequest as _, HttpMessage as _, HttpRequest, HttpResponse, Responder,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    rt,
    web::{self, Bytes},
};
use authkit_actix::{AuthKit, AuthStatus, AuthUser};
use authkit_tests::TestApp;
use futures::{FutureExt as _, future::join_all, stream};

const ADA: &str = "ada@example.com";

async fn who(request: &HttpRequest) -> String {
    match AuthStatus::extract(request).await {
        Ok(AuthStatus::SignedIn(user)) => user.email.clone(),
        Ok(AuthStatus::SignedOut) => "nobody".to_owned(),
        Ok(AuthStatus::CannotTell) => "cannot tell".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Lets everybody else on this worker go first, many times.
async fn waits() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn after_a_while(request: HttpRequest) -> impl Responder {
    waits().await;
    who(&request).await
}

async fn while_looking(request: HttpRequest) -> impl Responder {
    request.extensions_mut().insert(7_u8);
    let extensions = request.extensions();
    let user = Option::<AuthUser>::extract(&request).now_or_never();
    let user = user.expect("no wait").expect("no error");
    let email = user.map_or("nobody".to_owned(), |user| user.email.clone());
    format!("{email} {:?}", extensions.get::<u8>())
}

async fn in_the_body(request: HttpRequest) -> impl Responder {
    let body = async move { Ok::<_, Error>(Bytes::from(who(&request).await)) };
    HttpResponse::Ok().streaming(stream::once(Box::pin(body)))
}

async fn elsewhere(request: HttpRequest) -> impl Responder {
    let task = rt::spawn(async move {
        waits().await;
        who(&request).await
    });
    task.await.expect("the task ends")
}

/// A middleware that holds on to the request, which no router allows.
async fn keeps(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let kept = request.request().clone();
    let mut response = next.call(request).await?;
    let path = kept.path().parse().expect("a header value");
    response
        .headers_mut()
        .insert("x-path".parse().expect("a name"), path);
    Ok(response)
}

fn routes(authkit: &AuthKit, config: &mut web::ServiceConfig) {
    config
        .service(authkit.handle_auth())
        .service(authkit.routes())
        .route("/after-a-while", web::get().to(after_a_while))
        .route("/while-looking", web::get().to(while_looking))
        .route("/in-the-body", web::get().to(in_the_body))
        .route("/elsewhere", web::get().to(elsewhere));
}

#[tokio::test]
async fn whoever_asks_whenever_and_wherever_is_told_who_is_there() {
    let app = TestApp::builder().routes(routes).workers(1).start().await;
    for round in 0..3 {
        let mut ada = app.browser();
        ada.sign_in(ADA).await;
        for (path, suffix) in [
            ("/after-a-while", ""),
            ("/while-looking", " Some(7)"),
            ("/in-the-body", ""),
            ("/elsewhere", ""),
        ] {
            let answer = app.browser().get(path).await;
            assert_eq!(answer.body, format!("nobody{suffix}"), "{round} {path}");
            let answer = ada.get(path).await;
            assert_eq!(answer.body, format!("{ADA}{suffix}"), "{round} {path}");
        }
    }
}

#[tokio::test]
async fn strangers_in_a_crowd_stay_strangers() {
    let app = TestApp::builder().routes(routes).workers(1).start().await;
    let cookie = app.with_session(ADA).session_cookie();
    for _ in 0..5 {
        let answers = join_all((0..60).map(|number| {
            let cookies = if number % 3 == 0 { cookie.as_str() } else { "" };
            app.ask("/after-a-while", cookies)
        }));
        for (number, answer) in answers.await.into_iter().enumerate() {
            let expected = if number % 3 == 0 { ADA } else { "nobody" };
            assert_eq!(answer.body, expected, "{number}");
            assert_eq!(answer.headers_joined("vary").to_lowercase(), "cookie");
        }
    }
}

#[tokio::test]
async fn a_middleware_further_out_may_hold_the_request_of_a_resource() {
    let app = TestApp::builder()
        .routes(|authkit: &AuthKit, config: &mut web::ServiceConfig| {
            config.service(
                web::resource("/kept")
                    .wrap(authkit.middleware())
                    .wrap(from_fn(keeps))
                    .to(after_a_while),
            );
        })
        .without_middleware()
        .start()
        .await;
    let answer = app.browser().get("/kept").await;
    assert_eq!(
        (answer.body.as_str(), answer.header("x-path")),
        ("nobody", Some("/kept"))
    );
}
