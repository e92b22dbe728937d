//! The routes for people.

use actix_web::{HttpResponse, Responder, ResponseError as _, Result, get, post, web};
use authkit_actix::{
    Auth, AuthKit, AuthUser, RefreshError, UserSessionsError, ensure_signed_in, sign_up_path,
};
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use crate::{layout::page, organizations::Organization};

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .service((home, account, switch_organization, sign_out_elsewhere))
        .service((start,))
        .service((admin, billing, beta, team, danger));
}

/// The scope that only signed-in people may enter, with its exceptions.
pub(crate) fn private(config: &mut web::ServiceConfig) {
    config
        .route("", web::get().to(private_page))
        .service((open, join, docs));
}

#[get("/")]
async fn home(auth: Auth) -> impl Responder {
    let user = auth.user();
    page(
        "Showcase",
        banner(&auth),
        html! {
            header.hero {
                @match &user {
                    Some(user) => {
                        h1 { "Signed in as " (user.email) }
                        p { "Everything below is open to you, as far as your rights go." }
                        a.button.main href="/account" { "Your account" }
                        form method="post" action="/sign-out" { button { "Sign out" } }
                    },
                    None => {
                        h1 { "Hello, stranger" }
                        p { "Sign in, and try what AuthKit does for an Actix application." }
                        a.button.main href="/sign-in" { "Sign in" }
                        a.button href="/sign-up" { "Sign up" }
                    },
                }
            }
            @for (title, routes) in ROUTES {
                section {
                    h2 { (title) }
                    ul.routes {
                        @for (path, what) in *routes {
                            @let (shown, _) = path.split_once('?').unwrap_or((path, ""));
                            li { a href=(path) { code { (shown) } span { (what) } } }
                        }
                    }
                }
            }
        },
    )
}

#[get("/account")]
#[ensure_signed_in]
async fn account(auth: Auth, user: AuthUser, authkit: web::Data<AuthKit>) -> impl Responder {
    let organizations = Organization::all_of(&user, &authkit).await;
    let current = user.organization_id();
    let name = organizations
        .iter()
        .flatten()
        .find(|it| Some(it.id.as_str()) == current)
        .map(|it| it.name.as_str());
    page(
        "Account",
        banner(&auth),
        html! {
            // What other tabs do is noticed here.
            (PreEscaped(authkit.client_script().to_string()))
            authkit-signed-out hidden {
                p.note role="alert" {
                    "You have been signed out. " a href="/sign-in?return_to=/account" { "Sign in again" }
                }
            }
            header.hero {
                h1 { (user.display_name()) }
                p { (user.email) }
                a.button href="/" { "Home" }
                form method="post" action="/sign-out" { button { "Sign out" } }
            }
            section {
                h2 { "Organization" }
                @match &organizations {
                    None => p { "Your organizations cannot be listed right now." },
                    Some(organizations) if organizations.is_empty() => p { "You belong to none." },
                    Some(organizations) => form.switcher method="post" action="/account/organization" {
                        @for it in organizations {
                            @let is_current = Some(it.id.as_str()) == current;
                            button name="organization_id" value=(it.id) disabled[is_current]
                                aria-current=[is_current.then_some("true")] {
                                (it.name) small { (it.role) }
                            }
                        }
                    },
                }
            }
            section {
                h2 { "Session" }
                dl {
                    (fact("Email", Some(&user.email)))
                    (fact("Organization", name.or(current)))
                    (fact("Role", user.role()))
                    (facts("Permissions", user.permissions()))
                    (facts("Entitlements", user.entitlements()))
                    (facts("Feature flags", user.feature_flags()))
                    (fact("Signed in with", user.authentication_method()))
                    (fact("User", Some(&user.id)))
                    (fact("Session", Some(user.session_id())))
                }
                form method="post" action="/account/sign-out-elsewhere" {
                    button { "Sign out on all other devices" }
                }
            }
        },
    )
}

#[derive(Deserialize)]
struct Choice {
    organization_id: String,
}

#[post("/account/organization")]
#[ensure_signed_in]
async fn switch_organization(auth: Auth, choice: web::Form<Choice>) -> Result<HttpResponse> {
    match auth.switch_to_organization(&choice.organization_id).await {
        Ok(_) => Ok(HttpResponse::SeeOther()
            .insert_header(("location", "/account"))
            .finish()),
        // As a response it leads to the step that the organization asks for.
        Err(error @ RefreshError::StepUp(_)) => Err(error.into()),
        Err(error) => {
            let title = "Nothing was switched";
            let page = note(title, &format!("You stay where you were: {error}."));
            let mut response = HttpResponse::build(error.status_code());
            Ok(response
                .content_type("text/html; charset=utf-8")
                .body(page.into_string()))
        }
    }
}

/// Their sessions end at once, and so does what is open there.
#[post("/account/sign-out-elsewhere")]
#[ensure_signed_in]
async fn sign_out_elsewhere(
    user: AuthUser,
    authkit: web::Data<AuthKit>,
) -> Result<Markup, UserSessionsError> {
    let sessions = authkit.sessions();
    let ended = sessions.end_others(&user.id, user.session_id()).await?;
    let sentence = match ended {
        0 => "You are signed in nowhere else.".to_owned(),
        1 => "You were signed out on one other device.".to_owned(),
        more => format!("You were signed out on {more} other devices."),
    };
    Ok(note("Only here", &sentence))
}

#[get("/start")]
#[sign_up_path]
async fn start(user: AuthUser) -> impl Responder {
    note(
        "Welcome",
        &format!("You have just started, {}.", user.display_name()),
    )
}

#[get("/admin")]
#[ensure_signed_in(role = "admin")]
async fn admin() -> impl Responder {
    note("Administration", "You are an administrator.")
}

#[get("/billing")]
#[ensure_signed_in(permission = "billing:manage")]
async fn billing() -> impl Responder {
    note("Billing", "You may manage the bills.")
}

#[get("/beta")]
#[ensure_signed_in(feature_flag = "beta")]
async fn beta() -> impl Responder {
    note("Beta", "You see what is not there yet for everybody.")
}

#[get("/team")]
#[ensure_signed_in(organization)]
async fn team(user: AuthUser) -> impl Responder {
    let organization = user.organization_id().unwrap_or_default();
    note("Team", &format!("You work in {organization}."))
}

#[get("/danger")]
#[ensure_signed_in(max_age = 300)]
async fn danger() -> impl Responder {
    note(
        "Danger",
        "You have proved who you are within the last five minutes.",
    )
}

async fn private_page() -> impl Responder {
    note(
        "Private",
        "The middleware around this scope lets nobody in who is not signed in.",
    )
}

#[get("/open")]
async fn open() -> impl Responder {
    note(
        "Open",
        "The one door of the private scope that is open to everybody.",
    )
}

#[get("/join")]
async fn join() -> impl Responder {
    note("Join", "Strangers are asked to sign up here.")
}

#[get("/docs/{a}/{b}")]
async fn docs(path: web::Path<(String, String)>) -> impl Responder {
    let (a, b) = path.into_inner();
    note(
        "Documentation",
        &format!("Everybody reads about {a} and {b}."),
    )
}

/// A page with a sentence, and a way home.
fn note(title: &str, sentence: &str) -> Markup {
    page(
        title,
        html! {},
        html! {
            header.hero {
                h1 { (title) }
                p { (sentence) }
                a.button href="/" { "Home" }
            }
        },
    )
}

/// Who is behind the keyboard, where it is somebody else; the banner is HTML already.
fn banner(auth: &Auth) -> Markup {
    let banner = auth.impersonation_banner().map(|it| it.to_string());
    PreEscaped(banner.unwrap_or_default())
}

fn fact(name: &str, value: Option<&str>) -> Markup {
    html! { div { dt { (name) } dd { (value.unwrap_or("none")) } } }
}

fn facts(name: &str, values: &[String]) -> Markup {
    let values = values.join(", ");
    fact(name, Some(values.as_str()).filter(|it| !it.is_empty()))
}

type Routes = &'static [(&'static str, &'static str)];

const ROUTES: &[(&str, Routes)] = &[
    (
        "Guards",
        &[
            ("/account", "for everybody who is signed in"),
            ("/start", "asks strangers to sign up"),
            ("/admin", "for administrators"),
            ("/billing", "for whoever may manage the bills"),
            ("/beta", "for those with the feature flag"),
            ("/team", "for members of any organization"),
            ("/danger", "for those who signed in within five minutes"),
        ],
    ),
    (
        "Middleware auth",
        &[
            ("/private", "closed, as is whatever is added to its scope"),
            ("/private/open", "open to everybody"),
            ("/private/join", "asks strangers to sign up"),
            ("/private/docs/getting/started", "open by a pattern"),
        ],
    ),
    (
        "In the browser",
        &[
            ("/react", "a page built with the React bindings"),
            ("/authkit/session", "what the scripts of a page may know"),
        ],
    ),
    (
        "JSON",
        &[
            ("/api/me", "the user and their rights"),
            ("/api/claims", "what the access token says"),
            (
                "/api/recent?max_age=300",
                "when the user proved who they are",
            ),
            ("/api/keyed", "for programs with an API key"),
            ("/last-sign-in", "what the callback's hook got"),
            (
                "/link?return_to=/account&login_hint=grace%40example.com&state=hello",
                "a sign-in link with options sealed inside",
            ),
        ],
    ),
    (
        "Open connections",
        &[
            ("/live", "sees at once when its session ends elsewhere"),
            ("/events", "the server-sent events of that page"),
        ],
    ),
    (
        "Caches and failures",
        &[
            ("/public.txt", "the same for everyone, cached for an hour"),
            ("/cached", "reads the session, and is kept out of caches"),
            ("/fail", "fails, and loses no session by it"),
        ],
    ),
];
