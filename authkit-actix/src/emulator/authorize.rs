use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::authorize_request::{AuthorizeRequest, Refusal};
use super::browser::{Typed, browser_cookie, browser_of, page, redirect};
use super::faults::Endpoint;
use super::keys::random_id;
use super::pages;
use super::seeds::{EmulatorUser, Impersonator};
use super::state::{Account, Code, SignIn, State, Store};

/// `GET /user_management/authorize`: straight back for a browser that is signed in, otherwise a page.
pub(super) async fn authorize(state: Data<State>, http: HttpRequest) -> HttpResponse {
    let answer = || -> Answer {
        let request = AuthorizeRequest::parse(&state.settings, http.query_string())?;
        let mut store = state.store();
        let browser = browser_of(&state, &http).filter(|id| {
            store
                .browsers
                .get(id)
                .is_some_and(|it| request.accepts(it, state.now()))
        });
        match browser {
            Some(browser) => complete(&state, &mut store, &request, browser, None),
            None if request.prompt.as_deref() == Some("none") => {
                Err(request.refusal("login_required", "No one is signed in."))
            }
            None if request.sign_up => Ok(page(
                StatusCode::OK,
                pages::sign_up(&request, &Typed::default()),
            )),
            None => Ok(page(
                StatusCode::OK,
                pages::sign_in(&request, &store, &Typed::default()),
            )),
        }
    };
    state
        .faults
        .answer(Endpoint::Authorize, |_| settle(answer()))
        .await
}

/// The form of the sign-in page.
pub(super) async fn sign_in(state: Data<State>, http: HttpRequest, body: Bytes) -> HttpResponse {
    form(&state, &http, &body, |request, store, typed| {
        let now = state.now();
        let known = store
            .account_by_email(typed.get("email"))
            .filter(|account| account.user.password == typed.get("password"));
        let Some(account) = known else {
            let typed = typed.with_problem("That email and password do not match.");
            let html = pages::sign_in(request, store, &typed);
            return Ok(page(StatusCode::UNAUTHORIZED, html));
        };
        let sign_in = SignIn::new(account, request.authentication_method, now);
        enter(&state, store, request, &http, sign_in)
    })
    .await
}

/// The form of the sign-up page.
pub(super) async fn sign_up(state: Data<State>, http: HttpRequest, body: Bytes) -> HttpResponse {
    form(&state, &http, &body, |request, store, typed| {
        let (email, password) = (typed.get("email").trim(), typed.get("password"));
        let problem = if !email.contains('@') || email.contains(char::is_whitespace) {
            Some("Please enter an email address.")
        } else if password.chars().count() < SHORTEST_PASSWORD {
            Some("Please choose a password of at least 8 characters.")
        } else if store.account_by_email(email).is_some() {
            Some("There is an account with this email already. Sign in instead?")
        } else {
            None
        };
        if let Some(problem) = problem {
            let html = pages::sign_up(request, &typed.with_problem(problem));
            return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, html));
        }
        let named =
            |field: &str| Some(typed.get(field).trim().to_owned()).filter(|name| !name.is_empty());
        let mut user = EmulatorUser::new(email).password(password);
        user.first_name = named("first_name");
        user.last_name = named("last_name");
        let now = state.now();
        let mut account = Account::new(user, now);
        let sign_in = SignIn::new(&mut account, request.authentication_method, now);
        store.accounts.push(account);
        enter(&state, store, request, &http, sign_in)
    })
    .await
}

/// The form of the page that asks which organization.
pub(super) async fn organization(
    state: Data<State>,
    http: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    form(&state, &http, &body, |request, store, typed| {
        let browser = browser_of(&state, &http).filter(|id| store.browsers.contains_key(id));
        let Some(browser) = browser else {
            let again = format!("{AUTHORIZE}?{}", request.query);
            return Ok(HttpResponse::SeeOther()
                .insert_header((LOCATION, again))
                .finish());
        };
        let chosen = Some(typed.get("organization_id").to_owned());
        complete(&state, store, request, browser, chosen)
    })
    .await
}

/// The form on the sign-in page by which an operator acts as a user.
pub(super) async fn impersonate(
    state: Data<State>,
    http: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    form(&state, &http, &body, |request, store, typed| {
        let now = state.now();
        let operator = typed.get("operator").trim().to_owned();
        let account = store
            .account_by_email(typed.get("email"))
            .filter(|_| !operator.is_empty());
        let Some(account) = account else {
            let typed = typed.with_problem("Impersonation needs a known user and an operator.");
            let html = pages::sign_in(request, store, &typed);
            return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, html));
        };
        let mut sign_in = SignIn::new(account, request.authentication_method, now);
        sign_in.impersonate(Impersonator {
            email: operator,
            reason: Some(typed.get("reason").trim().to_owned()).filter(|it| !it.is_empty()),
        });
        enter(&state, store, request, &http, sign_in)
    })
    .await
}

type Answer = Result<HttpResponse, Refusal>;

async fn form(
    state: &State,
    http: &HttpRequest,
    body: &[u8],
    work: impl FnOnce(&AuthorizeRequest, &mut Store, Typed) -> Answer,
) -> HttpResponse {
    let answer = || -> Answer {
        let request = AuthorizeRequest::parse(&state.settings, http.query_string())?;
        work(&request, &mut state.store(), Typed::parse(body))
    };
    state
        .faults
        .answer(Endpoint::Other, |_| settle(answer()))
        .await
}

/// Signs a browser in, and goes on.
fn enter(
    state: &State,
    store: &mut Store,
    request: &AuthorizeRequest,
    http: &HttpRequest,
    sign_in: SignIn,
) -> Answer {
    if let Some(before) = browser_of(state, http) {
        store.browsers.remove(&before);
    }
    let browser = random_id("browser");
    store.browsers.insert(browser.clone(), sign_in);
    let mut response = settle(complete(state, store, request, browser.clone(), None));
    response
        .add_cookie(&browser_cookie(state, &browser))
        .map_err(|_| Refusal::Page("The emulator could not set its cookie.".to_owned()))?;
    Ok(response)
}

/// Finds the organization, by a page if need be, and goes back to the application with a code.
fn complete(
    state: &State,
    store: &mut Store,
    request: &AuthorizeRequest,
    browser: String,
    chosen: Option<String>,
) -> Answer {
    let sign_in = store.browsers.get(&browser).cloned();
    let account = sign_in.as_ref().and_then(|it| store.account(&it.user_id));
    let (Some(mut sign_in), Some(account)) = (sign_in, account) else {
        return Err(request.refusal("server_error", "The user is gone."));
    };
    let remembered = sign_in.organization_id.take();
    let memberships = &account.user.memberships;
    let wanted = request.organization_id.clone().or(chosen);
    sign_in.organization_id = match (wanted, memberships.as_slice()) {
        (Some(wanted), _) if account.roles(&wanted).is_none() => {
            return Err(request.refusal(
                "access_denied",
                "The user is not a member of this organization.",
            ));
        }
        (Some(wanted), _) => Some(wanted),
        (None, []) => None,
        (None, [only]) => Some(only.organization_id.clone()),
        (None, _) if state.settings.selection_at_exchange => None,
        (None, _) => match remembered.filter(|id| account.roles(id).is_some()) {
            Some(remembered) => Some(remembered),
            None => {
                return Ok(page(
                    StatusCode::OK,
                    pages::organizations(request, store, account),
                ));
            }
        },
    };

    let now = state.now();
    let code = random_id("code");
    store.browsers.insert(browser.clone(), sign_in.clone());
    store
        .codes
        .retain(|_, code| now - code.issued_at <= CODE_LIFETIME);
    store.last_redirect_uri = Some(request.redirect_uri.clone());
    let uri = request.back(&[("code", &code)]);
    let issued = Code {
        sign_in,
        browser: Some(browser),
        challenge: request.challenge.clone(),
        issued_at: now,
    };
    store.codes.insert(code, issued);
    Ok(redirect(&uri))
}

fn settle(answer: Answer) -> HttpResponse {
    answer.unwrap_or_else(|refusal| match refusal {
        Refusal::Page(text) => {
            let html = pages::notice("This sign-in cannot start", &text);
            page(StatusCode::BAD_REQUEST, html)
        }
        Refusal::Redirect(uri) => redirect(&uri),
    })
}

pub(super) const AUTHORIZE: &str = "/user_management/authorize";
pub(super) const SIGN_IN: &str = "/user_management/authorize/sign-in";
pub(super) const SIGN_UP: &str = "/user_management/authorize/sign-up";
pub(super) const ORGANIZATION: &str = "/user_management/authorize/organization";
pub(super) const IMPERSONATE: &str = "/user_management/authorize/impersonate";
/// How long a code, or a sign-in that waits for an organization, is good: 10 minutes.
pub(super) const CODE_LIFETIME: i64 = 600;
const SHORTEST_PASSWORD: usize = 8;
