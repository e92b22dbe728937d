use std::{fmt, time::Duration};

use actix_web::{cookie::Cookie, test::TestRequest};
use serde_json::{Map, Value, json};

use super::{KEYS, default_app};
use crate::{
    authkit::AuthKit,
    emulator::keys::{Signer, random_id},
    session::Session,
    web::set_cookie,
    workos::{Authentication, Impersonator, User},
};

/// Somebody who is signed in, for tests: says what their access token claims.
///
/// ```
/// use authkit_actix::testing::TestUser;
///
/// let grace = TestUser::new("grace@example.com")
///     .name("Grace", "Hopper")
///     .organization("org_acme")
///     .role("admin")
///     .permission("billing:manage")
///     .impersonated_by("support@example.com");
/// assert!(grace.cookie_header().starts_with("wos-session="));
/// ```
#[derive(Clone)]
#[must_use = "a test user is signed in to nothing until a request carries their cookie"]
pub struct TestUser {
    user: User,
    session_id: String,
    claims: Map<String, Value>,
    authentication_method: Option<String>,
    impersonator: Option<Impersonator>,
    signed_in_ago: Duration,
    is_expired: bool,
    app: Option<AuthKit>,
}

/// Signs somebody in for a request.
pub trait SignedIn {
    /// The same request, with the session cookies of this user.
    fn signed_in(self, user: TestUser) -> Self;
}

impl SignedIn for TestRequest {
    fn signed_in(self, user: TestUser) -> Self {
        let cookies = user.cookies().into_iter();
        cookies.fold(self, |request, (name, value)| {
            request.cookie(Cookie::new(name, value))
        })
    }
}

impl TestUser {
    /// A user with this email address, verified, in no organization and without any right; the id is
    /// made from the address.
    pub fn new(email: impl Into<String>) -> Self {
        let email = email.into();
        let user = json!({
            "id": format!("user_{}", email.replace(|c: char| !c.is_ascii_alphanumeric(), "_")),
            "email": email,
            "email_verified": true,
        });
        Self {
            user: serde_json::from_value(user).expect("a user is an id and an email address"),
            session_id: random_id("session"),
            claims: Map::new(),
            authentication_method: Some("Password".to_owned()),
            impersonator: None,
            signed_in_ago: Duration::ZERO,
            is_expired: false,
            app: None,
        }
    }

    /// The first and last name.
    pub fn name(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.user.first_name = Some(first.into());
        self.user.last_name = Some(last.into());
        self
    }

    /// Changes what else is known of the user.
    ///
    /// ```
    /// # use authkit_actix::testing::TestUser;
    /// let ada = TestUser::new("ada@example.com").profile(|user| user.id = "user_123".to_owned());
    /// ```
    pub fn profile(mut self, change: impl FnOnce(&mut User)) -> Self {
        change(&mut self.user);
        self
    }

    /// The organization that the session is in: `org_…`.
    ///
    /// Defaults to none.
    pub fn organization(self, organization_id: impl Into<String>) -> Self {
        self.claim("org_id", organization_id.into())
    }

    /// One more role; the first is what `AuthUser::role` gives.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        let role = Value::from(role.into());
        self.claims.entry("role").or_insert_with(|| role.clone());
        self.one_more("roles", role)
    }

    /// One more permission.
    pub fn permission(self, permission: impl Into<String>) -> Self {
        self.one_more("permissions", permission.into().into())
    }

    /// One more entitlement.
    pub fn entitlement(self, entitlement: impl Into<String>) -> Self {
        self.one_more("entitlements", entitlement.into().into())
    }

    /// One more feature flag that is on.
    pub fn feature_flag(self, flag: impl Into<String>) -> Self {
        self.one_more("feature_flags", flag.into().into())
    }

    /// A claim as a JWT template would add it.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// The address of a person who acts for the user.
    pub fn impersonated_by(mut self, operator: impl Into<String>) -> Self {
        let operator = operator.into();
        self.impersonator = Some(Impersonator {
            email: operator.clone(),
            reason: None,
        });
        self.claim("act", json!({"sub": operator}))
    }

    /// How the user signed in, such as `GoogleOAuth`.
    ///
    /// Defaults to `Password`.
    pub fn authentication_method(mut self, method: impl Into<String>) -> Self {
        self.authentication_method = Some(method.into());
        self
    }

    /// How long ago the user proved who they are, for routes with `max_age`.
    ///
    /// Defaults to just now.
    pub fn signed_in_ago(mut self, time: Duration) -> Self {
        self.signed_in_ago = time;
        self
    }

    /// With an access token that has run out. WorkOS is out of reach of the test, so nothing can be told
    /// about the session: what the application answers then is `503`.
    pub fn expired(mut self) -> Self {
        self.is_expired = true;
        self
    }

    /// Signed in to this application, whose cookie name, password and clock count.
    ///
    /// Defaults to those of [`AuthKitBuilder::testing`](crate::AuthKitBuilder::testing).
    pub fn of_app(mut self, authkit: &AuthKit) -> Self {
        self.app = Some(authkit.clone());
        self
    }

    /// The value of a `Cookie` header, for HTTP clients.
    pub fn cookie_header(&self) -> String {
        let cookies = self.cookies().into_iter();
        let pairs: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// The user's cookies as the storage state of a browser, in the form that Playwright reads, for the
    /// application's base URL.
    ///
    /// The application has to run in the process of the test, which alone knows the key.
    pub fn storage_state(&self) -> Value {
        let config = &self.app().inner.config;
        let host = config.base_url.host();
        let cookies: Vec<_> = self
            .cookies()
            .into_iter()
            .map(|(name, value)| {
                json!({
                    "name": name,
                    "value": value,
                    "domain": config.cookie.domain.as_deref().unwrap_or(host),
                    "path": "/",
                    "expires": -1,
                    "httpOnly": true,
                    "secure": config.cookie.secure,
                    "sameSite": "Lax",
                })
            })
            .collect();
        json!({"cookies": cookies, "origins": []})
    }

    fn cookies(&self) -> Vec<(String, String)> {
        let app = self.app();
        let mut session = Session::from_authentication(self.authentication(), None);
        let sealed = app.inner.sessions.seal.seal(&mut session);
        let sealed = sealed.expect("the profile and claims of a test user fit into cookies");
        set_cookie::split(&app.inner.config.cookie.name, &sealed)
    }

    fn authentication(&self) -> Authentication {
        let now = self.app().inner.clock.unix_seconds();
        let issued_at = if self.is_expired {
            now - 2 * LIFETIME
        } else {
            now
        };
        let signed_in_ago = i64::try_from(self.signed_in_ago.as_secs()).unwrap_or(i64::MAX);
        let mut claims = json!({
            "sub": self.user.id,
            "sid": self.session_id,
            "iat": issued_at,
            "exp": issued_at + LIFETIME,
            "auth_time": issued_at.saturating_sub(signed_in_ago),
        });
        if let Value::Object(claims) = &mut claims {
            claims.extend(self.claims.clone());
        }
        Authentication {
            user: self.user.clone(),
            access_token: KEYS.sign(Signer::Active, &claims).into(),
            refresh_token: random_id("refresh").into(),
            authentication_method: self.authentication_method.clone(),
            impersonator: self.impersonator.clone(),
            organization_id: None,
            oauth_tokens: None,
        }
    }

    fn app(&self) -> &AuthKit {
        self.app.as_ref().unwrap_or_else(|| default_app())
    }

    fn one_more(mut self, claim: &str, value: Value) -> Self {
        let values = self.claims.entry(claim).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(value);
        }
        self
    }
}

impl fmt::Debug for TestUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestUser")
            .field("email", &self.user.email)
            .finish_non_exhaustive()
    }
}

/// Seconds that a test user's access token lives.
const LIFETIME: i64 = 3600;
