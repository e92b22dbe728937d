//! An AuthKit stand-in on loopback: sign-in pages, tokens and sessions without an account and without a network.
//!
//! It speaks the part of the WorkOS API that signing in needs, with real keys and real rules (PKCE enforced, codes
//! used once, refresh tokens rotating), and lets tests plan faults, mint tokens and move the clock. It shares no code
//! with the library that it is a counterpart of. For development and tests only.
//!
//! # An application in front of it
//!
//! ```
//! use actix_web::{App, HttpResponse, test, web};
//! use authkit_actix::{AuthKit, AuthUser, emulator::Emulator};
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::builder()
//!     .quiet()
//!     # .allow_in_release()
//!     .start()?;
//! let authkit = AuthKit::builder()
//!     .emulator(&emulator)
//!     .cookie_password("only for tests, but 32 characters")
//!     .redirect_uri("http://localhost:3000/callback")
//!     .build()?;
//! let account = web::get().to(async |user: AuthUser| HttpResponse::Ok().body(user.email.clone()));
//! let app = App::new().wrap(authkit.middleware()).route("/account", account);
//! let app = test::init_service(app).await;
//!
//! // A program is told that nobody is signed in …
//! let request = test::TestRequest::get().uri("/account");
//! let response = test::call_service(&app, request.to_request()).await;
//! assert_eq!(response.status(), 401);
//!
//! // … and a browser is sent to the emulator's sign-in page.
//! let request = test::TestRequest::get().uri("/account").insert_header(("accept", "text/html"));
//! let response = test::call_service(&app, request.to_request()).await;
//! let location = response.headers().get("location").ok_or("no redirect")?.to_str()?;
//! assert!(location.starts_with(emulator.api_url()));
//! # Ok(())
//! # }
//! ```

mod api;
mod api_keys;
mod authenticate;
mod authorize;
mod authorize_request;
mod browser;
mod builder;
mod error;
mod faults;
mod feature_flags;
pub(crate) mod keys;
mod pages;
mod seeds;
mod server;
mod session;
mod state;
mod webhooks;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use keys::Signer;
use server::Server;
use state::{Code, SignIn, State};

pub use api_keys::EmulatorApiKey;
pub use builder::{EmulatorBuilder, RefreshReuse};
pub use error::EmulatorError;
pub use faults::{Endpoint, Fault, FaultPlan, Strike};
pub use feature_flags::EmulatorFlag;
pub use seeds::{EmulatorOrganization, EmulatorUser, StepUp};
pub use session::{EmulatorSession, NewSession};

/// A running AuthKit emulator; clones are handles to the same one, and the last to go stops it.
///
/// # Examples
///
/// ```
/// use authkit_actix::emulator::{Emulator, EmulatorUser, Endpoint};
///
/// let emulator = Emulator::builder()
///     .user(EmulatorUser::new("ada@example.com").name("Ada", "Lovelace"))
///     .quiet()
///     # .allow_in_release()
///     .start()?;
/// assert!(emulator.api_url().starts_with("http://127.0.0.1:"));
///
/// let session = emulator.session_for("ada@example.com")?;
/// assert_eq!(session.user["first_name"], "Ada");
/// assert_eq!(emulator.calls(Endpoint::Jwks), 0);
/// # Ok::<(), authkit_actix::emulator::EmulatorError>(())
/// ```
#[derive(Clone)]
pub struct Emulator(Arc<Running>);

struct Running {
    state: Arc<State>,
    _server: Server,
}

impl Emulator {
    /// An emulator to be, with sample users unless it is given others.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::new()
    }

    /// Its address, `http://127.0.0.1:PORT`, to be used in place of `https://api.workos.com`.
    pub fn api_url(&self) -> &str {
        &self.state().settings.api_url
    }

    /// The host of its address, for `WORKOS_API_HOSTNAME`.
    pub fn host(&self) -> &'static str {
        builder::HOST
    }

    /// The port of its address, for `WORKOS_API_PORT`.
    pub fn port(&self) -> u16 {
        self.state().settings.port
    }

    /// The one client id it answers to, for `WORKOS_CLIENT_ID`.
    pub fn client_id(&self) -> &str {
        &self.state().settings.client_id
    }

    /// The one API key it accepts, for `WORKOS_API_KEY`.
    pub fn api_key(&self) -> &str {
        self.state().settings.api_key.expose_secret()
    }

    /// How many requests of a kind have come, struck by faults or not.
    pub fn calls(&self, endpoint: Endpoint) -> usize {
        self.state().faults.calls(endpoint)
    }

    /// Plans a fault; several for one endpoint strike one after another.
    ///
    /// ```
    /// use authkit_actix::emulator::{Emulator, Endpoint, Fault};
    ///
    /// # let emulator = Emulator::builder().quiet().allow_in_release().start()?;
    /// emulator.fault(Endpoint::Jwks, Fault::Status(503));
    /// emulator.fault(Endpoint::AuthenticateRefresh, Fault::Reset.times(2).after_effect());
    /// emulator.clear_faults();
    /// # Ok::<(), authkit_actix::emulator::EmulatorError>(())
    /// ```
    pub fn fault(&self, endpoint: Endpoint, plan: impl Into<FaultPlan>) {
        self.state().faults.plan(endpoint, plan.into());
    }

    /// Forgets all planned faults; those that already struck go on.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Opens a session without a browser.
    ///
    /// Without an organization of its own choice the session is in the user's only one, or in none.
    ///
    /// # Errors
    ///
    /// When the user is unknown, or not a member of the organization.
    pub fn session_for(
        &self,
        session: impl Into<NewSession>,
    ) -> Result<EmulatorSession, EmulatorError> {
        let NewSession {
            email,
            organization_id,
            impersonator,
        } = session.into();
        let state = self.state();
        let now = state.now();
        let mut store = state.store();
        let account = store
            .account_by_email(&email)
            .ok_or_else(|| EmulatorError::UnknownUser(email.clone()))?;
        let mut sign_in = SignIn::new(account, "Password", now);
        sign_in.organization_id = match (organization_id, account.user.memberships.as_slice()) {
            (Some(organization_id), _) if account.roles(&organization_id).is_none() => {
                return Err(EmulatorError::NotAMember {
                    email,
                    organization_id,
                });
            }
            (Some(organization_id), _) => Some(organization_id),
            (None, [only]) => Some(only.organization_id.clone()),
            (None, _) => None,
        };
        if let Some(impersonator) = impersonator {
            sign_in.impersonate(impersonator);
        }
        let user = account.json();
        let sign_in = Code {
            sign_in,
            browser: None,
            challenge: None,
            issued_at: now,
        };
        let session = store.open_session(sign_in, now);
        let refresh_token = store.issue_refresh_token(&session.id);
        let grant = state.grant(&store, &session, refresh_token);
        Ok(EmulatorSession {
            access_token: state.keys().sign(Signer::Active, &grant.claims),
            refresh_token: grant.refresh_token,
            session_id: session.id,
            user,
        })
    }

    /// Ends a session, as its user's sign-out or a dashboard would. `false` when there is none of this id.
    pub fn end_session(&self, session_id: &str) -> bool {
        self.state().end_session(session_id)
    }

    /// Issues an API key to a customer; one of the same text is replaced.
    ///
    /// # Errors
    ///
    /// When its owner is unknown.
    pub fn issue_api_key(&self, key: EmulatorApiKey) -> Result<(), EmulatorError> {
        let state = self.state();
        state.store().issue(key, state.now())
    }

    /// Revokes a customer's API key, by its text. `false` when there is none.
    pub fn revoke_api_key(&self, value: &str) -> bool {
        self.state().store().revoke_key(value)
    }

    /// Changes a user from now on: the next answer and the next token show it.
    ///
    /// ```
    /// use authkit_actix::emulator::Emulator;
    ///
    /// # let emulator = Emulator::builder().quiet().allow_in_release().start()?;
    /// emulator.change_user("ada@example.com", |ada| ada.leave("org_acme"))?;
    /// # Ok::<(), authkit_actix::emulator::EmulatorError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the user is unknown, or made a member of an unknown organization.
    pub fn change_user(
        &self,
        email: &str,
        change: impl FnOnce(EmulatorUser) -> EmulatorUser,
    ) -> Result<(), EmulatorError> {
        let unknown = || EmulatorError::UnknownUser(email.to_owned());
        let before = self
            .state()
            .store()
            .account_by_email(email)
            .ok_or_else(unknown)?
            .user
            .clone();
        let after = change(before);
        self.state().store().seeds.check_memberships(&after)?;
        match self.state().change_user(email, after) {
            true => Ok(()),
            false => Err(unknown()),
        }
    }

    /// Deletes a user, as the dashboard would: all sessions of theirs end.
    ///
    /// # Errors
    ///
    /// When the user is unknown.
    pub fn delete_user(&self, email: &str) -> Result<(), EmulatorError> {
        let unknown = || EmulatorError::UnknownUser(email.to_owned());
        let id = self
            .state()
            .store()
            .account_by_email(email)
            .map(|it| it.id.clone());
        match self.state().delete_user(&id.ok_or_else(unknown)?) {
            true => Ok(()),
            false => Err(unknown()),
        }
    }

    /// Reports to this address from now on what happens, signed with this secret: `session.revoked`,
    /// `user.updated`, `user.deleted`, and `organization_membership.created`, `.updated` and `.deleted`.
    /// An event that is not taken in comes again a few times.
    ///
    /// ```
    /// use authkit_actix::emulator::Emulator;
    ///
    /// # let emulator = Emulator::builder().quiet().allow_in_release().start()?;
    /// emulator.send_webhooks("http://localhost:3000/webhooks/workos", "a secret of both")?;
    /// # Ok::<(), authkit_actix::emulator::EmulatorError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the address is none.
    pub fn send_webhooks(
        &self,
        url: &str,
        secret: impl Into<SecretString>,
    ) -> Result<(), EmulatorError> {
        let url = builder::web_url(url)?;
        self.state().webhooks.send_to(url, secret.into());
        Ok(())
    }

    /// How long access tokens live from now on, in whole seconds.
    pub fn set_access_token_lifetime(&self, lifetime: Duration) {
        self.state().store().access_token_lifetime = builder::seconds(lifetime);
    }

    /// A token with these claims, whatever they are, signed with the active key.
    pub fn mint(&self, claims: Value) -> String {
        self.state().keys().sign(Signer::Active, &claims)
    }

    /// A token with this header and these claims, signed with the active key by RS256 whatever the header says.
    pub fn mint_with(&self, header: Value, claims: Value) -> String {
        self.state()
            .keys()
            .sign_with(Signer::Active, &header, &claims)
    }

    /// A token with these claims, signed with a key (and naming a `kid`) that is in no key set.
    pub fn mint_with_unknown_key(&self, claims: Value) -> String {
        self.state().keys().sign(Signer::Stranger, &claims)
    }

    /// Signs with a new key from now on; the old one stays published.
    pub fn rotate_key(&self) {
        self.state().keys().rotate(true);
    }

    /// Signs with a new key from now on, and publishes only that.
    pub fn rotate_key_and_drop_old(&self) {
        self.state().keys().rotate(false);
    }

    /// Publishes this text in place of the key set, or the real one again.
    pub fn set_jwks_body(&self, body: Option<String>) {
        self.state().keys().publish(body);
    }

    /// The key set as it is published now.
    pub fn jwks_body(&self) -> String {
        self.state().keys().jwks(Signer::Active)
    }

    /// The `kid` of the active key.
    pub fn key_id(&self) -> String {
        self.state().keys().kid()
    }

    /// The public half of the active key as a PEM text, for tests that try to pass it off as an HMAC secret.
    pub fn public_key_pem(&self) -> String {
        self.state().keys().public_key_pem()
    }

    fn state(&self) -> &State {
        &self.0.state
    }
}

/// Leaves keys, passwords and tokens out.
impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("api_url", &self.api_url())
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
