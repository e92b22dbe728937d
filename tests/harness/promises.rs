//! What every answer of an application keeps to, whatever was asked.

use reqwest::header::HeaderMap;

use crate::{Answer, PASSWORD};

/// What is secret in a text: one search finds it all, since every secret has a form that nothing
/// else has.
///
/// Those are the emulator's refresh tokens, codes and keys by their prefix, access tokens and sealed
/// values by their length, and the cookie password.
pub fn secrets_in(text: &str) -> Vec<&str> {
    let is_of_a_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let words = text.split(|c| !is_of_a_word(c));
    let mut secrets: Vec<_> = words
        .filter(|word| word.len() > LONGEST_WORD || is_token(word))
        .collect();
    secrets.extend(
        [PASSWORD, "Fe26.2*"]
            .iter()
            .filter(|it| text.contains(**it)),
    );
    secrets
}

/// Whether the emulator gave this out in confidence.
fn is_token(word: &str) -> bool {
    let random = ["refresh_", "code_", "pending_", "sk_emulator_"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix));
    random.is_some_and(|random| {
        let is_random = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
        random.len() >= 26 && random.bytes().take(26).all(is_random)
    })
}

/// Panics where an answer to a request with these headers breaks what holds for all.
pub(crate) fn check(path: &str, request: &HeaderMap, answer: &Answer) {
    let broken = broken_by(path, request, answer);
    assert!(
        broken.is_empty(),
        "{broken:?} by an answer {} to {path} {request:?} with {:?} {}",
        answer.status,
        answer.headers,
        answer.body
    );
}

fn broken_by(path: &str, request: &HeaderMap, answer: &Answer) -> Vec<&'static str> {
    let cookies = request.get("cookie").and_then(|it| it.to_str().ok());
    let sent = cookies.unwrap_or_default().split("; ");
    let sent: Vec<_> = sent
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| is_ours(name))
        .collect();
    let set = answer.set_cookies();
    let mut broken = Vec::new();

    let is_private = request.contains_key("authorization")
        || sent.iter().any(|(name, _)| is_session(name))
        || set.iter().any(|cookie| is_ours(&cookie.name))
        || answer
            .location()
            .is_some_and(|to| to.contains("/user_management/authorize?"));
    // The browser module is the same for everyone.
    let is_module = path
        .rsplit('/')
        .next()
        .is_some_and(|it| it.starts_with("client."));
    let is_private = is_private && !is_module;
    if is_private && !is_kept_nowhere(answer) {
        broken.push("the cache rules");
    }
    if set
        .iter()
        .any(|cookie| cookie.name.len() + cookie.value.len() > 4096)
    {
        broken.push("the limit of a cookie");
    }
    let values = sent.iter().map(|(_, value)| *value);
    let mut values = values.chain(set.iter().map(|cookie| cookie.value.as_str()));
    if values.any(|value| value.len() > 100 && answer.body.contains(value)) {
        broken.push("the secrecy of cookies");
    }
    if secrets_in(&answer.body)
        .iter()
        .any(|it| is_token(it) || *it == PASSWORD)
    {
        broken.push("the secrecy of tokens");
    }
    broken
}

fn is_session(name: &str) -> bool {
    let rest = name.strip_prefix("wos-session");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_ours(name: &str) -> bool {
    is_session(name) || name.starts_with("wos-auth-verifier-")
}

fn is_kept_nowhere(answer: &Answer) -> bool {
    let control = answer.headers_joined("cache-control");
    let vary = answer.headers_joined("vary").to_ascii_lowercase();
    [
        "private",
        "no-cache",
        "no-store",
        "must-revalidate",
        "max-age=0",
    ]
    .iter()
    .all(|directive| control.contains(directive))
        && !control.contains("public")
        && answer.header("pragma") == Some("no-cache")
        && answer.header("expires") == Some("0")
        && (vary.contains("cookie") || vary.contains('*'))
}

/// Identifiers are shorter, and a sealed value or a part of an access token is not.
const LONGEST_WORD: usize = 100;
