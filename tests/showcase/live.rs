//! What is open in a browser, and what ends it.

use std::time::Duration;

use authkit_tests::{Browser, Program, webhook};
use futures::StreamExt as _;
use reqwest::Response;
use serde_json::json;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{Showcase, now, showcase};

const ADA: &str = "ada@example.com";
const ME: &str = "/api/me";

/// The connections that the page `/live` holds.
struct Open {
    events: Response,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Open {
    async fn at(origin: &str, browser: &Browser) -> Self {
        let cookie = browser.session_cookie();
        let events = reqwest::Client::new().get(format!("{origin}/events"));
        let events = events.header("cookie", &cookie).send();
        let mut events = events.await.expect("an answer");
        let hello = events.chunk().await.expect("a part").expect("an event");
        let hello = String::from_utf8_lossy(&hello).into_owned();
        assert!(hello.starts_with("event: hello\ndata: "), "{hello}");

        let address = format!("{}/ws", origin.replace("http:", "ws:"));
        let mut handshake = address.into_client_request().expect("an address");
        let headers = handshake.headers_mut();
        headers.insert("cookie", cookie.parse().expect("a cookie"));
        headers.insert("origin", origin.parse().expect("an origin"));
        let (mut socket, _) = connect_async(handshake).await.expect("a socket");
        let hello = socket.next().await.expect("a message").expect("a good one");
        assert_eq!(hello, Message::text("hello ada@example.com"));
        Self { events, socket }
    }

    /// Both end within this time, since the session was revoked.
    async fn are_revoked_within(mut self, limit: Duration) {
        let last = timeout(limit, async {
            let mut last = String::new();
            while let Some(part) = self.events.chunk().await.expect("a good end") {
                last = String::from_utf8_lossy(&part).into_owned();
            }
            last
        });
        let last = last.await.expect("the events end");
        let end = "event: session-ended\ndata: revoked\n\n";
        assert!(last.ends_with(end), "{last}");
        let closed = timeout(limit, self.socket.next()).await;
        let closed = closed.expect("the socket ends").expect("a message");
        let Ok(Message::Close(Some(frame))) = closed else {
            panic!("{closed:?}");
        };
        assert_eq!(u16::from(frame.code), 4401);
    }
}

/// A program with an emulator of its own.
fn alone(variables: &[(&str, &str)]) -> (Program, String) {
    let mut command = showcase();
    command.env("PORT", "0").envs(variables.iter().copied());
    Program::start(&mut command, "Open ")
}

async fn signed_in(origin: &str) -> Browser {
    let mut browser = Browser::at(origin);
    let answer = browser.sign_in(ADA).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    browser
}

async fn session_id(browser: &mut Browser) -> String {
    let me = browser.api(ME).await.json();
    me["session_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn open_connections_and_sessions_end_when_workos_says_so() {
    let secret = "whsec_of_the_showcase";
    let showcase = Showcase::with(&[("SHOWCASE_WEBHOOK_SECRET", secret)]);
    let mut ada = showcase.with_session(ADA);
    let id = session_id(&mut ada).await;
    let open = Open::at(&showcase.origin, &ada).await;

    let body = json!({"id": "event_1", "event": "session.revoked", "data": {"id": id}}).to_string();
    let report = async |signature: String| {
        let webhook = reqwest::Client::new().post(format!("{}/webhooks/workos", showcase.origin));
        let webhook = webhook
            .header("workos-signature", signature)
            .body(body.clone());
        webhook.send().await.expect("an answer").status()
    };
    let forged = webhook::signature("whsec_of_somebody_else", now(), &body);
    assert_eq!(report(forged).await, 400);
    assert_eq!(ada.api(ME).await.status, 200);
    assert_eq!(report(webhook::signature(secret, now(), &body)).await, 200);
    assert_eq!(ada.api(ME).await.status, 401);
    open.are_revoked_within(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn who_signs_out_on_all_other_devices_ends_what_is_open_there() {
    let (_program, origin) = alone(&[]);
    let mut here = signed_in(&origin).await;
    let mut there = signed_in(&origin).await;
    assert_eq!(there.get("/live").await.status, 200);
    let open_there = Open::at(&origin, &there).await;
    let mut open_here = Open::at(&origin, &here).await;

    let answer = here.submit("/account/sign-out-elsewhere", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("one other device"), "{}", answer.body);
    open_there.are_revoked_within(Duration::from_secs(1)).await;
    assert_eq!(there.api(ME).await.status, 401);
    assert_eq!(here.api(ME).await.status, 200);
    let tick = open_here.events.chunk().await.expect("it goes on");
    assert!(tick.is_some());
    let again = here.submit("/account/sign-out-elsewhere", &[]).await;
    assert!(again.body.contains("nowhere else"), "{}", again.body);

    here.submit("/sign-out", &[]).await;
    open_here.are_revoked_within(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn what_the_emulator_of_the_showcase_ends_ends_in_the_showcase() {
    for variables in [&[][..], &[("SHOWCASE_WEBHOOK_SECRET", "whsec_of_both")]] {
        let (_program, origin) = alone(variables);
        let mut ada = signed_in(&origin).await;
        let id = session_id(&mut ada).await;
        let open = Open::at(&origin, &ada).await;
        // Signed out of AuthKit, and not by way of the application.
        let sign_in = Browser::at(&origin).get("/sign-in").await;
        let authkit = sign_in.location().expect("a redirect");
        let (authkit, _) = authkit.split_once("/user_management").expect("AuthKit");
        let sign_out = format!("{authkit}/user_management/sessions/logout?session_id={id}");
        reqwest::get(sign_out).await.expect("an answer");
        open.are_revoked_within(Duration::from_secs(5)).await;
        assert_eq!(ada.api(ME).await.status, 401);
    }
}

#[tokio::test]
async fn without_a_secret_and_an_emulator_there_is_no_route_for_webhooks() {
    let showcase = Showcase::start();
    let mut workos = showcase.browser();
    assert_eq!(workos.submit("/webhooks/workos", &[]).await.status, 404);
}
