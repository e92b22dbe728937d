//! The parsers of what comes from outside, for the fuzz targets; there under `cfg(fuzzing)` alone.
//!
//! Each takes any bytes, and panics where the parser does or where its result is not what it must be.

use std::{sync::LazyLock, time::Duration};

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::json;

use super::{
    credentials::Authorization,
    path_pattern::{PathPattern, PathPatterns},
    set_cookie::{find, session_cookies},
};
use crate::{
    config::{CookieConfig, SameSite},
    oauth::{ReturnTo, SignInOptions, SignInState},
    seal::{IronSealer, Purpose, Sealer},
    session::Session,
    token::{KeySet, Verifier, fuzz_token},
    workos::{
        Authentication, OrganizationMembership, User, WebhookEvent, WebhookSignatures, WorkOsError,
        fuzz_retry_after,
    },
};

/// `Cookie` headers, with a NUL between them.
pub fn cookie(bytes: &[u8]) {
    let found = find(NAME, bytes.split(|&byte| byte == 0));
    assert_eq!(found.is_empty(), found.names().is_empty());
    for candidate in found.candidates() {
        assert!(SEALER.open(Purpose::Session, &candidate).is_err());
    }
}

/// A sealed value that is split into cookies, and found among others.
pub fn chunks(bytes: &[u8]) {
    let sealed: String = bytes
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect();
    let config = CookieConfig {
        name: NAME.to_owned(),
        max_age: Duration::from_secs(60),
        domain: None,
        same_site: SameSite::Lax,
        secure: true,
    };
    let headers = session_cookies(&config, &sealed, &[]);
    let pairs = headers.iter().filter_map(|header| header.split(';').next());
    let found = find(NAME, pairs);
    assert_eq!(found.candidates()[..], [sealed.as_bytes()]);
}

/// A sealed value, and the content of one.
pub fn seal(bytes: &[u8]) {
    let sealed = SEALER.seal(Purpose::Session, bytes);
    if let Ok(sealed) = sealed {
        let opened = SEALER.open(Purpose::Session, &sealed);
        assert!(opened.is_ok_and(|opened| opened.plaintext[..] == *bytes));
        assert!(SEALER.open(Purpose::SignInState, &sealed).is_err());
    }
    if let Ok(text) = str::from_utf8(bytes) {
        assert!(SEALER.open(Purpose::Session, text).is_err());
    }
}

/// A value under the shared seal, and the content of one.
pub fn iron_seal(bytes: &[u8]) {
    if let Ok(sealed) = IRON.seal(bytes) {
        let opened = IRON.open(&sealed, NOW);
        assert!(opened.is_ok_and(|opened| opened.plaintext[..] == *bytes));
    }
    let text = String::from_utf8_lossy(bytes);
    for forged in [
        text.to_string(),
        format!("Fe26.2*{text}"),
        format!("Fe26.2*1*{text}~2"),
    ] {
        assert!(IRON.open(&forged, NOW).is_err());
        assert!(IRON.open(&forged, 0).is_err());
    }
}

/// What is inside of a sealed session, state, or link.
pub fn state(bytes: &[u8]) {
    let _ = Session::read(bytes);
    let seal = |purpose| SEALER.seal(purpose, bytes).ok();
    if let Some(sealed) = seal(Purpose::SignInState)
        && let Ok(state) = SignInState::open(&sealed, &SEALER)
    {
        assert_is_local(&state.return_to);
    }
    if let Some(sealed) = seal(Purpose::SignInOptions) {
        let _ = SignInOptions::open(&sealed, &SEALER);
    }
}

/// An access token that WorkOS did not sign.
pub fn token(bytes: &[u8]) {
    static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
        let key = json!({"kty": "RSA", "kid": "k", "n": MODULUS, "e": "AQAB"});
        let set = json!({"keys": [key]}).to_string();
        KeySet::parse(set.as_bytes(), 0).expect("a key of 2048 bits")
    });
    let verifier = Verifier::new("client", None, None, 30);
    assert!(!fuzz_token(
        &verifier,
        &String::from_utf8_lossy(bytes),
        &KEYS
    ));
}

/// A key set.
pub fn key_set(bytes: &[u8]) {
    let _ = KeySet::parse(bytes, 0);
}

/// The tokens and the user that WorkOS gives for a grant, or its refusal with the status of the first
/// two bytes.
pub fn token_response(bytes: &[u8]) {
    let _ = serde_json::from_slice::<Authentication>(bytes);
    if let Some((status, body)) = bytes.split_first_chunk() {
        let status = u16::from_le_bytes(*status);
        match WorkOsError::classify(status, body, None) {
            WorkOsError::Terminal { .. } => assert_eq!(status, 400),
            WorkOsError::StepUp(_) => assert_eq!(status, 403),
            _ => {}
        }
    }
}

/// A return path.
pub fn return_to(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert_is_local(&ReturnTo::parse_or_root(&text));
    assert_is_local(&ReturnTo::parse_or_root(&format!("/{text}")));
}

/// A path pattern, and in the next line a path.
pub fn path_pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (pattern, path) = text.split_once('\n').unwrap_or((&text, "/"));
    if let Ok(pattern) = PathPattern::parse(pattern) {
        pattern.matches(path);
    }
    if let Ok(list) = PathPatterns::parse("fuzz", ["/public/:rest*"])
        && list.matches(path, path)
    {
        assert!(path == "/public" || path.starts_with("/public/"));
    }
}

/// An `Authorization` header.
pub fn authorization(bytes: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value);
        let _ = Authorization::of(&headers);
    }
}

/// The signature header of a webhook, and after the first line its body.
pub fn webhook(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (header, body) = text.split_once('\n').unwrap_or((&text, ""));
    let signatures = WebhookSignatures {
        secrets: vec!["a secret that nobody knows".into()],
        age_limit: Duration::from_secs(180),
    };
    for header in [header, &format!("t={NOW}000, v1={header}")] {
        assert!(signatures.verify(header, body, NOW).is_err());
    }
    if let Ok(event) = serde_json::from_str::<WebhookEvent>(body) {
        let _ = event.happened_at();
        let _ = event.typed::<User>();
        let _ = event.typed::<OrganizationMembership>();
    }
}

/// A `Retry-After` header.
pub fn retry_after(bytes: &[u8]) {
    fuzz_retry_after(bytes);
}

fn assert_is_local(path: &ReturnTo) {
    let path = path.as_str();
    assert!(path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\"));
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()));
}

static IRON: LazyLock<IronSealer> = LazyLock::new(|| {
    IronSealer::new(
        vec!["a password of the fuzz targets, long enough".into()],
        Vec::new(),
    )
});
static SEALER: LazyLock<Sealer> =
    LazyLock::new(|| Sealer::new(&["a password of the fuzz targets, long enough".into()]));

/// Unix seconds.
const NOW: i64 = 1_800_000_000;
const NAME: &str = "wos-session";
/// Of a key whose private half nobody has kept.
const MODULUS: &str = "\
    5I-6YurwUK5m2jy-ZklTtJ_tjQAHyva1nuu_prPNNY4WwHAsq2oXA0JiR80NXzggMroIT_FmRaYnQ4Us\
    7YQzm98dbGx3eHyUrtM5UPAk0YzIxjzaliUzPrPUuvDVUnglyJpilWwGX7ajHSNTWV-LXiECBV8MLMV2\
    FznIuNKgrx5I03j0fnGhw8dSYOGSzAceRH3klOBQUruMpeKo9_ym4aymlxPUkCfUQpAQamH_Q4IF16Dc\
    DJbjBOHhk8fuRt2z9YE81G4Qd9Mi4A9J9rLWemDEzVc1eATXk1gQV7JhuOWTfkFAOozNo162RiBuWcMY\
    za3oUm947_n_aGQ6HWG53w";
