use std::{
    cell::{self, Cell, RefCell},
    future::pending,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse,
    http::{
        Method,
        header::{
            AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, UPGRADE,
            USER_AGENT,
        },
    },
};
use smallvec::SmallVec;
use tokio::sync::Mutex;
use tracing::{Instrument as _, debug_span, field::Empty, warn};

use super::{
    cache_control::CachePolicy,
    middleware::{Forbidden, OnForbidden},
    negotiate::RequestKind,
    passage::Passage,
    rejection::as_error,
    set_cookie::{self, EAGER_COOKIE, FoundCookies},
    spent::SpentMark,
};
use crate::{
    authkit::AuthKit,
    config::PrivateWhen,
    request_info::RequestInfo,
    session::{CookieChange, Freshness, Outcome, Resolution, Standing, Step, Unsettled},
};

/// The session of one request: opened when somebody asks, once, and the same for everybody.
///
/// It lives in the request's extensions. The outermost middleware alone writes what became of it to the
/// response.
pub(crate) struct RequestSession {
    authkit: AuthKit,
    cookies: SmallVec<[HeaderValue; 1]>,
    /// With eager auth only: a page is loaded.
    is_document: bool,
    has_authorization: bool,
    /// How long ago the token may have expired in an outage.
    grace: Duration,
    /// What WorkOS is told of the request, noted as soon as somebody has to wait for it.
    info: cell::OnceCell<Box<RequestInfo>>,
    asked: Cell<bool>,
    resolution: cell::OnceCell<Resolution>,
    /// Held by whoever waits for WorkOS on behalf of all who ask.
    turn: cell::OnceCell<Box<Mutex<()>>>,
    /// The cookie, opened by whoever asked first and waiting for WorkOS.
    unsettled: RefCell<Option<Box<Unsettled>>>,
    is_settling: Cell<bool>,
    /// What a route of ours made of the session: it wins over what the request came with.
    replaced: RefCell<Option<Resolution>>,
    /// Somebody else was let in, by the `Authorization` header: the session is nobody's business.
    is_aside: Cell<bool>,
    unanswerable: RefCell<Option<Box<(HttpRequest, HttpResponse)>>>,
    middleware: RefCell<Option<Waker>>,
    is_watched: Cell<bool>,
    on_forbidden: RefCell<Option<OnForbidden>>,
    /// The response is the same for everyone, whoever asks.
    is_for_everyone: Cell<bool>,
    /// The response head is on its way: no cookie can follow any more.
    closed: Cell<bool>,
}

impl RequestSession {
    pub(super) fn new(authkit: &AuthKit, request: &HttpRequest) -> Self {
        let headers = request.headers();
        let is_document = authkit.inner.config.eager_auth
            && request.method() == Method::GET
            && RequestKind::of(headers) == RequestKind::Document;
        let session = Self {
            cookies: headers.get_all(COOKIE).cloned().collect(),
            is_document,
            has_authorization: headers.contains_key(AUTHORIZATION),
            grace: grace(request, authkit.inner.config.outage_grace),
            info: cell::OnceCell::new(),
            asked: Cell::new(false),
            resolution: cell::OnceCell::new(),
            turn: cell::OnceCell::new(),
            is_settling: Cell::new(false),
            replaced: RefCell::new(None),
            is_aside: Cell::new(false),
            unsettled: RefCell::new(None),
            unanswerable: RefCell::new(None),
            middleware: RefCell::new(None),
            is_watched: Cell::new(false),
            on_forbidden: RefCell::new(None),
            is_for_everyone: Cell::new(false),
            closed: Cell::new(false),
            authkit: authkit.share(),
        };
        if is_document {
            // The middleware asks by itself, when the request is somebody else's.
            session.note(request);
        }
        session
    }

    /// Makes the session of a request, the one that all see from now on.
    pub(super) fn put(authkit: &AuthKit, request: &HttpRequest) -> Rc<Self> {
        let session = Rc::new(Self::new(authkit, request));
        request.extensions_mut().insert(Rc::clone(&session));
        session
    }

    /// Lets those see it who ask while the response's body is made.
    pub(super) fn stay_with(self: &Rc<Self>, request: &HttpRequest) {
        let mut extensions = request.extensions_mut();
        if !extensions.contains::<Rc<Self>>() {
            extensions.insert(Rc::clone(self));
        }
    }

    /// Whether a middleware further out has made it, or does when somebody asks.
    #[inline]
    pub(super) fn is_to_be_had(request: &HttpRequest) -> bool {
        request.extensions().contains::<Rc<Self>>() || Passage::of(request).is_some()
    }

    pub(crate) fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        let made = request.extensions().get::<Rc<Self>>().cloned();
        made.or_else(|| Some(Passage::of(request)?.session(request)))
    }

    pub(crate) fn authkit(&self) -> &AuthKit {
        &self.authkit
    }

    /// The resolution, if it takes no wait.
    pub(crate) fn resolution_now(&self, request: &HttpRequest) -> Option<Resolution> {
        if self.is_aside.get() {
            return Some(Resolution::signed_out(CookieChange::Keep));
        }
        let resolution = self.own_resolution_now();
        if resolution.is_none() {
            self.note(request);
        }
        resolution
    }

    pub(crate) async fn resolution(&self, request: &HttpRequest) -> Resolution {
        match self.resolution_now(request) {
            Some(resolution) => resolution,
            None => self.own_resolution().await,
        }
    }

    fn own_resolution_now(&self) -> Option<Resolution> {
        self.asked.set(true);
        if let Some(replaced) = self.replaced.borrow().as_ref() {
            return Some(replaced.clone());
        }
        if let Some(resolution) = self.resolution.get() {
            return Some(resolution.clone());
        }
        if self.is_settling.get() {
            return None;
        }
        match self.open() {
            Step::Done(resolution) => {
                resolution.note_check();
                let _ = self.resolution.set(resolution.clone());
                Some(resolution)
            }
            Step::Waits(unsettled) => {
                self.unsettled.replace(Some(Box::new(unsettled)));
                None
            }
        }
    }

    async fn own_resolution(&self) -> Resolution {
        match self.own_resolution_now() {
            Some(resolution) => resolution,
            // In a box, or every request would carry the room for it.
            None => Box::pin(self.settled()).await,
        }
    }

    async fn settled(&self) -> Resolution {
        // A waiter that goes away leaves the cell empty, and the next takes over.
        let _turn = self.turn.get_or_init(Box::default).lock().await;
        if let Some(resolution) = self.resolution.get() {
            return resolution.clone();
        }
        let _settling = Settling::begin(&self.is_settling);
        let step = match self.unsettled.take() {
            Some(unsettled) => Step::Waits(*unsettled),
            None => self.open(),
        };
        let resolution = match step {
            Step::Done(resolution) => resolution,
            Step::Waits(unsettled) => self.settle(unsettled).await,
        };
        resolution.note_check();
        self.resolution.get_or_init(|| resolution).clone()
    }

    /// Makes a new session, or none, of the request's; the outermost middleware writes its cookie.
    pub(crate) fn replace(&self, resolution: Resolution) {
        self.replaced.replace(Some(resolution));
    }

    /// Hides the session from whoever asks from now on; its cookie stays as it is.
    pub(crate) fn set_aside(&self) {
        self.is_aside.set(true);
    }

    /// Answers in place of an extractor: `Option<AuthUser>` would swallow its error and call the user
    /// signed out. The middleware drops the handler and sends the response, unless another is on its
    /// way already.
    pub(crate) async fn answer_instead<T>(
        &self,
        request: &HttpRequest,
        response: HttpResponse,
    ) -> Result<T, Error> {
        if self.closed.get() || !self.is_watched.get() {
            return Err(as_error(response));
        }
        let answer = Box::new((request.clone(), response));
        self.unanswerable.replace(Some(answer));
        if let Some(middleware) = self.middleware.take() {
            middleware.wake();
        }
        pending().await
    }

    /// The outcome, if somebody has asked for it.
    pub(crate) fn known_outcome(&self) -> Option<Outcome> {
        let replaced = self.replaced.borrow();
        let resolution = replaced.as_ref().or_else(|| self.resolution.get());
        resolution.map(|resolution| resolution.outcome.clone())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn forbidden_response(
        &self,
        why: Forbidden,
        request: &HttpRequest,
    ) -> Option<HttpResponse> {
        let respond = self.on_forbidden.borrow().clone()?;
        Some(respond.respond(why, request))
    }

    /// Says that a middleware of ours looks for what extractors leave. Its answer to those who may not
    /// pass counts unless one further in has another.
    pub(super) fn watch(&self, on_forbidden: Option<&OnForbidden>) {
        self.is_watched.set(true);
        if let Some(respond) = on_forbidden {
            self.on_forbidden.replace(Some(respond.clone()));
        }
    }

    /// Says that the response is on its way.
    pub(super) fn close(&self) {
        self.closed.set(true);
    }

    /// What an extractor left for the middleware.
    pub(crate) fn take_unanswerable(&self) -> Option<Box<(HttpRequest, HttpResponse)>> {
        self.unanswerable.take()
    }

    /// The same, while the handler waits: the middleware is woken when an extractor leaves something
    /// elsewhere.
    pub(crate) fn poll_unanswerable(
        &self,
        context: &Context<'_>,
    ) -> Poll<Box<(HttpRequest, HttpResponse)>> {
        match self.take_unanswerable() {
            Some(given_up) => Poll::Ready(given_up),
            None => {
                self.middleware.replace(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }

    /// What the response has to say about the session, if that takes no wait.
    pub(crate) fn effects_now(&self) -> Option<Effects> {
        let resolution = match self.matters() {
            true => Some(self.own_resolution_now()?),
            false => None,
        };
        let changes = |resolution: &Resolution| !matches!(resolution.cookie, CookieChange::Keep);
        if resolution.as_ref().is_some_and(changes) {
            return None;
        }
        self.close();
        Some(self.effects_of(resolution))
    }

    /// The same; waits for a resolution that was asked for, lest a session that was refreshed for it be
    /// lost.
    pub(crate) async fn effects(&self) -> Effects {
        let resolution = match self.matters() {
            true => Some(self.own_resolution().await),
            false => None,
        };
        let resolution = resolution.map(|resolution| self.unless_ended_since(resolution));
        self.close();
        match resolution.as_ref().map(|resolution| &resolution.cookie) {
            None | Some(CookieChange::Keep | CookieChange::ClearUnlessRenewed) => {}
            Some(CookieChange::Set(sealed)) => self.forget(Some(sealed)).await,
            Some(CookieChange::Clear) => self.forget(None).await,
        }
        self.effects_of(resolution)
    }

    /// Whether somebody has asked for the session, or made it another.
    fn matters(&self) -> bool {
        self.asked.get() || self.replaced.borrow().is_some() || self.is_eager()
    }

    fn effects_of(&self, resolution: Option<Resolution>) -> Effects {
        let config = &self.authkit.inner.config.cookie;
        let present = || self.found_cookies().names();
        let mut asks_again = false;
        let mut set_cookies = match resolution.as_ref().map(|resolution| &resolution.cookie) {
            None | Some(CookieChange::Keep) => Vec::new(),
            // Another request's response has set the successor, or is about to.
            Some(CookieChange::Set(_)) if self.is_succeeded(resolution.as_ref()) => Vec::new(),
            Some(CookieChange::Set(sealed)) => {
                set_cookie::session_cookies(config, sealed, &present())
            }
            Some(CookieChange::Clear) => set_cookie::removal_cookies(config, &present()),
            Some(CookieChange::ClearUnlessRenewed) => {
                let mark = SpentMark::of(config, &self.found_cookies().candidates());
                if mark.is_among(&self.cookies) {
                    let mut removal = set_cookie::removal_cookies(config, &present());
                    removal.push(mark.removal(config));
                    removal
                } else {
                    asks_again = true;
                    vec![mark.cookie(config)]
                }
            }
        };
        set_cookies.extend(self.eager_cookie(resolution.as_ref()));
        let is_signed_in = resolution
            .as_ref()
            .is_some_and(|resolution| matches!(resolution.outcome, Outcome::SignedIn(_)));
        let counts = match self.authkit.inner.config.private_when {
            PrivateWhen::CredentialsSent => true,
            PrivateWhen::SessionUsed => resolution.is_some(),
        };
        let is_private = || counts && (self.has_authorization || self.carries_session());
        let is_for_everyone = self.is_for_everyone.get() && set_cookies.is_empty();
        let cache = if is_for_everyone {
            CachePolicy::Untouched
        } else if is_signed_in || !set_cookies.is_empty() || is_private() {
            CachePolicy::Private {
                by_authorization: self.has_authorization,
            }
        } else if resolution.is_some() {
            CachePolicy::VaryByCookie
        } else {
            CachePolicy::Untouched
        };
        Effects {
            set_cookies,
            cache,
            asks_again,
        }
    }

    async fn forget(&self, successor: Option<&str>) {
        let found = self.found_cookies();
        let sessions = &self.authkit.inner.sessions;
        sessions.forget(&found.candidates(), successor).await;
    }

    /// A sign-out that came while the handler was at work wins: the browser may be through with its
    /// answer already.
    fn unless_ended_since(&self, resolution: Resolution) -> Resolution {
        match &resolution.outcome {
            Outcome::SignedIn(signed_in)
                if matches!(resolution.cookie, CookieChange::Set(_))
                    && self.authkit.inner.notices.standing(&signed_in.claims)
                        == Standing::Ended =>
            {
                Resolution::signed_out(CookieChange::Clear)
            }
            _ => resolution,
        }
    }

    fn is_succeeded(&self, resolution: Option<&Resolution>) -> bool {
        match resolution.map(|resolution| &resolution.outcome) {
            Some(Outcome::SignedIn(signed_in)) => {
                let sessions = &self.authkit.inner.sessions;
                sessions.is_succeeded(&signed_in.session)
            }
            _ => false,
        }
    }

    /// Whether the page's scripts get the access token with it.
    fn is_eager(&self) -> bool {
        self.is_document && !self.is_for_everyone.get() && self.carries_session()
    }

    /// Gives the page's scripts the access token, unless they still have it, and takes it from a page
    /// that nobody is signed in to.
    fn eager_cookie(&self, resolution: Option<&Resolution>) -> Option<String> {
        let inner = &self.authkit.inner;
        if !inner.config.eager_auth {
            return None;
        }
        let held = self
            .cookies
            .iter()
            .flat_map(set_cookie::cookie_pairs)
            .find(|(name, _)| *name == EAGER_COOKIE)
            .map(|(_, value)| value);
        let config = &inner.config.cookie;
        match &resolution?.outcome {
            Outcome::SignedIn(signed_in)
                if self.is_document && signed_in.freshness == Freshness::Current =>
            {
                let token = signed_in.session.access_token.expose_secret();
                (held != Some(token))
                    .then(|| set_cookie::eager_cookie(config, token))
                    .flatten()
            }
            Outcome::SignedOut { .. } if held.is_some() => Some(set_cookie::eager_removal(config)),
            _ => None,
        }
    }

    /// Says that the response tells nobody's secrets, so that caches may keep it.
    pub(crate) fn is_for_everyone(&self) {
        self.is_for_everyone.set(true);
    }

    /// The session cookies that the request carries.
    pub(crate) fn found_cookies(&self) -> FoundCookies<'_> {
        set_cookie::find(&self.authkit.inner.config.cookie.name, self.cookies.iter())
    }

    fn carries_session(&self) -> bool {
        set_cookie::is_sent(&self.authkit.inner.config.cookie.name, self.cookies.iter())
    }

    fn note(&self, request: &HttpRequest) {
        self.info.get_or_init(|| Box::new(request_info(request)));
    }

    fn open(&self) -> Step {
        let found = self.found_cookies();
        let candidates = found.candidates();
        if candidates.is_empty() {
            return Step::Done(Resolution::signed_out(if found.is_empty() {
                CookieChange::Keep
            } else {
                CookieChange::Clear
            }));
        }
        self.authkit.inner.sessions.open(&candidates)
    }

    async fn settle(&self, unsettled: Unsettled) -> Resolution {
        if self.closed.get() {
            warn!(
                "a session was asked for after the response had begun, and could not be refreshed"
            );
            return Resolution {
                outcome: Outcome::CannotTell { retry_after: 1 },
                cookie: CookieChange::Keep,
            };
        }
        let request = self.info.get().map(|info| RequestInfo::clone(info));
        let request = request.unwrap_or_default();
        async {
            let sessions = &self.authkit.inner.sessions;
            let resolution = sessions.resolve(unsettled, request, self.grace).await;
            resolution.record();
            resolution
        }
        .instrument(debug_span!(
            "authkit.session.resolve",
            outcome = Empty,
            user_id = Empty,
            session_id = Empty,
            organization_id = Empty,
        ))
        .await
    }
}

/// The request as data of its own, for WorkOS and for hooks.
pub(super) fn request_info(request: &HttpRequest) -> RequestInfo {
    let text = |name: HeaderName| {
        let text = request.headers().get(name)?.to_str().ok()?;
        Some(text.chars().take(LONGEST_HEADER).collect())
    };
    RequestInfo {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        host: text(HOST),
        peer: request.peer_addr().map(|peer| peer.ip()),
        user_agent: text(USER_AGENT),
    }
}

/// An outage has mercy on what only reads: on GET and HEAD, unless they lead to a connection that
/// their sender can speak on.
fn grace(request: &HttpRequest, configured: Duration) -> Duration {
    let only_reads = || {
        matches!(*request.method(), Method::GET | Method::HEAD)
            && !request.headers().contains_key(UPGRADE)
    };
    if !configured.is_zero() && only_reads() {
        configured
    } else {
        Duration::ZERO
    }
}

/// Says that a session is being settled, until it is or whoever did so goes away.
struct Settling<'a>(&'a Cell<bool>);

impl<'a> Settling<'a> {
    fn begin(is_settling: &'a Cell<bool>) -> Self {
        is_settling.set(true);
        Self(is_settling)
    }
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// What a request's session does to its response.
#[derive(Clone)]
pub(crate) struct Effects {
    set_cookies: Vec<String>,
    cache: CachePolicy,
    /// The session may be alive in a cookie that the browser has by now.
    pub(crate) asks_again: bool,
}

impl Effects {
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for cookie in &self.set_cookies {
            if let Ok(cookie) = HeaderValue::from_str(cookie) {
                headers.append(SET_COOKIE, cookie);
            }
        }
        self.cache.apply(headers);
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.set_cookies.is_empty() && self.cache == CachePolicy::Untouched
    }
}

const LONGEST_HEADER: usize = 512;
