//! Calls that are made to see how they end.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, Method, header};
use secrecy::ExposeSecret as _;
use workos::transport::{HttpRequest, HttpTransport as _};

use super::{KEY_SET, WorkOs, WorkOsError, transport::Limits};

/// How a call ended, and what time it was at WorkOS then.
pub(crate) struct Probed {
    /// The body of a good answer.
    pub(crate) answer: Result<Vec<u8>, WorkOsError>,
    /// Unix seconds, by the `Date` of whatever answered (RFC 9110 section 6.6.1).
    pub(crate) date: Option<i64>,
}

impl WorkOs {
    /// Fetches the key set, whatever is in the cache.
    pub(crate) async fn probe_key_set(&self) -> Probed {
        let request = HttpRequest {
            method: Method::GET,
            url: self.key_set_url(),
            headers: HeaderMap::new(),
            body: None,
        };
        self.probe(KEY_SET, request).await
    }

    /// Exchanges a code that nobody was given: refused as a wrong code if the API key and the client
    /// id belong together, and for their sake if not.
    pub(crate) async fn probe_api_key(&self) -> Probed {
        let body = serde_json::json!({
            "client_id": self.client_id,
            "client_secret": self.api_key.expose_secret(),
            "grant_type": "authorization_code",
            "code": "no-code",
            "code_verifier": "x".repeat(43),
        });
        let mut headers = self.sdk.default_headers().clone();
        let json = http::HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let request = HttpRequest {
            method: Method::POST,
            url: format!("{}/user_management/authenticate", self.api_url),
            headers,
            body: Some(body.to_string().into()),
        };
        self.probe(PROBE, request).await
    }

    async fn probe(&self, limits: Limits, request: HttpRequest) -> Probed {
        let response = match self.transport.within(limits).execute(request).await {
            Ok(response) => response,
            Err(error) => {
                return Probed {
                    answer: Err(workos::Error::Network(error).into()),
                    date: None,
                };
            }
        };
        let date = date(&response.headers);
        let answer = if response.status.is_success() {
            Ok(response.body.into())
        } else {
            let status = response.status.as_u16();
            Err(WorkOsError::classify(status, &response.body, None))
        };
        Probed { answer, date }
    }
}

/// The time at which an answer left, the while in caches included (RFC 9111 section 5.1).
fn date(headers: &HeaderMap) -> Option<i64> {
    let text = |name| headers.get(name)?.to_str().ok();
    let date = httpdate::parse_http_date(text(header::DATE)?).ok()?;
    let seconds = date.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let age = text(header::AGE).and_then(|age| age.parse().ok());
    i64::try_from(seconds.saturating_add(age.unwrap_or(0))).ok()
}

const PROBE: Limits = Limits {
    call: "diagnosis",
    deadline: Duration::from_secs(5),
    body_bytes: 64 << 10,
    ..KEY_SET
};
