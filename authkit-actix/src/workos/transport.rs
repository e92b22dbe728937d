//! What stands between the SDK and the network.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::time;
use workos::transport::{HttpRequest, HttpResponse, HttpTransport, TransportError};

use crate::background::Background;

/// The SDK's transport, bounded: a deadline that includes the body, a body limit, no redirects.
///
/// Every call runs on the background thread, whichever thread or runtime waits for it.
#[derive(Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    background: Arc<Background>,
    limits: Limits,
}

/// How long a call may take, from connecting to the last byte, and how many bytes its body may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: Duration,
    pub(crate) body_bytes: usize,
}

impl Transport {
    /// # Errors
    ///
    /// When the system has no certificates to trust.
    pub(crate) fn new(
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
            limits,
        })
    }

    /// The same connections under other limits.
    pub(crate) fn within(&self, limits: Limits) -> Self {
        Self {
            limits,
            ..self.clone()
        }
    }
}

#[async_trait]
impl HttpTransport for Transport {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let http = self.http.clone();
        let limits = self.limits;
        self.background
            .spawn(async move {
                time::timeout(limits.deadline, send(http, request, limits.body_bytes))
                    .await
                    .unwrap_or_else(|elapsed| Err(TransportError::timeout(elapsed)))
            })
            .await
            .unwrap_or_else(|| Err(TransportError::other("the background thread has stopped")))
    }
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
