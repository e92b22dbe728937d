//! How the session of a stranger's request is made no earlier than somebody asks for it.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    task::Waker,
};

use actix_web::{
    HttpRequest,
    dev::{Extensions, ServiceRequest},
};

use super::{middleware::OnForbidden, request_session::RequestSession};
use crate::authkit::AuthKit;

/// A request's way through a middleware, on which the first who asks makes its session.
///
/// It is found among the application's data, which is made for one request after another; an entry in
/// the request's extensions would be made for each. What is inlined here is on the way of every request,
/// and runs among the application's own code.
pub(super) struct Passage {
    authkit: AuthKit,
    on_forbidden: Option<OnForbidden>,
    /// A request is under way.
    is_open: Cell<bool>,
    session: RefCell<Option<Rc<RequestSession>>>,
    middleware: RefCell<Option<Waker>>,
}

impl Passage {
    #[inline]
    pub(super) fn of(request: &HttpRequest) -> Option<&Self> {
        request.app_data::<Rc<Self>>().map(Rc::as_ref)
    }

    pub(super) fn session(&self, request: &HttpRequest) -> Rc<RequestSession> {
        if let Some(session) = self.session.borrow().as_ref() {
            return Rc::clone(session);
        }
        let session = Rc::new(RequestSession::new(&self.authkit, request));
        if self.is_open.get() {
            session.watch(self.on_forbidden.as_ref());
            self.session.replace(Some(Rc::clone(&session)));
            self.middleware.take().into_iter().for_each(Waker::wake);
        } else {
            session.close();
        }
        session
    }
}

/// The passages of one middleware that no request is on.
#[derive(Clone, Default)]
pub(super) struct Passages(Rc<RefCell<Vec<Way>>>);

/// A passage with the data that leads to it.
struct Way {
    passage: Rc<Passage>,
    data: Rc<Extensions>,
}

impl Passages {
    /// Lets a request in, until what is returned is dropped. As with Actix's router, nobody else may
    /// hold the request.
    #[inline]
    pub(super) fn enter(
        &self,
        authkit: &AuthKit,
        on_forbidden: Option<&OnForbidden>,
        request: &mut ServiceRequest,
    ) -> Entered {
        let unused = self.0.borrow_mut().pop().filter(Way::is_left);
        let way = unused.unwrap_or_else(|| Way::new(authkit, on_forbidden));
        way.passage.is_open.set(true);
        request.add_data_container(Rc::clone(&way.data));
        Entered {
            way: Some(way),
            passages: self.clone(),
        }
    }
}

impl fmt::Debug for Passages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passages")
    }
}

impl Way {
    fn new(authkit: &AuthKit, on_forbidden: Option<&OnForbidden>) -> Self {
        let passage = Rc::new(Passage {
            authkit: authkit.share(),
            on_forbidden: on_forbidden.cloned(),
            is_open: Cell::new(false),
            session: RefCell::default(),
            middleware: RefCell::default(),
        });
        let mut data = Extensions::new();
        data.insert(Rc::clone(&passage));
        let data = Rc::new(data);
        Self { passage, data }
    }

    /// Whether no request leads here any more.
    #[inline]
    fn is_left(&self) -> bool {
        Rc::strong_count(&self.data) == 1
    }
}

/// The middleware's end of a passage.
pub(super) struct Entered {
    /// Until it is dropped.
    way: Option<Way>,
    passages: Passages,
}

impl Entered {
    /// The session, if somebody has asked for it.
    #[inline]
    pub(super) fn session(&self) -> Option<Rc<RequestSession>> {
        self.way.as_ref()?.passage.session.borrow().clone()
    }

    /// Has the middleware woken when somebody asks who is not part of what it waits for.
    pub(super) fn wake_when_asked(&self, middleware: &Waker) {
        let middleware = Some(middleware.clone());
        if let Some(way) = &self.way {
            way.passage.middleware.replace(middleware);
        }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        let Some(way) = self.way.take() else {
            return;
        };
        way.passage.is_open.set(false);
        way.passage.session.take();
        way.passage.middleware.take();
        let mut unused = self.passages.0.borrow_mut();
        if unused.len() < MOST_UNUSED {
            unused.push(way);
        }
    }
}

/// For as many requests as a worker may have waiting for something at a time.
const MOST_UNUSED: usize = 256;
