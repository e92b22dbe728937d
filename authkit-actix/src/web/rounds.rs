//! How often a browser has been to AuthKit and back without keeping a session, and the end of that.
//!
//! A sign-in counts as a round when the session of the one before has not come back. The count travels
//! with the browser: from the callback to the next start in a small cookie, which a first round does
//! not need, and from the start to the callback in the sealed state.

use std::{ops::RangeInclusive, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{COOKIE, SET_COOKIE},
    },
};
use tokio::time;
use tracing::warn;

use super::{
    authorize::{SignInStart, verifier_cookies},
    lost_cookie::{self, Loss},
    rejection::{Problem, refusal},
    request_session::RequestSession,
    set_cookie::{self, cookie_pairs},
};
use crate::{
    authkit::AuthKit,
    config::{CookieConfig, LARGEST_COOKIE},
    session::{Arrival, Begun, Outcome},
};

/// The rounds of a browser, as its cookies tell.
pub(super) struct Rounds {
    pub(super) count: u8,
    note: Option<Note>,
    /// A verifier cookie is still there whose sign-in has ended.
    keeps_spent_verifier: bool,
}

impl Rounds {
    pub(super) fn of(authkit: &AuthKit, request: &HttpRequest) -> Self {
        let note = Note::among(request).filter(|note| note.is_fresh(authkit));
        let spent = verifier_cookies(authkit, request)
            .filter(|pending| authkit.inner.beginnings.has_begun(pending.value))
            .map(|pending| pending.rounds.saturating_add(1))
            .max();
        Self {
            count: note
                .as_ref()
                .map_or(0, |note| note.count)
                .max(spent.unwrap_or(0)),
            note,
            keeps_spent_verifier: spent.is_some(),
        }
    }

    /// Whether another redirect would go on in circles.
    pub(super) fn are_a_loop(&self, request: &HttpRequest) -> bool {
        self.are_too_many() && !is_signed_in(request)
    }

    pub(super) fn are_too_many(&self) -> bool {
        self.count >= MOST_ROUNDS
    }

    /// The `Set-Cookie` value for a way through the callback that has begun no session.
    pub(super) fn with_one_more(&self, authkit: &AuthKit) -> String {
        counted(authkit, self.count.saturating_add(1), 0)
    }

    /// The page in place of another redirect: it says what is likely wrong, and a click begins anew.
    pub(super) fn explanation(
        &self,
        authkit: &AuthKit,
        request: &HttpRequest,
        start: &SignInStart,
    ) -> HttpResponse {
        let losses = self.losses(authkit, request);
        let bytes = self.note.as_ref().map_or(0, |note| note.session_bytes);
        warn!(
            rounds = self.count,
            likely = ?losses,
            session_bytes = bytes,
            host = request.connection_info().host(),
            base_url = authkit.base_url(),
            cookie_domain = authkit.inner.config.cookie.domain,
            "a browser went to AuthKit and back again and again without keeping a session"
        );
        let reasons: Vec<_> = losses.iter().map(|loss| loss.sentence()).collect();
        let detail = format!(
            "Signing in has succeeded, but your browser does not bring the session along. {}",
            reasons.join(" ")
        );
        let return_to = Some(start.return_to.as_str());
        let origin = authkit.origin(request);
        let problem = Problem {
            code: "sign_in_loop",
            title: "You would go round in circles",
            detail: &detail,
            sign_in_url: Some(authkit.sign_in_address(&origin, &start.options, return_to)),
            ..Problem::new(StatusCode::BAD_REQUEST)
        };
        let mut response = refusal(request, &problem);
        let config = &authkit.inner.config.cookie;
        let verifiers = verifier_cookies(authkit, request)
            .map(|pending| set_cookie::verifier_removal(config, &pending.name));
        for removal in verifiers.chain([removal(config)]) {
            if let Ok(removal) = removal.parse() {
                response.headers_mut().append(SET_COOKIE, removal);
            }
        }
        response
    }

    fn losses(&self, authkit: &AuthKit, request: &HttpRequest) -> Vec<Loss> {
        let session_arrived =
            RequestSession::of(request).is_some_and(|session| !session.found_cookies().is_empty());
        let mut losses = lost_cookie::of_any_cookie(authkit, request);
        if session_arrived {
            losses.push(Loss::Refused);
        }
        if self.keeps_spent_verifier {
            losses.push(Loss::Stripped);
        }
        if let Some(note) = &self.note {
            let room = LARGEST_COOKIE.saturating_sub(authkit.inner.config.cookie.name.len());
            if !session_arrived && note.session_bytes > room {
                losses.push(Loss::TooLarge);
            }
            if !EXPECTED_AGE.contains(&note.age(authkit)) {
                losses.push(Loss::ClocksApart);
            }
        }
        if losses.is_empty() {
            losses.push(Loss::Overwritten);
        }
        losses
    }
}

/// The `Set-Cookie` value by which a sign-in that has just ended well counts as a round, for half a
/// minute, or ends the count; `rounds` have been counted when it started.
pub(super) async fn after_sign_in(
    authkit: &AuthKit,
    session: &RequestSession,
    request: &HttpRequest,
    rounds: u8,
    begun: &Begun,
) -> Option<String> {
    let sessions = &authkit.inner.sessions;
    let newcomer = &begun.signed_in.session;
    let is_suspicious = rounds > 0 || sessions.arrival_of(&newcomer.user.id) == Arrival::Awaited;
    // The session of another tab may come with this very request.
    let comes_with_a_session = is_suspicious && {
        let resolution = time::timeout(PATIENCE, session.resolution(request)).await;
        resolution.map_or(true, |resolution| {
            matches!(resolution.outcome, Outcome::SignedIn(_))
        })
    };
    let rounds = match sessions.awaits(newcomer) {
        Arrival::Arrived => 0,
        Arrival::Unknown => rounds,
        Arrival::Awaited => rounds.max(1),
    };
    if comes_with_a_session || rounds == 0 {
        return forgotten(&authkit.inner.config.cookie, request);
    }
    let session_bytes = begun.sealed.len();
    Some(counted(authkit, rounds.saturating_add(1), session_bytes))
}

/// The `Set-Cookie` value that ends the count, where there is one.
pub(super) fn forgotten(config: &CookieConfig, request: &HttpRequest) -> Option<String> {
    Note::among(request).map(|_| removal(config))
}

fn counted(authkit: &AuthKit, count: u8, session_bytes: usize) -> String {
    let now = authkit.inner.clock.unix_seconds();
    let value = format!("{count}.{now}.{session_bytes}");
    set_cookie::note(&authkit.inner.config.cookie, NAME, &value, LIFETIME)
}

/// What the cookie says. It is not sealed: whoever forges it gets a page with a link.
struct Note {
    count: u8,
    /// Unix seconds.
    at: i64,
    session_bytes: usize,
}

impl Note {
    fn among(request: &HttpRequest) -> Option<Self> {
        let mut cookies = request.headers().get_all(COOKIE).flat_map(cookie_pairs);
        let (_, value) = cookies.find(|(name, _)| *name == NAME)?;
        let mut parts = value.splitn(3, '.');
        Some(Self {
            count: parts.next()?.parse().ok()?,
            at: parts.next()?.parse().ok()?,
            session_bytes: parts.next()?.parse().ok()?,
        })
    }

    /// The browser forgets it in time; only clocks that are apart make it look older, or younger.
    fn is_fresh(&self, authkit: &AuthKit) -> bool {
        (-MOST_APART..=MOST_APART).contains(&self.age(authkit))
    }

    fn age(&self, authkit: &AuthKit) -> i64 {
        authkit.inner.clock.unix_seconds().saturating_sub(self.at)
    }
}

fn is_signed_in(request: &HttpRequest) -> bool {
    let outcome = RequestSession::of(request).and_then(|session| session.known_outcome());
    matches!(outcome, Some(Outcome::SignedIn(_)))
}

fn removal(config: &CookieConfig) -> String {
    set_cookie::note(config, NAME, "", 0)
}

const NAME: &str = "wos-auth-rounds";
/// Browsers give up after some twenty redirects, of which a round has four or five.
const MOST_ROUNDS: u8 = 3;
/// Seconds between the end of a sign-in and the next start that still belongs to it.
const LIFETIME: u64 = 30;
/// Seconds by which two instances' clocks may be apart for one to believe the other's count.
const MOST_APART: i64 = 600;
/// Seconds, with as much leeway as tokens have.
const EXPECTED_AGE: RangeInclusive<i64> = -30..=60;
/// A session that takes longer to be judged is there, at least.
const PATIENCE: Duration = Duration::from_millis(500);
