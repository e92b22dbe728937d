//! The page where a user chooses the organization to sign in to.

use std::rc::Rc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    web,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    CallbackError, Finished,
    options::{CallbackOptions, Carried},
    respond,
};
use crate::{
    authkit::AuthKit,
    config::Origin,
    oauth::{ReturnTo, SignInOptions},
    request_info::RequestInfo,
    seal::Purpose,
    session::{Beginning, CookieChange, Grant, Outcome, Resolution},
    web::{
        cache_control::CachePolicy,
        negotiate::is_same_origin,
        pages,
        rejection::{self, cross_site},
        request_session::RequestSession,
        routes::method_not_allowed,
        set_cookie::{self, cookie_pairs},
    },
    workos::{OrganizationChoice, StepUp},
};

/// A sign-in that waits for the choice of an organization, as its cookie carries it.
#[derive(Serialize, Deserialize)]
struct Pending {
    token: String,
    organizations: Vec<OrganizationChoice>,
    return_to: String,
    /// Where AuthKit came back to, if not to the configured address.
    #[serde(default)]
    redirect_uri: Option<Url>,
    #[serde(default)]
    options: SignInOptions,
    issued_at: i64,
}

/// Leads to the page, if that is the step which WorkOS asks for.
pub(super) fn lead(
    authkit: &AuthKit,
    step_up: &StepUp,
    return_to: &ReturnTo,
    redirect_uri: Option<&Url>,
    options: &SignInOptions,
) -> Option<HttpResponse> {
    if step_up.code != "organization_selection_required" || step_up.organizations.is_empty() {
        return None;
    }
    let inner = &authkit.inner;
    let pending = Pending {
        token: step_up
            .pending_authentication_token
            .as_ref()?
            .expose_secret()
            .to_owned(),
        organizations: step_up.organizations.clone(),
        return_to: return_to.as_str().to_owned(),
        redirect_uri: redirect_uri.cloned(),
        options: options.clone(),
        issued_at: inner.clock.unix_seconds(),
    };
    let json = serde_json::to_vec(&pending).ok()?;
    let sealed = inner
        .sealer
        .seal(Purpose::PendingAuthentication, &json)
        .ok()?;
    if sealed.len() + COOKIE.len() > LARGEST_COOKIE {
        tracing::error!(
            organizations = pending.organizations.len(),
            "a user has more organizations than a cookie holds: no choice can be offered"
        );
        return None;
    }
    let path = &inner.config.paths.select_organization;
    let chosen = redirect_uri.map(Origin::of);
    let origin = chosen.as_ref().unwrap_or(&inner.config.base_url);
    let address = format!("{origin}{path}");
    let cookie = set_cookie::verifier_cookie(&inner.config.cookie, COOKIE, &sealed);
    Some(
        HttpResponse::SeeOther()
            .insert_header((LOCATION, address))
            .insert_header((SET_COOKIE, cookie))
            .finish(),
    )
}

pub(super) async fn select_organization(
    request: HttpRequest,
    body: web::Bytes,
    authkit: web::Data<AuthKit>,
    options: Rc<CallbackOptions>,
) -> HttpResponse {
    let Some(session) = RequestSession::of(&request) else {
        return rejection::unavailable(&request, 1);
    };
    let pending = pending(&authkit, &request);
    let mut response = match (request.method(), pending) {
        (&Method::GET, Some(pending)) => return page(&authkit, &options, &request, &pending),
        (&Method::POST, _) if !is_same_origin(&authkit, &request) => {
            return cross_site(&request);
        }
        (&Method::POST, Some(pending)) => {
            let chosen = url::form_urlencoded::parse(&body)
                .find(|(name, _)| name == "organization_id")
                .map(|(_, id)| id.into_owned());
            let outcome = match chosen.filter(|id| pending.offers(id)) {
                Some(organization_id) => {
                    let info = options.request_info(&request);
                    finish(&authkit, &session, &options, info, pending, organization_id).await
                }
                None => return page(&authkit, &options, &request, &pending),
            };
            respond(&authkit, &request, &options, outcome).await
        }
        (&Method::GET | &Method::POST, None) => {
            let outcome = Err(CallbackError::UnknownState);
            respond(&authkit, &request, &options, outcome).await
        }
        _ => return method_not_allowed(&request, "GET, POST"),
    };
    let removal = set_cookie::verifier_removal(&authkit.inner.config.cookie, COOKIE);
    if let Ok(removal) = removal.parse() {
        response.headers_mut().append(SET_COOKIE, removal);
    }
    response
}

async fn finish(
    authkit: &AuthKit,
    session: &RequestSession,
    options: &CallbackOptions,
    request: RequestInfo,
    pending: Pending,
    organization_id: String,
) -> Result<Finished, CallbackError> {
    let carried = Carried {
        custom: pending.options.custom,
        request,
    };
    let once = format!("{}\0{organization_id}", pending.token);
    let begun = authkit
        .inner
        .beginnings
        .begin(
            &once,
            Beginning {
                admit: options.admit(&carried),
                begun: options.begun(&carried),
                request: carried.request,
                reauthenticated_at: pending.options.max_age.map(|_| pending.issued_at),
                grant: Grant::Organization {
                    pending_authentication_token: SecretString::from(pending.token),
                    organization_id,
                },
            },
        )
        .await?;
    session.replace(Resolution {
        outcome: Outcome::SignedIn(begun.signed_in.clone()),
        cookie: CookieChange::Set(begun.sealed.clone()),
    });
    Ok(Finished::SignedIn {
        return_to: ReturnTo::parse_or_root(&pending.return_to),
        origin: pending.redirect_uri.as_ref().map(Origin::of),
        is_replay: false,
        // The user's own choice lies between.
        rounds: None,
    })
}

impl Pending {
    fn offers(&self, organization_id: &str) -> bool {
        self.organizations
            .iter()
            .any(|organization| organization.id == organization_id)
    }
}

/// What the request's cookie says, if it is ours, the only one and not too old.
fn pending(authkit: &AuthKit, request: &HttpRequest) -> Option<Pending> {
    let mut cookies = request
        .headers()
        .get_all(actix_web::http::header::COOKIE)
        .flat_map(cookie_pairs)
        .filter(|(name, _)| *name == COOKIE);
    let (_, sealed) = cookies.next()?;
    if cookies.next().is_some() {
        return None;
    }
    let inner = &authkit.inner;
    let opened = inner
        .sealer
        .open(Purpose::PendingAuthentication, sealed)
        .ok()?;
    let pending: Pending = serde_json::from_slice(&opened.plaintext).ok()?;
    let age = inner.clock.unix_seconds().saturating_sub(pending.issued_at);
    (age <= LIFETIME).then_some(pending)
}

fn page(
    authkit: &AuthKit,
    options: &CallbackOptions,
    request: &HttpRequest,
    pending: &Pending,
) -> HttpResponse {
    if let Some(page) = &options.organization_page {
        let mut response = page(&pending.organizations, request);
        CachePolicy::private(request.headers()).apply(response.headers_mut());
        return response;
    }
    let action = &authkit.inner.config.paths.select_organization;
    let choices = pending
        .organizations
        .iter()
        .map(|organization| (organization.id.as_str(), organization.name.as_str()));
    let mut response = pages::choice(
        StatusCode::OK,
        "Choose an organization",
        "You belong to several. Which one do you want to sign in to?",
        action,
        "organization_id",
        choices,
    );
    CachePolicy::private(request.headers()).apply(response.headers_mut());
    response
}

const COOKIE: &str = "wos-auth-pending";
/// Seconds.
const LIFETIME: i64 = 600;
const LARGEST_COOKIE: usize = 4096;
