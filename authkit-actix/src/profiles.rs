//! Users by their id, for callers that come without a profile.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    background::Background,
    clock::Clock,
    flights::FlightKey,
    lookups::{Lookups, Unavailable},
    workos::{TransientReason, User, WorkOs, WorkOsError},
};

/// Looks users up at WorkOS.
pub(crate) struct Profiles {
    workos: Arc<WorkOs>,
    lookups: Lookups<Arc<User>>,
}

impl Profiles {
    /// `keep` is how long a profile serves; zero asks each time.
    pub(crate) fn new(
        workos: Arc<WorkOs>,
        background: Arc<Background>,
        clock: Arc<dyn Clock>,
        keep: Duration,
    ) -> Self {
        Self {
            workos,
            lookups: Lookups::new("user", background, clock, keep),
        }
    }

    pub(crate) async fn profile(&self, user_id: &str) -> Result<Option<Arc<User>>, Unavailable> {
        let ask = || {
            let (workos, user_id) = (Arc::clone(&self.workos), user_id.to_owned());
            async move {
                match workos.user(&user_id).await? {
                    Some(user) if user.id == user_id => Ok(Some(Arc::new(user))),
                    Some(_) => Err(WorkOsError::transient(TransientReason::Unreadable)),
                    None => Ok(None),
                }
            }
        };
        self.lookups.find(FlightKey::of(user_id), ask).await
    }
}

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profiles")
    }
}
