//! What the benchmarks share: AuthKit in front of an emulator, and cookies as browsers send them.

#![allow(dead_code, reason = "each benchmark needs a part of it")]

use std::{
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

use actix_web::{
    HttpMessage as _, HttpRequest,
    http::header::{COOKIE, HeaderValue},
    rt::System,
    test::TestRequest,
};
use authkit_actix::{AuthKit, AuthStatus, Authentication, emulator::Emulator};
use futures::FutureExt as _;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// An emulator that issues the tokens and publishes its keys.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    /// It makes the cookies, and has seen all tokens.
    issuer: AuthKit,
    now: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        let emulator = Emulator::builder()
            .quiet()
            .allow_in_release()
            .start()
            .expect("a free port");
        Self {
            issuer: authkit(&emulator),
            emulator,
            now: now(),
        }
    }

    /// An AuthKit that has the keys, and knows no token of [`session`](Self::session) yet.
    pub(crate) fn authkit(&self) -> AuthKit {
        let authkit = authkit(&self.emulator);
        let request = request(&self.cookie(&self.small_session()));
        let session = System::new().block_on(authkit.session(&request));
        assert!(matches!(session.status(), AuthStatus::SignedIn(_)));
        authkit
    }

    /// The session of a user of that number: a token of 1.2 kB and a full profile.
    pub(crate) fn session(&self, number: usize) -> Value {
        let user = format!("user_01HXYZ{number:020}");
        let token = self.emulator.mint(json!({
            "iss": format!("https://api.workos.com/user_management/{}", self.emulator.client_id()),
            "sub": user,
            "sid": format!("session_01HXYZ{number:020}"),
            "jti": format!("01HXYZ{number:020}"),
            "iat": self.now,
            "exp": self.now + LIFETIME,
            "auth_time": self.now,
            "client_id": self.emulator.client_id(),
            "org_id": format!("org_01HXYZ{number:020}"),
            "role": "admin",
            "roles": ["admin", "member"],
            "permissions": ["billing:manage", "posts:write", "posts:publish", "users:manage"],
            "entitlements": ["audit-logs", "sso"],
            "feature_flags": ["new-editor", "beta"],
        }));
        json!({
            "access_token": token,
            "refresh_token": format!("{number:025}"),
            "user": {
                "object": "user",
                "id": user,
                "email": EMAIL,
                "email_verified": true,
                "first_name": "Ada",
                "last_name": "Lovelace",
                "profile_picture_url": format!("https://workoscdn.com/images/v1/{number:043}"),
                "last_sign_in_at": "2026-01-01T12:00:00.000Z",
                "locale": "en-GB",
                "created_at": "2025-01-01T12:00:00.000Z",
                "updated_at": "2026-01-01T12:00:00.000Z",
                "external_id": null,
                "metadata": {},
            },
            "authentication_method": "Password",
        })
    }

    /// The `Cookie` headers of users of these numbers.
    pub(crate) fn cookies(&self, numbers: Range<usize>) -> Vec<String> {
        let sessions = numbers.map(|number| self.session(number));
        System::new().block_on(async {
            let mut cookies = Vec::new();
            for session in sessions {
                cookies.push(self.cookie_of(&session).await);
            }
            cookies
        })
    }

    /// The `Cookie` header of a browser with that session.
    pub(crate) fn cookie(&self, session: &Value) -> String {
        System::new().block_on(self.cookie_of(session))
    }

    async fn cookie_of(&self, session: &Value) -> String {
        let session = Authentication::deserialize(session).expect("a session");
        let cookies = self.issuer.session_cookies(session).await;
        let cookies = cookies.expect("a genuine token");
        let pairs = cookies.iter().filter_map(|cookie| cookie.split(';').next());
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// A session of the emulator's own whose token is about to run out, and which is refreshed.
    pub(crate) fn due_session(&self) -> Value {
        let session = self.emulator.session_for(EMAIL).expect("a sample user");
        let token = self.emulator.mint(json!({
            "sub": session.user["id"],
            "sid": session.session_id,
            "iat": self.now - 2 * LIFETIME,
            "exp": now() + SOON,
        }));
        json!({
            "access_token": token,
            "refresh_token": session.refresh_token,
            "user": session.user,
        })
    }

    /// The emulator's key set with so many keys in it, the one that signs being the last.
    pub(crate) fn key_set(&self, keys: usize) -> String {
        let published = self.emulator.jwks_body();
        let published: Value = serde_json::from_str(&published).expect("JSON");
        let key = &published["keys"][0];
        let mut all: Vec<_> = (1..keys)
            .map(|number| {
                let mut other = key.clone();
                other["kid"] = json!(format!("key_{number}"));
                other
            })
            .collect();
        all.push(key.clone());
        json!({ "keys": all }).to_string()
    }

    /// A session and the keys of its token, for checks that are not in Rust.
    pub(crate) fn for_others(&self) -> Value {
        json!({
            "client_id": self.emulator.client_id(),
            "jwks": self.emulator.jwks_body(),
            "session": self.session(0),
        })
    }

    /// The smallest session there is: a token with the required claims, and a user with an address.
    pub(crate) fn small_session(&self) -> Value {
        let token = self.emulator.mint(json!({
            "sub": "user_1", "sid": "session_1", "iat": self.now, "exp": self.now + LIFETIME,
        }));
        json!({
            "access_token": token,
            "refresh_token": "1",
            "user": { "id": "user_1", "email": EMAIL },
        })
    }

    /// A session whose user carries metadata, until its cookie has about so many bytes.
    pub(crate) fn large_session(&self, cookie_bytes: usize) -> Value {
        let mut session = self.session(0);
        let missing = (cookie_bytes * 3 / 4).saturating_sub(session.to_string().len());
        let metadata = (0..missing.div_ceil(VALUE)).map(|index| {
            let value = "x".repeat(VALUE.min(missing - index * VALUE).saturating_sub(KEY));
            (format!("key-{index:04}"), Value::String(value))
        });
        session["user"]["metadata"] = Value::Object(metadata.collect());
        session
    }
}

fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    now.as_secs().try_into().expect("a clock before the end")
}

fn authkit(emulator: &Emulator) -> AuthKit {
    AuthKit::builder()
        .emulator(emulator)
        .cookie_password("a cookie password of the benchmarks")
        .redirect_uri("http://localhost:3000/callback")
        .build()
        .expect("a right configuration")
}

/// A request with that `Cookie` header.
pub(crate) fn request(cookie_header: &str) -> HttpRequest {
    let cookies = HeaderValue::from_str(cookie_header).expect("a header value");
    TestRequest::default()
        .insert_header((COOKIE, cookies))
        .to_http_request()
}

/// A check, from the `Cookie` header to a user; nobody waits for anything.
pub(crate) fn is_signed_in(authkit: &AuthKit, request: &HttpRequest) -> bool {
    let session = authkit.session(request).now_or_never();
    let status = session.expect("a check that waits for nobody").status();
    request.extensions_mut().clear();
    matches!(status, AuthStatus::SignedIn(_))
}

/// Shows these sessions to AuthKit.
pub(crate) fn learn(authkit: &AuthKit, cookies: &[String]) {
    for cookie in cookies {
        assert!(is_signed_in(authkit, &request(cookie)));
    }
}

/// A cookie of the same length that does not open.
pub(crate) fn altered(cookie: &str) -> String {
    let mut altered = cookie.to_owned();
    let last = if altered.pop() == Some('A') { 'Q' } else { 'A' };
    altered.push(last);
    altered
}

pub(crate) const EMAIL: &str = "ada@example.com";
/// No token runs out in a benchmark.
const LIFETIME: i64 = 24 * 60 * 60;
/// Within the refresh buffer.
const SOON: i64 = 30;
/// A member of the metadata, and what of it is not the value.
const VALUE: usize = 600;
const KEY: usize = 14;
