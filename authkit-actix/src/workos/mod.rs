//! The one door to the WorkOS API.
//!
//! Above this folder nobody sees the SDK's types, a status code or a connection: a call gives one
//! of our own values or a [`WorkOsError`] that says what its failure means for a session.

mod failure;
mod transport;
mod user;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use workos::{
    transport::{HttpRequest, HttpTransport as _},
    user_management::{
        AuthenticateWithCodeParams, AuthenticateWithRefreshTokenParams, GetAuthorizationUrlParams,
        GetLogoutUrlParams,
    },
};

pub use self::user::{Impersonator, User};
/// The client of the official WorkOS SDK.
pub use workos::Client;

pub(crate) use self::failure::{StepUp, TransientReason, WorkOsError};
use self::transport::{Limits, Recording, Transport};
use crate::background::Background;

/// The WorkOS API for one application.
pub(crate) struct WorkOs {
    sdk: Client,
    transport: Transport,
    client_id: String,
    api_key: SecretString,
    api_url: String,
}

/// Tokens and the user they are for, fresh from WorkOS and not yet verified.
#[derive(Debug, Deserialize)]
pub(crate) struct Authentication {
    pub(crate) user: User,
    pub(crate) access_token: SecretString,
    pub(crate) refresh_token: SecretString,
    #[serde(default)]
    pub(crate) authentication_method: Option<String>,
    #[serde(default)]
    pub(crate) impersonator: Option<Impersonator>,
}

/// Who sends the request that a call to WorkOS is made for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) ip_address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
}

/// What an authorization URL asks for; RFC 6749 section 4.1.1, RFC 7636 section 4.3.
#[derive(Debug, Default)]
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
        peer: Peer,
    ) -> Result<Authentication, WorkOsError> {
        let mut params = AuthenticateWithCodeParams::new(code);
        params.code_verifier = Some(code_verifier.into());
        params.invitation_token = invitation_token.map(Into::into);
        params.ip_address = peer.ip_address.map(|ip| ip.to_string());
        params.user_agent = peer.user_agent;
        self.authenticate(CODE_EXCHANGE, async |sdk| {
            sdk.user_management().authenticate_with_code(params).await
        })
        .await
    }

    /// Spends a refresh token.
    pub(crate) async fn refresh(
        &self,
        refresh_token: &SecretString,
        organization_id: Option<&str>,
        peer: Peer,
    ) -> Result<Authentication, WorkOsError> {
        let mut params = AuthenticateWithRefreshTokenParams::new(refresh_token.expose_secret());
        params.organization_id = organization_id.map(Into::into);
        params.ip_address = peer.ip_address.map(|ip| ip.to_string());
        params.user_agent = peer.user_agent;
        self.authenticate(REFRESH, async |sdk| {
            sdk.user_management()
                .authenticate_with_refresh_token(params)
                .await
        })
        .await
    }

    /// The key set that access tokens are signed with, as JSON (RFC 7517).
    pub(crate) async fn key_set(&self) -> Result<Vec<u8>, WorkOsError> {
        let mut url = format!("{}/sso/jwks/", self.api_url);
        url.extend(url::form_urlencoded::byte_serialize(
            self.client_id.as_bytes(),
        ));
        self.fetch(KEY_SET, url, http::HeaderMap::new()).await
    }

    /// All feature flags with their targets, as JSON by their slugs.
    pub(crate) async fn feature_flags(&self) -> Result<Vec<u8>, WorkOsError> {
        let url = format!("{}/sdk/feature-flags", self.api_url);
        let headers = self.sdk.default_headers().clone();
        self.fetch(FEATURE_FLAGS, url, headers).await
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
        Ok(self.sdk.user_management().get_authorization_url(params)?)
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

    async fn authenticate<T>(
        &self,
        limits: Limits,
        grant: impl AsyncFnOnce(Client) -> Result<T, workos::Error>,
    ) -> Result<Authentication, WorkOsError> {
        let recording = Arc::new(Recording::over(self.transport.within(limits)));
        let sdk = client(
            &self.client_id,
            &self.api_key,
            &self.api_url,
            recording.clone(),
        )?;
        match grant(sdk).await {
            Ok(_) | Err(workos::Error::Decode(_)) => recording
                .take()
                .and_then(|answer| serde_json::from_slice::<Authentication>(&answer).ok())
                .filter(|answer| !answer.refresh_token.expose_secret().is_empty())
                .ok_or(WorkOsError::transient(TransientReason::Unreadable)),
            Err(error) => Err(error.into()),
        }
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
    deadline: Duration::from_secs(10),
    body_bytes: 1 << 20,
};
const REFRESH: Limits = Limits {
    deadline: Duration::from_secs(5),
    body_bytes: 1 << 20,
};
const KEY_SET: Limits = Limits {
    deadline: Duration::from_secs(5),
    body_bytes: 256 << 10,
};
/// Each target of each flag is in the answer.
const FEATURE_FLAGS: Limits = Limits {
    deadline: Duration::from_secs(10),
    body_bytes: 16 << 20,
};
/// For what the application asks through the SDK by itself.
const APPLICATION: Limits = Limits {
    deadline: Duration::from_secs(30),
    body_bytes: 16 << 20,
};
