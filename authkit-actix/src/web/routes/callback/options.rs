//! What an application adds to the callback.

use std::{fmt, future::Future, net::IpAddr, rc::Rc, sync::Arc};

use actix_web::{HttpRequest, HttpResponse};
use futures::{FutureExt as _, future::BoxFuture};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::{error, warn};

use super::CallbackError;
use crate::{
    access::AuthUser,
    oauth::ReturnTo,
    request_info::RequestInfo,
    session::{Admission, BeginHook, Begun},
    web::request_session::request_info,
    workos::{OauthTokens, OrganizationChoice},
};

/// A sign-in that has just succeeded at AuthKit, for the callback's hooks.
///
/// `S` is what was given to [`SignInUrl::state`](crate::SignInUrl::state).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignIn<S = Value> {
    /// Who has signed in, with their tokens and claims, and with every member of their profile, also
    /// those that the session does not keep.
    pub user: AuthUser,
    /// The organization they signed in to: `org_…`.
    pub organization_id: Option<String>,
    /// The tokens of the provider they signed in with, where the WorkOS dashboard says to return
    /// them.
    pub oauth_tokens: Option<OauthTokens>,
    /// What the application gave the sign-in to carry; `None` also when it was of another type.
    pub state: Option<S>,
    /// The callback's request.
    pub request: RequestInfo,
}

/// What a hook may end with: nothing, or a result whose error is logged.
#[diagnostic::on_unimplemented(
    message = "a hook cannot end with `{Self}`",
    label = "ends with `{Self}`",
    note = "it ends with nothing, or with a `Result<(), E>` whose error can be shown: \
            where nobody needs the value, put `;` after it"
)]
pub trait HookOutcome: Send + 'static {
    /// The error, if there was one.
    fn problem(self) -> Option<String>;
}

impl HookOutcome for () {
    fn problem(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display + Send + 'static> HookOutcome for Result<(), E> {
    fn problem(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

type SignInHook<T> = Arc<dyn Fn(SignIn) -> BoxFuture<'static, T> + Send + Sync>;
type ErrorHook = Rc<dyn Fn(&CallbackError, &HttpRequest) -> HttpResponse>;
type OrganizationPage = Rc<dyn Fn(&[OrganizationChoice], &HttpRequest) -> HttpResponse>;
type ClientIp = Rc<dyn Fn(&HttpRequest) -> Option<IpAddr>>;

#[derive(Clone, Default)]
pub(super) struct CallbackOptions {
    pub(super) return_to: Option<ReturnTo>,
    pub(super) on_error: Option<ErrorHook>,
    pub(super) client_ip: Option<ClientIp>,
    pub(super) organization_page: Option<OrganizationPage>,
    on_authenticated: Option<SignInHook<Admission>>,
    on_success: Option<SignInHook<()>>,
}

impl CallbackOptions {
    pub(super) fn set_on_authenticated<S, F>(
        &mut self,
        hook: impl Fn(SignIn<S>) -> F + Send + Sync + 'static,
    ) where
        S: DeserializeOwned,
        F: Future<Output = Admission> + Send + 'static,
    {
        self.on_authenticated = Some(Arc::new(move |sign_in| hook(sign_in.typed()).boxed()));
    }

    pub(super) fn set_on_success<S, F>(
        &mut self,
        hook: impl Fn(SignIn<S>) -> F + Send + Sync + 'static,
    ) where
        S: DeserializeOwned,
        F: Future<Output: HookOutcome> + Send + 'static,
    {
        self.on_success = Some(Arc::new(move |sign_in| {
            let done = hook(sign_in.typed());
            let logged = async move {
                if let Some(problem) = done.await.problem() {
                    error!(problem, "on_success failed; the sign-in stands");
                }
            };
            logged.boxed()
        }));
    }

    /// The request, from the address that the application says it comes from.
    pub(super) fn request_info(&self, request: &HttpRequest) -> RequestInfo {
        let mut info = request_info(request);
        if let Some(client_ip) = &self.client_ip {
            info.peer = client_ip(request);
        }
        info
    }

    pub(super) fn admit(&self, sign_in: &Carried) -> Option<BeginHook<Admission>> {
        hook(self.on_authenticated.as_ref()?, sign_in)
    }

    pub(super) fn begun(&self, sign_in: &Carried) -> Option<BeginHook<()>> {
        hook(self.on_success.as_ref()?, sign_in)
    }
}

/// What a sign-in carried along, for its hooks.
#[derive(Clone)]
pub(super) struct Carried {
    pub(super) custom: Option<Value>,
    pub(super) request: RequestInfo,
}

fn hook<T: 'static>(hook: &SignInHook<T>, carried: &Carried) -> Option<BeginHook<T>> {
    let hook = Arc::clone(hook);
    let carried = carried.clone();
    Some(Box::new(move |begun| hook(carried.sign_in(&begun))))
}

impl Carried {
    fn sign_in(self, begun: &Begun) -> SignIn {
        SignIn {
            user: AuthUser::plain(Arc::clone(&begun.newcomer)),
            organization_id: begun.organization_id.clone(),
            oauth_tokens: begun.oauth_tokens.clone(),
            state: self.custom,
            request: self.request,
        }
    }
}

impl SignIn {
    fn typed<S: DeserializeOwned>(self) -> SignIn<S> {
        let state = self.state.and_then(|state| {
            serde_json::from_value(state)
                .inspect_err(|_| warn!("the custom state of a sign-in is of another type"))
                .ok()
        });
        SignIn {
            user: self.user,
            organization_id: self.organization_id,
            oauth_tokens: self.oauth_tokens,
            state,
            request: self.request,
        }
    }
}

impl fmt::Debug for CallbackOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackOptions")
    }
}
