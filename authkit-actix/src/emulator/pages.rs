use super::authorize::{IMPERSONATE, ORGANIZATION, SIGN_IN, SIGN_UP};
use super::authorize_request::AuthorizeRequest;
use super::browser::Typed;
use super::state::{Account, Store};

/// The sign-in page.
pub(super) fn sign_in(request: &AuthorizeRequest, store: &Store, typed: &Typed) -> String {
    let email = email(request, typed);
    let form = [
        field(
            "Email",
            "email",
            "email",
            "username",
            email,
            email.is_empty(),
        ),
        field(
            "Password",
            "password",
            "password",
            "current-password",
            "",
            !email.is_empty(),
        ),
        button("Sign in"),
    ];
    card(
        "Sign in",
        &destination(request),
        &[
            problem(typed),
            post(SIGN_IN, request, &form),
            switch(
                "New here?",
                "Create an account",
                &request.again_with("screen_hint", "sign-up"),
            ),
            cancel(request),
        ],
        &[people(store), impersonation(request, store)],
    )
}

/// The sign-up page.
pub(super) fn sign_up(request: &AuthorizeRequest, typed: &Typed) -> String {
    let email = email(request, typed);
    let names = format!(
        "<div class=\"pair\">{}{}</div>",
        optional_field(
            "First name",
            "first_name",
            "given-name",
            typed.get("first_name"),
            true
        ),
        optional_field(
            "Last name",
            "last_name",
            "family-name",
            typed.get("last_name"),
            false
        ),
    );
    let form = [
        names,
        field("Email", "email", "email", "username", email, false),
        field(
            "Password",
            "password",
            "password",
            "new-password",
            "",
            false,
        ),
        "<p class=\"note\">At least 8 characters.</p>".to_owned(),
        button("Create account"),
    ];
    card(
        "Create your account",
        &destination(request),
        &[
            problem(typed),
            post(SIGN_UP, request, &form),
            switch(
                "Have an account?",
                "Sign in",
                &request.again_with("screen_hint", "sign-in"),
            ),
            cancel(request),
        ],
        &[],
    )
}

/// What was typed last, else what the application suggests.
fn email<'a>(request: &'a AuthorizeRequest, typed: &'a Typed) -> &'a str {
    match typed.get("email") {
        "" => request.login_hint.as_deref().unwrap_or_default(),
        email => email,
    }
}

/// The page that asks which organization.
pub(super) fn organizations(
    request: &AuthorizeRequest,
    store: &Store,
    account: &Account,
) -> String {
    let choices: Vec<String> = account
        .user
        .memberships
        .iter()
        .filter_map(|membership| {
            let organization = store.seeds.organization(&membership.organization_id)?;
            Some(format!(
                "<button class=\"choice\" name=\"organization_id\" value=\"{id}\">\
                 <b>{name}</b><span>{roles}</span></button>",
                id = escape(&organization.id),
                name = escape(&organization.name),
                roles = escape(&membership.roles.join(", ")),
            ))
        })
        .collect();
    card(
        "Choose an organization",
        &format!(
            "You are signed in as <b>{}</b>.",
            escape(&account.user.email)
        ),
        &[
            post(ORGANIZATION, request, &choices),
            switch(
                "Not you?",
                "Use another account",
                &request.again_with("prompt", "login"),
            ),
            cancel(request),
        ],
        &[],
    )
}

/// A page that only says something.
pub(super) fn notice(title: &str, text: &str) -> String {
    card(title, &escape(text), &[], &[])
}

/// Text made harmless in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// A whole page. `lead`, `body` and `asides` are HTML.
fn card(title: &str, lead: &str, body: &[String], asides: &[String]) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<section class=\"card\">\n<div class=\"mark\" aria-hidden=\"true\"></div>\n\
         <h1>{title}</h1>\n<p class=\"lead\">{lead}</p>\n{body}\n</section>\n{asides}\n\
         <p class=\"banner\"><span aria-hidden=\"true\"></span>AuthKit emulator: development only</p>\n\
         </main>\n</body>\n</html>\n",
        title = escape(title),
        body = body.join("\n"),
        asides = asides.join("\n"),
    )
}

fn destination(request: &AuthorizeRequest) -> String {
    let host = request.redirect_uri.host_str().unwrap_or_default();
    let port = request.redirect_uri.port();
    let place = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    format!("to continue to <b>{}</b>", escape(&place))
}

fn problem(typed: &Typed) -> String {
    typed.problem.map_or_else(String::new, |problem| {
        format!(
            "<p class=\"problem\" role=\"alert\">{}</p>",
            escape(problem)
        )
    })
}

fn post(action: &str, request: &AuthorizeRequest, parts: &[String]) -> String {
    format!(
        "<form method=\"post\" action=\"{action}?{query}\">\n{parts}\n</form>",
        query = escape(&request.query),
        parts = parts.join("\n"),
    )
}

fn field(label: &str, name: &str, kind: &str, complete: &str, value: &str, focus: bool) -> String {
    let focus = if focus { " autofocus" } else { "" };
    format!(
        "<label for=\"{name}\">{label}</label>\
         <input id=\"{name}\" name=\"{name}\" type=\"{kind}\" autocomplete=\"{complete}\" value=\"{value}\" required{focus}>",
        value = escape(value),
    )
}

fn optional_field(label: &str, name: &str, complete: &str, value: &str, focus: bool) -> String {
    let field = field(label, name, "text", complete, value, focus).replace(" required", "");
    format!("<div>{field}</div>")
}

fn button(text: &str) -> String {
    format!("<button class=\"primary\">{text}</button>")
}

fn switch(question: &str, link: &str, address: &str) -> String {
    format!(
        "<p class=\"switch\">{question} <a href=\"{}\">{link}</a></p>",
        escape(address)
    )
}

fn cancel(request: &AuthorizeRequest) -> String {
    format!(
        "<p class=\"switch\"><a class=\"quiet\" href=\"{}\">Cancel</a></p>",
        escape(request.cancel().as_str())
    )
}

/// The people to sign in as, with their passwords: nothing here is a secret.
fn people(store: &Store) -> String {
    let rows: String = store
        .seeds
        .users
        .iter()
        .take(LISTED)
        .map(|user| {
            format!(
                "<tr><td>{}</td><td><code>{}</code></td></tr>",
                escape(&user.email),
                escape(&user.password)
            )
        })
        .collect();
    format!(
        "<details><summary>Who can sign in?</summary>\n<table><thead><tr><th>Email</th><th>Password</th></tr></thead>\
         <tbody>{rows}</tbody></table></details>"
    )
}

fn impersonation(request: &AuthorizeRequest, store: &Store) -> String {
    let options: String = store
        .accounts
        .iter()
        .map(|account| format!("<option>{}</option>", escape(&account.user.email)))
        .collect();
    let form = [
        format!(
            "<label for=\"impersonated\">User</label><select id=\"impersonated\" name=\"email\">{options}</select>"
        ),
        field(
            "Operator",
            "operator",
            "email",
            "off",
            "support@workos.example",
            false,
        ),
        field(
            "Reason",
            "reason",
            "text",
            "off",
            "Helping with a support request",
            false,
        ),
        "<button class=\"secondary\">Impersonate</button>".to_owned(),
    ];
    format!(
        "<details><summary>Impersonate somebody</summary>\n{}</details>",
        post(IMPERSONATE, request, &form)
    )
}

const LISTED: usize = 8;
const STYLE: &str = include_str!("pages.css");
