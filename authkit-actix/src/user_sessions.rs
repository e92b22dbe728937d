//! The sessions of users: listed by WorkOS, ended here and there.

use crate::{
    authkit::AuthKit,
    lookups::unavailable,
    workos::{UserSession, WorkOsError},
};

/// The sessions of the application's users, on whatever device; from [`AuthKit::sessions`].
///
/// ```no_run
/// use actix_web::{Responder, post, web};
/// use authkit_actix::{AuthKit, AuthUser, UserSessionsError, ensure_signed_in};
///
/// #[post("/account/sign-out-elsewhere")]
/// #[ensure_signed_in]
/// async fn sign_out_elsewhere(
///     authkit: web::Data<AuthKit>,
///     user: AuthUser,
/// ) -> Result<impl Responder, UserSessionsError> {
///     let ended = authkit.sessions().end_others(&user.id, user.session_id()).await?;
///     Ok(format!("You were signed out on {ended} other devices."))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UserSessions<'a> {
    authkit: &'a AuthKit,
}

/// Why sessions were not listed or not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserSessionsError {
    /// WorkOS knows no session of this id. As a response: `404`.
    #[error("there is no such session")]
    NoSuchSession,
    /// WorkOS gave no usable answer. As a response: `503`.
    #[error("the sessions cannot be listed or ended at WorkOS now")]
    #[non_exhaustive]
    Unavailable {
        /// Seconds to wait.
        retry_after: u64,
    },
}

impl AuthKit {
    /// Ends a session, whoever's it is: here at once (copies of its cookie, access tokens and open
    /// connections included), and at WorkOS.
    ///
    /// # Errors
    ///
    /// When WorkOS did not end it. Here it has ended all the same; do it again, so that it ends
    /// there, too.
    pub async fn revoke(&self, session_id: &str) -> Result<(), UserSessionsError> {
        self.inner.notices.session_ended(session_id);
        match self.inner.workos.revoke_session(session_id).await {
            Err(WorkOsError::OurFault { status: 404, .. }) => Err(UserSessionsError::NoSuchSession),
            ended => ended.map_err(|failure| UserSessionsError::of(&failure)),
        }
    }

    /// The sessions of users, to be listed and ended.
    pub fn sessions(&self) -> UserSessions<'_> {
        UserSessions { authkit: self }
    }
}

impl UserSessions<'_> {
    /// The active sessions of a user, `user_…`, asked of WorkOS; none of one who does not exist.
    ///
    /// # Errors
    ///
    /// When WorkOS cannot be asked.
    pub async fn list(&self, user_id: &str) -> Result<Vec<UserSession>, UserSessionsError> {
        let sessions = self.authkit.inner.workos.sessions_of(user_id).await;
        let mut sessions = sessions.map_err(|failure| UserSessionsError::of(&failure))?;
        sessions.retain(UserSession::is_active);
        Ok(sessions)
    }

    /// Ends all sessions of a user, and says how many there were.
    ///
    /// # Errors
    ///
    /// When WorkOS cannot be asked, or did not end them all. Do it again; those that were listed have
    /// ended here all the same.
    pub async fn end_all(&self, user_id: &str) -> Result<usize, UserSessionsError> {
        self.end(user_id, None).await
    }

    /// Ends the sessions of a user but for one, such as that of the request, and says how many there
    /// were.
    ///
    /// # Errors
    ///
    /// As [`end_all`](Self::end_all).
    pub async fn end_others(
        &self,
        user_id: &str,
        session_id: &str,
    ) -> Result<usize, UserSessionsError> {
        self.end(user_id, Some(session_id)).await
    }

    async fn end(&self, user_id: &str, spared: Option<&str>) -> Result<usize, UserSessionsError> {
        let mut sessions = self.list(user_id).await?;
        sessions.retain(|session| Some(session.id.as_str()) != spared);
        let mut outcome = Ok(sessions.len());
        // All of them, though WorkOS fails one: here at least they have ended then.
        for session in &sessions {
            match self.authkit.revoke(&session.id).await {
                // It has ended by itself meanwhile.
                Ok(()) | Err(UserSessionsError::NoSuchSession) => {}
                Err(failure) => outcome = Err(failure),
            }
        }
        outcome
    }
}

impl UserSessionsError {
    fn of(failure: &WorkOsError) -> Self {
        Self::Unavailable {
            retry_after: unavailable("session", failure).retry_after,
        }
    }
}
