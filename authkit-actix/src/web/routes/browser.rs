//! What the scripts of the application's own pages ask for, as JSON; see `client/`.

use std::{rc::Rc, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Result,
    http::{
        Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    web,
};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::method_not_allowed;
use crate::{
    authkit::AuthKit,
    flights::FlightKey,
    oauth::{Screen, SignInOptions},
    session::{CookieChange, Freshness, Outcome, Resolution, SignedIn},
    web::{
        auth::{Auth, RefreshError, allowed_return_to, end_session_in},
        browser_session::BrowserSession,
        client_script::{MODULE, Module},
        negotiate::{header, is_from_elsewhere, is_same_origin},
        rejection::{self, Problem, as_error, cross_site, problem_details, unavailable},
        request_session::RequestSession,
    },
};

/// An access token, with the session that it speaks of.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
struct TokenAnswer {
    access_token: String,
    /// In seconds, counted by the server's clock.
    #[cfg_attr(test, ts(type = "number"))]
    expires_in: i64,
    session: BrowserSession,
}

/// Where a sign-out goes on.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
struct SignOutAnswer {
    url: String,
}

#[derive(Deserialize)]
struct Choice {
    organization_id: String,
}

#[derive(Default, Deserialize)]
struct Leaving {
    return_to: Option<String>,
}

/// Who is signed in.
pub(super) async fn session(
    request: HttpRequest,
    authkit: web::Data<AuthKit>,
) -> Result<HttpResponse> {
    let asker = reader(&request, &authkit).await?;
    Ok(match asker.auth.browser_session() {
        Some(session) => json(&session),
        None => asker.signed_out(),
    })
}

/// An access token that holds for a while yet.
pub(super) async fn token(
    request: HttpRequest,
    authkit: web::Data<AuthKit>,
) -> Result<HttpResponse> {
    let asker = reader(&request, &authkit).await?;
    Ok(asker.token().await)
}

/// Refreshes the session, unless that has just been done.
pub(super) async fn refresh(
    request: HttpRequest,
    body: web::Bytes,
    authkit: web::Data<AuthKit>,
) -> Result<HttpResponse> {
    instruction::<IgnoredAny>(&request, &authkit, &body)?;
    let asker = Asker::of(&request, &authkit).await?;
    let lately = authkit.inner.sessions.refreshed_lately(&asker.signed_in);
    Ok(match lately {
        Some(true) => asker.token().await,
        Some(false) => unavailable(&request, RETRY_AFTER),
        None => match asker.auth.refresh_session().await {
            Ok(_) => asker.token().await,
            Err(error) => asker.refused(error),
        },
    })
}

/// Switches the session to another organization of the user's, or names its own.
pub(super) async fn organization(
    request: HttpRequest,
    body: web::Bytes,
    authkit: web::Data<AuthKit>,
) -> Result<HttpResponse> {
    if request.method() == Method::GET {
        let asker = reader(&request, &authkit).await?;
        return Ok(asker.organization(&authkit).await);
    }
    let choice: Option<Choice> = instruction(&request, &authkit, &body)?;
    let Some(Choice { organization_id }) = choice else {
        return Ok(malformed(&request));
    };
    let asker = Asker::of(&request, &authkit).await?;
    if !is_plausible(&organization_id) {
        return Ok(asker.refused(RefreshError::OrganizationRefused));
    }
    let switched = asker.auth.switch_to_organization(&organization_id).await;
    Ok(match switched {
        Ok(_) => asker.token().await,
        Err(error) => asker.refused(error),
    })
}

/// Ends the session here, and says where WorkOS ends it.
pub(super) async fn sign_out(
    request: HttpRequest,
    body: web::Bytes,
    authkit: web::Data<AuthKit>,
) -> Result<HttpResponse> {
    let leaving: Leaving = instruction(&request, &authkit, &body)?.unwrap_or_default();
    let Some(session) = RequestSession::of(&request) else {
        return Ok(unavailable(&request, RETRY_AFTER));
    };
    let return_to = leaving
        .return_to
        .and_then(|address| allowed_return_to(&authkit, &request, &address));
    let found = session.found_cookies();
    let sessions = &authkit.inner.sessions;
    let signed_in = sessions.genuine(&found.candidates()).await;
    let mut response = HttpResponse::Ok().finish();
    let url = end_session_in(&mut response, &session, &request, signed_in, return_to);
    let body = serde_json::to_string(&SignOutAnswer { url }).unwrap_or_default();
    describe(response.headers_mut());
    Ok(response.set_body(body).map_into_boxed_body())
}

/// The browser module: the same for everyone.
pub(super) async fn client(request: HttpRequest) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return method_not_allowed(&request, "GET, HEAD");
    }
    if let Some(session) = RequestSession::of(&request) {
        session.is_for_everyone();
    }
    let Module {
        source,
        name,
        integrity,
    } = &*MODULE;
    let etag = format!("\"{integrity}\"");
    let is_this_version = request.path().ends_with(name.as_str());
    let cache = if is_this_version {
        FOR_EVER
    } else {
        FOR_AN_HOUR
    };
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    response
        .content_type("text/javascript; charset=utf-8")
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((ETAG, etag.as_str()))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if header(request.headers(), IF_NONE_MATCH.as_str()) == Some(&etag) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    response.body(*source)
}

/// A signed-in script of the application's own.
struct Asker {
    session: Rc<RequestSession>,
    signed_in: Arc<SignedIn>,
    auth: Auth,
    request: HttpRequest,
}

impl Asker {
    async fn of(request: &HttpRequest, authkit: &AuthKit) -> Result<Self> {
        let Some(session) = RequestSession::of(request) else {
            return Err(as_error(unavailable(request, RETRY_AFTER)));
        };
        let refusal = match session.resolution(request).await.outcome {
            // A script would go on with an expired token, and with rights that may be gone.
            Outcome::SignedIn(signed_in) if signed_in.freshness != Freshness::Current => {
                unavailable(request, RETRY_AFTER)
            }
            Outcome::SignedIn(signed_in) => {
                return Ok(Self {
                    auth: Auth::of(Rc::clone(&session), request),
                    session,
                    signed_in,
                    request: request.clone(),
                });
            }
            Outcome::SignedOut { organization_id } => signed_out(request, authkit, organization_id),
            Outcome::CannotTell { retry_after } => unavailable(request, retry_after),
        };
        Err(as_error(refusal))
    }

    /// The session's token, as it is by now.
    async fn token(&self) -> HttpResponse {
        let (Outcome::SignedIn(signed_in), Some(session)) = (
            self.session.resolution(&self.request).await.outcome,
            self.auth.browser_session(),
        ) else {
            return self.signed_out();
        };
        let now = self.session.authkit().inner.clock.unix_seconds();
        json(&TokenAnswer {
            access_token: signed_in.session.access_token.expose_secret().to_owned(),
            expires_in: signed_in.claims.exp.saturating_sub(now).max(0),
            session,
        })
    }

    /// The name of the session's organization.
    async fn organization(&self, authkit: &AuthKit) -> HttpResponse {
        let request = &self.request;
        let Some(id) = self.signed_in.claims.org_id.clone() else {
            return no_organization(request);
        };
        let inner = &authkit.inner;
        let key = FlightKey::of(&id);
        let workos = Arc::clone(&inner.workos);
        let ask = || async move { workos.organization(&id).await };
        match inner.organizations.find(key, ask).await {
            Ok(Some(organization)) => json(&organization),
            Ok(None) => no_organization(request),
            Err(unknown) => unavailable(request, unknown.retry_after),
        }
    }

    fn signed_out(&self) -> HttpResponse {
        signed_out(&self.request, self.session.authkit(), None)
    }

    fn refused(&self, error: RefreshError) -> HttpResponse {
        let request = &self.request;
        match error {
            RefreshError::SignedOut => self.signed_out(),
            RefreshError::Ended => {
                let ended = Resolution::signed_out(CookieChange::Clear);
                self.session.replace(ended);
                self.signed_out()
            }
            RefreshError::OrganizationRefused => problem_details(
                request,
                &Problem {
                    code: "organization_refused",
                    title: "Nothing was switched",
                    detail: "Your account may not enter that organization.",
                    ..Problem::new(StatusCode::FORBIDDEN)
                },
            ),
            RefreshError::StepUp(step_up) => problem_details(
                request,
                &Problem {
                    code: "step_required",
                    title: "One more step is needed",
                    detail: "AuthKit asks for another way of signing in.",
                    sign_in_url: Some(step_up.url().to_owned()),
                    ..Problem::new(StatusCode::FORBIDDEN)
                },
            ),
            RefreshError::Unavailable { retry_after } => unavailable(request, retry_after),
            RefreshError::ResponseBegun => unavailable(request, RETRY_AFTER),
        }
    }
}

/// A script that only wants to know.
async fn reader(request: &HttpRequest, authkit: &AuthKit) -> Result<Asker> {
    if is_from_elsewhere(authkit, request) {
        return Err(as_error(cross_site(request)));
    }
    if request.method() != Method::GET {
        return Err(as_error(method_not_allowed(request, "GET")));
    }
    Asker::of(request, authkit).await
}

/// What a script of the application's own tells us to do; `None` if it says nothing more.
///
/// JSON is what no form of another site can send, and what no other site's script may send unasked.
fn instruction<T: DeserializeOwned>(
    request: &HttpRequest,
    authkit: &AuthKit,
    body: &[u8],
) -> Result<Option<T>> {
    if !is_same_origin(authkit, request) {
        return Err(as_error(cross_site(request)));
    }
    if request.method() != Method::POST {
        return Err(as_error(method_not_allowed(request, "POST")));
    }
    let media_type = header(request.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(as_error(problem_details(
            request,
            &Problem {
                code: "json_only",
                title: "Nothing has changed",
                detail: "This address takes JSON only.",
                ..Problem::new(StatusCode::FORBIDDEN)
            },
        )));
    }
    if body.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(body) {
        Ok(instruction) => Ok(Some(instruction)),
        Err(_) => Err(as_error(malformed(request))),
    }
}

/// Whether an id is worth asking WorkOS about.
fn is_plausible(organization_id: &str) -> bool {
    (1..=LONGEST_ID).contains(&organization_id.len())
        && organization_id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn malformed(request: &HttpRequest) -> HttpResponse {
    problem_details(
        request,
        &Problem {
            code: "malformed",
            title: "Nothing has changed",
            detail: "The body is not the JSON that this address takes.",
            ..Problem::new(StatusCode::BAD_REQUEST)
        },
    )
}

fn no_organization(request: &HttpRequest) -> HttpResponse {
    problem_details(
        request,
        &Problem {
            code: "no_organization",
            title: "No organization",
            detail: "The session is for no organization.",
            ..Problem::new(StatusCode::NOT_FOUND)
        },
    )
}

/// `401`, with the organization that the next sign-in should be for.
fn signed_out(
    request: &HttpRequest,
    authkit: &AuthKit,
    organization_id: Option<String>,
) -> HttpResponse {
    let options = SignInOptions {
        organization_id,
        ..SignInOptions::of_screen(Screen::SignIn)
    };
    rejection::signed_out("AuthKit", authkit, request, &options)
}

fn json(answer: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_string(answer).unwrap_or_default();
    let mut response = HttpResponse::Ok().body(body);
    describe(response.headers_mut());
    response
}

/// JSON that no other site can embed.
fn describe(headers: &mut actix_web::http::header::HeaderMap) {
    let values = [
        (CONTENT_TYPE, "application/json"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in values {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_AN_HOUR: &str = "public, max-age=3600";
const RETRY_AFTER: u64 = 2;
const LONGEST_ID: usize = 256;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use ts_rs::{Config, TS};

    use super::*;
    use crate::workos::{Impersonator, OrganizationChoice, User};

    #[test]
    fn the_client_knows_what_these_routes_answer() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("client/src/wire.ts");
        let config = Config::new();
        let types = [
            BrowserSession::decl(&config),
            User::decl(&config),
            Impersonator::decl(&config),
            TokenAnswer::decl(&config),
            OrganizationChoice::decl(&config),
            SignOutAnswer::decl(&config),
            Problem::decl(&config),
        ];
        let mut written = String::from(
            "// What the routes answer, written by a test of the server's `web/routes/browser.rs`.\n",
        );
        for declared in types {
            written.push_str("\nexport ");
            written.push_str(&declared);
            written.push('\n');
        }
        if fs::read_to_string(&file).is_ok_and(|text| text == written) {
            return;
        }
        fs::write(&file, written).expect("the sources can be written");
        panic!("the answers have changed, and {} with them", file.display());
    }
}
