use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use super::RefreshReuse;
use super::authorize::CODE_LIFETIME;
use super::faults::Endpoint;
use super::keys::{Signer, random_id};
use super::state::{Account, Code, RefreshToken, Settings, Spent, State, Store};

/// `POST /user_management/authenticate`, RFC 6749 sections 4.1.3 and 6 with WorkOS's own grants.
pub(super) async fn authenticate(
    state: Data<State>,
    http: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    let request = Parameters::parse(&http, &body);
    let (endpoint, grant): (_, Grant) = match request.get("grant_type") {
        Some("authorization_code") => (Endpoint::AuthenticateCode, authorization_code),
        Some("refresh_token") => (Endpoint::AuthenticateRefresh, refresh_token),
        Some(ORGANIZATION_SELECTION) => {
            (Endpoint::AuthenticateOrganization, organization_selection)
        }
        _ => (Endpoint::Other, unsupported),
    };
    state
        .faults
        .answer(endpoint, |signer| {
            if !is_client(&state.settings, &request) {
                let description = "client_id or client_secret is wrong.";
                return refused(StatusCode::UNAUTHORIZED, "invalid_client", description).response();
            }
            let mut store = state.store();
            match grant(&state, &mut store, &request, signer) {
                Ok(body) => HttpResponse::Ok().json(body),
                Err(refusal) => refusal.response(),
            }
        })
        .await
}

type Answer = Result<Value, Refusal>;
type Grant = fn(&State, &mut Store, &Parameters, Signer) -> Answer;

fn authorization_code(
    state: &State,
    store: &mut Store,
    request: &Parameters,
    signer: Signer,
) -> Answer {
    // Whatever follows, the code is used up.
    let code = request
        .get("code")
        .and_then(|code| store.codes.remove(code))
        .filter(|code| state.now() - code.issued_at <= CODE_LIFETIME)
        .ok_or_else(|| invalid_grant("The code is unknown, used or expired."))?;
    if !proves(request.get("code_verifier"), code.challenge.as_deref()) {
        return Err(invalid_grant(
            "The code_verifier does not match the code_challenge.",
        ));
    }
    let account = account_of(store, &code)?;
    if code.sign_in.organization_id.is_none() && account.user.memberships.len() > 1 {
        return Err(selection_required(store, &account, code));
    }
    open(state, store, request, code, signer)
}

fn organization_selection(
    state: &State,
    store: &mut Store,
    request: &Parameters,
    signer: Signer,
) -> Answer {
    let token = request
        .get("pending_authentication_token")
        .unwrap_or_default();
    let mut code = store
        .pending
        .get(token)
        .filter(|code| state.now() - code.issued_at <= CODE_LIFETIME)
        .cloned()
        .ok_or_else(|| invalid_grant("The pending authentication token is unknown or expired."))?;
    let organization_id = request.get("organization_id").unwrap_or_default();
    if account_of(store, &code)?.roles(organization_id).is_none() {
        return Err(not_authorized());
    }
    store.pending.remove(token);
    code.sign_in.organization_id = Some(organization_id.to_owned());
    open(state, store, request, code, signer)
}

fn refresh_token(state: &State, store: &mut Store, request: &Parameters, signer: Signer) -> Answer {
    let now = state.now();
    let token = request.get("refresh_token").unwrap_or_default();
    let known = store
        .refresh_tokens
        .get(token)
        .ok_or_else(|| invalid_grant("The refresh token is unknown or used."))?;
    let mut session = store
        .sessions
        .get(&known.session_id)
        .filter(|session| session.ended_at.is_none())
        .cloned()
        .ok_or_else(|| invalid_grant("Session has already ended."))?;

    let mut successor = None;
    if let Some(spent) = &known.spent {
        let repeatable = state.settings.refresh_reuse == RefreshReuse::Repeat
            && (0..=REPEAT_WINDOW).contains(&now.saturating_sub(spent.at));
        if !repeatable {
            return Err(invalid_grant("The refresh token is used."));
        }
        if asks_nothing_new(request, spent) {
            return Ok(state.authentication(store, &spent.grant, signer));
        }
        successor = Some(spent.grant.refresh_token.clone());
    }

    if let Some(wanted) = request.get("organization_id") {
        let current = session.sign_in.organization_id.as_deref() == Some(wanted);
        let demanded = store.seeds.organization(wanted).and_then(|it| it.step_up);
        if let Some(step_up) = demanded.filter(|_| !current) {
            let message = "The organization demands another way of signing in.";
            return Err(coded(step_up.code(), message, json!({})));
        }
        session.sign_in.organization_id = Some(wanted.to_owned());
    }
    if let Some(organization_id) = &session.sign_in.organization_id {
        let member = store
            .account(&session.sign_in.user_id)
            .is_some_and(|account| account.roles(organization_id).is_some());
        if !member {
            return Err(not_authorized());
        }
    }

    store.sessions.insert(session.id.clone(), session.clone());
    let successor = successor.unwrap_or_else(|| store.issue_refresh_token(&session.id));
    let grant = state.grant(store, &session, successor);
    let spent = Spent {
        at: now,
        organization_id: session.sign_in.organization_id.clone(),
        grant: grant.clone(),
    };
    let rotated = RefreshToken {
        session_id: session.id,
        spent: Some(spent),
    };
    store.refresh_tokens.retain(|_, token| {
        let spent = token.spent.as_ref();
        spent.is_none_or(|spent| now.saturating_sub(spent.at) <= REPEAT_WINDOW)
    });
    store.refresh_tokens.insert(token.to_owned(), rotated);
    Ok(state.authentication(store, &grant, signer))
}

fn unsupported(_: &State, _: &mut Store, _: &Parameters, _: Signer) -> Answer {
    Err(refused(
        StatusCode::BAD_REQUEST,
        "unsupported_grant_type",
        "The emulator does not know this grant_type.",
    ))
}

/// Opens the session of a sign-in that is complete.
fn open(
    state: &State,
    store: &mut Store,
    request: &Parameters,
    code: Code,
    signer: Signer,
) -> Answer {
    let oauth_tokens = account_of(store, &code)?.user.oauth_tokens;
    let mut session = store.open_session(code, state.now());
    session.ip_address = request.get("ip_address").map(str::to_owned);
    session.user_agent = request.get("user_agent").map(str::to_owned);
    store.sessions.insert(session.id.clone(), session.clone());
    let refresh_token = store.issue_refresh_token(&session.id);
    let grant = state.grant(store, &session, refresh_token);
    let mut body = state.authentication(store, &grant, signer);
    if let Some(tokens) = oauth_tokens {
        body["oauth_tokens"] = tokens;
    }
    Ok(body)
}

fn selection_required(store: &mut Store, account: &Account, code: Code) -> Refusal {
    let memberships = account.user.memberships.iter();
    let organizations: Vec<Value> = memberships
        .filter_map(|membership| store.seeds.organization(&membership.organization_id))
        .map(|organization| json!({"id": organization.id, "name": organization.name}))
        .collect();
    let token = random_id("pending");
    store
        .pending
        .retain(|_, other| code.issued_at - other.issued_at <= CODE_LIFETIME);
    store.pending.insert(token.clone(), code);
    coded(
        "organization_selection_required",
        "The user must choose an organization to finish their authentication.",
        json!({
            "pending_authentication_token": token,
            "organizations": organizations,
            "user": account.json(),
        }),
    )
}

fn account_of(store: &Store, code: &Code) -> Result<Account, Refusal> {
    store
        .account(&code.sign_in.user_id)
        .cloned()
        .ok_or_else(|| invalid_grant("The user is gone."))
}

/// RFC 7636 section 4.6; a verifier without a challenge is refused too, RFC 9700 section 4.8.2.
fn proves(verifier: Option<&str>, challenge: Option<&str>) -> bool {
    match (verifier, challenge) {
        (None, None) => true,
        (Some(verifier), Some(challenge)) => {
            URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == challenge
        }
        _ => false,
    }
}

fn asks_nothing_new(request: &Parameters, spent: &Spent) -> bool {
    request
        .get("organization_id")
        .is_none_or(|wanted| spent.organization_id.as_deref() == Some(wanted))
}

fn is_client(settings: &Settings, request: &Parameters) -> bool {
    let secret = request.get("client_secret").unwrap_or_default();
    let expected = settings.api_key.expose_secret();
    request.get("client_id") == Some(&settings.client_id)
        && bool::from(secret.as_bytes().ct_eq(expected.as_bytes()))
}

/// The string members of a JSON or form body; anything else counts as absent.
struct Parameters(Map<String, Value>);

impl Parameters {
    fn parse(http: &HttpRequest, body: &[u8]) -> Self {
        let content_type = http.headers().get(CONTENT_TYPE);
        let form = content_type.is_some_and(|it| {
            it.as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        });
        Self(if form {
            form_urlencoded::parse(body)
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect()
        } else {
            serde_json::from_slice(body).unwrap_or_default()
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|value| !value.is_empty())
    }
}

/// An answer that gives no tokens.
struct Refusal {
    status: StatusCode,
    body: Value,
}

impl Refusal {
    fn response(self) -> HttpResponse {
        HttpResponse::build(self.status).json(self.body)
    }
}

fn invalid_grant(description: &str) -> Refusal {
    refused(StatusCode::BAD_REQUEST, "invalid_grant", description)
}

fn not_authorized() -> Refusal {
    let message = "The user is not a member of this organization.";
    coded("organization_not_authorized", message, json!({}))
}

/// An error as OAuth writes it, RFC 6749 section 5.2.
fn refused(status: StatusCode, error: &str, description: &str) -> Refusal {
    Refusal {
        status,
        body: json!({"error": error, "error_description": description}),
    }
}

/// An error as WorkOS writes it where a user could do something about it.
fn coded(code: &str, message: &str, mut body: Value) -> Refusal {
    body["code"] = json!(code);
    body["message"] = json!(message);
    Refusal {
        status: StatusCode::FORBIDDEN,
        body,
    }
}

const ORGANIZATION_SELECTION: &str = "urn:workos:oauth:grant-type:organization-selection";
/// How long a repeated refresh gets the same pair, in seconds.
const REPEAT_WINDOW: i64 = 30;
