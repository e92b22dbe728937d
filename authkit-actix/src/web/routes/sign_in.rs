use actix_web::{HttpRequest, HttpResponse, http::Method, web};

use super::method_not_allowed;
use crate::{
    authkit::AuthKit,
    oauth::{ReturnTo, Screen, SignInOptions},
    seal::Sealer,
    web::{
        authorize::SignInStart,
        negotiate::{header, is_prefetch},
        rejection::nothing_yet,
        rounds::Rounds,
    },
};

/// Starts a sign-in, whoever is signed in already: the way in for links, and for flows that begin at
/// the WorkOS dashboard.
pub(super) async fn sign_in(request: HttpRequest, authkit: web::Data<AuthKit>) -> HttpResponse {
    start(&request, &authkit, Screen::SignIn).await
}

pub(super) async fn sign_up(request: HttpRequest, authkit: web::Data<AuthKit>) -> HttpResponse {
    start(&request, &authkit, Screen::SignUp).await
}

async fn start(request: &HttpRequest, authkit: &AuthKit, screen: Screen) -> HttpResponse {
    if request.method() != Method::GET {
        return method_not_allowed(request, "GET");
    }
    if is_prefetch(request.headers()) {
        return nothing_yet(request);
    }
    let sealer = &authkit.inner.sealer;
    let start = sign_in_from_query(request.query_string(), screen, sealer);
    // Whoever clicks or types may always try; a redirect that comes round again may not.
    if header(request.headers(), "sec-fetch-site") == Some("cross-site") {
        let rounds = Rounds::of(authkit, request);
        if rounds.are_a_loop(request) {
            return rounds.explanation(authkit, request, &start);
        }
    }
    start.response_with_nonce(authkit, request).await
}

/// The parameters that anybody may write, or, sealed in `options`, those that the application wrote.
fn sign_in_from_query(query: &str, screen: Screen, sealer: &Sealer) -> SignInStart {
    let mut sign_in = SignInStart {
        return_to: ReturnTo::root(),
        options: SignInOptions::of_screen(screen),
        restarted: false,
    };
    let mut sealed = None;
    let options = &mut sign_in.options;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let option = || {
            let is_plausible = !value.is_empty()
                && value.len() <= LONGEST_OPTION
                && !value.contains(|c: char| c.is_control() || c == '"' || c == '\\');
            is_plausible.then(|| value.to_string())
        };
        match &*name {
            "return_to" => sign_in.return_to = ReturnTo::parse_or_root(&value),
            "organization_id" => options.organization_id = option(),
            "login_hint" => options.login_hint = option(),
            "invitation_token" => options.invitation_token = option(),
            "screen_hint" if value == "sign-up" => options.screen = Screen::SignUp,
            "screen_hint" if value == "sign-in" => options.screen = Screen::SignIn,
            "options" => sealed = SignInOptions::open(&value, sealer),
            _ => {}
        }
    }
    if let Some(options) = sealed {
        sign_in.options = options;
    }
    sign_in
}

/// Bytes; a longer one is not what it says it is, and neither is one that grows when it is written
/// as JSON: three of them and a path fit a cookie.
const LONGEST_OPTION: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&["a password of more than 32 characters".into()])
    }

    #[test]
    fn what_the_application_sealed_wins_over_what_is_written_beside_it() {
        let options = SignInOptions {
            prompt: Some("login".to_owned()),
            ..SignInOptions::of_screen(Screen::SignUp)
        };
        let sealed = options.seal(&sealer()).expect("more than a screen");
        let query = format!("options={sealed}&login_hint=eve%40example.com");
        let sign_in = sign_in_from_query(&query, Screen::SignIn, &sealer());
        assert_eq!(sign_in.options, options);
    }

    #[test]
    fn the_query_says_where_to_return_and_whom_to_expect() {
        let sign_in = sign_in_from_query(
            "return_to=%2Faccount%3Ftab%3D1&login_hint=ada%40example.com&screen_hint=sign-up&x=1",
            Screen::SignIn,
            &sealer(),
        );
        assert_eq!(sign_in.return_to.as_str(), "/account?tab=1");
        assert_eq!(
            sign_in.options.login_hint.as_deref(),
            Some("ada@example.com")
        );
        assert_eq!(sign_in.options.screen, Screen::SignUp);
    }

    #[test]
    fn nonsense_is_ignored() {
        let long = format!("organization_id={}", "o".repeat(LONGEST_OPTION + 1));
        for query in ["", "&&==", "%ff%00", "return_to=//evil.example", &long] {
            let sign_in = sign_in_from_query(query, Screen::SignIn, &sealer());
            assert_eq!(sign_in.return_to, ReturnTo::root(), "{query}");
            assert_eq!(sign_in.options, SignInOptions::default(), "{query}");
        }
    }
}
