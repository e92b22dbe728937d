use super::{auth_user::contains, bearer_user::BearerUser};
use crate::{
    oauth::Screen,
    session::{Freshness, SignedIn},
    token::AccessTokenClaims,
    workos::ApiKey,
};

/// What a handler asks for; the macros write it as a constant.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// By what callers may show who they are: at least one.
    pub accept: &'static [Credential],
    /// What the credential must grant.
    pub requirement: Requirement,
    /// How many seconds ago the user may have proved who they are.
    pub max_age: Option<u32>,
    /// Where AuthKit begins with somebody who is signed out.
    pub screen: Screen,
}

/// A way to show who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// The session cookie.
    Session,
    /// An access token in the `Authorization` header.
    Bearer,
    /// An API key in the `Authorization` header.
    ApiKey,
}

/// Something that a session, or another credential, grants or does not.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Requirement {
    /// Nothing beyond being signed in.
    SignedIn,
    /// This role, as the main role or as one of several.
    Role(&'static str),
    /// This permission.
    Permission(&'static str),
    /// This entitlement of the organization.
    Entitlement(&'static str),
    /// This feature flag, switched on.
    FeatureFlag(&'static str),
    /// A session for some organization.
    AnyOrganization,
    /// A session for this organization.
    Organization(&'static str),
    /// The user themselves, and nobody who acts for them.
    NoImpersonation,
    /// Every one of these.
    All(&'static [Requirement]),
    /// At least one of these.
    Any(&'static [Requirement]),
    /// Not this.
    Not(&'static Requirement),
}

/// Whether a signed-in user may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Pass,
    /// The session does not grant what is required.
    Forbidden,
    /// The last proof of identity is too old or unknown.
    Stale {
        max_age: u32,
    },
    /// It is so even right after signing in again: asking once more would go in circles.
    StaleForGood,
    /// Rights and recent sign-ins are not taken on trust while WorkOS is down.
    CannotTell,
}

impl Rule {
    pub(crate) fn accepts(&self, credential: Credential) -> bool {
        self.accept.contains(&credential)
    }

    /// Whether an `Authorization` header counts, and then counts alone.
    pub(crate) fn reads_authorization(&self) -> bool {
        self.accepts(Credential::Bearer) || self.accepts(Credential::ApiKey)
    }

    pub(crate) fn decide(&self, signed_in: &SignedIn, now: i64) -> Decision {
        let claims = &signed_in.claims;
        let asks_for_more =
            self.max_age.is_some() || !matches!(self.requirement, Requirement::SignedIn);
        if asks_for_more && signed_in.freshness != Freshness::Current {
            return Decision::CannotTell;
        }
        let rights = Rights::OfUser {
            claims,
            is_impersonated: claims.act.is_some() || signed_in.session.impersonator.is_some(),
        };
        match self.decide_by(rights, claims.auth_time, now) {
            Decision::Stale { max_age }
                if is_within(
                    signed_in.session.reauthenticated_at,
                    max_age.max(SHORTEST_ROUND),
                    now,
                ) =>
            {
                Decision::StaleForGood
            }
            decision => decision,
        }
    }

    pub(crate) fn decide_bearer(&self, user: &BearerUser, now: i64) -> Decision {
        let rights = Rights::OfUser {
            claims: user.token(),
            is_impersonated: user.token().act.is_some(),
        };
        self.decide_by(rights, user.authenticated_at(), now)
    }

    /// An API key is nobody's proof of identity, and never a recent one.
    pub(crate) fn decide_api_key(&self, key: &ApiKey, now: i64) -> Decision {
        self.decide_by(Rights::OfApiKey(key), None, now)
    }

    /// Rights come before age: nobody signs in again only to be refused.
    fn decide_by(&self, rights: Rights<'_>, auth_time: Option<i64>, now: i64) -> Decision {
        if self.requirement.is_met_by(rights) != Some(true) {
            return Decision::Forbidden;
        }
        match self.max_age {
            Some(max_age) if !is_within(auth_time, max_age, now) => Decision::Stale { max_age },
            _ => Decision::Pass,
        }
    }
}

/// What a credential says about its holder.
#[derive(Clone, Copy)]
enum Rights<'a> {
    OfUser {
        claims: &'a AccessTokenClaims,
        is_impersonated: bool,
    },
    /// Permissions, and nothing else.
    OfApiKey(&'a ApiKey),
}

impl<'a> Rights<'a> {
    fn permissions(self) -> &'a [String] {
        match self {
            Self::OfUser { claims, .. } => &claims.permissions,
            Self::OfApiKey(key) => &key.permissions,
        }
    }

    fn claims(self) -> Option<&'a AccessTokenClaims> {
        match self {
            Self::OfUser { claims, .. } => Some(claims),
            Self::OfApiKey(_) => None,
        }
    }
}

impl Requirement {
    /// `None` where the credential cannot say: an API key has no role, and so it satisfies neither
    /// `role = "guest"` nor `not(role = "guest")`.
    fn is_met_by(&self, rights: Rights<'_>) -> Option<bool> {
        Some(match self {
            Self::SignedIn => true,
            Self::Permission(permission) => contains(rights.permissions(), permission),
            Self::Role(role) => rights.claims()?.has_role(role),
            Self::Entitlement(entitlement) => contains(&rights.claims()?.entitlements, entitlement),
            Self::FeatureFlag(flag) => contains(&rights.claims()?.feature_flags, flag),
            Self::AnyOrganization => rights.claims()?.org_id.is_some(),
            Self::Organization(id) => rights.claims()?.org_id.as_deref() == Some(id),
            Self::NoImpersonation => match rights {
                Rights::OfUser {
                    is_impersonated, ..
                } => !is_impersonated,
                Rights::OfApiKey(_) => true,
            },
            Self::All(all) => return first_to_decide(all, rights, false),
            Self::Any(any) => return first_to_decide(any, rights, true),
            Self::Not(requirement) => !requirement.is_met_by(rights)?,
        })
    }
}

/// One requirement met decides `any`, one not met decides `all`; else it is open if any of them is.
fn first_to_decide(
    requirements: &[Requirement],
    rights: Rights<'_>,
    deciding: bool,
) -> Option<bool> {
    let mut undecided = Some(!deciding);
    for requirement in requirements {
        match requirement.is_met_by(rights) {
            Some(met) if met == deciding => return Some(deciding),
            Some(_) => {}
            None => undecided = None,
        }
    }
    undecided
}

/// A time at most `seconds` ago; one that lies ahead by more than clocks differ is no proof.
pub(crate) fn is_within(time: Option<i64>, seconds: u32, now: i64) -> bool {
    time.is_some_and(|time| {
        let age = now.saturating_sub(time);
        (-CLOCKS_DIFFER..=i64::from(seconds)).contains(&age)
    })
}

const CLOCKS_DIFFER: i64 = 30;
/// Seconds that a sign-in and the redirects after it may take.
const SHORTEST_ROUND: u32 = 60;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;

    fn signed_in(claims: Value) -> SignedIn {
        let mut all = json!({"sub": "user_1", "sid": "session_1", "iat": 0, "exp": 0});
        let members = all.as_object_mut().expect("an object");
        members.extend(claims.as_object().expect("an object").clone());
        let session = json!({
            "access_token": "", "refresh_token": "",
            "user": {"id": "user_1", "email": "ada@example.com"},
            "reauthenticated_at": claims.get("reauthenticated_at"),
        });
        SignedIn {
            freshness: Freshness::Current,
            session: Arc::new(serde_json::from_value(session).expect("a session")),
            claims: Arc::new(serde_json::from_value(all).expect("claims")),
        }
    }

    fn rule(requirement: Requirement) -> Rule {
        Rule {
            accept: &[Credential::Session],
            requirement,
            max_age: None,
            screen: Screen::SignIn,
        }
    }

    fn passes(requirement: Requirement, claims: Value) -> bool {
        rule(requirement).decide(&signed_in(claims), 0) == Decision::Pass
    }

    #[test]
    fn a_role_is_the_main_one_or_one_of_several() {
        assert!(passes(Requirement::Role("admin"), json!({"role": "admin"})));
        assert!(passes(
            Requirement::Role("admin"),
            json!({"roles": ["member", "admin"]})
        ));
        assert!(!passes(
            Requirement::Role("admin"),
            json!({"role": "Admin", "roles": null})
        ));
    }

    #[test]
    fn requirements_combine() {
        const EDITOR: Requirement = Requirement::Any(&[
            Requirement::Role("admin"),
            Requirement::All(&[Requirement::Role("editor"), Requirement::FeatureFlag("new")]),
        ]);
        assert!(passes(EDITOR, json!({"role": "admin"})));
        assert!(passes(
            EDITOR,
            json!({"role": "editor", "feature_flags": ["new"]})
        ));
        assert!(!passes(EDITOR, json!({"role": "editor"})));
        assert!(passes(Requirement::Not(&EDITOR), json!({"role": "editor"})));
    }

    #[test]
    fn an_organization_is_any_or_a_certain_one() {
        assert!(passes(
            Requirement::AnyOrganization,
            json!({"org_id": "org_1"})
        ));
        assert!(!passes(
            Requirement::AnyOrganization,
            json!({"org_id": null})
        ));
        assert!(passes(
            Requirement::Organization("org_1"),
            json!({"org_id": "org_1"})
        ));
        assert!(!passes(
            Requirement::Organization("org_1"),
            json!({"org_id": "org_2"})
        ));
    }

    #[test]
    fn exactly_the_age_allowed_is_fresh_and_an_unknown_one_is_not() {
        let recent = Rule {
            max_age: Some(300),
            ..rule(Requirement::SignedIn)
        };
        let decide = |claims| recent.decide(&signed_in(claims), 1300);
        assert_eq!(decide(json!({"auth_time": 1000})), Decision::Pass);
        assert_eq!(
            decide(json!({"auth_time": 999})),
            Decision::Stale { max_age: 300 }
        );
        assert_eq!(decide(json!({})), Decision::Stale { max_age: 300 });
        assert_eq!(
            decide(json!({"auth_time": 9999})),
            Decision::Stale { max_age: 300 }
        );
        assert_eq!(
            decide(json!({"auth_time": 1, "reauthenticated_at": 1290})),
            Decision::StaleForGood
        );
    }

    #[test]
    fn an_api_key_has_permissions_and_nothing_that_people_have() {
        const READ: Requirement = Requirement::Permission("reports:read");
        const GUEST: Requirement = Requirement::Role("guest");
        let key = serde_json::from_value(json!({"id": "key", "permissions": ["reports:read"]}))
            .expect("a key");
        let passes = |requirement| rule(requirement).decide_api_key(&key, 0) == Decision::Pass;
        for met in [
            Requirement::SignedIn,
            READ,
            Requirement::Any(&[GUEST, READ]),
            Requirement::Not(&Requirement::Permission("reports:write")),
            Requirement::Not(&Requirement::All(&[
                GUEST,
                Requirement::Permission("reports:write"),
            ])),
        ] {
            assert!(passes(met), "{met:?}");
        }
        for unmet in [
            Requirement::Permission("reports:write"),
            GUEST,
            Requirement::Not(&GUEST),
            Requirement::Not(&Requirement::Not(&GUEST)),
            Requirement::AnyOrganization,
            Requirement::Not(&Requirement::FeatureFlag("beta")),
            Requirement::All(&[READ, Requirement::Not(&GUEST)]),
            Requirement::Any(&[GUEST, Requirement::Not(&GUEST)]),
        ] {
            assert!(!passes(unmet), "{unmet:?}");
        }
    }

    #[test]
    fn an_api_key_is_never_a_recent_sign_in() {
        let recent = Rule {
            max_age: Some(u32::MAX),
            ..rule(Requirement::SignedIn)
        };
        let key = serde_json::from_value(json!({"id": "key"})).expect("a key");
        assert_eq!(
            recent.decide_api_key(&key, 0),
            Decision::Stale { max_age: u32::MAX }
        );
    }
}
