use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A feature flag as WorkOS describes it: its switch, its targets and its default.
///
/// It is what [`FeatureFlags::flag`](crate::FeatureFlags::flag) gives, and what
/// [`bootstrap_feature_flags`](crate::AuthKitBuilder::bootstrap_feature_flags) takes. It goes
/// through serde in the form of the WorkOS API, so that flags can be kept in a file.
///
/// ```
/// use authkit_actix::{EvaluationContext, FeatureFlag};
///
/// let beta = FeatureFlag::new("beta")
///     .enabled(true)
///     .user("user_ada", true)
///     .organization("org_acme", true)
///     .user("user_grace", false);
///
/// let acme = EvaluationContext::new().organization_id("org_acme");
/// assert!(beta.is_enabled(acme));
/// assert!(beta.is_enabled(EvaluationContext::new().user_id("user_ada")));
/// assert!(!beta.is_enabled(acme.user_id("user_grace")), "a user counts before an organization");
/// assert!(!beta.is_enabled(EvaluationContext::new()), "the default");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct FeatureFlag {
    slug: String,
    enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    default_value: bool,
    #[serde(default, deserialize_with = "or_default")]
    targets: Targets,
}

impl FeatureFlag {
    /// A flag that is switched off and has no targets.
    pub fn new(slug: impl Into<String>) -> Self {
        Self {
            slug: slug.into(),
            enabled: false,
            default_value: false,
            targets: Targets::default(),
        }
    }

    /// The switch: a flag that is not enabled is off for everybody, targets or not.
    ///
    /// Defaults to `false`.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// What holds for whoever is no target.
    ///
    /// Defaults to `false`.
    pub fn default_value(mut self, value: bool) -> Self {
        self.default_value = value;
        self
    }

    /// What holds for a user, whichever organization they are in.
    pub fn user(mut self, user_id: impl Into<String>, enabled: bool) -> Self {
        self.targets.users.0.insert(user_id.into(), enabled);
        self
    }

    /// What holds for the members of an organization that are no targets themselves.
    pub fn organization(mut self, organization_id: impl Into<String>, enabled: bool) -> Self {
        let organizations = &mut self.targets.organizations.0;
        organizations.insert(organization_id.into(), enabled);
        self
    }

    /// The name of the flag, as in the WorkOS dashboard.
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// Whether the flag is on for somebody: `false` when it is switched off, else what is said of
    /// the user, else what is said of the organization, else the default.
    pub fn is_enabled<'a>(&self, context: impl Into<EvaluationContext<'a>>) -> bool {
        let context = context.into();
        let target = || {
            let user = context.user_id.and_then(|id| self.targets.users.get(id));
            user.or_else(|| self.targets.organizations.get(context.organization_id?))
        };
        self.enabled && target().unwrap_or(self.default_value)
    }
}

/// For whom a flag is evaluated: a user, an organization, both, or nobody known.
///
/// A reference to an [`AuthUser`](crate::AuthUser) becomes one by itself, with the organization of
/// the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct EvaluationContext<'a> {
    user_id: Option<&'a str>,
    organization_id: Option<&'a str>,
}

impl<'a> EvaluationContext<'a> {
    /// Nobody known: a flag answers with its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The user: `user_…`, or `None`.
    pub fn user_id(mut self, id: impl Into<Option<&'a str>>) -> Self {
        self.user_id = id.into();
        self
    }

    /// The organization: `org_…`, or `None`.
    pub fn organization_id(mut self, id: impl Into<Option<&'a str>>) -> Self {
        self.organization_id = id.into();
        self
    }
}

/// All flags by their slugs.
pub(super) type Flags = BTreeMap<String, Arc<FeatureFlag>>;

/// Reads the answer of `GET /sdk/feature-flags`, and how many of its flags are not what the API
/// describes; those are left out, so that one of a new kind does not hide the others.
pub(super) fn parse(answer: &[u8]) -> Option<(Flags, usize)> {
    let entries: Map<String, Value> = serde_json::from_slice(answer).ok()?;
    let count = entries.len();
    let flags: Flags = entries
        .into_iter()
        .filter_map(|(slug, mut entry)| {
            let members = entry.as_object_mut()?;
            members.insert("slug".to_owned(), slug.clone().into());
            Some((slug, Arc::new(serde_json::from_value(entry).ok()?)))
        })
        .collect();
    let unreadable = count - flags.len();
    // With members but without a flag, it was not WorkOS that spoke.
    (unreadable == 0 || !flags.is_empty()).then_some((flags, unreadable))
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Targets {
    #[serde(default, deserialize_with = "or_default")]
    users: TargetValues,
    #[serde(default, deserialize_with = "or_default")]
    organizations: TargetValues,
}

/// What is said of each id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Target>", into = "Vec<Target>")]
struct TargetValues(BTreeMap<String, bool>);

impl TargetValues {
    fn get(&self, id: &str) -> Option<bool> {
        self.0.get(id).copied()
    }
}

#[derive(Serialize, Deserialize)]
struct Target {
    id: String,
    enabled: bool,
}

impl From<Vec<Target>> for TargetValues {
    /// The first of several for one id counts.
    fn from(targets: Vec<Target>) -> Self {
        let pairs = targets.into_iter().rev();
        Self(pairs.map(|target| (target.id, target.enabled)).collect())
    }
}

impl From<TargetValues> for Vec<Target> {
    fn from(values: TargetValues) -> Self {
        let pairs = values.0.into_iter();
        pairs.map(|(id, enabled)| Target { id, enabled }).collect()
    }
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context<'a>(
        user: impl Into<Option<&'a str>>,
        organization: impl Into<Option<&'a str>>,
    ) -> EvaluationContext<'a> {
        EvaluationContext::new()
            .user_id(user)
            .organization_id(organization)
    }

    #[test]
    fn the_switch_counts_before_the_user_the_organization_and_the_default() {
        let says = [None, Some(false), Some(true)];
        for (enabled, default_value) in [(false, false), (false, true), (true, false), (true, true)]
        {
            for (user, organization) in says.iter().flat_map(|a| says.iter().map(move |b| (a, b))) {
                let mut flag = FeatureFlag::new("beta")
                    .enabled(enabled)
                    .default_value(default_value);
                if let Some(user) = *user {
                    flag = flag.user("user_ada", user);
                }
                if let Some(organization) = *organization {
                    flag = flag.organization("org_acme", organization);
                }
                let on = |user, organization| flag.is_enabled(context(user, organization));
                let case = format!("{enabled} {user:?} {organization:?} {default_value}");
                let for_user = user.unwrap_or(default_value);
                let for_organization = organization.unwrap_or(default_value);
                let for_both = user.or(*organization).unwrap_or(default_value);
                assert_eq!(on("user_ada".into(), None), enabled && for_user, "{case}");
                assert_eq!(
                    on(None, "org_acme".into()),
                    enabled && for_organization,
                    "{case}"
                );
                assert_eq!(
                    on("user_ada".into(), "org_acme".into()),
                    enabled && for_both,
                    "{case}"
                );
                assert_eq!(on(None, None), enabled && default_value, "{case}");
                assert_eq!(
                    on("org_acme".into(), "user_ada".into()),
                    enabled && default_value,
                    "{case}"
                );
            }
        }
    }

    #[test]
    fn an_answer_is_read_by_slug_whatever_else_it_says() {
        let answer = json!({
            "beta": {
                "slug": "another",
                "enabled": true,
                "default_value": false,
                "targets": {
                    "users": [
                        {"id": "user_ada", "enabled": true, "more": 1},
                        {"id": "user_ada", "enabled": false},
                    ],
                    "organizations": [{"id": "org_acme", "enabled": false}],
                    "custom_targets": [{"type": "team", "id": "1", "enabled": true}],
                },
                "more": {},
            },
            "bare": {"enabled": true},
            "nulls": {"enabled": true, "default_value": null, "targets": null},
            "half": {"enabled": true, "default_value": true, "targets": {"users": null}},
        });
        let (flags, unreadable) = parse(answer.to_string().as_bytes()).expect("flags");
        assert_eq!(unreadable, 0);
        assert_eq!(flags.len(), 4);
        assert_eq!(
            *flags["beta"],
            FeatureFlag::new("beta")
                .enabled(true)
                .user("user_ada", true)
                .organization("org_acme", false)
        );
        assert_eq!(*flags["bare"], FeatureFlag::new("bare").enabled(true));
        assert_eq!(*flags["nulls"], FeatureFlag::new("nulls").enabled(true));
        assert!(flags["half"].is_enabled(EvaluationContext::new()));
    }

    #[test]
    fn a_flag_that_cannot_be_read_hides_no_other() {
        let answer = json!({
            "beta": {"enabled": true},
            "text": {"enabled": true, "default_value": "blue"},
            "target": {"enabled": true, "targets": {"users": [{"id": "user_ada"}]}},
            "switch": {"default_value": true},
            "list": [],
        });
        let (flags, unreadable) = parse(answer.to_string().as_bytes()).expect("flags");
        assert_eq!(flags.keys().collect::<Vec<_>>(), ["beta"]);
        assert_eq!(unreadable, 4);
    }

    #[test]
    fn an_environment_without_flags_is_told_from_an_answer_of_somebody_else() {
        assert_eq!(parse(b"{}"), Some((Flags::new(), 0)));
        for answer in [
            "",
            "[]",
            "null",
            "<html>",
            r#"{"message": "ok"}"#,
            r#"{"version": 2, "flags": {}}"#,
            "{",
        ] {
            assert_eq!(parse(answer.as_bytes()), None, "{answer}");
        }
    }

    #[test]
    fn a_flag_goes_through_json_in_the_form_of_the_api() {
        let beta = FeatureFlag::new("beta")
            .enabled(true)
            .default_value(true)
            .user("user_ada", false);
        let form = json!({
            "slug": "beta",
            "enabled": true,
            "default_value": true,
            "targets": {"users": [{"id": "user_ada", "enabled": false}], "organizations": []},
        });
        assert_eq!(serde_json::to_value(&beta).expect("JSON"), form);
        assert_eq!(
            serde_json::from_value::<FeatureFlag>(form).expect("a flag"),
            beta
        );
    }
}
