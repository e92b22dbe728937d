//! The session as a function, for people who write their own middleware.

use std::{fmt, rc::Rc};

use actix_web::{Error, HttpRequest, dev::ServiceResponse, http::header::HeaderMap};

use super::{auth::Auth, extract::AuthStatus, request_session::RequestSession, response::write};
use crate::{access::AuthUser, authkit::AuthKit, session::Outcome};

/// The session of a request outside AuthKit's own middleware; see [`AuthKit::session`].
///
/// It holds no [`HttpRequest`]: Actix's router refuses a request that somebody else holds.
#[derive(Clone)]
#[must_use = "a session that is not applied to the response is lost when it was refreshed"]
pub struct RequestAuth {
    session: Rc<RequestSession>,
    writes: bool,
}

impl AuthKit {
    /// Opens the session of a request, refreshing it where that is due, and makes it the session that
    /// the request's extractors and guards see.
    ///
    /// What became of it (cookies, cache headers) has to be applied to the response:
    ///
    /// ```
    /// use actix_web::{
    ///     Error,
    ///     body::MessageBody,
    ///     dev::{ServiceRequest, ServiceResponse},
    ///     middleware::Next,
    ///     web,
    /// };
    /// use authkit_actix::{AuthKit, AuthStatus};
    ///
    /// async fn my_middleware(
    ///     authkit: web::Data<AuthKit>,
    ///     request: ServiceRequest,
    ///     next: Next<impl MessageBody>,
    /// ) -> Result<ServiceResponse<impl MessageBody>, Error> {
    ///     let session = authkit.session(request.request()).await;
    ///     if let AuthStatus::SignedIn(user) = session.status() {
    ///         println!("{} is here", user.id);
    ///     }
    ///     let mut result = next.call(request).await;
    ///     session.apply_to(&mut result).await;
    ///     result
    /// }
    /// ```
    ///
    /// Outside AuthKit's own middleware nobody can answer for `Option<AuthUser>`: while nothing is
    /// known it is `None`, so look at [`status`](RequestAuth::status) first.
    pub async fn session(&self, request: &HttpRequest) -> RequestAuth {
        let of_outer =
            RequestSession::of(request).filter(|session| session.authkit().is_same(self));
        let writes = of_outer.is_none();
        let session = of_outer.unwrap_or_else(|| RequestSession::put(self, request));
        session.resolution(request).await;
        RequestAuth { session, writes }
    }
}

impl RequestAuth {
    /// Who is signed in, if anybody is and if that can be told.
    pub fn status(&self) -> AuthStatus {
        match self.session.known_outcome() {
            Some(Outcome::SignedIn(signed_in)) => AuthStatus::SignedIn(AuthUser::plain(signed_in)),
            Some(Outcome::SignedOut { .. }) => AuthStatus::SignedOut,
            Some(Outcome::CannotTell { .. }) | None => AuthStatus::CannotTell,
        }
    }

    /// What can be done with the session: sign-in URLs, refreshing, signing out.
    pub fn auth(&self, request: &HttpRequest) -> Auth {
        Auth::of(Rc::clone(&self.session), request)
    }

    /// Writes what became of the session to what an inner service gave, be it a response or an error.
    /// Inside AuthKit's own middleware, which does so itself, nothing.
    pub async fn apply_to<B>(&self, result: &mut Result<ServiceResponse<B>, Error>) {
        if self.writes {
            write(result, self.session.effects().await);
        }
    }

    /// Writes what became of the session to a response: cookies and cache headers. Inside AuthKit's
    /// own middleware, which does so itself, nothing.
    pub async fn apply(&self, headers: &mut HeaderMap) {
        if self.writes {
            self.session.effects().await.apply(headers);
        }
    }
}

impl fmt::Debug for RequestAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestAuth")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
