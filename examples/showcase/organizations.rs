use authkit_actix::{AuthKit, AuthUser};
use serde::Serialize;
use tracing::warn;
use workos::organization_membership::ListOrganizationMembershipsParams;

/// An organization that the user may switch to.
#[derive(Serialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: String,
}

impl Organization {
    /// All of a user's, asked of WorkOS; `None` while that gives no answer.
    pub(crate) async fn all_of(user: &AuthUser, authkit: &AuthKit) -> Option<Vec<Self>> {
        let params = ListOrganizationMembershipsParams {
            user_id: Some(user.id.clone()),
            limit: Some(100),
            ..Default::default()
        };
        let memberships = authkit.workos().organization_membership();
        match memberships.list_organization_memberships(params).await {
            Ok(list) => {
                let organizations = list.data.into_iter().map(|it| Self {
                    name: it
                        .organization_name
                        .unwrap_or_else(|| it.organization_id.clone()),
                    id: it.organization_id,
                    role: it.role.slug,
                });
                Some(organizations.collect())
            }
            Err(error) => {
                warn!(%error, "the organizations of a user cannot be listed");
                None
            }
        }
    }
}
