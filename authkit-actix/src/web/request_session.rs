use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use actix_web::{
    HttpMessage as _, HttpRequest,
    http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, SET_COOKIE, USER_AGENT},
};
use tokio::sync::OnceCell;
use tracing::{Instrument as _, debug_span, warn};

use super::{
    cache_control::CachePolicy,
    set_cookie::{self, FoundCookies},
};
use crate::{
    authkit::AuthKit,
    session::{CookieChange, Outcome, Resolution, Step, Unsettled},
    workos::Peer,
};

/// The session of one request: opened when somebody asks, once, and the same for everybody.
///
/// It lives in the request's extensions. The outermost middleware makes it and alone writes what
/// became of it to the response.
pub(crate) struct RequestSession {
    authkit: AuthKit,
    cookies: Vec<HeaderValue>,
    has_authorization: bool,
    user_agent: Option<HeaderValue>,
    peer: Option<std::net::IpAddr>,
    asked: Cell<bool>,
    resolution: OnceCell<Resolution>,
    /// What a route of ours made of the session: it wins over what the request came with.
    replaced: RefCell<Option<Resolution>>,
    unanswerable: RefCell<Option<(HttpRequest, u64)>>,
    /// The response head is on its way: no cookie can follow any more.
    closed: Cell<bool>,
}

impl RequestSession {
    pub(crate) fn new(authkit: AuthKit, request: &HttpRequest) -> Self {
        let headers = request.headers();
        Self {
            authkit,
            cookies: headers.get_all(COOKIE).cloned().collect(),
            has_authorization: headers.contains_key(AUTHORIZATION),
            user_agent: headers.get(USER_AGENT).cloned(),
            peer: request.peer_addr().map(|peer| peer.ip()),
            asked: Cell::new(false),
            resolution: OnceCell::new(),
            replaced: RefCell::new(None),
            unanswerable: RefCell::new(None),
            closed: Cell::new(false),
        }
    }

    pub(crate) fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.extensions().get::<Rc<Self>>().cloned()
    }

    pub(crate) fn authkit(&self) -> &AuthKit {
        &self.authkit
    }

    /// The resolution, if it takes no wait.
    pub(crate) fn resolution_now(&self) -> Option<Resolution> {
        self.asked.set(true);
        if let Some(replaced) = self.replaced.borrow().as_ref() {
            return Some(replaced.clone());
        }
        if let Some(resolution) = self.resolution.get() {
            return Some(resolution.clone());
        }
        match self.open() {
            Step::Done(resolution) => {
                // Somebody may be waiting for keys that have come meanwhile: theirs counts then.
                let _ = self.resolution.set(resolution.clone());
                Some(self.resolution.get().cloned().unwrap_or(resolution))
            }
            Step::Waits(_) => None,
        }
    }

    pub(crate) async fn resolution(&self) -> Resolution {
        if let Some(resolution) = self.resolution_now() {
            return resolution;
        }
        // A waiter that goes away leaves the cell empty, and the next takes over.
        self.resolution
            .get_or_init(|| async {
                match self.open() {
                    Step::Done(resolution) => resolution,
                    Step::Waits(unsettled) => self.settle(unsettled).await,
                }
            })
            .await
            .clone()
    }

    /// Makes a new session, or none, of the request's; the outermost middleware writes its cookie.
    pub(crate) fn replace(&self, resolution: Resolution) {
        self.replaced.replace(Some(resolution));
    }

    /// Says that an extractor cannot answer for itself: `Option<AuthUser>` would swallow its error
    /// and call the user signed out. The middleware drops the handler and answers `503`, unless the
    /// response is on its way already: then nobody would, and this is `false`.
    pub(crate) fn give_up(&self, request: &HttpRequest, retry_after: u64) -> bool {
        if self.closed.get() {
            return false;
        }
        self.unanswerable
            .replace(Some((request.clone(), retry_after)));
        true
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn take_unanswerable(&self) -> Option<(HttpRequest, u64)> {
        self.unanswerable.borrow_mut().take()
    }

    /// What the response has to say about the session; waits for a resolution that was asked for,
    /// lest a session that was refreshed for it be lost.
    pub(crate) async fn effects(&self) -> Effects {
        let replaced = self.replaced.borrow().clone();
        let resolution = match replaced {
            Some(replaced) => Some(replaced),
            None if self.asked.get() => Some(self.resolution().await),
            None => None,
        };
        self.closed.set(true);
        let found = self.found_cookies();
        let config = &self.authkit.inner.config.cookie;
        let set_cookies = match resolution.as_ref().map(|resolution| &resolution.cookie) {
            None | Some(CookieChange::Keep) => Vec::new(),
            Some(CookieChange::Set(sealed)) => {
                set_cookie::session_cookies(config, sealed, &found.names(), found.has_doubles())
            }
            Some(CookieChange::Clear) => set_cookie::removal_cookies(config, &found.names()),
        };
        let is_signed_in = resolution
            .as_ref()
            .is_some_and(|resolution| matches!(resolution.outcome, Outcome::SignedIn(_)));
        let cache = if is_signed_in
            || !set_cookies.is_empty()
            || !found.is_empty()
            || self.has_authorization
        {
            CachePolicy::Private {
                by_authorization: self.has_authorization,
            }
        } else if resolution.is_some() {
            CachePolicy::VaryByCookie
        } else {
            CachePolicy::Untouched
        };
        Effects { set_cookies, cache }
    }

    /// The session cookies that the request carries.
    pub(crate) fn found_cookies(&self) -> FoundCookies<'_> {
        set_cookie::find(&self.authkit.inner.config.cookie.name, self.cookies.iter())
    }

    /// Who sent the request, as WorkOS is told.
    pub(crate) fn peer(&self) -> Peer {
        Peer {
            ip_address: self.peer,
            user_agent: self
                .user_agent
                .as_ref()
                .and_then(|agent| agent.to_str().ok())
                .map(|agent| agent.chars().take(LONGEST_USER_AGENT).collect()),
        }
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
        self.authkit
            .inner
            .sessions
            .resolve(unsettled, self.peer())
            .instrument(debug_span!("authkit.session.resolve"))
            .await
    }
}

/// What a request's session does to its response.
#[derive(Clone)]
pub(crate) struct Effects {
    set_cookies: Vec<String>,
    cache: CachePolicy,
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

const LONGEST_USER_AGENT: usize = 512;
