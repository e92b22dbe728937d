//! Connections that live as long as a session.

mod events;

use std::fmt;

use actix_web::{Error, HttpRequest};
#[cfg(feature = "websocket")]
use actix_web::{HttpResponse, http::header::ORIGIN, web};

pub use self::events::ServerSentEvent;
#[cfg(feature = "websocket")]
use super::{
    negotiate::header,
    rejection::{as_error, cross_site},
};
use super::{rejection::missing_middleware, request_session::RequestSession};
use crate::{
    access::AuthUser,
    session::{Ending, Watch},
};

/// The life of a signed-in user's session, for a connection that stays open; from
/// [`AuthUser::live`].
///
/// It lasts while the session's access token does, and a little longer, in which a refresh is due.
/// When a request refreshes the session, it goes on with the new token, unless that gives other
/// rights than the ones the connection was opened with. It is over at once when the session is
/// ended: by a sign-out, by [`AuthKit::revoke`](crate::AuthKit::revoke), by a webhook.
///
/// | The connection ends since | Code | A client should |
/// |---|---|---|
/// | the session has ended | `4401` | ask the user to sign in |
/// | its token ran out or its rights changed | `4408` | connect again, which refreshes the session |
pub struct Live {
    watch: Watch,
    #[cfg(feature = "websocket")]
    origins: Vec<String>,
}

/// Why a connection may not stay open any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LiveEnd {
    /// The token of the connection ran out, or the user's rights are others than it says. A new
    /// connection refreshes the session.
    Expired,
    /// The session has ended.
    Revoked,
}

impl LiveEnd {
    /// The code to close a WebSocket with (RFC 6455 section 7.4.2): `4401` for a session that has
    /// ended, `4408` for a token that ran out.
    pub fn close_code(self) -> u16 {
        match self {
            Self::Expired => 4408,
            Self::Revoked => 4401,
        }
    }

    /// The same in a word: `expired` or `revoked`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for LiveEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<C> AuthUser<C> {
    /// The life of this user's session, to tie a connection to that stays open: server-sent events,
    /// a WebSocket, or anything else.
    ///
    /// # Errors
    ///
    /// When the request did not come through AuthKit's middleware; as a response, `500`.
    pub fn live(&self, request: &HttpRequest) -> Result<Live, Error> {
        let session =
            RequestSession::of(request).ok_or_else(|| missing_middleware(request, "live"))?;
        let authkit = session.authkit();
        Ok(Live {
            watch: authkit.inner.sessions.watch(self.signed_in()),
            #[cfg(feature = "websocket")]
            origins: vec![authkit.origin(request).as_str().to_owned()],
        })
    }
}

impl Live {
    /// Waits until the connection has to end, to within a second.
    ///
    /// It may be dropped and called again.
    pub async fn ended(&mut self) -> LiveEnd {
        match self.watch.ended().await {
            Ending::Expired => LiveEnd::Expired,
            Ending::Revoked => LiveEnd::Revoked,
        }
    }
}

#[cfg(feature = "websocket")]
impl Live {
    /// Another origin whose pages may open the WebSocket, such as `https://admin.example.com`.
    ///
    /// Defaults to the application's own only.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// A WebSocket that lives as long as the session; `handle` is what happens on it.
    ///
    /// The connection closes when `handle` is done. When the session ends, `handle` is dropped where
    /// it awaits, and the connection is closed with [`LiveEnd::close_code`].
    ///
    /// ```
    /// use actix_web::{Error, HttpRequest, HttpResponse, get, web};
    /// use authkit_actix::{AuthUser, actix_ws::Message, ensure_signed_in};
    ///
    /// #[get("/ws")]
    /// #[ensure_signed_in]
    /// async fn echo(
    ///     user: AuthUser,
    ///     request: HttpRequest,
    ///     body: web::Payload,
    /// ) -> Result<HttpResponse, Error> {
    ///     let live = user.live(&request)?;
    ///     live.web_socket(&request, body, async move |mut session, mut messages| {
    ///         while let Some(Ok(message)) = messages.recv().await {
    ///             let sent = match message {
    ///                 Message::Text(text) => session.text(text).await,
    ///                 Message::Ping(bytes) => session.pong(&bytes).await,
    ///                 _ => return,
    ///             };
    ///             if sent.is_err() {
    ///                 return;
    ///             }
    ///         }
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `403` for a page of another origin, whose script would be given the user's session otherwise;
    /// `400` for a request that is no WebSocket handshake.
    ///
    /// # Security
    ///
    /// Browsers name the page's origin in every handshake (RFC 6455 section 10.2). A client that names
    /// none is no browser, and passes.
    pub fn web_socket<F>(
        mut self,
        request: &HttpRequest,
        body: web::Payload,
        handle: impl FnOnce(actix_ws::Session, actix_ws::MessageStream) -> F,
    ) -> Result<HttpResponse, Error>
    where
        F: Future<Output = ()> + 'static,
    {
        if !self.admits(request) {
            return Err(as_error(cross_site(request)));
        }
        let (response, session, messages) = actix_ws::handle(request, body)?;
        let handled = handle(session.clone(), messages);
        actix_web::rt::spawn(async move {
            let reason = {
                let handled = std::pin::pin!(handled);
                let ended = std::pin::pin!(self.ended());
                match futures::future::select(handled, ended).await {
                    futures::future::Either::Left(_) => None,
                    futures::future::Either::Right((end, _)) => Some(actix_ws::CloseReason {
                        code: end.close_code().into(),
                        description: Some(end.to_string()),
                    }),
                }
            };
            // A client that does not read is not waited for.
            let _ = tokio::time::timeout(FAREWELL, session.close(reason)).await;
        });
        Ok(response)
    }

    fn admits(&self, request: &HttpRequest) -> bool {
        if !request.headers().contains_key(ORIGIN) {
            return true;
        }
        let origin = header(request.headers(), ORIGIN.as_str());
        origin.is_some_and(|origin| self.origins.iter().any(|own| own == origin))
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

#[cfg(feature = "websocket")]
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(5);
