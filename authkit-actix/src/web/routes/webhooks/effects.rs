//! What events do to sessions by themselves; in `guide/webhooks.md` as a table.

use serde::Deserialize;
use tracing::info;

use super::deliveries::Failure;
use crate::{
    session::{Notice, Notices},
    workos::{
        OrganizationMembershipDeleted, OrganizationMembershipUpdated, SessionRevoked, UserDeleted,
        WebhookData as _, WebhookEvent,
    },
};

/// Lets an event act on sessions: at once, here and at other instances.
pub(super) fn act(notices: &Notices, event: &WebhookEvent, now: i64) -> Result<(), Failure> {
    // One from the future would have the tokens of tomorrow refused.
    let at = event.happened_at().unwrap_or(now).min(now);
    match event.event.as_str() {
        SessionRevoked::EVENT => {
            let session = event.typed::<EndedSession>()?.data;
            info!(
                session_id = session.id,
                "WorkOS says that a session has ended"
            );
            notices.session_ended_at(&session.id, at);
        }
        UserDeleted::EVENT => {
            let user = event.typed::<DeletedUser>()?.data;
            info!(user_id = user.id, "WorkOS says that a user was deleted");
            notices.user_ended_at(&user.id, at);
        }
        OrganizationMembershipUpdated::EVENT | OrganizationMembershipDeleted::EVENT => {
            let Membership {
                user_id,
                organization_id,
            } = event.typed()?.data;
            info!(
                user_id,
                organization_id, "WorkOS says that a membership has changed"
            );
            notices.announce(Notice::MembershipChanged {
                user_id,
                organization_id,
                until: at,
            });
        }
        _ => {}
    }
    Ok(())
}

/// The little that is needed here: what WorkOS adds or leaves out besides is no hindrance.
#[derive(Deserialize)]
struct EndedSession {
    id: String,
}

#[derive(Deserialize)]
struct DeletedUser {
    id: String,
}

#[derive(Deserialize)]
struct Membership {
    user_id: String,
    organization_id: String,
}
