use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, ContentType};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use url::{Url, form_urlencoded};

use super::browser::{browser_cookie, browser_of, page, redirect};
use super::faults::Endpoint;
use super::pages;
use super::seeds::Impersonator;
use super::state::{Account, Session, Settings, State, Store, rfc3339};

/// `GET /sso/jwks/{client_id}`.
pub(super) async fn jwks(state: Data<State>, client_id: Path<String>) -> HttpResponse {
    state
        .faults
        .answer(Endpoint::Jwks, |signer| {
            if *client_id != state.settings.client_id {
                return not_found();
            }
            HttpResponse::Ok()
                .content_type(ContentType::json())
                .body(state.keys().jwks(signer))
        })
        .await
}

/// `GET /user_management/sessions/logout`: ends the session, and the browser's sign-in with it.
pub(super) async fn logout(state: Data<State>, http: HttpRequest) -> HttpResponse {
    state
        .faults
        .answer(Endpoint::Logout, |_| sign_out(&state, &http))
        .await
}

fn sign_out(state: &State, http: &HttpRequest) -> HttpResponse {
    let query = Query::parse(http.query_string());
    let Some(session_id) = query.get("session_id") else {
        let html = pages::notice(
            "This sign-out cannot start",
            "The parameter session_id is missing.",
        );
        return page(StatusCode::BAD_REQUEST, html);
    };
    let browser = browser_of(state, http);
    state.end_session(session_id);
    let mut store = state.store();
    if let Some(browser) = &browser {
        store.browsers.remove(browser);
    }
    let target = query
        .get("return_to")
        .and_then(|uri| Url::parse(uri).ok())
        .filter(|uri| state.settings.may_return_to(uri))
        .or_else(|| state.settings.logout_uri.clone())
        .or_else(|| store.last_redirect_uri.as_ref()?.join("/").ok());
    let mut response = match target {
        Some(target) => redirect(&target),
        None => page(
            StatusCode::OK,
            pages::notice("Signed out", "You can close this page."),
        ),
    };
    if browser.is_some() {
        let mut cookie = browser_cookie(state, "");
        cookie.make_removal();
        // A name of letters, digits and dashes always makes a header.
        let _ = response.add_cookie(&cookie);
    }
    response
}

/// `POST /user_management/sessions/revoke`.
pub(super) async fn revoke(state: Data<State>, http: HttpRequest, body: Bytes) -> HttpResponse {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let session_id = body["session_id"].as_str().unwrap_or_default();
    state
        .faults
        .answer(Endpoint::Revoke, |_| {
            if !is_server(&state.settings, &http) {
                return unauthorized();
            }
            if !state.end_session(session_id) {
                return not_found();
            }
            let session = state.store().sessions.get(session_id).map(session_json);
            HttpResponse::Ok().json(session)
        })
        .await
}

/// `GET /organizations/{id}`.
pub(super) async fn organization(
    state: Data<State>,
    http: HttpRequest,
    id: Path<String>,
) -> HttpResponse {
    server_call(&state, &http, |store| {
        let organization = store.seeds.organization(&id)?;
        let created_at = rfc3339(store.started_at);
        Some(json!({
            "object": "organization",
            "id": organization.id,
            "name": organization.name,
            "domains": [],
            "metadata": {},
            "external_id": null,
            "created_at": created_at,
            "updated_at": created_at,
        }))
    })
    .await
}

/// `GET /user_management/users/{id}`.
pub(super) async fn user(state: Data<State>, http: HttpRequest, id: Path<String>) -> HttpResponse {
    server_call(&state, &http, |store| store.account(&id).map(Account::json)).await
}

/// `DELETE /user_management/users/{id}`.
pub(super) async fn delete_user(
    state: Data<State>,
    http: HttpRequest,
    id: Path<String>,
) -> HttpResponse {
    state
        .faults
        .answer(Endpoint::Other, |_| {
            if !is_server(&state.settings, &http) {
                return unauthorized();
            }
            match state.delete_user(&id) {
                true => HttpResponse::NoContent().finish(),
                false => not_found(),
            }
        })
        .await
}

/// `GET /user_management/users/{id}/sessions`.
pub(super) async fn sessions(
    state: Data<State>,
    http: HttpRequest,
    id: Path<String>,
) -> HttpResponse {
    server_call(&state, &http, |store| {
        let account = store.account(&id)?;
        let mut sessions: Vec<&Session> = store
            .sessions
            .values()
            .filter(|session| session.sign_in.user_id == account.id)
            .collect();
        sessions.sort_by_key(|session| (session.created_at, &session.id));
        Some(list(sessions.into_iter().map(session_json).collect()))
    })
    .await
}

/// `GET /user_management/organization_memberships?user_id=`, or by `organization_id`.
pub(super) async fn memberships(state: Data<State>, http: HttpRequest) -> HttpResponse {
    let query = Query::parse(http.query_string());
    let (user_id, organization_id) = (query.get("user_id"), query.get("organization_id"));
    server_call(&state, &http, |store| {
        let memberships = store
            .accounts
            .iter()
            .filter(|account| user_id.is_none_or(|id| account.id == id))
            .flat_map(|account| memberships_of(store, account))
            .filter(|it| organization_id.is_none_or(|id| it["organization_id"] == id))
            .collect();
        Some(list(memberships))
    })
    .await
}

/// Any other path.
pub(super) async fn unknown(state: Data<State>) -> HttpResponse {
    state.faults.answer(Endpoint::Other, |_| not_found()).await
}

async fn server_call(
    state: &State,
    http: &HttpRequest,
    find: impl FnOnce(&Store) -> Option<Value>,
) -> HttpResponse {
    state
        .faults
        .answer(Endpoint::Other, |_| {
            if !is_server(&state.settings, http) {
                return unauthorized();
            }
            match find(&state.store()) {
                Some(body) => HttpResponse::Ok().json(body),
                None => not_found(),
            }
        })
        .await
}

pub(super) fn is_server(settings: &Settings, http: &HttpRequest) -> bool {
    let given = http
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    given
        .ct_eq(settings.api_key.expose_secret().as_bytes())
        .into()
}

pub(super) fn unauthorized() -> HttpResponse {
    HttpResponse::Unauthorized().json(json!({"message": "Unauthorized"}))
}

fn not_found() -> HttpResponse {
    HttpResponse::NotFound().json(json!({
        "code": "entity_not_found",
        "message": "There is nothing here.",
    }))
}

pub(super) fn memberships_of<'a>(
    store: &'a Store,
    account: &'a Account,
) -> impl Iterator<Item = Value> + 'a {
    account.user.memberships.iter().map(|membership| {
        let id = &membership.organization_id;
        let slugs = membership.roles.iter().map(|slug| json!({"slug": slug}));
        let created_at = rfc3339(account.created_at);
        json!({
            "object": "organization_membership",
            "id": format!("om_{}_{id}", account.id),
            "user_id": account.id,
            "organization_id": id,
            "organization_name": store.seeds.organization(id).map(|it| &it.name),
            "status": "active",
            "directory_managed": false,
            "role": slugs.clone().next(),
            "roles": slugs.collect::<Vec<_>>(),
            "user": account.json(),
            "created_at": created_at,
            "updated_at": created_at,
        })
    })
}

pub(super) fn session_json(session: &Session) -> Value {
    let method = match session.sign_in.authentication_method.as_str() {
        "Password" => "password",
        "SSO" => "sso",
        "Impersonation" => "impersonation",
        "Passkey" => "passkey",
        "MagicAuth" => "magic_code",
        method if method.ends_with("OAuth") => "oauth",
        _ => "unknown",
    };
    json!({
        "object": "session",
        "id": session.id,
        "user_id": session.sign_in.user_id,
        "organization_id": session.sign_in.organization_id,
        "impersonator": session.sign_in.impersonator.as_ref().map(Impersonator::json),
        "ip_address": session.ip_address,
        "user_agent": session.user_agent,
        "auth_method": method,
        "status": if session.ended_at.is_some() { "revoked" } else { "active" },
        "expires_at": rfc3339(session.created_at + SESSION_LIFETIME),
        "ended_at": session.ended_at.map(rfc3339),
        "created_at": rfc3339(session.created_at),
        "updated_at": rfc3339(session.ended_at.unwrap_or(session.created_at)),
    })
}

fn list(data: Vec<Value>) -> Value {
    json!({
        "object": "list",
        "data": data,
        "list_metadata": {"before": null, "after": null},
    })
}

struct Query(HashMap<String, String>);

impl Query {
    fn parse(query: &str) -> Self {
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// What the session list says; the emulator itself ends no session by age. One year.
const SESSION_LIFETIME: i64 = 365 * 86_400;
