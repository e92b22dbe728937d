//! What happens to sessions while WorkOS is not well, over real HTTP.

mod clocks;
mod cold_start;
mod grace;
mod lost_answers;
mod sign_out_races;
mod too_many_calls;
mod undelivered;
mod unpublished_keys;
mod waiting;

use authkit_actix::emulator::Endpoint;
use authkit_tests::{Answer, TestApp};
use serde_json::Value;

const ME: &str = "/api/me";
const ADA: &str = "ada@example.com";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;

/// The cookie of ada's session whose token has just expired.
fn expired(app: &TestApp) -> String {
    let cookie = app.cookie_of(ADA);
    app.clock.advance(EXPIRED);
    cookie
}

/// Cookies of so many sessions whose tokens have just expired.
fn all_expired(app: &TestApp, many: usize) -> Vec<String> {
    let cookies = (0..many).map(|_| app.cookie_of(ADA)).collect();
    app.clock.advance(EXPIRED);
    cookies
}

fn refreshes(app: &TestApp) -> usize {
    app.emulator.calls(Endpoint::AuthenticateRefresh)
}

/// The new session that an answer sets, as its cookie.
fn renewed(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.set_cookie("wos-session").expect("a new session");
    format!("wos-session={}", cookie.value)
}

fn content(app: &TestApp, cookie: &str) -> Value {
    app.open(cookie.trim_start_matches("wos-session="))
}

/// How long to wait, of an answer that says nothing else and leaves the cookie alone.
fn told_to_wait(answer: &Answer) -> i64 {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    let seconds = answer.header("retry-after").and_then(|it| it.parse().ok());
    seconds.expect("Retry-After in seconds")
}
