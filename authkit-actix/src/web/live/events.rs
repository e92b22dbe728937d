//! Server-sent events: the `text/event-stream` of the HTML standard.

use std::{convert::Infallible, future::Future as _, task::Poll, time::Duration};

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_TYPE, HeaderName},
    web::Bytes,
};
use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::Live;

/// One server-sent event.
///
/// ```
/// use authkit_actix::ServerSentEvent;
///
/// let event = ServerSentEvent::data("two\nlines").name("news").id("7");
/// assert_eq!(event.to_string(), "event: news\nid: 7\ndata: two\ndata: lines\n\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ServerSentEvent {
    data: String,
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
}

impl ServerSentEvent {
    /// An event with this text, of any number of lines.
    pub fn data(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// An event with a value as JSON.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::data)
    }

    /// The type of the event. A script listens for it by `addEventListener(name, …)`; without one,
    /// by `onmessage`. What follows a line break is left out.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What a browser that connects again sends as `Last-Event-ID`. What follows a line break is left
    /// out.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// How long a browser waits before it connects again; in whole milliseconds.
    pub fn retry(mut self, wait: Duration) -> Self {
        self.retry = Some(wait);
        self
    }
}

/// The event as it goes over the wire.
impl std::fmt::Display for ServerSentEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first_line = |text: &str| {
            let end = text.find(['\r', '\n', '\0']).unwrap_or(text.len());
            text[..end].to_owned()
        };
        if let Some(name) = &self.name {
            writeln!(f, "event: {}", first_line(name))?;
        }
        if let Some(id) = &self.id {
            writeln!(f, "id: {}", first_line(id))?;
        }
        if let Some(retry) = self.retry {
            writeln!(f, "retry: {}", retry.as_millis())?;
        }
        // A carriage return ends a line too, and would begin a field of somebody else's choice.
        let data = self.data.replace("\r\n", "\n").replace('\r', "\n");
        data.split('\n')
            .try_for_each(|line| writeln!(f, "data: {line}"))?;
        writeln!(f)
    }
}

impl Live {
    /// The response of a route for server-sent events: what the stream gives, until the stream or the
    /// session ends.
    ///
    /// When the session ends, a last event named `session-ended` says why: `revoked`, or `expired`
    /// where it is enough to connect again, which browsers do by themselves. A connection that is
    /// silent for 15 seconds is kept alive by a comment.
    ///
    /// ```
    /// use actix_web::{Error, HttpRequest, HttpResponse, get};
    /// use authkit_actix::{AuthUser, ServerSentEvent, ensure_signed_in};
    /// use futures::stream;
    ///
    /// #[get("/events")]
    /// #[ensure_signed_in]
    /// async fn events(user: AuthUser, request: HttpRequest) -> Result<HttpResponse, Error> {
    ///     let hello = ServerSentEvent::data(format!("Hello, {}", user.display_name()));
    ///     Ok(user.live(&request)?.events(stream::iter([hello])))
    /// }
    /// ```
    pub fn events(mut self, events: impl Stream<Item = ServerSentEvent> + 'static) -> HttpResponse {
        let mut events = Box::pin(events);
        let mut ended = Box::pin(async move { self.ended().await });
        let mut silence = Box::pin(sleep(KEEP_ALIVE));
        let mut is_over = false;
        let body = stream::poll_fn(move |context| {
            if is_over {
                return Poll::Ready(None);
            }
            // First of all, so that nothing follows on the end of the session.
            if let Poll::Ready(end) = ended.as_mut().poll(context) {
                is_over = true;
                let last = ServerSentEvent::data(end.as_str()).name("session-ended");
                return Poll::Ready(Some(last.to_string()));
            }
            let text = match events.poll_next_unpin(context) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(event)) => event.to_string(),
                Poll::Pending => match silence.as_mut().poll(context) {
                    Poll::Ready(()) => ":\n\n".to_owned(),
                    Poll::Pending => return Poll::Pending,
                },
            };
            silence.as_mut().reset(Instant::now() + KEEP_ALIVE);
            Poll::Ready(Some(text))
        });
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/event-stream"))
            // Proxies such as nginx would collect the events otherwise.
            .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
            .streaming(body.map(|text| Ok::<_, Infallible>(Bytes::from(text))))
    }
}

/// Shorter than the time after which proxies give up on a silent connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_begins_no_field_of_somebody_elses_choice() {
        let event = ServerSentEvent::data("a\r\ndata: b\rretry: 1\nid: 2")
            .name("news\nid: 3")
            .id("4\revent: x");
        let lines = [
            "event: news",
            "id: 4",
            "data: a",
            "data: data: b",
            "data: retry: 1",
            "data: id: 2",
            "",
            "",
        ];
        assert_eq!(event.to_string(), lines.join("\n"));
    }

    #[test]
    fn an_event_may_be_json_or_nothing_at_all() {
        let event = ServerSentEvent::json(&[1, 2]).expect("JSON");
        assert_eq!(event.to_string(), "data: [1,2]\n\n");
        let empty = ServerSentEvent::data("").retry(Duration::from_secs(2));
        assert_eq!(empty.to_string(), "retry: 2000\ndata: \n\n");
    }
}
