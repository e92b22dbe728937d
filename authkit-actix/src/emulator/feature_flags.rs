use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::Emulator;
use super::api::{is_server, unauthorized};
use super::faults::Endpoint;
use super::state::{SignIn, State};

/// A feature flag of the emulator, switched off and without targets until more is said.
///
/// It is served at `GET /sdk/feature-flags`, and in the access tokens of those for whom it is on.
///
/// ```
/// use authkit_actix::emulator::{Emulator, EmulatorFlag};
///
/// let beta = EmulatorFlag::new("beta").enabled(true).user("user_ada", true);
/// let emulator = Emulator::builder()
///     .feature_flag(beta.clone())
///     .quiet()
///     # .allow_in_release()
///     .start()?;
/// emulator.set_feature_flag(beta.organization("org_acme", true));
/// assert!(emulator.remove_feature_flag("beta"));
/// # Ok::<(), authkit_actix::emulator::EmulatorError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EmulatorFlag {
    slug: String,
    enabled: bool,
    default_value: bool,
    users: BTreeMap<String, bool>,
    organizations: BTreeMap<String, bool>,
}

impl EmulatorFlag {
    /// A flag of this name, off for everybody.
    pub fn new(slug: impl Into<String>) -> Self {
        Self {
            slug: slug.into(),
            enabled: false,
            default_value: false,
            users: BTreeMap::new(),
            organizations: BTreeMap::new(),
        }
    }

    /// The switch, without which targets and default count for nothing. Defaults to `false`.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// What holds for whoever is no target. Defaults to `false`.
    pub fn default_value(mut self, value: bool) -> Self {
        self.default_value = value;
        self
    }

    /// What holds for a user.
    pub fn user(mut self, user_id: impl Into<String>, enabled: bool) -> Self {
        self.users.insert(user_id.into(), enabled);
        self
    }

    /// What holds in an organization for users that are no targets.
    pub fn organization(mut self, organization_id: impl Into<String>, enabled: bool) -> Self {
        self.organizations.insert(organization_id.into(), enabled);
        self
    }

    fn is_on(&self, sign_in: &SignIn) -> bool {
        let in_organization = || self.organizations.get(sign_in.organization_id.as_ref()?);
        let said = self.users.get(&sign_in.user_id).or_else(in_organization);
        self.enabled && *said.unwrap_or(&self.default_value)
    }

    fn json(&self) -> Value {
        let targets = |values: &BTreeMap<String, bool>| -> Vec<Value> {
            let targets = values.iter();
            targets
                .map(|(id, enabled)| json!({"id": id, "enabled": enabled}))
                .collect()
        };
        json!({
            "slug": self.slug,
            "enabled": self.enabled,
            "default_value": self.default_value,
            "targets": {
                "users": targets(&self.users),
                "organizations": targets(&self.organizations),
            },
        })
    }
}

impl Emulator {
    /// Adds a feature flag, or replaces the one of this name: the next answer and the next token show it.
    pub fn set_feature_flag(&self, flag: EmulatorFlag) {
        let mut store = self.state().store();
        store.feature_flags.0.insert(flag.slug.clone(), flag);
    }

    /// Removes a feature flag. `false` when there is none of this name.
    pub fn remove_feature_flag(&self, slug: &str) -> bool {
        self.state().store().feature_flags.0.remove(slug).is_some()
    }
}

/// `GET /sdk/feature-flags`.
pub(super) async fn feature_flags(state: Data<State>, http: HttpRequest) -> HttpResponse {
    state
        .faults
        .answer(Endpoint::FeatureFlags, |_| {
            if !is_server(&state.settings, &http) {
                return unauthorized();
            }
            let store = state.store();
            let flags: BTreeMap<&String, Value> = store
                .feature_flags
                .0
                .iter()
                .map(|(slug, flag)| (slug, flag.json()))
                .collect();
            HttpResponse::Ok().json(flags)
        })
        .await
}

/// All flags by their slugs.
#[derive(Default)]
pub(super) struct FlagBoard(BTreeMap<String, EmulatorFlag>);

impl FlagBoard {
    /// The flags that are on for a sign-in, for the claims of its token.
    pub(super) fn slugs_for(&self, sign_in: &SignIn) -> impl Iterator<Item = String> {
        self.0
            .values()
            .filter(|flag| flag.is_on(sign_in))
            .map(|flag| flag.slug.clone())
    }
}

impl From<Vec<EmulatorFlag>> for FlagBoard {
    fn from(flags: Vec<EmulatorFlag>) -> Self {
        let flags = flags.into_iter();
        Self(flags.map(|flag| (flag.slug.clone(), flag)).collect())
    }
}
