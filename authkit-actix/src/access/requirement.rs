use super::auth_user::contains;
use crate::{oauth::Screen, session::SignedIn, token::AccessTokenClaims};

/// What a handler asks for; the macros write it as a constant.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What the session must grant.
    pub requirement: Requirement,
    /// How many seconds ago the user may have proved who they are.
    pub max_age: Option<u32>,
    /// Where AuthKit begins with somebody who is signed out.
    pub screen: Screen,
}

/// Something that a session grants or does not.
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
}

impl Rule {
    /// Rights come before age: nobody signs in again only to be refused.
    pub(crate) fn decide(&self, signed_in: &SignedIn, now: i64) -> Decision {
        if !self.requirement.is_met_by(&signed_in.claims) {
            return Decision::Forbidden;
        }
        let Some(max_age) = self.max_age else {
            return Decision::Pass;
        };
        if is_within(signed_in.claims.auth_time, max_age, now) {
            return Decision::Pass;
        }
        let just_asked = max_age.max(SHORTEST_ROUND);
        if is_within(signed_in.session.reauthenticated_at, just_asked, now) {
            Decision::StaleForGood
        } else {
            Decision::Stale { max_age }
        }
    }
}

impl Requirement {
    fn is_met_by(&self, claims: &AccessTokenClaims) -> bool {
        match self {
            Self::SignedIn => true,
            Self::Role(role) => claims.has_role(role),
            Self::Permission(permission) => contains(&claims.permissions, permission),
            Self::Entitlement(entitlement) => contains(&claims.entitlements, entitlement),
            Self::FeatureFlag(flag) => contains(&claims.feature_flags, flag),
            Self::AnyOrganization => claims.org_id.is_some(),
            Self::Organization(id) => claims.org_id.as_deref() == Some(id),
            Self::All(requirements) => requirements.iter().all(|one| one.is_met_by(claims)),
            Self::Any(requirements) => requirements.iter().any(|one| one.is_met_by(claims)),
            Self::Not(requirement) => !requirement.is_met_by(claims),
        }
    }
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
            session: std::sync::Arc::new(serde_json::from_value(session).expect("a session")),
            claims: serde_json::from_value(all).expect("claims"),
        }
    }

    fn rule(requirement: Requirement) -> Rule {
        Rule {
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
}
