//! Sends the browser to AuthKit.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{COOKIE, LOCATION, REFERER, SET_COOKIE},
    },
};
use tracing::{error, warn};
use url::Url;

use super::{
    cache_control::CachePolicy,
    negotiate::header,
    rejection,
    request_session::request_info,
    rounds::Rounds,
    set_cookie::{self, cookie_pairs},
};
use crate::{
    authkit::AuthKit,
    config::{LARGEST_COOKIE, Origin, VERIFIER_COOKIE_PREFIX},
    oauth::{
        ReturnTo, Screen, SealedState, Selector, SignInOptions, SignInState, verifier_cookie_name,
    },
    workos::{self, AuthorizationRequest, code_challenge, code_verifier},
};

/// A sign-in that is about to start.
pub(super) struct SignInStart {
    pub(super) return_to: ReturnTo,
    pub(super) options: SignInOptions,
    pub(super) restarted: bool,
}

impl SignInStart {
    /// A sign-in that comes back to the page which was asked for, or which a form was sent from.
    pub(super) fn for_request(
        authkit: &AuthKit,
        request: &HttpRequest,
        options: SignInOptions,
    ) -> Self {
        let return_to = if request.method() == Method::GET {
            request
                .uri()
                .path_and_query()
                .map(|path| ReturnTo::parse_or_root(path.as_str()))
        } else {
            same_origin_path(authkit, request, REFERER.as_str())
        };
        Self {
            return_to: return_to.unwrap_or_else(ReturnTo::root),
            options,
            restarted: false,
        }
    }

    /// The response that sends the browser to AuthKit: `302`, after a form `303`.
    ///
    /// In an environment that nobody has claimed, AuthKit wants a nonce, which takes a call: there
    /// the way leads through the application's own sign-in route.
    pub(super) fn response(self, authkit: &AuthKit, request: &HttpRequest) -> HttpResponse {
        let rounds = Rounds::of(authkit, request);
        if rounds.are_a_loop(request) {
            return rounds.explanation(authkit, request, &self);
        }
        if authkit.inner.config.claim_token.is_none() {
            return self.at_authkit(authkit, request, None);
        }
        let return_to = Some(self.return_to.as_str());
        let origin = authkit.origin(request);
        redirect(
            request,
            &authkit.sign_in_address(&origin, &self.options, return_to),
        )
    }

    /// The same for routes that may take their time.
    pub(super) async fn response_with_nonce(
        self,
        authkit: &AuthKit,
        request: &HttpRequest,
    ) -> HttpResponse {
        let nonce = match &authkit.inner.config.claim_token {
            Some(claim_token) => {
                let nonce = authkit.inner.workos.claim_nonce(claim_token).await;
                nonce.unwrap_or_else(|failure| {
                    warn!(%failure, "no claim nonce; the sign-in goes on without one");
                    None
                })
            }
            None => None,
        };
        self.at_authkit(authkit, request, nonce)
    }

    /// The verifier cookie that this sets binds the sign-in to this browser, RFC 9700 section 4.7.
    fn at_authkit(
        self,
        authkit: &AuthKit,
        request: &HttpRequest,
        claim_nonce: Option<String>,
    ) -> HttpResponse {
        let inner = &authkit.inner;
        let redirect_uri = authkit.redirect_uri(request);
        let now = inner.clock.unix_seconds();
        let Ok(code_verifier) = code_verifier() else {
            error!("the operating system gave no random bytes: nobody can sign in");
            return rejection::unavailable(request, RETRY_AFTER);
        };
        let code_challenge = code_challenge(&code_verifier);
        let mut state = SignInState {
            code_verifier,
            return_to: self.return_to,
            options: self.options,
            redirect_uri: (redirect_uri != inner.config.redirect_uri).then(|| redirect_uri.clone()),
            issued_at: now,
            restarted: self.restarted,
            rounds: Rounds::of(authkit, request).count,
        };
        let mut sealed = state.seal(&inner.sealer);
        if !sealed.as_ref().is_ok_and(fits_a_cookie) {
            // A hint of the user's is worth less than a sign-in that works.
            state.return_to = ReturnTo::root();
            state.options.login_hint = None;
            sealed = state.seal(&inner.sealer);
        }
        let url = sealed.as_ref().ok().and_then(|sealed| {
            let options = &state.options;
            let url = inner.workos.authorization_url(AuthorizationRequest {
                redirect_uri: redirect_uri.as_str(),
                state: sealed.as_str(),
                code_challenge,
                sign_up: options.screen == Screen::SignUp,
                organization_id: options.organization_id.as_deref(),
                login_hint: options.login_hint.as_deref(),
                domain_hint: options.domain_hint.as_deref(),
                invitation_token: options.invitation_token.as_deref(),
                prompt: options.prompt.as_deref(),
                max_age: options.max_age,
                selector: match &options.selector {
                    Selector::AuthKit => workos::Selector::AuthKit,
                    Selector::Connection(id) => workos::Selector::Connection(id),
                    Selector::Provider { name, scopes } => {
                        workos::Selector::Provider { name, scopes }
                    }
                },
                claim_nonce,
            });
            url.ok()
        });
        let (Ok(sealed), Some(url)) = (sealed, url) else {
            error!("a sign-in could not be started");
            return rejection::unavailable(request, RETRY_AFTER);
        };
        let mut response = redirect(request, &url);
        let cookie = &inner.config.cookie;
        let removals = superseded(authkit, request, &sealed);
        let removals = removals
            .iter()
            .map(|name| set_cookie::verifier_removal(cookie, name));
        let name = verifier_cookie_name(sealed.as_str());
        let ours = set_cookie::verifier_cookie(cookie, &name, sealed.as_str());
        for header in removals.chain([ours]) {
            if let Ok(header) = header.parse() {
                response.headers_mut().append(SET_COOKIE, header);
            }
        }
        response
    }
}

impl AuthKit {
    /// The origin that this browser knows the application by: that of its redirect URI, where the
    /// application has chosen one for the request.
    pub(super) fn origin(&self, request: &HttpRequest) -> Origin {
        let config = &self.inner.config;
        let chosen = self.redirect_uri(request);
        if chosen == config.redirect_uri {
            config.base_url.clone()
        } else {
            Origin::of(&chosen)
        }
    }

    /// Where AuthKit shall send this browser back to: the application's choice, if the configuration
    /// lists it.
    fn redirect_uri(&self, request: &HttpRequest) -> Url {
        let config = &self.inner.config;
        let Some(resolver) = &self.inner.redirect_uri_for else {
            return config.redirect_uri.clone();
        };
        let Some(chosen) = resolver(&request_info(request)) else {
            return config.redirect_uri.clone();
        };
        let listed = config
            .redirect_uris
            .iter()
            .find(|uri| uri.as_str() == chosen);
        listed.cloned().unwrap_or_else(|| {
            warn!("a redirect URI that is not on the list was not used");
            config.redirect_uri.clone()
        })
    }
}

/// `302`, after a form `303`.
pub(super) fn redirect(request: &HttpRequest, address: &str) -> HttpResponse {
    let mut response = if request.method() == Method::GET {
        HttpResponse::Found()
    } else {
        HttpResponse::SeeOther()
    };
    let mut response = response.insert_header((LOCATION, address)).finish();
    CachePolicy::private(request.headers()).apply(response.headers_mut());
    response
}

/// The path of the page that a header names, if it is one of the application's own.
pub(super) fn same_origin_path(
    authkit: &AuthKit,
    request: &HttpRequest,
    name: &str,
) -> Option<ReturnTo> {
    let address = header(request.headers(), name)?;
    ReturnTo::parse(address.strip_prefix(authkit.origin(request).as_str())?)
}

/// The oldest of our verifier cookies, which have to go so that few remain; cookies that others made
/// stay.
fn superseded(authkit: &AuthKit, request: &HttpRequest, sealed: &SealedState) -> Vec<String> {
    let mut ours: Vec<_> = verifier_cookies(authkit, request).collect();
    ours.sort_by_key(|pending| std::cmp::Reverse(pending.issued_at));
    let mut bytes = cookie_bytes(sealed.as_str());
    let mut kept = 1;
    ours.into_iter()
        .filter_map(|pending| {
            bytes += pending.bytes;
            kept += 1;
            (kept > MOST_PENDING || bytes > MOST_PENDING_BYTES).then_some(pending.name)
        })
        .collect()
}

/// A sign-in that was started in this browser and has not come back.
pub(super) struct Pending<'a> {
    pub(super) name: String,
    pub(super) value: &'a str,
    pub(super) rounds: u8,
    issued_at: i64,
    bytes: usize,
}

/// The verifier cookies of a request that this application sealed.
pub(super) fn verifier_cookies<'a>(
    authkit: &'a AuthKit,
    request: &'a HttpRequest,
) -> impl Iterator<Item = Pending<'a>> {
    request
        .headers()
        .get_all(COOKIE)
        .flat_map(cookie_pairs)
        .filter(|(name, _)| name.starts_with(VERIFIER_COOKIE_PREFIX))
        .filter_map(|(name, value)| {
            let state = SignInState::open(value, &authkit.inner.sealer).ok()?;
            Some(Pending {
                name: name.to_owned(),
                value,
                rounds: state.rounds,
                issued_at: state.issued_at,
                bytes: cookie_bytes(value),
            })
        })
}

fn fits_a_cookie(sealed: &SealedState) -> bool {
    cookie_bytes(sealed.as_str()) <= LARGEST_COOKIE
}

fn cookie_bytes(value: &str) -> usize {
    VERIFIER_COOKIE_PREFIX.len() + HASH_DIGITS + value.len()
}

const HASH_DIGITS: usize = 8;
const MOST_PENDING: usize = 5;
const MOST_PENDING_BYTES: usize = 4096;
const RETRY_AFTER: u64 = 5;
