//! A successor whose signing key was out of reach when it came.

use tracing::{debug, error};

use super::{Means, RefreshFailure, Successor};
use crate::{
    request_info::RequestInfo,
    token::{KeysUnavailable, TokenError, Verdict},
};

impl Means {
    /// Makes sure that a successor is verified before anybody gets it.
    ///
    /// WorkOS itself has given it, so a key set that does not have its key yet does not make it a forged
    /// one: it stays where it is, and so does the cookie.
    ///
    /// # Errors
    ///
    /// While its key is not to be had.
    pub(super) async fn verify(
        &self,
        successor: &Successor,
        request: &RequestInfo,
    ) -> Result<(), RefreshFailure> {
        if successor.verified.get().is_some() {
            return Ok(());
        }
        let session = &successor.session;
        let (retry_after, is_outage) = match session.verdict(&self.tokens).await {
            Ok(
                Verdict::Valid(claims) | Verdict::Expired(claims) | Verdict::NotYetValid(claims),
            ) => {
                if successor.verified.set(()).is_ok() {
                    self.renewed(session, claims, request.clone());
                }
                return Ok(());
            }
            Err(KeysUnavailable { retry_after }) => (retry_after, true),
            Ok(Verdict::Forged(TokenError::UnknownKey)) => {
                debug!("the key of a refreshed session is not published yet");
                (self.tokens.seconds_until_next_fetch(), false)
            }
            Ok(Verdict::Forged(error)) => {
                error!(%error, "WorkOS answered a refresh with a token that does not verify");
                return Err(RefreshFailure::UNEXPLAINED);
            }
        };
        Err(RefreshFailure::Unavailable {
            retry_after,
            is_outage,
            asked_to_wait: false,
        })
    }
}
