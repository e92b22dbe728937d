//! Attribute macros of `authkit-actix`: `#[ensure_signed_in]`, `#[require_api_key]` and
//! `#[sign_up_path]`.
//!
//! Applications use them through `authkit-actix`, which re-exports them; its documentation holds
//! the compiled examples. The output names `::authkit_actix::__private` and nothing else of that
//! crate.
//!
//! A guarded handler is still a handler: its parameters are bundled into a single extractor,
//! which asks the guard first and builds none of them unless the guard lets the request through.

mod expand;
mod model;
mod parse;
mod validate;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Error;

use crate::{
    model::Kind,
    parse::{Handler, Mark},
};

/// Lets only signed-in people reach a handler, and only those with the rights named.
///
/// It answers before any parameter of the handler is extracted, so a stranger learns nothing from
/// a malformed body. Signed-out documents are led to sign-in, API calls get `401`, and people who
/// lack a right get `403`.
///
/// ```ignore
/// #[ensure_signed_in(role = "admin", max_age = 300)]
/// #[delete("/posts/{id}")]
/// async fn delete_post(user: AuthUser, id: web::Path<u64>) -> impl Responder {
///     // …
/// }
/// ```
///
/// # Arguments
///
/// | Argument | Asks for |
/// |---|---|
/// | none | anyone signed in |
/// | `role = "admin"` | the role, alone or among several |
/// | `permission = "posts:write"` | the permission |
/// | `entitlement = "audit-log"` | the entitlement |
/// | `feature_flag = "beta"` | the feature flag |
/// | `organization` | a session in any organization |
/// | `organization = "org_…"` | a session in this organization |
/// | `no_impersonation` | nobody who acts for the user |
/// | `max_age = 300` | a sign-in at most that many seconds old |
/// | `any(…)`, `all(…)`, `not(…)` | one, every one, none of the requirements inside |
/// | `accept(session, bearer, api_key)` | any of these credentials; without it, a session |
///
/// Several arguments mean *and*. A value is a literal or the path of a constant: `&'static str`
/// for rights, `u32` for `max_age`, which stands outside `any(…)`, `all(…)` and `not(…)`, as
/// `accept(…)` does.
///
/// # Callers without a session
///
/// `accept(…)` opens a handler to access tokens (`bearer`) and to API keys (`api_key`) in an
/// `Authorization: Bearer …` header. Where one of them is accepted, such a header decides alone, and
/// a session beside it counts for nothing; where neither is, nobody looks at it. The handler learns
/// from `Caller` who was let in.
///
/// Rights are looked for in the claims of an access token as in those of a session. An API key has
/// permissions only: it fulfils no other right, nor its `not(…)`, and is never a recent sign-in.
///
/// Under a middleware with `protect()`, which knows sessions only, name such paths among its
/// `unauthenticated_paths`; this guard still stands.
///
/// # Where it goes
///
/// On a free `async fn`, above or below route attributes, `#[routes]`, `#[sign_up_path]` and
/// other attribute macros, also inside `#[scope]` modules. They all see the function as written.
/// It stands once on a function: put requirements that belong together into one attribute.
#[proc_macro_attribute]
pub fn ensure_signed_in(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    apply(Kind::EnsureSignedIn, args.into(), item.into()).into()
}

/// Lets only API keys reach a handler, and only those with the permissions named.
///
/// The key stands in the header `Authorization: Bearer …`, and cookies play no part. Without a valid
/// key the answer is `401`, without a permission `403`, and while WorkOS cannot be asked, `503`: all
/// before any parameter of the handler is extracted.
///
/// ```ignore
/// #[require_api_key(permission = "reports:read")]
/// #[get("/v1/reports")]
/// async fn reports(key: ApiKey) -> impl Responder {
///     // …
/// }
/// ```
///
/// It takes `permission = "…"`, alone, several times or within `any(…)`, `all(…)` and `not(…)`, and
/// goes where `#[ensure_signed_in]` goes, in its place. For a handler that takes sessions as well,
/// write `#[ensure_signed_in(accept(session, api_key))]`.
///
/// Under a middleware with `protect()`, which knows sessions only, name the path among its
/// `unauthenticated_paths`; this guard still stands.
#[proc_macro_attribute]
pub fn require_api_key(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    apply(Kind::RequireApiKey, args.into(), item.into()).into()
}

/// Leads signed-out people to the sign-up screen instead of the sign-in screen.
///
/// It implies `#[ensure_signed_in]`, and stands above or below it where rights are wanted as well.
/// It takes no argument.
///
/// ```ignore
/// #[sign_up_path]
/// #[get("/start")]
/// async fn start(user: AuthUser) -> impl Responder {
///     // …
/// }
/// ```
#[proc_macro_attribute]
pub fn sign_up_path(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    apply(Kind::SignUpPath, args.into(), item.into()).into()
}

/// The guarded function; or the item as it came and every problem, so that editors keep their
/// completion and one mistake does not look like many.
fn apply(kind: Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    guarded(Mark::new(kind, args), item.clone()).unwrap_or_else(|problems| {
        let problems = problems.iter().map(Error::to_compile_error);
        quote!(#item #(#problems)*)
    })
}

fn guarded(mark: Mark, item: TokenStream) -> Result<TokenStream, Vec<Error>> {
    let handler = Handler::parse(mark.kind, item)
        .map_err(|problem| vec![problem])
        .and_then(|handler| validate::handler(mark.kind, handler));
    let handler = match (handler, validate::rule([&mark])) {
        (Ok(handler), Ok(_)) => handler,
        (handler, rule) => {
            let problems = [handler.err(), rule.err()];
            return Err(problems.into_iter().flatten().flatten().collect());
        }
    };

    // Other attribute macros must see the function as written, and a sibling must run once, or
    // the compiler takes its import for unused: so this attribute goes last and runs again.
    if !mark.placed && !handler.attrs.iter().all(Mark::is_placed) {
        return Ok(expand::place_last(&mark, &handler));
    }
    let siblings = handler.marks();
    let rule = validate::rule(siblings.iter().chain([&mark]))?;
    Ok(expand::guard(&rule, &handler))
}
