//! What stands between the SDK and the network.

use std::{pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use tokio::time::{self, Instant};
use tracing::{Instrument as _, Span, debug_span, field::Empty};
use workos::transport::{
    HttpRequest, HttpResponse, HttpTransport, TransportError, TransportErrorKind,
};

use super::lanes::{Busy, Lane, Lanes};
use crate::{background::Background, metrics};

/// The SDK's transport, bounded: a deadline that includes the body, a body limit, no redirects, and
/// so many calls at once.
///
/// Every call runs on the background thread, whichever thread or runtime waits for it.
#[derive(Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    background: Arc<Background>,
    lanes: Arc<Lanes>,
    limits: Limits,
}

/// What bounds a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// What it is, for spans and metrics.
    pub(super) call: &'static str,
    /// From waiting for a place to the last byte.
    pub(super) deadline: Duration,
    pub(super) body_bytes: usize,
    pub(super) lane: Lane,
    /// When to send once more what has not been answered; `None` for what must not be sent twice.
    pub(super) again_after: Option<Duration>,
}

impl Transport {
    /// # Errors
    ///
    /// When the system has no certificates to trust.
    pub(super) fn new(
        background: Arc<Background>,
        limits: Limits,
        loopback: bool,
    ) -> Result<Self, reqwest::Error> {
        let mut http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        if loopback {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build()?,
            background,
            lanes: Arc::new(Lanes::new()),
            limits,
        })
    }

    /// The same connections under other limits.
    pub(super) fn within(&self, limits: Limits) -> Self {
        Self {
            limits,
            ..self.clone()
        }
    }
}

#[async_trait]
impl HttpTransport for Transport {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (transport, call) = (self.clone(), self.limits.call);
        let call = async move { transport.observed_call(request).await }.instrument(debug_span!(
            "authkit.workos.call",
            call,
            outcome = Empty,
        ));
        self.background
            .spawn(call)
            .await
            .unwrap_or_else(|| Err(TransportError::other("the background thread has stopped")))
    }
}

impl Transport {
    async fn observed_call(self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (began, call) = (Instant::now(), self.limits.call);
        let answer = self.call(request).await;
        let outcome = outcome(&answer);
        metrics::workos_called(call, outcome, began.elapsed());
        Span::current().record("outcome", outcome);
        answer
    }

    async fn call(self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let Limits { deadline, lane, .. } = self.limits;
        let ends_at = Instant::now() + deadline;
        // Who waits for long has no time left for the call.
        let place = self.lanes.enter(lane, deadline / 2).await;
        let _place = place.map_err(TransportError::other)?;
        time::timeout_at(ends_at, self.send_insistently(request))
            .await
            .unwrap_or_else(|elapsed| Err(TransportError::timeout(elapsed)))
    }

    /// Sends a request, and once more on another connection where that is allowed, no answer has
    /// come for a while, and there is a place for it.
    ///
    /// A success counts whichever it answers; anything else waits for what the other brings.
    async fn send_insistently(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let limit = self.limits.body_bytes;
        let Some(again_after) = self.limits.again_after else {
            return send(self.http.clone(), request, limit).await;
        };
        let mut first = pin!(send(self.http.clone(), request.clone(), limit));
        if let Ok(answer) = time::timeout(again_after, &mut first).await {
            return answer;
        }
        let Some(_place) = self.lanes.try_enter(self.limits.lane) else {
            return first.await;
        };
        let second = pin!(send(self.http.clone(), request, limit));
        let (answer, other) = match select(first, second).await {
            Either::Left((answer, second)) => (answer, Either::Right(second)),
            Either::Right((answer, first)) => (answer, Either::Left(first)),
        };
        if is_success(&answer) {
            return answer;
        }
        let late = other.await;
        if is_success(&late) || answer.is_err() {
            late
        } else {
            answer
        }
    }
}

/// How a call ended, in a word.
fn outcome(answer: &Result<HttpResponse, TransportError>) -> &'static str {
    match answer {
        Ok(response) => match response.status.as_u16() {
            200..=299 => "answered",
            429 => "limited",
            408 | 300..=399 | 500.. => "unavailable",
            _ => "refused",
        },
        Err(error) if error.source.is::<Busy>() => "not_made",
        Err(error) if error.kind == TransportErrorKind::Timeout => "timeout",
        Err(_) => "network",
    }
}

fn is_success(answer: &Result<HttpResponse, TransportError>) -> bool {
    answer
        .as_ref()
        .is_ok_and(|response| response.status.is_success())
}

async fn send(
    http: reqwest::Client,
    request: HttpRequest,
    limit: usize,
) -> Result<HttpResponse, TransportError> {
    let mut call = http
        .request(request.method, &request.url)
        .headers(request.headers);
    if let Some(body) = request.body {
        call = call.body(body);
    }
    let mut response = call.send().await.map_err(transport_error)?;
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(transport_error)? {
        if body.len() + part.len() > limit {
            return Err(TransportError::other(format!(
                "the body is larger than {limit} bytes"
            )));
        }
        body.extend_from_slice(&part);
    }
    Ok(HttpResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: body.freeze(),
    })
}

/// The URL is left out: the address of an error is no place for a query.
fn transport_error(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_connect() {
        TransportError::connect(error)
    } else if error.is_timeout() {
        TransportError::timeout(error)
    } else {
        TransportError::other(error)
    }
}

/// A transport for one call that keeps the bytes of a successful answer.
///
/// The SDK's models refuse answers that the API does give, such as provider tokens without a
/// refresh token; with the bytes at hand they can be read by a more tolerant model.
pub(crate) struct Recording {
    transport: Transport,
    answer: std::sync::Mutex<Option<Bytes>>,
}

impl Recording {
    pub(crate) fn over(transport: Transport) -> Self {
        Self {
            transport,
            answer: std::sync::Mutex::new(None),
        }
    }

    pub(crate) fn take(&self) -> Option<Bytes> {
        self.answer.lock().ok()?.take()
    }
}

#[async_trait]
impl HttpTransport for Recording {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let response = self.transport.execute(request).await?;
        if response.status.is_success()
            && let Ok(mut answer) = self.answer.lock()
        {
            *answer = Some(response.body.clone());
        }
        Ok(response)
    }
}
