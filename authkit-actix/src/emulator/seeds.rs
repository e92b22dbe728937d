use std::fmt;

use serde_json::{Map, Value, json};

use super::EmulatorError;

/// A person the emulator knows from its start.
///
/// ```
/// use authkit_actix::emulator::{Emulator, EmulatorOrganization, EmulatorUser};
///
/// let emulator = Emulator::builder()
///     .organization(EmulatorOrganization::new("org_acme", "Acme"))
///     .role("admin", ["billing:manage"])
///     .user(EmulatorUser::new("ada@example.com").name("Ada", "Lovelace").member_of("org_acme", "admin"))
///     .quiet()
///     # .allow_in_release()
///     .start()?;
/// let session = emulator.session_for("ada@example.com")?;
/// assert_eq!(session.user["first_name"], "Ada");
/// # Ok::<(), authkit_actix::emulator::EmulatorError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct EmulatorUser {
    pub(super) email: String,
    pub(super) id: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) password: String,
    pub(super) memberships: Vec<Membership>,
    pub(super) entitlements: Vec<String>,
    pub(super) feature_flags: Vec<String>,
    pub(super) claims: Map<String, Value>,
    pub(super) profile: Map<String, Value>,
    pub(super) authentication_method: Option<String>,
    pub(super) oauth_tokens: Option<Value>,
}

#[derive(Clone)]
pub(super) struct Membership {
    pub(super) organization_id: String,
    pub(super) roles: Vec<String>,
}

impl EmulatorUser {
    /// A person with this address, without a name and without an organization.
    pub fn new(email: impl Into<String>) -> Self {
        Self {
            email: email.into(),
            id: None,
            first_name: None,
            last_name: None,
            password: DEFAULT_PASSWORD.to_owned(),
            memberships: Vec::new(),
            entitlements: Vec::new(),
            feature_flags: Vec::new(),
            claims: Map::new(),
            profile: Map::new(),
            authentication_method: None,
            oauth_tokens: None,
        }
    }

    /// The user id. Defaults to one derived from the address, the same at every start.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// First and last name. Defaults to none.
    pub fn name(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.first_name = Some(first.into());
        self.last_name = Some(last.into());
        self
    }

    /// What to type on the sign-in page; kept and shown in the clear. Defaults to `password`.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = password.into();
        self
    }

    /// Makes the person a member of an organization in a role; said again for the same organization, it adds a role.
    pub fn member_of(
        mut self,
        organization_id: impl Into<String>,
        role: impl Into<String>,
    ) -> Self {
        let organization_id = organization_id.into();
        let role = role.into();
        match self
            .memberships
            .iter_mut()
            .find(|membership| membership.organization_id == organization_id)
        {
            Some(membership) => membership.roles.push(role),
            None => self.memberships.push(Membership {
                organization_id,
                roles: vec![role],
            }),
        }
        self
    }

    /// Ends a membership, with all its roles.
    pub fn leave(mut self, organization_id: &str) -> Self {
        self.memberships
            .retain(|membership| membership.organization_id != organization_id);
        self
    }

    /// An entitlement of this person, a token claim in every organization.
    pub fn entitlement(mut self, slug: impl Into<String>) -> Self {
        self.entitlements.push(slug.into());
        self
    }

    /// A feature flag that is on for this person, a token claim in every organization.
    pub fn feature_flag(mut self, slug: impl Into<String>) -> Self {
        self.feature_flags.push(slug.into());
        self
    }

    /// Members of a JSON object that are laid over the claims of the access token, as a JWT template would;
    /// anything but an object is ignored.
    pub fn claims(mut self, claims: Value) -> Self {
        if let Value::Object(claims) = claims {
            self.claims.extend(claims);
        }
        self
    }

    /// Members of a JSON object that are laid over the user object (`locale`, `metadata`, …);
    /// anything but an object is ignored.
    pub fn profile(mut self, members: Value) -> Self {
        if let Value::Object(members) = members {
            self.profile.extend(members);
        }
        self
    }

    /// The `authentication_method` of answers. Defaults to `Password`, to the provider that an authorization URL names,
    /// or to `Impersonation`.
    pub fn authentication_method(mut self, method: impl Into<String>) -> Self {
        self.authentication_method = Some(method.into());
        self
    }

    /// The `oauth_tokens` of an answer to a code. Defaults to none.
    pub fn oauth_tokens(mut self, tokens: Value) -> Self {
        self.oauth_tokens = Some(tokens);
        self
    }
}

/// Leaves the password out.
impl fmt::Debug for EmulatorUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorUser")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// An organization the emulator knows from its start.
#[derive(Clone, Debug)]
#[must_use]
pub struct EmulatorOrganization {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) entitlements: Vec<String>,
    pub(super) feature_flags: Vec<String>,
    pub(super) step_up: Option<StepUp>,
}

impl EmulatorOrganization {
    /// An organization with this id (`org_…`) and name.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            entitlements: Vec::new(),
            feature_flags: Vec::new(),
            step_up: None,
        }
    }

    /// An entitlement, a token claim of sessions in this organization.
    pub fn entitlement(mut self, slug: impl Into<String>) -> Self {
        self.entitlements.push(slug.into());
        self
    }

    /// A feature flag that is on, a token claim of sessions in this organization.
    pub fn feature_flag(mut self, slug: impl Into<String>) -> Self {
        self.feature_flags.push(slug.into());
        self
    }

    /// Refuses to let a session in by a refresh: the user has to come through an authorization URL that names the organization.
    pub fn demands(mut self, step_up: StepUp) -> Self {
        self.step_up = Some(step_up);
        self
    }
}

/// What an organization asks of people before a session may switch into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepUp {
    /// Single sign-on: a switch is answered with 403 `sso_required`.
    Sso,
    /// A second factor: a switch is answered with 403 `mfa_enrollment`.
    MfaEnrollment,
}

impl StepUp {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Sso => "sso_required",
            Self::MfaEnrollment => "mfa_enrollment",
        }
    }
}

/// Users, organizations and roles together.
#[derive(Clone, Default)]
pub(super) struct Seeds {
    pub(super) users: Vec<EmulatorUser>,
    pub(super) organizations: Vec<EmulatorOrganization>,
    /// Role slugs with their permissions.
    pub(super) roles: Vec<(String, Vec<String>)>,
}

impl Seeds {
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.organizations.is_empty() && self.roles.is_empty()
    }

    /// One administrator, two members of two organizations, one person without any.
    pub(super) fn sample() -> Self {
        Self {
            users: vec![
                EmulatorUser::new("ada@example.com")
                    .id("user_ada")
                    .name("Ada", "Lovelace")
                    .member_of("org_acme", "admin"),
                EmulatorUser::new("grace@example.com")
                    .id("user_grace")
                    .name("Grace", "Hopper")
                    .member_of("org_acme", "member")
                    .member_of("org_globex", "admin"),
                EmulatorUser::new("katherine@example.com")
                    .id("user_katherine")
                    .name("Katherine", "Johnson")
                    .member_of("org_acme", "member")
                    .member_of("org_initech", "admin"),
                EmulatorUser::new("alan@example.com")
                    .id("user_alan")
                    .name("Alan", "Turing"),
            ],
            organizations: vec![
                EmulatorOrganization::new("org_acme", "Acme")
                    .entitlement("audit-logs")
                    .feature_flag("beta"),
                EmulatorOrganization::new("org_globex", "Globex"),
                EmulatorOrganization::new("org_initech", "Initech").demands(StepUp::Sso),
            ],
            roles: vec![
                (
                    "admin".to_owned(),
                    ["billing:manage", "posts:read", "posts:write"]
                        .map(str::to_owned)
                        .to_vec(),
                ),
                ("member".to_owned(), vec!["posts:read".to_owned()]),
            ],
        }
    }

    pub(super) fn check(&self) -> Result<(), EmulatorError> {
        for (index, user) in self.users.iter().enumerate() {
            let earlier = &self.users[..index];
            if earlier
                .iter()
                .any(|other| other.email.eq_ignore_ascii_case(&user.email))
            {
                return Err(EmulatorError::DuplicateUser(user.email.clone()));
            }
            self.check_memberships(user)?;
        }
        Ok(())
    }

    pub(super) fn check_memberships(&self, user: &EmulatorUser) -> Result<(), EmulatorError> {
        match user
            .memberships
            .iter()
            .find(|membership| self.organization(&membership.organization_id).is_none())
        {
            Some(membership) => Err(EmulatorError::UnknownOrganization {
                email: user.email.clone(),
                organization_id: membership.organization_id.clone(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn organization(&self, id: &str) -> Option<&EmulatorOrganization> {
        self.organizations
            .iter()
            .find(|organization| organization.id == id)
    }

    /// The permissions of several roles, each once.
    pub(super) fn permissions(&self, roles: &[String]) -> Vec<&str> {
        let mut permissions = Vec::new();
        for (_, granted) in self.roles.iter().filter(|(slug, _)| roles.contains(slug)) {
            for permission in granted {
                if !permissions.contains(&permission.as_str()) {
                    permissions.push(permission);
                }
            }
        }
        permissions
    }
}

/// Who acts as a user, and why.
#[derive(Clone, Debug)]
pub(super) struct Impersonator {
    pub(super) email: String,
    pub(super) reason: Option<String>,
}

impl Impersonator {
    pub(super) fn json(&self) -> Value {
        json!({"email": self.email, "reason": self.reason})
    }
}

const DEFAULT_PASSWORD: &str = "password";
