mod authenticate;
mod faults;
mod pages;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::json;
use url::{Url, form_urlencoded};

use super::*;

#[actix_web::test]
async fn a_person_signs_in_and_gets_tokens_once() {
    let app = App::start(Emulator::builder());
    let page = app.get(&app.authorize(&[])).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<h1>Sign in</h1>"));

    let back = app.submit("sign-in", &[], ADA, None).await;
    let query = back.query();
    assert_eq!(query["state"], "st&te");
    assert!(
        back.cookie
            .is_some_and(|cookie| cookie.starts_with("authkit-emulator-"))
    );

    let tokens = app.exchange(&query["code"], VERIFIER).await;
    assert_eq!(tokens.status, 200);
    let tokens = tokens.json();
    assert_eq!(tokens["user"]["email"], "ada@example.com");
    assert_eq!(tokens["organization_id"], "org_acme");
    assert_eq!(tokens["authentication_method"], "Password");
    let claims = app.verified(&tokens["access_token"]);
    assert_eq!(claims["sub"], tokens["user"]["id"]);
    assert_eq!(claims["role"], "admin");
    assert_eq!(claims["permissions"][0], "billing:manage");
    assert_eq!(claims["feature_flags"], json!(["beta"]));
    assert_eq!(claims["exp"], NOW + 300);

    let again = app.exchange(&query["code"], VERIFIER).await;
    assert_eq!(
        (again.status, &again.json()["error"]),
        (400, &json!("invalid_grant"))
    );
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateCode), 2);
}

#[actix_web::test]
async fn server_calls_need_the_api_key_and_answer_lists() {
    let app = App::start(Emulator::builder());
    let session = app
        .emulator
        .session_for("grace@example.com")
        .expect("grace");
    for path in [
        "/organizations/org_acme",
        "/user_management/users/user_grace",
    ] {
        assert_eq!(app.get(path).await.status, 401);
    }
    let organization = app.get_as_server("/organizations/org_acme").await.json();
    assert_eq!(organization["name"], "Acme");
    let memberships = "/user_management/organization_memberships?user_id=user_grace";
    let memberships = app.get_as_server(memberships).await.json();
    assert_eq!(memberships["data"][1]["organization_name"], "Globex");
    assert_eq!(memberships["data"][1]["role"]["slug"], "admin");
    let sessions = "/user_management/users/user_grace/sessions";
    assert_eq!(
        app.get_as_server(sessions).await.json()["data"][0]["id"],
        session.session_id
    );
    assert_eq!(app.get_as_server("/organizations/org_x").await.status, 404);

    let body = json!({"session_id": session.session_id});
    assert_eq!(
        app.post("/user_management/sessions/revoke", body)
            .await
            .status,
        401
    );
    assert_eq!(app.emulator.calls(Endpoint::Revoke), 1);
}

#[actix_web::test]
async fn key_rotation_keeps_or_drops_the_old_key() {
    let app = App::start(Emulator::builder());
    let old = app.emulator.mint(json!({"sub": "user_1"}));
    assert_eq!(app.verified(&json!(old))["sub"], "user_1");
    app.emulator.rotate_key();
    app.verified(&json!(old));
    app.emulator.rotate_key_and_drop_old();
    assert!(app.key_of(&old).is_none());
    assert!(
        app.key_of(&app.emulator.mint_with_unknown_key(json!({})))
            .is_none()
    );
    assert!(
        app.emulator
            .public_key_pem()
            .starts_with("-----BEGIN PUBLIC KEY-----\nMII")
    );

    app.emulator.set_jwks_body(Some("not json".to_owned()));
    assert_eq!(app.get("/sso/jwks/client_emulator").await.body, "not json");
    app.emulator.set_jwks_body(None);
    assert!(app.get("/sso/jwks/client_emulator").await.json()["keys"][0]["n"].is_string());
    assert_eq!(app.get("/sso/jwks/client_other").await.status, 404);
}

#[test]
fn the_last_handle_stops_the_server_and_frees_the_port() {
    let emulator = Emulator::builder()
        .allow_in_release()
        .quiet()
        .start()
        .expect("a free port");
    let clone = emulator.clone();
    drop(emulator);
    let port = clone.port();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    drop(clone);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn seeds_that_do_not_fit_together_are_refused() {
    let lost =
        Emulator::builder().user(EmulatorUser::new("a@example.com").member_of("org_x", "admin"));
    assert!(matches!(
        lost.allow_in_release().quiet().start(),
        Err(EmulatorError::UnknownOrganization { .. })
    ));
    let twice = Emulator::builder()
        .user(EmulatorUser::new("a@example.com"))
        .user(EmulatorUser::new("A@example.com"));
    assert!(matches!(
        twice.allow_in_release().quiet().start(),
        Err(EmulatorError::DuplicateUser(_))
    ));
}

#[test]
fn times_are_written_as_the_api_writes_them() {
    assert_eq!(state::rfc3339(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(state::rfc3339(1_709_210_096), "2024-02-29T12:34:56.000Z");
    assert_eq!(state::rfc3339(-1), "1969-12-31T23:59:59.000Z");
}

/// An application's side of the wire, with a browser that follows nothing by itself.
struct App {
    emulator: Emulator,
    clock: Arc<AtomicI64>,
    client: reqwest::Client,
}

struct Answer {
    status: u16,
    location: Option<String>,
    cookie: Option<String>,
    body: String,
}

impl App {
    fn start(builder: EmulatorBuilder) -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let time = Arc::clone(&clock);
        let builder = builder
            .clock(move || time.load(Ordering::SeqCst))
            .allow_in_release();
        Self {
            emulator: builder.quiet().start().expect("an emulator"),
            clock,
            client: reqwest::Client::builder()
                .redirect(Policy::none())
                .build()
                .expect("a client"),
        }
    }

    fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The path of a good authorization request, with some parameters set otherwise.
    fn authorize(&self, changes: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let usual = [
            ("client_id", self.emulator.client_id()),
            ("redirect_uri", "http://localhost:3000/callback"),
            ("response_type", "code"),
            ("provider", "authkit"),
            ("state", "st&te"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let unchanged = usual
            .iter()
            .filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(unchanged)
            .extend_pairs(changes)
            .finish();
        format!("{}?{query}", authorize::AUTHORIZE)
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, None).await
    }

    async fn get_with(&self, path: &str, cookie: Option<&str>) -> Answer {
        let url = format!("{}{path}", self.emulator.api_url());
        let request = self.client.get(url);
        Answer::of(request.header(COOKIE, cookie.unwrap_or_default())).await
    }

    async fn get_as_server(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.emulator.api_url());
        Answer::of(self.client.get(url).bearer_auth(self.emulator.api_key())).await
    }

    async fn submit(
        &self,
        form: &str,
        changes: &[(&str, &str)],
        fields: &[(&str, &str)],
        cookie: Option<&str>,
    ) -> Answer {
        let path = self
            .authorize(changes)
            .replacen('?', &format!("/{form}?"), 1);
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .client
            .post(format!("{}{path}", self.emulator.api_url()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(COOKIE, cookie.unwrap_or_default());
        Answer::of(request.body(body)).await
    }

    /// The code that a page leads back with, once its form is filled in.
    async fn code(&self, form: &str, fields: &[(&str, &str)]) -> String {
        self.submit(form, &[], fields, None).await.query()["code"].clone()
    }

    fn session_of_ada(&self) -> EmulatorSession {
        self.emulator.session_for("ada@example.com").expect("ada")
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self
            .client
            .post(format!("{}{path}", self.emulator.api_url()))
            .header(CONTENT_TYPE, "application/json");
        Answer::of(request.body(body.to_string())).await
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Answer {
        let body =
            json!({"grant_type": "authorization_code", "code": code, "code_verifier": verifier});
        self.post("/user_management/authenticate", self.client_body(body))
            .await
    }

    async fn refresh(&self, token: &str, organization_id: Option<&str>) -> Answer {
        let body = json!({"grant_type": "refresh_token", "refresh_token": token, "organization_id": organization_id});
        self.post("/user_management/authenticate", self.client_body(body))
            .await
    }

    fn client_body(&self, mut body: Value) -> Value {
        body["client_id"] = json!(self.emulator.client_id());
        body["client_secret"] = json!(self.emulator.api_key());
        body
    }

    /// The published key that a token names.
    fn key_of(&self, token: &str) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
        let header = part(token, 0);
        let set: Value = serde_json::from_str(&self.emulator.jwks_body()).expect("a key set");
        let key = set["keys"]
            .as_array()?
            .iter()
            .find(|key| key["kid"] == header["kid"])?;
        let member = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
        Some(RsaPublicKeyComponents {
            n: member("n")?,
            e: member("e")?,
        })
    }

    /// The claims of a token whose signature holds.
    fn verified(&self, token: &Value) -> Value {
        let token = token.as_str().expect("a token");
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        self.key_of(token)
            .expect("a published key")
            .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature)
            .expect("a signature of that key");
        part(token, 1)
    }
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        Self {
            status: response.status().as_u16(),
            location: header(LOCATION),
            cookie: header(SET_COOKIE).and_then(|it| Some(it.split_once(';')?.0.to_owned())),
            body: response.text().await.expect("a body"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The query of the address that the answer redirects to.
    fn query(&self) -> std::collections::HashMap<String, String> {
        let location = self.location.as_deref().expect("a redirect");
        let uri = Url::parse(location).expect("a URL");
        assert_eq!((uri.port(), uri.path()), (Some(3000), "/callback"));
        uri.query_pairs().into_owned().collect()
    }
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    let json = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

const NOW: i64 = 1_800_000_000;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const ADA: &[(&str, &str)] = &[("email", "Ada@example.com "), ("password", "password")];
const GRACE: &[(&str, &str)] = &[("email", "grace@example.com"), ("password", "password")];
