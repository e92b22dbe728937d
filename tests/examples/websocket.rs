use authkit_tests::Browser;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

use crate::Example;

const PROGRAM: &str = env!("CARGO_BIN_EXE_websocket");

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a WebSocket as a page of this origin does, with the browser's session if it has one.
async fn open(example: &Example, browser: &Browser, origin: &str) -> Result<Socket, u16> {
    let address = example.origin.replace("http", "ws") + "/ws";
    let mut request = address.into_client_request().expect("an address");
    let headers = request.headers_mut();
    headers.insert("origin", origin.parse().expect("an origin"));
    if let Some(session) = browser.cookie("wos-session") {
        let cookie = format!("wos-session={session}");
        headers.insert("cookie", cookie.parse().expect("a cookie"));
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn next(socket: &mut Socket) -> Message {
    socket.next().await.expect("a message").expect("no error")
}

#[actix_web::test]
async fn a_connection_ends_with_its_session() {
    let example = Example::start(PROGRAM);
    let mut ada = example.signed_in("ada@example.com").await;
    let socket = open(&example, &ada, &example.origin).await;
    let mut socket = socket.expect("a connection");
    let welcome = Message::text("Welcome, ada@example.com");
    assert_eq!(next(&mut socket).await, welcome);
    let hello = socket.send(Message::text("Hello")).await;
    hello.expect("it is open");
    let echo = Message::text("ada@example.com: Hello");
    assert_eq!(next(&mut socket).await, echo);

    assert_eq!(ada.submit("/sign-out", &[]).await.status, 303);
    match next(&mut socket).await {
        Message::Close(Some(end)) => assert_eq!(u16::from(end.code), 4401),
        other => panic!("{other:?}"),
    }
}

#[actix_web::test]
async fn strangers_and_pages_of_other_origins_get_no_connection() {
    let example = Example::start(PROGRAM);
    let stranger = open(&example, &example.browser(), &example.origin).await;
    assert_eq!(stranger.err(), Some(401));
    let ada = example.signed_in("ada@example.com").await;
    let foreign = open(&example, &ada, "https://evil.example.com").await;
    assert_eq!(foreign.err(), Some(403));
    assert!(open(&example, &ada, &example.origin).await.is_ok());
}
