use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use url::Url;

use super::RefreshReuse;
use super::api::{memberships_of, session_json};
use super::api_keys::IssuedKey;
use super::faults::FaultBoard;
use super::feature_flags::FlagBoard;
use super::keys::{KeyRing, Signer, random_id};
use super::seeds::{EmulatorUser, Impersonator, Seeds};
use super::webhooks::{Delivery, WebhookBoard};

/// Everything the emulator's routes and its handle share.
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) faults: FaultBoard,
    pub(super) webhooks: WebhookBoard,
    keys: Mutex<KeyRing>,
    store: Mutex<Store>,
}

/// What the builder fixed.
pub(super) struct Settings {
    pub(super) api_url: String,
    pub(super) port: u16,
    pub(super) client_id: String,
    pub(super) api_key: SecretString,
    pub(super) clock: Box<dyn Fn() -> i64 + Send + Sync>,
    pub(super) refresh_reuse: RefreshReuse,
    pub(super) selection_at_exchange: bool,
    pub(super) allowed_origins: Vec<String>,
    pub(super) logout_uri: Option<Url>,
}

/// Users, browsers, codes, sessions and refresh tokens.
pub(super) struct Store {
    pub(super) seeds: Seeds,
    pub(super) accounts: Vec<Account>,
    pub(super) feature_flags: FlagBoard,
    pub(super) access_token_lifetime: i64,
    pub(super) started_at: i64,
    /// Signed-in browsers by the emulator's own cookie.
    pub(super) browsers: HashMap<String, SignIn>,
    pub(super) codes: HashMap<String, Code>,
    /// Sign-ins that wait for an organization, by pending authentication token.
    pub(super) pending: HashMap<String, Code>,
    pub(super) sessions: HashMap<String, Session>,
    pub(super) refresh_tokens: HashMap<String, RefreshToken>,
    /// The API keys of customers.
    pub(super) api_keys: Vec<IssuedKey>,
    /// Where the last code went, for sign-outs without a `return_to`.
    pub(super) last_redirect_uri: Option<Url>,
}

/// A user as the API knows it.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) user: EmulatorUser,
    pub(super) created_at: i64,
    pub(super) last_sign_in_at: Option<i64>,
}

/// One sign-in on the emulator's own pages.
#[derive(Clone)]
pub(super) struct SignIn {
    pub(super) user_id: String,
    pub(super) auth_time: i64,
    pub(super) authentication_method: String,
    pub(super) impersonator: Option<Impersonator>,
    pub(super) organization_id: Option<String>,
}

/// A sign-in on its way to the application.
#[derive(Clone)]
pub(super) struct Code {
    /// The browser's sign-in, with the organization that was chosen.
    pub(super) sign_in: SignIn,
    pub(super) browser: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) issued_at: i64,
}

#[derive(Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) sign_in: SignIn,
    pub(super) browser: Option<String>,
    pub(super) ip_address: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) created_at: i64,
    pub(super) ended_at: Option<i64>,
}

pub(super) struct RefreshToken {
    pub(super) session_id: String,
    pub(super) spent: Option<Spent>,
}

/// What a refresh token was exchanged for, and when.
pub(super) struct Spent {
    pub(super) at: i64,
    pub(super) organization_id: Option<String>,
    pub(super) grant: Grant,
}

/// The claims and the refresh token of one answer; signed each time it is given.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) session_id: String,
    pub(super) claims: Value,
    pub(super) refresh_token: String,
}

impl State {
    pub(super) fn new(
        settings: Settings,
        keys: KeyRing,
        seeds: Seeds,
        lifetime: i64,
    ) -> (Self, mpsc::UnboundedReceiver<Delivery>) {
        let now = (settings.clock)();
        let accounts = seeds
            .users
            .iter()
            .map(|user| Account::new(user.clone(), now))
            .collect();
        let (webhooks, deliveries) = WebhookBoard::new();
        let state = Self {
            settings,
            faults: FaultBoard::default(),
            webhooks,
            keys: Mutex::new(keys),
            store: Mutex::new(Store {
                seeds,
                accounts,
                feature_flags: FlagBoard::default(),
                access_token_lifetime: lifetime,
                started_at: now,
                browsers: HashMap::new(),
                codes: HashMap::new(),
                pending: HashMap::new(),
                sessions: HashMap::new(),
                refresh_tokens: HashMap::new(),
                api_keys: Vec::new(),
                last_redirect_uri: None,
            }),
        };
        (state, deliveries)
    }

    /// Deletes a user, and ends all sessions of theirs. `false` when there is no such user.
    pub(super) fn delete_user(&self, id: &str) -> bool {
        let sessions: Vec<String> = {
            let store = self.store();
            let of_user = |session: &&Session| session.sign_in.user_id == id;
            let sessions = store.sessions.values().filter(of_user);
            sessions.map(|session| session.id.clone()).collect()
        };
        let account = {
            let mut store = self.store();
            let place = store.accounts.iter().position(|account| account.id == id);
            place.map(|place| store.accounts.remove(place))
        };
        let Some(account) = account else {
            return false;
        };
        for session_id in sessions {
            self.end_session(&session_id);
        }
        self.webhooks
            .report("user.deleted", &account.json(), self.now());
        true
    }

    /// Changes a user, and reports what is different.
    pub(super) fn change_user(&self, email: &str, after: EmulatorUser) -> bool {
        let now = self.now();
        let mut store = self.store();
        let describe = |store: &Store, id: &str| {
            let account = store.account(id)?;
            let memberships: Vec<Value> = memberships_of(store, account).collect();
            Some((account.json(), memberships))
        };
        let Some(id) = store.account_by_email(email).map(|it| it.id.clone()) else {
            return false;
        };
        let before = describe(&store, &id);
        if let Some(account) = store.account_by_email(email) {
            account.user = after;
        }
        let after = describe(&store, &id);
        let (Some((user, memberships)), Some((user_now, memberships_now))) = (before, after) else {
            return false;
        };
        let report = |event: &str, data: &Value| self.webhooks.report(event, data, now);
        if user != user_now {
            report("user.updated", &user_now);
        }
        let same =
            |all: &[Value], one: &Value| all.iter().find(|it| it["id"] == one["id"]).cloned();
        for membership in &memberships_now {
            match same(&memberships, membership) {
                None => report("organization_membership.created", membership),
                // The user object in it is reported by itself.
                Some(it) if it["roles"] != membership["roles"] => {
                    report("organization_membership.updated", membership);
                }
                Some(_) => {}
            }
        }
        for membership in &memberships {
            if same(&memberships_now, membership).is_none() {
                report("organization_membership.deleted", membership);
            }
        }
        true
    }

    /// Ends a session, and the sign-in of the browser it came from. `false` when there is no such session.
    pub(super) fn end_session(&self, id: &str) -> bool {
        let now = self.now();
        let mut store = self.store();
        let was_live = store
            .sessions
            .get(id)
            .is_some_and(|session| session.ended_at.is_none());
        let is_known = store.end_session(id, now);
        if let Some(session) = store.sessions.get(id).filter(|_| was_live) {
            let data = session_json(session);
            self.webhooks.report("session.revoked", &data, now);
        }
        is_known
    }

    /// Unix seconds by the emulator's clock.
    pub(super) fn now(&self) -> i64 {
        (self.settings.clock)()
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keys(&self) -> MutexGuard<'_, KeyRing> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a session is given now, with this refresh token.
    pub(super) fn grant(&self, store: &Store, session: &Session, refresh_token: String) -> Grant {
        Grant {
            session_id: session.id.clone(),
            claims: self.claims(store, session),
            refresh_token,
        }
    }

    /// The claims of an access token for a session, by now.
    fn claims(&self, store: &Store, session: &Session) -> Value {
        let now = self.now();
        let client_id = &self.settings.client_id;
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
        claim(
            "iss",
            json!(format!(
                "{}/user_management/{client_id}",
                self.settings.api_url
            )),
        );
        claim("sub", json!(session.sign_in.user_id));
        claim("sid", json!(session.id));
        claim("jti", json!(random_id("jti")));
        claim("client_id", json!(client_id));
        claim("iat", json!(now));
        claim(
            "exp",
            json!(now.saturating_add(store.access_token_lifetime)),
        );
        claim("auth_time", json!(session.sign_in.auth_time));
        if let Some(impersonator) = &session.sign_in.impersonator {
            claim("act", json!({"sub": impersonator.email}));
        }
        let Some(account) = store.account(&session.sign_in.user_id) else {
            return Value::Object(claims);
        };
        let mut entitlements = account.user.entitlements.clone();
        let mut feature_flags = account.user.feature_flags.clone();
        if let Some(organization_id) = &session.sign_in.organization_id {
            let roles = account.roles(organization_id).unwrap_or_default();
            claim("org_id", json!(organization_id));
            claim("role", json!(roles.first()));
            claim("roles", json!(roles));
            claim("permissions", json!(store.seeds.permissions(roles)));
            if let Some(organization) = store.seeds.organization(organization_id) {
                entitlements.extend(organization.entitlements.iter().cloned());
                feature_flags.extend(organization.feature_flags.iter().cloned());
            }
        }
        for slug in store.feature_flags.slugs_for(&session.sign_in) {
            if !feature_flags.contains(&slug) {
                feature_flags.push(slug);
            }
        }
        if !entitlements.is_empty() || session.sign_in.organization_id.is_some() {
            claim("entitlements", json!(entitlements));
        }
        if !feature_flags.is_empty() || session.sign_in.organization_id.is_some() {
            claim("feature_flags", json!(feature_flags));
        }
        claims.extend(account.user.claims.clone());
        Value::Object(claims)
    }

    /// The body of a successful `authenticate`.
    pub(super) fn authentication(&self, store: &Store, grant: &Grant, signer: Signer) -> Value {
        let session = store.sessions.get(&grant.session_id);
        let account = session.and_then(|session| store.account(&session.sign_in.user_id));
        let mut body = json!({
            "user": account.map(Account::json),
            "organization_id": grant.claims.get("org_id"),
            "access_token": self.keys().sign(signer, &grant.claims),
            "refresh_token": grant.refresh_token,
        });
        if let Some(session) = session {
            body["authentication_method"] = json!(session.sign_in.authentication_method);
            if let Some(impersonator) = &session.sign_in.impersonator {
                body["impersonator"] = impersonator.json();
            }
        }
        body
    }
}

impl Store {
    pub(super) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub(super) fn account_by_email(&mut self, email: &str) -> Option<&mut Account> {
        let email = email.trim();
        self.accounts
            .iter_mut()
            .find(|account| account.user.email.eq_ignore_ascii_case(email))
    }

    /// Opens a session for a sign-in.
    pub(super) fn open_session(&mut self, code: Code, now: i64) -> Session {
        let session = Session {
            id: random_id("session"),
            sign_in: code.sign_in,
            browser: code.browser,
            ip_address: None,
            user_agent: None,
            created_at: now,
            ended_at: None,
        };
        self.sessions.insert(session.id.clone(), session.clone());
        session
    }

    pub(super) fn issue_refresh_token(&mut self, session_id: &str) -> String {
        let token = random_id("refresh");
        let fresh = RefreshToken {
            session_id: session_id.to_owned(),
            spent: None,
        };
        self.refresh_tokens.insert(token.clone(), fresh);
        token
    }

    fn end_session(&mut self, id: &str, now: i64) -> bool {
        let Some(session) = self.sessions.get_mut(id) else {
            return false;
        };
        session.ended_at.get_or_insert(now);
        if let Some(browser) = session.browser.take() {
            self.browsers.remove(&browser);
        }
        true
    }
}

impl SignIn {
    /// A user signs in now; the method is the user's own where there is one.
    pub(super) fn new(account: &mut Account, method: &str, now: i64) -> Self {
        account.last_sign_in_at = Some(now);
        let own = account.user.authentication_method.clone();
        Self {
            user_id: account.id.clone(),
            auth_time: now,
            authentication_method: own.unwrap_or_else(|| method.to_owned()),
            impersonator: None,
            organization_id: None,
        }
    }

    pub(super) fn impersonate(&mut self, impersonator: Impersonator) {
        self.impersonator = Some(impersonator);
        self.authentication_method = "Impersonation".to_owned();
    }
}

impl Account {
    pub(super) fn new(user: EmulatorUser, now: i64) -> Self {
        Self {
            id: user.id.clone().unwrap_or_else(|| derived_id(&user.email)),
            user,
            created_at: now,
            last_sign_in_at: None,
        }
    }

    /// The roles in an organization, or `None` for a stranger to it.
    pub(super) fn roles(&self, organization_id: &str) -> Option<&[String]> {
        self.user
            .memberships
            .iter()
            .find(|membership| membership.organization_id == organization_id)
            .map(|membership| membership.roles.as_slice())
    }

    /// The user object.
    pub(super) fn json(&self) -> Value {
        let created_at = rfc3339(self.created_at);
        let mut user = json!({
            "object": "user",
            "id": self.id,
            "email": self.user.email,
            "email_verified": true,
            "first_name": self.user.first_name,
            "last_name": self.user.last_name,
            "profile_picture_url": null,
            "last_sign_in_at": self.last_sign_in_at.map(rfc3339),
            "locale": null,
            "created_at": created_at,
            "updated_at": created_at,
            "external_id": null,
            "metadata": {},
        });
        for (name, value) in &self.user.profile {
            user[name] = value.clone();
        }
        user
    }
}

fn derived_id(email: &str) -> String {
    let digest = digest(&SHA256, email.to_ascii_lowercase().as_bytes());
    let hex: String = digest.as_ref()[..13]
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    format!("user_{hex}")
}

/// Unix seconds as `2026-01-31T12:00:00.000Z`, by the civil-from-days rule of the proleptic Gregorian calendar.
pub(super) fn rfc3339(seconds: i64) -> String {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
}
