use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody, MessageBody, SizedStream};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, ContentType, LOCATION, RETRY_AFTER};
use actix_web::web::Bytes;
use futures::future::pending;
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::keys::Signer;

/// A kind of request that the emulator counts, and that a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `GET /user_management/authorize`.
    Authorize,
    /// `POST /user_management/authenticate` with a code.
    AuthenticateCode,
    /// `POST /user_management/authenticate` with a refresh token.
    AuthenticateRefresh,
    /// `POST /user_management/authenticate` with a chosen organization.
    AuthenticateOrganization,
    /// `GET /sso/jwks/{client_id}`.
    Jwks,
    /// `GET /user_management/sessions/logout`.
    Logout,
    /// `POST /user_management/sessions/revoke`.
    Revoke,
    /// `POST /api_keys/validations`.
    ApiKeyValidation,
    /// `GET /sdk/feature-flags`.
    FeatureFlags,
    /// Everything else: pages' forms, users, organizations, memberships, unknown paths.
    Other,
}

/// Something that goes wrong with an answer.
///
/// By itself it strikes every request before anything happened; [`times`](Self::times) and
/// [`after_effect`](Self::after_effect) make a [`FaultPlan`] of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// An answer with this status and a small JSON body.
    Status(u16),
    /// An answer with this status and this `Retry-After`, whatever it says.
    StatusWithRetryAfter(u16, String),
    /// An answer of one's own: a proxy's page with 200, members of the wrong type, an error code.
    Body {
        /// The status.
        status: u16,
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        body: String,
    },
    /// A 302 to this address.
    Redirect(String),
    /// Never an answer.
    Hang,
    /// The right answer, this much later.
    Delay(Duration),
    /// The connection closed without an answer.
    Reset,
    /// A good head, then one byte a second, for ever.
    Drip,
    /// The connection closed in the middle of the body that `Content-Length` announces.
    Truncate,
    /// A JSON string of this many bytes, of unannounced length.
    Oversize(usize),
    /// A small gzip body that inflates to 64 MB of zeros (its checksum is wrong; who gets that far has lost already).
    GzipBomb,
    /// The right answer, but with a key outside the key set: tokens are signed by it, or the key set holds only it.
    WrongKey,
    /// A 200 without a body.
    Empty,
}

impl Fault {
    /// An answer with this status and JSON body.
    pub fn json(status: u16, body: Value) -> Self {
        Self::Body {
            status,
            content_type: "application/json".to_owned(),
            body: body.to_string(),
        }
    }

    /// Strikes this many requests, then no more.
    pub fn times(self, times: usize) -> FaultPlan {
        FaultPlan::from(self).times(times)
    }

    /// Strikes after the request did its work: the refresh token is spent, the answer lost.
    pub fn after_effect(self) -> FaultPlan {
        FaultPlan::from(self).strike(Strike::After)
    }
}

/// Whether a fault strikes before or after the request did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Nothing happened yet: codes, tokens and sessions are as they were.
    Before,
    /// Everything happened, only the answer is lost.
    After,
}

/// A fault, how often it strikes, and when.
#[derive(Clone, Debug)]
#[must_use]
pub struct FaultPlan {
    fault: Fault,
    strike: Strike,
    left: Option<usize>,
}

impl FaultPlan {
    /// Strikes this many requests, then no more. Defaults to all, until the faults are cleared.
    pub fn times(mut self, times: usize) -> Self {
        self.left = Some(times);
        self
    }

    /// When to strike. Defaults to [`Strike::Before`].
    pub fn strike(mut self, strike: Strike) -> Self {
        self.strike = strike;
        self
    }

    /// Strikes after the request did its work.
    pub fn after_effect(self) -> Self {
        self.strike(Strike::After)
    }
}

impl From<Fault> for FaultPlan {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            strike: Strike::Before,
            left: None,
        }
    }
}

/// The requests seen so far, and the faults to come.
#[derive(Default)]
pub(super) struct FaultBoard(Mutex<Board>);

#[derive(Default)]
struct Board {
    calls: HashMap<Endpoint, usize>,
    plans: HashMap<Endpoint, VecDeque<FaultPlan>>,
}

impl FaultBoard {
    pub(super) fn calls(&self, endpoint: Endpoint) -> usize {
        self.with(|board| board.calls.get(&endpoint).copied().unwrap_or(0))
    }

    pub(super) fn plan(&self, endpoint: Endpoint, plan: FaultPlan) {
        self.with(|board| board.plans.entry(endpoint).or_default().push_back(plan));
    }

    pub(super) fn clear(&self) {
        self.with(|board| board.plans.clear());
    }

    /// Counts a request, does its work, and answers as the fault that is due for it says.
    pub(super) async fn answer(
        &self,
        endpoint: Endpoint,
        effect: impl FnOnce(Signer) -> HttpResponse,
    ) -> HttpResponse {
        let due = self.with(|board| {
            *board.calls.entry(endpoint).or_default() += 1;
            board.next(endpoint)
        });
        let Some(FaultPlan { fault, strike, .. }) = due else {
            return effect(Signer::Active);
        };
        match (fault, strike) {
            (Fault::WrongKey, _) => effect(Signer::Stranger),
            (Fault::Delay(duration), Strike::Before) => {
                sleep(duration).await;
                effect(Signer::Active)
            }
            (Fault::Delay(duration), Strike::After) => {
                let response = effect(Signer::Active);
                sleep(duration).await;
                response
            }
            (fault, Strike::Before) => fault.response().await,
            (fault, Strike::After) => {
                drop(effect(Signer::Active));
                fault.response().await
            }
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Board) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Board {
    fn next(&mut self, endpoint: Endpoint) -> Option<FaultPlan> {
        let plans = self.plans.get_mut(&endpoint)?;
        while let Some(plan) = plans.front_mut() {
            match &mut plan.left {
                None => return Some(plan.clone()),
                Some(0) => drop(plans.pop_front()),
                Some(left) => {
                    *left -= 1;
                    return Some(plan.clone());
                }
            }
        }
        None
    }
}

impl Fault {
    async fn response(self) -> HttpResponse {
        match self {
            Self::Status(code) => {
                HttpResponse::build(status(code)).json(json!({"message": "A planned fault."}))
            }
            Self::StatusWithRetryAfter(code, retry_after) => HttpResponse::build(status(code))
                .insert_header((RETRY_AFTER, retry_after))
                .json(json!({"message": "A planned fault."})),
            Self::Body {
                status: code,
                content_type,
                body,
            } => HttpResponse::build(status(code))
                .content_type(content_type)
                .body(body),
            Self::Redirect(location) => HttpResponse::Found()
                .insert_header((LOCATION, location))
                .finish(),
            Self::Hang | Self::Delay(_) => pending().await,
            Self::Reset => json_answer(BodyStream::new(broken_off(Bytes::new()))),
            Self::Drip => json_answer(BodyStream::new(drip())),
            Self::Truncate => {
                let start = Bytes::from_static(b"{\"access_token\": \"");
                json_answer(SizedStream::new(ANNOUNCED, broken_off(start)))
            }
            Self::Oversize(bytes) => json_answer(BodyStream::new(json_string(bytes))),
            Self::GzipBomb => HttpResponse::Ok()
                .content_type(ContentType::json())
                .insert_header((CONTENT_ENCODING, "gzip"))
                .body(gzip_of_zeros(BOMB)),
            Self::WrongKey | Self::Empty => HttpResponse::Ok()
                .content_type(ContentType::json())
                .finish(),
        }
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn json_answer(body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .body(BoxBody::new(body))
}

/// The start of a body, if any, then an error, upon which the server closes the connection.
/// An error before the first byte reaches the network before the head does, so that nothing at all is sent.
fn broken_off(start: Bytes) -> impl Stream<Item = io::Result<Bytes>> {
    let started = !start.is_empty();
    let end = async move {
        if started {
            sleep(TIME_TO_FLUSH).await;
        }
        Err(io::Error::other("a planned fault"))
    };
    stream::iter(started.then_some(Ok(start))).chain(stream::once(end))
}

fn drip() -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::repeat(()).then(|()| async {
        sleep(Duration::from_secs(1)).await;
        Ok(Bytes::from_static(b" "))
    })
}

fn json_string(bytes: usize) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let chunks = (0..bytes.div_ceil(CHUNK))
        .map(move |index| Bytes::from(vec![b'a'; CHUNK.min(bytes - index * CHUNK)]));
    stream::iter(
        std::iter::once(Bytes::from_static(b"\""))
            .chain(chunks)
            .chain(std::iter::once(Bytes::from_static(b"\"")))
            .map(Ok),
    )
}

/// RFC 1951 by hand: one zero, then "258 bytes from 1 back" over and over, in fixed Huffman codes.
fn gzip_of_zeros(bytes: usize) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut push = |value: u32, length: u32| {
        bits |= value << held;
        held += length;
        while held >= 8 {
            out.push(bits.to_le_bytes()[0]);
            bits >>= 8;
            held -= 8;
        }
    };
    // Huffman codes go most significant bit first: these are reversed already.
    push(0b011, 3);
    push(0b0000_1100, 8);
    for _ in 0..bytes / 258 {
        push(0b1010_0011, 8);
        push(0, 5);
    }
    push(0, 7);
    push(0, 7);
    out.extend_from_slice(&[0; 8]);
    out
}

const ANNOUNCED: u64 = 2048;
const TIME_TO_FLUSH: Duration = Duration::from_millis(20);
const CHUNK: usize = 64 * 1024;
const BOMB: usize = 64 * 1024 * 1024;
