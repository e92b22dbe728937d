use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{
    Error,
    body::MessageBody,
    dev::ServiceResponse,
    http::{Method, uri::PathAndQuery},
};
use futures::future::LocalBoxFuture;
use pin_project_lite::pin_project;

use super::{
    authorize::redirect,
    negotiate::RequestKind,
    passage::Entered,
    request_session::{Effects, RequestSession},
};
use crate::{authkit::AuthKit, oauth::ReturnTo};

pub(super) type Outcome = Result<ServiceResponse, Error>;

pin_project! {
    /// The response of an [`AuthKitService`](crate::AuthKitService), in the making.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct AuthKitResponse<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F> {
        /// The service within is at work.
        Serving {
            #[pin]
            answer: F,
            hold: Hold,
        },
        /// What comes before or after it has to wait for somebody.
        Waiting { waiting: LocalBoxFuture<'static, Outcome> },
    }
}

/// How the middleware comes to a request's session.
pub(super) enum Hold {
    /// By whoever asks for it first.
    Passage(Entered),
    Session {
        session: Rc<RequestSession>,
        writes_cookies: bool,
    },
}

impl<F> AuthKitResponse<F> {
    /// The answer of the service within, or ours when an extractor could not give one.
    pub(super) fn serving(answer: F, hold: Hold) -> Self {
        let state = State::Serving { answer, hold };
        Self { state }
    }

    pub(super) fn waiting(waiting: impl Future<Output = Outcome> + 'static) -> Self {
        let waiting = Box::pin(waiting);
        let state = State::Waiting { waiting };
        Self { state }
    }
}

impl<F, B> Future for AuthKitResponse<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody + 'static,
{
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.project().state;
        let (answer, hold) = match state.as_mut().project() {
            Projected::Waiting { waiting } => return waiting.as_mut().poll(context),
            Projected::Serving { answer, hold } => (answer, hold),
        };
        let answer = answer.poll(context);
        let (session, writes_cookies) = match hold {
            Hold::Session {
                session,
                writes_cookies,
            } => (Rc::clone(session), *writes_cookies),
            Hold::Passage(entered) => match entered.session() {
                Some(session) => {
                    if let Poll::Ready(Ok(response)) = &answer {
                        session.stay_with(response.request());
                    }
                    (session, true)
                }
                None => {
                    if answer.is_pending() {
                        entered.wake_when_asked(context.waker());
                    }
                    return answer.map_ok(ServiceResponse::map_into_boxed_body);
                }
            },
        };
        let result = match answer {
            Poll::Ready(result) => {
                // A request that stays in its own extensions is never freed.
                drop(session.take_unanswerable());
                result.map(ServiceResponse::map_into_boxed_body)
            }
            Poll::Pending => {
                let (request, response) = *ready!(session.poll_unanswerable(context));
                Ok(ServiceResponse::new(request, response))
            }
        };
        if !writes_cookies {
            return Poll::Ready(result);
        }
        if let Some(effects) = session.effects_now() {
            return Poll::Ready(with_effects(session.authkit(), result, effects));
        }
        let mut waiting: LocalBoxFuture<'_, _> =
            Box::pin(async move { finished(&session, result).await });
        let polled = waiting.as_mut().poll(context);
        state.set(State::Waiting { waiting });
        polled
    }
}

/// A result with what became of the session.
pub(super) async fn finished(session: &RequestSession, result: Outcome) -> Outcome {
    let effects = session.effects().await;
    with_effects(session.authkit(), result, effects)
}

fn with_effects(authkit: &AuthKit, mut result: Outcome, effects: Effects) -> Outcome {
    if effects.asks_again {
        result = result.map(|response| once_more(authkit, response));
    }
    if !effects.is_nothing() {
        write(&mut result, effects);
    }
    result
}

/// Loads a document again, whose session has ended unless another application has renewed its cookie
/// while the request was under way.
fn once_more(authkit: &AuthKit, response: ServiceResponse) -> ServiceResponse {
    let request = response.request();
    let is_document = request.method() == Method::GET
        && RequestKind::of(request.headers()) == RequestKind::Document;
    let path = request.uri().path_and_query().map(PathAndQuery::as_str);
    let Some(itself) = path.filter(|_| is_document).and_then(ReturnTo::parse) else {
        return response;
    };
    let again = redirect(request, &itself.on(&authkit.origin(request)));
    response.into_response(again)
}

/// The one place that writes the session's cookies, on the success arm and on the error arm.
pub(super) fn write<B>(result: &mut Result<ServiceResponse<B>, Error>, effects: Effects) {
    match result {
        Ok(response) => effects.apply(response.headers_mut()),
        Err(error) => error.add_response_mapper(move |mut response| {
            effects.apply(response.headers_mut());
            response
        }),
    }
}
