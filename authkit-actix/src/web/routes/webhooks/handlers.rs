use std::{future::Future, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use tracing::error;

use super::{super::HookOutcome, deliveries::Failure};
use crate::{
    session::Hooks,
    workos::{WebhookData, WebhookEvent},
};

/// What the application does about events, in the order in which it says so.
#[derive(Default)]
pub(super) struct Handlers(Vec<Handler>);

struct Handler {
    /// The event it is for; `None` for all.
    event: Option<&'static str>,
    run: Arc<dyn Fn(&WebhookEvent) -> Handled + Send + Sync>,
}

type Handled = BoxFuture<'static, Result<(), Failure>>;

impl Handlers {
    pub(super) fn add<T: WebhookData, F>(
        &mut self,
        handler: impl Fn(WebhookEvent<T>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output: HookOutcome> + Send + 'static,
    {
        self.0.push(Handler {
            event: Some(T::EVENT),
            run: Arc::new(move |event| match event.typed() {
                Ok(event) => ended(handler(event)),
                Err(problem) => futures::future::ready(Err(problem.into())).boxed(),
            }),
        });
    }

    pub(super) fn add_for_any<F>(
        &mut self,
        handler: impl Fn(WebhookEvent) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output: HookOutcome> + Send + 'static,
    {
        self.0.push(Handler {
            event: None,
            run: Arc::new(move |event| ended(handler(event.clone()))),
        });
    }

    /// Runs those that are for this event, one after another, up to the first that fails.
    pub(super) async fn handle(&self, hooks: &Hooks, event: &WebhookEvent) -> Result<(), Failure> {
        for handler in &self.0 {
            if handler.event.is_some_and(|name| name != event.event) {
                continue;
            }
            let (run, event) = (Arc::clone(&handler.run), event.clone());
            let handled = hooks.run("webhook", move || run(&event)).await;
            handled.unwrap_or(Err(Failure::NotHandled))?;
        }
        Ok(())
    }
}

fn ended(handler: impl Future<Output: HookOutcome> + Send + 'static) -> Handled {
    let ended = handler.map(|outcome| match outcome.problem() {
        None => Ok(()),
        Some(problem) => {
            error!(problem, "the handler of an event failed");
            Err(Failure::NotHandled)
        }
    });
    ended.boxed()
}
