//! The one door to the WorkOS API.
//!
//! Above this folder nobody sees the SDK's types, a status code or a connection: a call gives one
//! of our own values or a [`WorkOsError`] that says what its failure means for a session.

mod api_key;
mod breaker;
mod failure;
mod lanes;
mod probe;
mod transport;
mod user;
mod user_session;
mod webhook;

use std::{fmt, sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use workos::{
    api_keys::CreateValidationParams,
    transport::{HttpRequest, HttpTransport as _},
    user_management::{
        AuthenticateWithCodeParams, AuthenticateWithOrganizationSelectionParams,
        AuthenticateWithRefreshTokenParams, GetAuthorizationUrlParams, GetLogoutUrlParams,
        ListSessionsParams, RevokeSessionParams,
    },
};

pub use self::{
    api_key::{ApiKey, ApiKeyOwner},
    user::{Impersonator, User, UserField, UserProfile},
    user_session::UserSession,
    webhook::{
        MembershipRole, OrganizationMembership, OrganizationMembershipCreated,
        OrganizationMembershipDeleted, OrganizationMembershipUpdated, SessionCreated,
        SessionRevoked, UserCreated, UserDeleted, UserUpdated, WebhookData, WebhookEvent,
    },
};
/// The client of the official WorkOS SDK.
pub use workos::Client;

pub use self::failure::OrganizationChoice;
pub(crate) use self::user::UnreadProfile;
use self::{
    api_key::Validation,
    lanes::Lane,
    transport::{Limits, Recording, Transport},
};
pub(crate) use self::{
    breaker::Breaker,
    failure::{StepUp, TransientReason, WorkOsError},
    probe::Probed,
    webhook::WebhookSignatures,
};
use crate::{background::Background, request_info::RequestInfo};

/// The WorkOS API for one application.
pub(crate) struct WorkOs {
    sdk: Client,
    transport: Transport,
    client_id: String,
    api_key: SecretString,
    api_url: String,
}

/// Tokens and the user they are for, as WorkOS gave them and not yet verified.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Authentication {
    /// The user.
    pub user: User,
    /// The access token.
    pub access_token: SecretString,
    /// The refresh token.
    pub refresh_token: SecretString,
    /// How the user signed in: `Password`, `GoogleOAuth`, `SSO`, ….
    #[serde(default)]
    pub authentication_method: Option<String>,
    /// Who acts for the user, if it is not the user.
    #[serde(default)]
    pub impersonator: Option<Impersonator>,
    /// The organization: `org_…`.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// The tokens of the provider that the user signed in with.
    #[serde(default)]
    pub oauth_tokens: Option<OauthTokens>,
}

/// What the SDK's authentication calls give.
impl TryFrom<workos::AuthenticateResponse> for Authentication {
    type Error = serde_json::Error;

    fn try_from(response: workos::AuthenticateResponse) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(response)?)
    }
}

/// The tokens of the provider that the user signed in with, such as Google.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct OauthTokens {
    /// The provider, such as `GoogleOAuth`.
    #[serde(default)]
    pub provider: Option<String>,
    /// The provider's access token.
    pub access_token: SecretString,
    /// The provider's refresh token, where it gives one.
    #[serde(default)]
    pub refresh_token: Option<SecretString>,
    /// When the access token expires, in seconds since the Unix epoch.
    #[serde(default)]
    pub expires_at: Option<i64>,
    /// What the access token may be used for.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

/// What an authorization URL asks for; RFC 6749 section 4.1.1, RFC 7636 section 4.3.
#[derive(Default)]
pub(crate) struct AuthorizationRequest<'a> {
    pub(crate) redirect_uri: &'a str,
    pub(crate) state: &'a str,
    pub(crate) code_challenge: String,
    pub(crate) sign_up: bool,
    pub(crate) organization_id: Option<&'a str>,
    pub(crate) login_hint: Option<&'a str>,
    pub(crate) domain_hint: Option<&'a str>,
    pub(crate) invitation_token: Option<&'a str>,
    pub(crate) prompt: Option<&'a str>,
    pub(crate) max_age: Option<u32>,
    pub(crate) selector: Selector<'a>,
    pub(crate) claim_nonce: Option<String>,
}

/// Who authenticates the user; exactly one is named.
#[derive(Debug, Default)]
pub(crate) enum Selector<'a> {
    #[default]
    AuthKit,
    Connection(&'a str),
    Provider {
        name: &'a str,
        scopes: &'a [String],
    },
}

impl WorkOs {
    /// # Errors
    ///
    /// A sentence for the configuration error: no certificates, or an API key that is no header value.
    pub(crate) fn new(
        client_id: String,
        api_key: SecretString,
        api_url: String,
        loopback: bool,
        background: Arc<Background>,
    ) -> Result<Self, String> {
        let transport = Transport::new(background, APPLICATION, loopback).map_err(|error| {
            format!(
                "no TLS client could be made ({error}); install the system's certificates \
                 (Debian, Ubuntu: the package ca-certificates)"
            )
        })?;
        let sdk =
            client(&client_id, &api_key, &api_url, Arc::new(transport.clone())).map_err(|_| {
                "the API key or client id has characters that no header takes".to_owned()
            })?;
        Ok(Self {
            sdk,
            transport,
            client_id,
            api_key,
            api_url,
        })
    }

    pub(crate) fn sdk(&self) -> &Client {
        &self.sdk
    }

    /// Exchanges an authorization code. Never sent twice.
    pub(crate) async fn exchange_code(
        &self,
        code: &str,
        code_verifier: &str,
        invitation_token: Option<&str>,
        request: &RequestInfo,
    ) -> Result<Authentication, WorkOsError> {
        let mut params = AuthenticateWithCodeParams::new(code);
        params.code_verifier = Some(code_verifier.into());
        params.invitation_token = invitation_token.map(Into::into);
        params.ip_address = request.peer.map(|ip| ip.to_string());
        params.user_agent = request.user_agent.clone();
        self.grant(CODE_EXCHANGE, async |sdk| {
            sdk.user_management().authenticate_with_code(params).await
        })
        .await
    }

    /// Finishes a sign-in that waits for the choice of an organization.
    pub(crate) async fn select_organization(
        &self,
        pending_authentication_token: &SecretString,
        organization_id: &str,
        request: &RequestInfo,
    ) -> Result<Authentication, WorkOsError> {
        let mut params = AuthenticateWithOrganizationSelectionParams::new(
            pending_authentication_token.expose_secret(),
            organization_id,
        );
        params.ip_address = request.peer.map(|ip| ip.to_string());
        params.user_agent = request.user_agent.clone();
        self.grant(ORGANIZATION_SELECTION, async |sdk| {
            sdk.user_management()
                .authenticate_with_organization_selection(params)
                .await
        })
        .await
    }

    /// Ends a session at WorkOS.
    pub(crate) async fn revoke_session(&self, session_id: &str) -> Result<(), WorkOsError> {
        let body = workos::RevokeSession {
            session_id: session_id.to_owned(),
        };
        let transport = Arc::new(self.transport.within(REVOCATION));
        let sdk = client(&self.client_id, &self.api_key, &self.api_url, transport)?;
        let params = RevokeSessionParams::new(body);
        Ok(sdk.user_management().revoke_session(params).await?)
    }

    /// The sessions of a user at WorkOS; none of one who does not exist.
    pub(crate) async fn sessions_of(&self, user_id: &str) -> Result<Vec<UserSession>, WorkOsError> {
        #[derive(Deserialize)]
        struct Page {
            data: Vec<UserSession>,
            #[serde(default)]
            list_metadata: Option<Place>,
        }
        #[derive(Deserialize)]
        struct Place {
            #[serde(default)]
            after: Option<String>,
        }
        let mut sessions = Vec::new();
        let mut params = ListSessionsParams {
            limit: Some(100),
            ..ListSessionsParams::default()
        };
        for _ in 0..MOST_PAGES {
            let page = self.recorded(look_up("sessions"), async |sdk| {
                let users = sdk.user_management();
                users.list_sessions(user_id, params.clone()).await
            });
            let page: Page = match page.await {
                Err(WorkOsError::OurFault { status: 404, .. }) => break,
                page => page?,
            };
            sessions.extend(page.data);
            params.after = page.list_metadata.and_then(|place| place.after);
            if params.after.is_none() {
                break;
            }
        }
        Ok(sessions)
    }

    /// Spends a refresh token.
    pub(crate) async fn refresh(
        &self,
        refresh_token: &SecretString,
        organization_id: Option<&str>,
        request: &RequestInfo,
    ) -> Result<Authentication, WorkOsError> {
        let mut params = AuthenticateWithRefreshTokenParams::new(refresh_token.expose_secret());
        params.organization_id = organization_id.map(Into::into);
        params.ip_address = request.peer.map(|ip| ip.to_string());
        params.user_agent = request.user_agent.clone();
        self.grant(REFRESH, async |sdk| {
            sdk.user_management()
                .authenticate_with_refresh_token(params)
                .await
        })
        .await
    }

    /// The key set that access tokens are signed with, as JSON (RFC 7517).
    pub(crate) async fn key_set(&self) -> Result<Vec<u8>, WorkOsError> {
        let url = self.key_set_url();
        self.fetch(KEY_SET, url, http::HeaderMap::new()).await
    }

    fn key_set_url(&self) -> String {
        let mut url = format!("{}/sso/jwks/", self.api_url);
        url.extend(url::form_urlencoded::byte_serialize(
            self.client_id.as_bytes(),
        ));
        url
    }

    /// All feature flags with their targets, as JSON by their slugs.
    pub(crate) async fn feature_flags(&self) -> Result<Vec<u8>, WorkOsError> {
        let url = format!("{}/sdk/feature-flags", self.api_url);
        let headers = self.sdk.default_headers().clone();
        self.fetch(FEATURE_FLAGS, url, headers).await
    }

    /// A nonce that lets whoever signs in claim this environment; `None` when somebody has already.
    pub(crate) async fn claim_nonce(
        &self,
        claim_token: &SecretString,
    ) -> Result<Option<String>, WorkOsError> {
        #[derive(Deserialize)]
        struct Answer {
            nonce: String,
        }
        let body = serde_json::json!({
            "client_id": self.client_id,
            "claim_token": claim_token.expose_secret(),
        });
        let mut headers = self.sdk.default_headers().clone();
        let json = http::HeaderValue::from_static("application/json");
        headers.insert(http::header::CONTENT_TYPE, json);
        let request = HttpRequest {
            method: http::Method::POST,
            url: format!("{}/x/one-shot-environments/claim-nonces", self.api_url),
            headers,
            body: Some(body.to_string().into()),
        };
        match self.send(CLAIM_NONCE, request).await {
            Ok(body) => serde_json::from_slice::<Answer>(&body)
                .map(|answer| Some(answer.nonce))
                .map_err(|_| WorkOsError::transient(TransientReason::Unreadable)),
            Err(WorkOsError::OurFault { status: 409, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The address at AuthKit where the user signs in.
    pub(crate) fn authorization_url(
        &self,
        request: AuthorizationRequest<'_>,
    ) -> Result<String, WorkOsError> {
        use workos::{
            UserManagementAuthenticationProvider as Provider,
            UserManagementAuthenticationScreenHint as ScreenHint,
        };
        let mut params = GetAuthorizationUrlParams::new(request.redirect_uri);
        match request.selector {
            Selector::AuthKit => params.provider = Some(Provider::Authkit),
            Selector::Connection(id) => params.connection_id = Some(id.to_owned()),
            Selector::Provider { name, scopes } => {
                params.provider = Some(name.into());
                params.provider_scopes = (!scopes.is_empty()).then(|| scopes.to_vec());
            }
        }
        params.state = Some(request.state.to_owned());
        params.code_challenge = Some(request.code_challenge);
        params.code_challenge_method = Some("S256".to_owned());
        params.screen_hint = request.sign_up.then_some(ScreenHint::SignUp);
        params.organization_id = request.organization_id.map(Into::into);
        params.login_hint = request.login_hint.map(Into::into);
        params.domain_hint = request.domain_hint.map(Into::into);
        params.invitation_token = request.invitation_token.map(Into::into);
        params.prompt = request.prompt.map(Into::into);
        params.max_age = request.max_age.map(i64::from);
        let mut url = self.sdk.user_management().get_authorization_url(params)?;
        if let Some(nonce) = request.claim_nonce {
            url.push_str("&claim_nonce=");
            url.extend(url::form_urlencoded::byte_serialize(nonce.as_bytes()));
        }
        Ok(url)
    }

    /// The address at WorkOS that ends a session and sends the browser on.
    pub(crate) fn logout_url(
        &self,
        session_id: &str,
        return_to: Option<String>,
    ) -> Result<String, WorkOsError> {
        let mut params = GetLogoutUrlParams::new(session_id);
        params.return_to = return_to;
        Ok(self.sdk.user_management().get_logout_url(params)?)
    }

    /// What the SDK has no call for.
    async fn fetch(
        &self,
        limits: Limits,
        url: String,
        headers: http::HeaderMap,
    ) -> Result<Vec<u8>, WorkOsError> {
        let request = HttpRequest {
            method: http::Method::GET,
            url,
            headers,
            body: None,
        };
        self.send(limits, request).await
    }

    async fn send(&self, limits: Limits, request: HttpRequest) -> Result<Vec<u8>, WorkOsError> {
        let response = self
            .transport
            .within(limits)
            .execute(request)
            .await
            .map_err(workos::Error::Network)?;
        if !response.status.is_success() {
            return Err(WorkOsError::classify(
                response.status.as_u16(),
                &response.body,
                seconds_to_wait(&response.headers),
            ));
        }
        Ok(response.body.into())
    }

    /// Asks what an API key of a customer's is worth; `None` if nothing.
    pub(crate) async fn validate_api_key(
        &self,
        value: &SecretString,
    ) -> Result<Option<ApiKey>, WorkOsError> {
        let params = CreateValidationParams::new(workos::models::ValidateApiKey {
            value: value.expose_secret().into(),
        });
        let answer: Validation = self
            .recorded(look_up("api_key"), async |sdk| {
                sdk.api_keys().create_validation(params).await
            })
            .await?;
        Ok(answer.api_key)
    }

    /// The user of an id; `None` if there is none any more.
    pub(crate) async fn user(&self, id: &str) -> Result<Option<User>, WorkOsError> {
        let user = self.recorded(look_up("user"), async |sdk| {
            sdk.user_management().get_user(id).await
        });
        if_there_is(user.await)
    }

    /// The name of an organization; `None` if there is none of that id any more.
    pub(crate) async fn organization(
        &self,
        id: &str,
    ) -> Result<Option<OrganizationChoice>, WorkOsError> {
        let organization = self.recorded(look_up("organization"), async |sdk| {
            sdk.organizations().get_organization(id).await
        });
        if_there_is(organization.await)
    }

    async fn grant<T>(
        &self,
        limits: Limits,
        call: impl AsyncFnOnce(Client) -> Result<T, workos::Error>,
    ) -> Result<Authentication, WorkOsError> {
        let answer: Authentication = self.recorded(limits, call).await?;
        if answer.refresh_token.expose_secret().is_empty() {
            return Err(WorkOsError::transient(TransientReason::Unreadable));
        }
        Ok(answer)
    }

    /// Makes one call by the SDK and reads its answer by a model of our own.
    async fn recorded<T, A: DeserializeOwned>(
        &self,
        limits: Limits,
        call: impl AsyncFnOnce(Client) -> Result<T, workos::Error>,
    ) -> Result<A, WorkOsError> {
        let recording = Arc::new(Recording::over(self.transport.within(limits)));
        let sdk = client(
            &self.client_id,
            &self.api_key,
            &self.api_url,
            recording.clone(),
        )?;
        match call(sdk).await {
            Ok(_) | Err(workos::Error::Decode(_)) => recording
                .take()
                .and_then(|answer| serde_json::from_slice(&answer).ok())
                .ok_or(WorkOsError::transient(TransientReason::Unreadable)),
            Err(error) => Err(error.into()),
        }
    }
}

fn if_there_is<T>(answer: Result<T, WorkOsError>) -> Result<Option<T>, WorkOsError> {
    match answer {
        Err(WorkOsError::OurFault { status: 404, .. }) => Ok(None),
        answer => answer.map(Some),
    }
}

/// A fresh PKCE code verifier, RFC 7636 section 4.1.
///
/// # Errors
///
/// When the operating system gives no random bytes.
pub(crate) fn code_verifier() -> Result<SecretString, WorkOsError> {
    Ok(workos::generate_code_verifier(None)?.into())
}

/// The S256 challenge of a code verifier, RFC 7636 section 4.2.
pub(crate) fn code_challenge(code_verifier: &SecretString) -> String {
    workos::generate_code_challenge(code_verifier.expose_secret())
}

impl fmt::Debug for WorkOs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkOs")
            .field("client_id", &self.client_id)
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}

/// `Retry-After` in seconds, RFC 9110 section 10.2.3; a date is left unread.
fn seconds_to_wait(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[cfg(fuzzing)]
pub(crate) fn fuzz_retry_after(value: &[u8]) {
    if let Ok(value) = http::HeaderValue::from_bytes(value) {
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::RETRY_AFTER, value);
        seconds_to_wait(&headers);
    }
}

fn client(
    client_id: &str,
    api_key: &SecretString,
    api_url: &str,
    transport: Arc<dyn workos::transport::HttpTransport>,
) -> Result<Client, workos::Error> {
    Client::builder()
        .client_id(client_id)
        .api_key(api_key.expose_secret())
        .base_url(api_url)
        .user_agent(concat!("authkit-actix/", env!("CARGO_PKG_VERSION")))
        .transport(transport)
        .try_build()
}

const CODE_EXCHANGE: Limits = Limits {
    call: "code_exchange",
    deadline: Duration::from_secs(10),
    body_bytes: 1 << 20,
    lane: Lane::SignIn,
    again_after: None,
};
const CLAIM_NONCE: Limits = Limits {
    call: "claim_nonce",
    deadline: Duration::from_secs(2),
    body_bytes: 64 << 10,
    ..CODE_EXCHANGE
};
const REVOCATION: Limits = Limits {
    call: "session_revocation",
    deadline: Duration::from_secs(5),
    ..CODE_EXCHANGE
};
/// WorkOS gives the answer to a refresh a second time for some seconds.
const REFRESH: Limits = Limits {
    call: "session_refresh",
    deadline: Duration::from_secs(5),
    body_bytes: 1 << 20,
    lane: Lane::Refresh,
    again_after: Some(Duration::from_secs(3)),
};
const ORGANIZATION_SELECTION: Limits = Limits {
    call: "organization_selection",
    ..CODE_EXCHANGE
};
const fn look_up(call: &'static str) -> Limits {
    Limits {
        call,
        deadline: Duration::from_secs(5),
        body_bytes: 1 << 20,
        lane: Lane::LookUp,
        again_after: None,
    }
}
const KEY_SET: Limits = Limits {
    call: "signing_keys",
    deadline: Duration::from_secs(5),
    body_bytes: 256 << 10,
    lane: Lane::Upkeep,
    again_after: None,
};
/// Of a hundred sessions each.
const MOST_PAGES: usize = 100;
/// Each target of each flag is in the answer.
const FEATURE_FLAGS: Limits = Limits {
    call: "feature_flags",
    deadline: Duration::from_secs(10),
    body_bytes: 16 << 20,
    ..KEY_SET
};
/// For what the application asks through the SDK by itself.
const APPLICATION: Limits = Limits {
    call: "application",
    deadline: Duration::from_secs(30),
    body_bytes: 16 << 20,
    lane: Lane::Application,
    again_after: None,
};
