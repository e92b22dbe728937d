//! Connections that stay open: they live as long as their session.

use std::time::Duration;

use actix_web::{Error, HttpRequest, HttpResponse, web};
use authkit_actix::{AuthKit, AuthUser, ServerSentEvent, actix_ws::Message as Sent};
use authkit_tests::{Browser, RedisServer, TestApp, TestAppBuilder};
use futures::{SinkExt as _, StreamExt as _, stream};
use reqwest::Method;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest as _, http::HeaderValue},
};

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";
const SESSION: &str = "wos-session";
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn echo(
    user: AuthUser,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Error> {
    let live = user
        .live(&request)?
        .allow_origin("https://admin.example.com");
    live.web_socket(&request, body, async move |mut session, mut messages| {
        while let Some(Ok(message)) = messages.recv().await {
            match message {
                Sent::Text(text) if text == "enough" => return,
                Sent::Text(text) => drop(session.text(text).await),
                Sent::Ping(bytes) => drop(session.pong(&bytes).await),
                _ => {}
            }
        }
    })
}

async fn events(user: AuthUser, request: HttpRequest) -> Result<HttpResponse, Error> {
    let hello = ServerSentEvent::data(format!("hello {}", user.email)).name("hello");
    // It never ends by itself.
    let events = stream::iter([hello]).chain(stream::pending());
    Ok(user.live(&request)?.events(events))
}

async fn few(user: AuthUser, request: HttpRequest) -> Result<HttpResponse, Error> {
    let events = (1..=3).map(|number| ServerSentEvent::data(number.to_string()));
    Ok(user.live(&request)?.events(stream::iter(events)))
}

async fn app() -> TestApp {
    app_with(|builder| builder).await
}

async fn app_with(
    limits: fn(authkit_actix::AuthKitBuilder) -> authkit_actix::AuthKitBuilder,
) -> TestApp {
    start(TestApp::builder().authkit(limits)).await
}

async fn start(app: TestAppBuilder) -> TestApp {
    app.with_usual_routes(|_: &AuthKit, app| {
        app.route("/ws", web::get().to(echo))
            .route("/events", web::get().to(events))
            .route("/few", web::get().to(few));
    })
    .start()
    .await
}

async fn connect(
    app: &TestApp,
    browser: &Browser,
    origin: Option<&str>,
) -> Result<Socket, tungstenite::Error> {
    let address = format!("{}/ws", app.origin.replace("http:", "ws:"));
    let mut request = address.into_client_request().expect("an address");
    let headers = request.headers_mut();
    if let Some(session) = browser.cookie(SESSION) {
        let cookie = HeaderValue::try_from(format!("{SESSION}={session}"));
        headers.insert("cookie", cookie.expect("a cookie"));
    }
    if let Some(origin) = origin {
        headers.insert("origin", HeaderValue::try_from(origin).expect("an origin"));
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

async fn connected(app: &TestApp, browser: &Browser) -> Socket {
    let mut socket = connect(app, browser, Some(&app.origin))
        .await
        .expect("a socket");
    assert_eq!(say(&mut socket, "hello").await, "hello");
    socket
}

async fn say(socket: &mut Socket, text: &str) -> String {
    socket.send(Message::text(text)).await.expect("sent");
    let heard = timeout(PATIENCE, socket.next()).await.expect("in time");
    let heard = heard.expect("an answer").expect("a good one");
    heard.into_text().expect("text").to_string()
}

/// The code that the server closes with, and that the connection is at its end afterwards.
async fn close_code(socket: &mut Socket) -> Option<u16> {
    let closing = async {
        let mut code = None;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| frame.code.into());
            }
        }
        code
    };
    timeout(PATIENCE, closing).await.expect("an end in time")
}

/// That a connection is still open after what would have closed it.
async fn is_open(socket: &mut Socket) {
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(say(socket, "still").await, "still");
}

#[tokio::test]
async fn a_socket_closes_with_4401_when_its_user_signs_out() {
    let app = app().await;
    let mut ada = app.signed_in(ADA).await;
    let other = app.signed_in(ADA).await;
    let mut sockets = [connected(&app, &ada).await, connected(&app, &ada).await];
    let mut socket_of_other = connected(&app, &other).await;
    assert_eq!(ada.submit("/sign-out", &[]).await.status, 303);
    for socket in &mut sockets {
        assert_eq!(close_code(socket).await, Some(4401));
    }
    is_open(&mut socket_of_other).await;
}

#[tokio::test]
async fn a_socket_closes_with_4401_when_its_session_is_revoked() {
    let app = app().await;
    let mut ada = app.signed_in(ADA).await;
    let id = ada.api(ME).await.json()["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut socket = connected(&app, &ada).await;
    app.authkit.revoke(&id).await.expect("WorkOS answers");
    assert_eq!(close_code(&mut socket).await, Some(4401));
}

#[tokio::test]
async fn a_socket_outlives_its_token_by_one_refresh_buffer_only() {
    let app = app().await;
    let ada = app.signed_in(ADA).await;
    let mut socket = connected(&app, &ada).await;
    app.clock.advance(300 + 30);
    is_open(&mut socket).await;
    app.clock.advance(1);
    assert_eq!(close_code(&mut socket).await, Some(4408));
    let mut again = connected(&app, &ada).await;
    assert_eq!(
        say(&mut again, "connecting refreshes").await,
        "connecting refreshes"
    );
}

#[tokio::test]
async fn a_socket_goes_on_when_a_request_refreshes_its_session() {
    let app = app().await;
    let mut ada = app.signed_in(ADA).await;
    let mut socket = connected(&app, &ada).await;
    for _ in 0..2 {
        app.clock.advance(290);
        assert_eq!(ada.api(ME).await.status, 200);
    }
    is_open(&mut socket).await;
    app.clock.advance(331);
    assert_eq!(
        close_code(&mut socket).await,
        Some(4408),
        "nobody refreshes any more"
    );
}

#[tokio::test]
async fn a_socket_goes_on_when_another_instance_refreshes_its_session() {
    let redis = RedisServer::start();
    let url = redis.url();
    let here = start(TestApp::builder().authkit(move |authkit| authkit.redis(url))).await;
    let url = redis.url();
    let there = TestApp::builder().authkit(move |authkit| authkit.redis(url));
    let there = start(there.beside(&here)).await;
    let ada = here.signed_in(ADA).await;
    let mut socket = connected(&here, &ada).await;
    let mut cookie = ada.cookie(SESSION).expect("a session").to_owned();
    for _ in 0..2 {
        here.clock.advance(290);
        let answer = there.ask(ME, &format!("{SESSION}={cookie}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        cookie = answer.set_cookie(SESSION).expect("a new session").value;
        // Nobody waits for what instances tell each other.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    is_open(&mut socket).await;
    here.clock.advance(331);
    assert_eq!(close_code(&mut socket).await, Some(4408));
}

#[tokio::test]
async fn a_socket_does_not_go_on_under_rights_that_are_gone() {
    let app = app().await;
    let mut ada = app.signed_in(ADA).await;
    let mut socket = connected(&app, &ada).await;
    app.emulator
        .change_user(ADA, |ada| {
            ada.leave("org_acme").member_of("org_acme", "member")
        })
        .expect("she is there");
    app.clock.advance(290);
    assert_eq!(ada.api("/admin").await.status, 403);
    is_open(&mut socket).await;
    app.clock.advance(41);
    assert_eq!(close_code(&mut socket).await, Some(4408));
}

#[tokio::test]
async fn a_socket_ends_with_the_time_that_its_session_has_in_all() {
    let app = app_with(|authkit| authkit.session_max_age(Duration::from_secs(100))).await;
    let ada = app.signed_in(ADA).await;
    let mut socket = connected(&app, &ada).await;
    app.clock.advance(101);
    assert_eq!(close_code(&mut socket).await, Some(4401));
}

#[tokio::test]
async fn a_peer_that_ignores_the_end_is_cut_off() {
    let app = app().await;
    let mut ada = app.signed_in(ADA).await;
    let mut socket = connected(&app, &ada).await;
    assert_eq!(ada.submit("/sign-out", &[]).await.status, 303);
    // It goes on talking below the protocol, and never reads the close.
    let MaybeTlsStream::Plain(stream) = socket.get_mut() else {
        panic!("no TLS here");
    };
    let talking = async {
        while stream.write_all(b"\x89\x80\0\0\0\0").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, talking).await.expect("cut off in time");
}

#[tokio::test]
async fn only_pages_of_the_application_open_a_socket() {
    let app = app().await;
    let ada = app.signed_in(ADA).await;
    let own = app.origin.clone();
    let port_off = format!("{own}1");
    let https = own.replace("http:", "https:");
    for (origin, is_allowed) in [
        (None, true),
        (Some(own.as_str()), true),
        (Some("https://admin.example.com"), true),
        (Some("https://evil.example"), false),
        (Some("https://admin.example.com.evil.example"), false),
        (Some("null"), false),
        (Some(""), false),
        (Some(port_off.as_str()), false),
        (Some(https.as_str()), false),
    ] {
        match connect(&app, &ada, origin).await {
            Ok(_) => assert!(is_allowed, "{origin:?}"),
            Err(tungstenite::Error::Http(refused)) => {
                assert!(!is_allowed, "{origin:?}");
                assert_eq!(refused.status(), 403);
            }
            Err(error) => panic!("{origin:?}: {error}"),
        }
    }
}

#[tokio::test]
async fn strangers_open_nothing() {
    let app = app().await;
    let mut stranger = app.browser();
    match connect(&app, &stranger, Some(&app.origin)).await {
        Err(tungstenite::Error::Http(refused)) => {
            assert_eq!(refused.status(), 401);
            assert!(refused.headers().get("set-cookie").is_none());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stranger.api("/events").await.status, 401);
    let mut ada = app.signed_in(ADA).await;
    assert_eq!(ada.api("/ws").await.status, 400, "no handshake");
}

#[tokio::test]
async fn a_handler_that_is_done_closes_its_socket() {
    let app = app().await;
    let ada = app.signed_in(ADA).await;
    let mut socket = connected(&app, &ada).await;
    socket.send(Message::text("enough")).await.expect("sent");
    assert_eq!(close_code(&mut socket).await, None, "an ordinary close");
}

/// What comes over a stream of events until it ends.
async fn listen(app: &TestApp, browser: &Browser) -> reqwest::Response {
    let cookie = format!("{SESSION}={}", browser.cookie(SESSION).expect("a session"));
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let request = client
        .request(Method::GET, format!("{}/events", app.origin))
        .header("cookie", cookie);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response
}

async fn rest(mut response: reqwest::Response) -> String {
    let mut heard = Vec::new();
    let listening = async {
        while let Some(part) = response.chunk().await.expect("a good end") {
            heard.extend_from_slice(&part);
        }
    };
    timeout(PATIENCE, listening).await.expect("an end in time");
    String::from_utf8(heard).expect("text")
}

#[tokio::test]
async fn a_stream_of_events_ends_with_its_session_and_says_why() {
    let app = app().await;
    let mut ada = app.signed_in(ADA).await;
    let mut grace = app.signed_in("alan@example.com").await;
    let mut stream = listen(&app, &ada).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let cache = stream.headers()["cache-control"].to_str().expect("text");
    assert!(
        cache.contains("no-store") && cache.contains("private"),
        "{cache}"
    );
    let first = stream.chunk().await.expect("a part").expect("not the end");
    assert_eq!(first, "event: hello\ndata: hello ada@example.com\n\n");
    let of_grace = listen(&app, &grace).await;

    assert_eq!(ada.submit("/sign-out", &[]).await.status, 303);
    assert_eq!(
        rest(stream).await,
        "event: session-ended\ndata: revoked\n\n"
    );

    app.clock.advance(331);
    let last = rest(of_grace).await;
    assert!(
        last.ends_with("event: session-ended\ndata: expired\n\n"),
        "{last}"
    );
    assert_eq!(grace.api(ME).await.status, 200, "the session goes on");
}

#[tokio::test]
async fn a_stream_that_ends_by_itself_is_an_ordinary_response() {
    let app = app().await;
    let mut ada = app.signed_in(ADA).await;
    let few = ada.api("/few").await;
    assert_eq!(few.body, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
}
