use std::{
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{FutureExt, channel::oneshot, future::join_all};
use serde_json::{Value, json};
use tracing::{Event, Level, Metadata, Subscriber, span};

mod reference;

use super::{
    jwks::{KeySet, KeySetError},
    verify::UnknownKey,
    *,
};

const NOW: i64 = 1_800_000_000;
const CLIENT: &str = "client_01";

static KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate("key_1"));
static NEXT_KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate("key_2"));

// Genuine tokens

#[test]
fn a_genuine_token_gives_all_its_claims() {
    let claims = valid(verify(&KEY.token(json!({
        "sub": "user_1", "sid": "session_1", "iat": NOW, "exp": NOW + 300,
        "nbf": NOW - 1, "iss": "https://api.workos.com/", "aud": "app", "jti": "jti_1",
        "client_id": CLIENT, "auth_time": NOW - 5, "org_id": "org_1", "role": "admin", "roles": ["admin", "member"],
        "permissions": ["billing:manage"], "entitlements": ["sso"], "feature_flags": ["beta"],
        "act": {"sub": "eve@example.com", "extra": 1},
        "unknown": {"deep": [1]},
    }))));
    assert_eq!(claims.sub, "user_1");
    assert_eq!(claims.sid, "session_1");
    assert_eq!((claims.iat, claims.exp), (NOW, NOW + 300));
    assert_eq!(claims.nbf, Some(NOW - 1));
    assert_eq!(claims.iss.as_deref(), Some("https://api.workos.com/"));
    assert_eq!(claims.aud, ["app"]);
    assert_eq!(claims.jti.as_deref(), Some("jti_1"));
    assert_eq!(claims.client_id.as_deref(), Some(CLIENT));
    assert_eq!(claims.auth_time, Some(NOW - 5));
    assert_eq!(claims.org_id.as_deref(), Some("org_1"));
    assert_eq!(claims.role.as_deref(), Some("admin"));
    assert_eq!(claims.roles, ["admin", "member"]);
    assert_eq!(claims.permissions, ["billing:manage"]);
    assert_eq!(claims.entitlements, ["sso"]);
    assert_eq!(claims.feature_flags, ["beta"]);
    assert_eq!(
        claims.act.as_ref().map(|act| act.sub.as_str()),
        Some("eve@example.com")
    );
}

#[test]
fn optional_claims_may_be_absent_or_null() {
    let absent = valid(verify(&KEY.token(base())));
    let nulls = valid(verify(&KEY.token(with(json!({
        "iss": null, "jti": null, "client_id": null, "auth_time": null, "org_id": null,
        "role": null, "roles": null, "permissions": null, "entitlements": null, "feature_flags": null, "act": null, "aud": null,
    })))));
    assert_eq!(absent, nulls);
    assert_eq!(absent.role, None);
    assert!(absent.roles.is_empty());
}

#[test]
fn a_malformed_auth_time_counts_as_absent() {
    for auth_time in [
        json!("1800000000"),
        json!({}),
        json!(1.5),
        json!(-1),
        json!(u64::MAX),
        json!([[]]),
        json!(true),
    ] {
        let claims = valid(verify(&KEY.token(with(json!({"auth_time": auth_time})))));
        assert_eq!(claims.auth_time, None);
    }
}

#[test]
fn the_leeway_is_inclusive_on_both_sides() {
    let token = KEY.token(with(json!({"iat": NOW, "exp": NOW + 300})));
    let at = |now| verifier().verify(&token, Some(&keys()), now);
    assert!(matches!(at(NOW - 31), Ok(Verdict::NotYetValid(_))));
    assert!(matches!(at(NOW - 30), Ok(Verdict::Valid(_))));
    assert!(matches!(at(NOW + 330), Ok(Verdict::Valid(_))));
    assert!(matches!(at(NOW + 331), Ok(Verdict::Expired(_))));
    assert!(matches!(at(i64::MAX), Ok(Verdict::Expired(_))));
    assert!(matches!(at(i64::MIN), Ok(Verdict::NotYetValid(_))));
}

#[test]
fn not_before_counts_like_the_time_of_issue() {
    let starting = |nbf: i64| verify(&KEY.token(with(json!({"nbf": nbf}))));
    assert!(matches!(starting(NOW + 30), Verdict::Valid(_)));
    assert!(matches!(starting(NOW + 31), Verdict::NotYetValid(_)));
}

#[test]
fn an_immense_leeway_does_not_overflow() {
    let verifier = Verifier::new(CLIENT, None, None, i64::MAX);
    let verdict = verifier.verify(&KEY.token(base()), Some(&keys()), i64::MAX);
    assert!(matches!(verdict, Ok(Verdict::Valid(_))));
}

#[test]
fn custom_claims_are_read_from_the_same_payload() {
    #[derive(serde::Deserialize)]
    struct Plan {
        plan: String,
    }
    let token = KEY.token(with(json!({"plan": "pro"})));
    assert_eq!(
        custom_claims::<Plan>(&AccessToken::new(&token))
            .expect("a plan")
            .plan,
        "pro"
    );
    assert!(custom_claims::<Plan>(&AccessToken::new(&KEY.token(base()))).is_err());
    assert!(custom_claims::<Value>(&AccessToken::new("no token")).is_err());
}

// Forged tokens

#[test]
fn every_algorithm_but_rs256_is_refused() {
    let payload = base().to_string();
    for alg in [
        "none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "RS512", "HS256", "ES256", "EdDSA",
    ] {
        let header = json!({"alg": alg, "kid": KEY.kid}).to_string();
        for token in [
            join(&header, &payload, b""),
            KEY.sign(&header, &payload, &RSA_PKCS1_SHA256),
        ] {
            assert_eq!(
                verify(&token),
                Verdict::Forged(TokenError::Algorithm),
                "{alg}"
            );
        }
    }
    for (alg, encoding) in [
        ("RS384", &RSA_PKCS1_SHA384 as &'static dyn RsaEncoding),
        ("PS256", &RSA_PSS_SHA256),
    ] {
        let header = json!({"alg": alg, "kid": KEY.kid}).to_string();
        let token = KEY.sign(&header, &payload, encoding);
        assert_eq!(verify(&token), Verdict::Forged(TokenError::Algorithm));
        let token = KEY.sign(&KEY.header(), &payload, encoding);
        assert_eq!(verify(&token), Verdict::Forged(TokenError::Signature));
    }
}

#[test]
fn hs256_with_the_public_key_as_its_secret_is_refused() {
    for alg in ["HS256", "RS256"] {
        let header = json!({"alg": alg, "kid": KEY.kid}).to_string();
        let payload = base().to_string();
        let signed = join(&header, &payload, b"");
        let secret = hmac::Key::new(hmac::HMAC_SHA256, KEY.pair.public_key().as_ref());
        let tag = hmac::sign(&secret, signed.trim_end_matches('.').as_bytes());
        assert_forged(&join(&header, &payload, tag.as_ref()));
    }
}

#[test]
fn keys_and_key_addresses_in_the_header_are_not_looked_at() {
    let header = json!({
        "alg": "RS256", "kid": KEY.kid, "jwk": NEXT_KEY.jwk(), "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/cert", "x5c": ["AAAA"],
    });
    let token = NEXT_KEY.sign(&header.to_string(), &base().to_string(), &RSA_PKCS1_SHA256);
    assert_eq!(verify(&token), Verdict::Forged(TokenError::Signature));
}

#[test]
fn a_critical_extension_is_refused_whatever_it_is() {
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!(null)] {
        let header = json!({"alg": "RS256", "kid": KEY.kid, "crit": crit}).to_string();
        let token = KEY.sign(&header, &base().to_string(), &RSA_PKCS1_SHA256);
        assert_eq!(
            verify(&token),
            Verdict::Forged(TokenError::CriticalExtension)
        );
    }
}

#[test]
fn a_header_must_name_its_key() {
    for header in [
        json!({"alg": "RS256"}),
        json!({"alg": "RS256", "kid": ""}),
        json!({"alg": "RS256", "kid": null}),
    ] {
        let token = KEY.sign(&header.to_string(), &base().to_string(), &RSA_PKCS1_SHA256);
        assert_eq!(verify(&token), Verdict::Forged(TokenError::MissingKeyId));
    }
}

#[test]
fn what_is_no_jwt_is_malformed() {
    let token = KEY.token(base());
    let deep = "[".repeat(5_000);
    let header_with = |header: &str| join(header, "{}", b"x");
    for broken in [
        String::new(),
        ".".into(),
        "..".into(),
        "....".into(),
        "a.b.c".into(),
        "é.é.é".into(),
        format!("{token}."),
        format!(".{token}"),
        format!(" {token}"),
        header_with(""),
        header_with("null"),
        header_with("[]"),
        header_with("{\"kid\":\"key_1\"}"),
        header_with("{\"alg\":[\"RS256\"],\"kid\":\"key_1\"}"),
        header_with("{\"alg\":\"RS256\",\"kid\":1}"),
        header_with("{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"key_1\"}"),
        header_with(&format!(
            "{{\"alg\":\"RS256\",\"kid\":\"key_1\",\"x\":{deep}"
        )),
        "x".repeat(1_000_000),
        KEY.token(with(json!({"padding": "x".repeat(16 * 1024)}))),
    ] {
        assert_eq!(verify(&broken), Verdict::Forged(TokenError::Malformed));
    }
}

#[test]
fn a_token_may_have_16_kilobytes_and_no_more() {
    let token = join(&KEY.header(), &base().to_string(), b"");
    let long = |length| format!("{token}{}", "A".repeat(length - token.len()));
    assert_eq!(
        verify(&long(16 * 1024)),
        Verdict::Forged(TokenError::Signature)
    );
    assert_eq!(
        verify(&long(16 * 1024 + 1)),
        Verdict::Forged(TokenError::Malformed)
    );
}

#[test]
fn every_altered_character_is_noticed() {
    let token = KEY.token(base());
    for index in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).expect("ASCII");
        // An altered `kid` is another key's name, and unknown.
        if let Ok(verdict) = verifier().verify(&altered, Some(&keys()), NOW) {
            assert!(matches!(verdict, Verdict::Forged(_)), "at {index}");
        }
        assert_forged(&token[..index]);
    }
}

#[test]
fn required_claims_must_be_there() {
    for missing in ["sub", "sid", "iat", "exp"] {
        let mut claims = base();
        claims
            .as_object_mut()
            .expect("an object")
            .remove(missing)
            .expect("a claim");
        assert_eq!(
            verify(&KEY.token(claims)),
            Verdict::Forged(TokenError::Claims)
        );
    }
    for payload in ["", "null", "[]", "\"\"", "{", "{}"] {
        let token = KEY.sign(&KEY.header(), payload, &RSA_PKCS1_SHA256);
        assert_eq!(verify(&token), Verdict::Forged(TokenError::Claims));
    }
}

#[test]
fn times_of_the_wrong_type_or_size_are_refused() {
    let bad_times = [
        "\"1800000300\"",
        "null",
        "{}",
        "[]",
        "true",
        "1800000300.0",
        "1.8e9",
        "-1",
        "-0",
        "1e400",
        "1e300",
        "253402300800",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "99999999999999999999999",
        "-9223372036854775808",
    ];
    for claim in ["exp", "iat", "nbf"] {
        for bad in bad_times {
            let mut claims = base();
            claims.as_object_mut().expect("an object").remove(claim);
            let rest = claims.to_string();
            let payload = format!("{{\"{claim}\":{bad},{}", &rest[1..]);
            let token = KEY.sign(&KEY.header(), &payload, &RSA_PKCS1_SHA256);
            assert_eq!(
                verify(&token),
                Verdict::Forged(TokenError::Claims),
                "{claim}: {bad}"
            );
        }
    }
}

#[test]
fn other_claims_of_the_wrong_type_are_refused() {
    for bad in [
        json!({"sub": ""}),
        json!({"sid": ""}),
        json!({"sub": 1}),
        json!({"sid": null}),
        json!({"role": ["admin"]}),
        json!({"roles": "admin"}),
        json!({"permissions": [1]}),
        json!({"feature_flags": {"beta": true}}),
        json!({"org_id": 7}),
        json!({"act": "eve@example.com"}),
        json!({"act": {}}),
        json!({"client_id": 1}),
        json!({"aud": 1}),
    ] {
        let verdict = verify(&KEY.token(with(bad.clone())));
        assert_eq!(verdict, Verdict::Forged(TokenError::Claims), "{bad}");
    }
}

#[test]
fn duplicate_or_deeply_nested_claims_are_refused_and_unknown_ones_ignored() {
    let rest = base().to_string();
    let nested = format!("{}{}", "[".repeat(3_000), "]".repeat(3_000));
    let ignored = format!("{{\"x\":{nested},{}", &rest[1..]);
    valid(verify(&KEY.sign(
        &KEY.header(),
        &ignored,
        &RSA_PKCS1_SHA256,
    )));
    for payload in [
        format!("{{\"sub\":\"user_2\",{}", &rest[1..]),
        format!("{{\"exp\":1,{}", &rest[1..]),
        format!("{{\"role\":{nested},{}", &rest[1..]),
        format!("{{\"auth_time\":{nested},{}", &rest[1..]),
    ] {
        let token = KEY.sign(&KEY.header(), &payload, &RSA_PKCS1_SHA256);
        assert_eq!(verify(&token), Verdict::Forged(TokenError::Claims));
    }
}

#[test]
fn a_client_id_must_be_ours_where_present() {
    for other in ["client_02", "", "CLIENT_01"] {
        let token = KEY.token(with(json!({"client_id": other})));
        assert_eq!(verify(&token), Verdict::Forged(TokenError::Client));
    }
}

#[test]
fn issuer_and_audience_are_checked_where_configured() {
    let strict = Verifier::new(
        CLIENT,
        Some("https://id.example".into()),
        Some("app".into()),
        30,
    );
    let verify = |claims| strict.verify(&KEY.token(with(claims)), Some(&keys()), NOW);
    for aud in [json!("app"), json!(["other", "app"])] {
        let verdict = verify(json!({"iss": "https://id.example", "aud": aud}));
        assert!(matches!(verdict, Ok(Verdict::Valid(_))));
    }
    for (claims, error) in [
        (json!({"aud": "app"}), TokenError::Issuer),
        (
            json!({"iss": "https://id.example/", "aud": "app"}),
            TokenError::Issuer,
        ),
        (json!({"iss": "https://id.example"}), TokenError::Audience),
        (
            json!({"iss": "https://id.example", "aud": "application"}),
            TokenError::Audience,
        ),
        (
            json!({"iss": "https://id.example", "aud": []}),
            TokenError::Audience,
        ),
    ] {
        assert_eq!(verify(claims), Ok(Verdict::Forged(error)));
    }
}

#[test]
fn an_expired_forgery_is_forged_and_not_expired() {
    let claims = with(json!({"iat": NOW - 900, "exp": NOW - 600}));
    assert!(matches!(
        verify(&KEY.token(claims.clone())),
        Verdict::Expired(_)
    ));
    let token = NEXT_KEY.sign(&KEY.header(), &claims.to_string(), &RSA_PKCS1_SHA256);
    assert_eq!(verify(&token), Verdict::Forged(TokenError::Signature));
}

// Key sets

#[test]
fn unusable_keys_are_skipped() {
    let good = KEY.jwk();
    let changed = |changes: Value| merge(NEXT_KEY.jwk(), changes);
    let unsigned = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let mut even = KEY.modulus();
    *even.last_mut().expect("a modulus") &= 0xfe;
    for bad in [
        json!(null),
        json!("key"),
        json!([]),
        json!({}),
        json!({"kty": "oct", "kid": "key_2", "alg": "HS256", "k": "c2VjcmV0"}),
        json!({"kty": "EC", "kid": "key_2", "crv": "P-256", "x": "AA", "y": "AA"}),
        changed(json!({"use": "enc"})),
        changed(json!({"key_ops": ["sign"]})),
        changed(json!({"alg": "RS512"})),
        changed(json!({"alg": "HS256"})),
        changed(json!({"alg": 1})),
        changed(json!({"kid": null})),
        changed(json!({"kid": ""})),
        changed(json!({"kid": 2})),
        changed(json!({"n": unsigned(&[0xff; 128])})),
        changed(json!({"n": unsigned(&[&[0x7f], [0xff; 255].as_slice()].concat())})),
        changed(json!({"n": unsigned(&[0xff; 1025])})),
        changed(json!({"n": unsigned(&even)})),
        changed(json!({"n": ""})),
        changed(json!({"n": "AAAA"})),
        changed(json!({"n": "+/+/"})),
        changed(json!({"e": ""})),
        changed(json!({"e": unsigned(&[0])})),
        changed(json!({"e": unsigned(&[1])})),
        changed(json!({"e": unsigned(&[2])})),
        changed(json!({"e": unsigned(&[0xff; 16])})),
        changed(json!({"e": null})),
    ] {
        for document in [json!({"keys": [good, bad]}), json!({"keys": [bad, good]})] {
            let keys = parse(&document).expect("one good key");
            assert_eq!(keys.named("key_2").count(), 0, "{bad}");
            let verdict = verifier().verify(&KEY.token(base()), Some(&keys), NOW);
            assert!(matches!(verdict, Ok(Verdict::Valid(_))));
        }
        let alone = parse(&json!({"keys": [bad]}));
        assert_eq!(alone.err(), Some(KeySetError::NoUsableKey));
    }
}

#[test]
fn a_key_may_omit_use_and_alg_and_begin_with_zeros() {
    let modulus = [vec![0, 0], KEY.modulus()].concat();
    let n = URL_SAFE_NO_PAD.encode(modulus);
    let jwk = json!({"kty": "RSA", "kid": KEY.kid, "n": n, "e": "AAEAAQ", "x5c": [1]});
    let keys = parse(&json!({"keys": [jwk], "more": 1})).expect("a key set");
    let verdict = verifier().verify(&KEY.token(base()), Some(&keys), NOW);
    assert!(matches!(verdict, Ok(Verdict::Valid(_))));
}

#[test]
fn of_two_keys_with_one_name_either_may_have_signed() {
    let namesake = merge(NEXT_KEY.jwk(), json!({"kid": KEY.kid}));
    let keys = parse(&json!({"keys": [KEY.jwk(), namesake]})).expect("a key set");
    let payload = base().to_string();
    for key in [&*KEY, &*NEXT_KEY] {
        let token = key.sign(&KEY.header(), &payload, &RSA_PKCS1_SHA256);
        let verdict = verifier().verify(&token, Some(&keys), NOW);
        assert!(matches!(verdict, Ok(Verdict::Valid(_))));
    }
}

#[test]
fn a_body_that_is_no_key_set_is_an_error() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "<html>",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[]",
        "\u{feff}{\"keys\":[]}",
        "{\"keys\":[],\"keys\":[]}",
        &"[".repeat(200_000),
    ] {
        let parsed = KeySet::parse(body.as_bytes(), NOW);
        assert_eq!(parsed.err(), Some(KeySetError::Malformed));
    }
    assert!(KeySet::parse(b"{\"keys\":[\xff]}", NOW).is_err());
    assert_eq!(
        parse(&json!({"keys": []})).err(),
        Some(KeySetError::NoUsableKey)
    );
}

#[test]
fn an_absurd_number_of_keys_is_cut() {
    let many = vec![KEY.jwk(); 600];
    let keys = parse(&json!({"keys": many})).expect("a key set");
    assert_eq!(keys.len(), 100);
}

// The cache

#[test]
fn a_cold_cache_fetches_once_for_all_who_wait() {
    let stage = Stage::new();
    let answer = stage.will_answer_later();
    let token = AccessToken::new(&KEY.token(base()));
    assert!(matches!(stage.check(&token), Check::NeedsKeys));

    let mut all = join_all((0..50).map(|_| stage.tokens.settle(&token, None))).boxed();
    let mut context = Context::from_waker(Waker::noop());
    assert!(all.as_mut().poll(&mut context).is_pending());
    answer.send(Ok(document(&[&KEY]))).expect("a receiver");
    let Poll::Ready(verdicts) = all.as_mut().poll(&mut context) else {
        panic!("still pending");
    };

    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Ok(Verdict::Valid(_))))
    );
    assert_eq!(stage.fetches(), 1);
    assert!(matches!(
        stage.check(&token),
        Check::Done(Verdict::Valid(_))
    ));
}

#[test]
fn a_malformed_token_needs_no_keys() {
    let stage = Stage::new();
    let check = stage.check(&AccessToken::new("not.a.token"));
    assert!(matches!(
        check,
        Check::Done(Verdict::Forged(TokenError::Malformed))
    ));
    assert_eq!(stage.fetches(), 0);
}

#[test]
fn ten_thousand_key_names_cause_one_fetch_per_cooldown() {
    let stage = Stage::warm();
    stage.advance(30);
    for attempt in 0..10_000 {
        let kid = format!("random_{attempt}");
        let verdict = stage.settle(&unsigned_token(&kid, NOW - 3600));
        assert_eq!(verdict, Ok(Verdict::Forged(TokenError::UnknownKey)));
    }
    assert_eq!(stage.fetches(), 2);
    stage.advance(29);
    let _ = stage.settle(&unsigned_token("random", NOW));
    assert_eq!(stage.fetches(), 2);
    stage.advance(1);
    let _ = stage.settle(&unsigned_token("random", NOW));
    assert_eq!(stage.fetches(), 3);
}

#[test]
fn a_key_missing_from_a_fresh_set_does_not_exist() {
    let stage = Stage::warm();
    stage.advance(30);
    let verdict = stage.settle(&unsigned_token("random", NOW + 30));
    assert_eq!(verdict, Ok(Verdict::Forged(TokenError::UnknownKey)));
}

#[test]
fn after_a_rotation_the_new_key_is_fetched_and_nobody_is_signed_out() {
    let stage = Stage::warm();
    stage.publish(&[&KEY, &NEXT_KEY]);
    stage.advance(10);
    let old = KEY.token(base());
    let new = NEXT_KEY.token(with(json!({"iat": NOW + 10})));

    let too_early = stage.settle(&new);
    assert_eq!(too_early, Err(KeysUnavailable { retry_after: 20 }));
    assert_eq!(stage.tokens.seconds_until_next_fetch(), 20);
    stage.advance(20);
    assert!(matches!(stage.settle(&new), Ok(Verdict::Valid(_))));
    assert!(matches!(stage.settle(&old), Ok(Verdict::Valid(_))));
    assert_eq!(stage.fetches(), 2);
}

#[test]
fn an_unknown_key_within_the_cooldown_is_judged_by_the_age_of_the_token() {
    let stage = Stage::warm();
    let within_cooldown = |issued_at| stage.settle(&unsigned_token("random", issued_at));
    // By clocks that may be 30 seconds apart.
    assert!(within_cooldown(NOW - 29).is_err());
    assert_eq!(
        within_cooldown(NOW - 30),
        Ok(Verdict::Forged(TokenError::UnknownKey))
    );
    let no_time = join(
        &json!({"alg": "RS256", "kid": "random"}).to_string(),
        "x",
        b"",
    );
    assert_eq!(
        stage.settle(&no_time),
        Ok(Verdict::Forged(TokenError::UnknownKey))
    );
    assert_eq!(stage.fetches(), 1);
}

#[test]
fn unreachable_keys_from_cold_are_tried_once_per_cooldown() {
    let stage = Stage::new();
    stage.will_fail();
    let token = KEY.token(with(json!({"exp": NOW + 3600})));
    assert_eq!(
        stage.settle(&token),
        Err(KeysUnavailable { retry_after: 30 })
    );
    stage.advance(12);
    assert_eq!(
        stage.settle(&token),
        Err(KeysUnavailable { retry_after: 18 })
    );
    assert_eq!(stage.fetches(), 1);

    stage.advance(18);
    assert!(stage.settle(&token).is_err());
    assert_eq!((stage.fetches(), stage.tokens.jwks.failures()), (2, 2));

    stage.publish(&[&KEY]);
    stage.advance(30);
    assert!(matches!(stage.settle(&token), Ok(Verdict::Valid(_))));
    assert_eq!((stage.fetches(), stage.tokens.jwks.failures()), (3, 0));
}

#[test]
fn stale_keys_serve_while_work_os_is_down_or_talks_nonsense() {
    let stage = Stage::warm();
    let hours_later = NOW + 7200;
    stage.advance(7200);
    let token = KEY.token(with(json!({"iat": hours_later, "exp": hours_later + 300})));
    let answers: [Result<Vec<u8>, String>; 3] = [
        Err("timeout".into()),
        Ok(b"<html>".to_vec()),
        Ok(b"{\"keys\":[]}".to_vec()),
    ];
    for answer in answers {
        stage.will_answer(answer);
        assert!(
            stage
                .settle(&unsigned_token("random", hours_later))
                .is_err()
        );
        assert!(matches!(stage.settle(&token), Ok(Verdict::Valid(_))));
        stage.advance(30);
    }
    assert_eq!((stage.fetches(), stage.tokens.jwks.failures()), (4, 3));
}

#[test]
fn a_fetch_whose_waiters_left_is_taken_up_by_the_next_one() {
    let stage = Stage::new();
    let answer = stage.will_answer_later();
    let token = KEY.token(base());
    let in_vain = AccessToken::new(&token);
    let mut left = stage.tokens.settle(&in_vain, None).boxed();
    assert!(left.as_mut().now_or_never().is_none());
    drop(left);
    answer.send(Ok(document(&[&KEY]))).expect("a receiver");

    stage.advance(5);
    assert!(matches!(stage.settle(&token), Ok(Verdict::Valid(_))));
    assert_eq!(stage.fetches(), 1);
}

#[test]
fn a_set_whose_fetch_began_before_the_token_came_does_not_condemn_it() {
    let stage = Stage::warm();
    stage.advance(30);
    let answer = stage.will_answer_later();
    let token = AccessToken::new(&unsigned_token("random", NOW));
    assert!(stage.tokens.settle(&token, None).now_or_never().is_none());
    answer.send(Ok(document(&[&KEY]))).expect("a receiver");

    stage.advance(20);
    let newer = stage.settle(&NEXT_KEY.token(with(json!({"iat": NOW + 50}))));
    assert_eq!(newer, Err(KeysUnavailable { retry_after: 10 }));
}

#[test]
fn a_fetch_abandoned_long_ago_is_replaced() {
    let stage = Stage::new();
    let _never_sent = stage.will_answer_later();
    let token = KEY.token(with(json!({"exp": NOW + 3600})));
    let in_vain = AccessToken::new(&token);
    assert!(stage.tokens.settle(&in_vain, None).now_or_never().is_none());

    stage.publish(&[&KEY]);
    stage.advance(30);
    assert!(matches!(stage.settle(&token), Ok(Verdict::Valid(_))));
    assert_eq!(stage.fetches(), 2);
}

#[test]
fn an_abandoned_fetch_does_not_outlive_the_cache() {
    let stage = Stage::new();
    let answer = stage.will_answer_later();
    let token = AccessToken::new(&KEY.token(base()));
    assert!(stage.tokens.settle(&token, None).now_or_never().is_none());
    drop(stage);
    assert!(answer.is_canceled());
}

#[test]
fn a_clock_set_back_does_not_stop_the_fetching() {
    let stage = Stage::warm();
    stage.advance(-86_400);
    let _ = stage.settle(&unsigned_token("random", NOW));
    assert_eq!(stage.fetches(), 2);
    let _ = stage.settle(&unsigned_token("random", NOW));
    assert_eq!(stage.fetches(), 2);
}

#[test]
fn an_outage_is_one_error_in_the_log_and_its_end_one_info() {
    let stage = Stage::new();
    let log = LevelLog::default();
    tracing::subscriber::with_default(log.clone(), || {
        for is_up in [true, false, false, false, true, true, false] {
            if is_up {
                stage.publish(&[&KEY]);
            } else {
                stage.will_fail();
            }
            let _ = stage.settle(&unsigned_token("random", NOW));
            stage.advance(30);
        }
    });
    let levels = log.0.lock().expect("no panic").clone();
    assert_eq!(
        levels,
        [
            Level::ERROR,
            Level::DEBUG,
            Level::DEBUG,
            Level::INFO,
            Level::ERROR
        ]
    );
}

#[test]
fn a_token_that_was_verified_is_judged_by_the_time_of_each_look() {
    let stage = Stage::warm();
    let token = KEY.token(base());
    assert!(matches!(stage.settle(&token), Ok(Verdict::Valid(_))));
    stage.advance(331);
    assert!(matches!(stage.settle(&token), Ok(Verdict::Expired(_))));
    stage.advance(-400);
    assert!(matches!(stage.settle(&token), Ok(Verdict::NotYetValid(_))));
}

#[test]
fn a_token_that_was_verified_is_worth_nothing_under_another_signature() {
    let stage = Stage::warm();
    let (token, other) = (KEY.token(base()), KEY.token(with(json!({"sub": "user_2"}))));
    assert!(matches!(stage.settle(&token), Ok(Verdict::Valid(_))));
    assert!(matches!(stage.settle(&other), Ok(Verdict::Valid(_))));
    let (signed, _) = token.rsplit_once('.').expect("a signature");
    let (_, signature) = other.rsplit_once('.').expect("a signature");
    assert_eq!(
        stage.settle(&format!("{signed}.{signature}")),
        Ok(Verdict::Forged(TokenError::Signature))
    );
}

#[test]
fn a_token_is_worth_nothing_to_another_user_whoever_had_it_verified() {
    let stage = Stage::warm();
    let token = AccessToken::new(&KEY.token(base()));
    for _ in 0..2 {
        for user_id in ["user_2", "user_", "user_11", ""] {
            let settled = stage.tokens.settle(&token, Some(user_id));
            assert_eq!(
                settled.now_or_never(),
                Some(Ok(Verdict::Forged(TokenError::Subject))),
                "{user_id}"
            );
        }
        for user_id in [Some("user_1"), None] {
            let settled = stage.tokens.settle(&token, user_id).now_or_never();
            assert!(matches!(settled, Some(Ok(Verdict::Valid(_)))));
        }
    }
}

#[test]
fn a_token_that_was_verified_is_forged_once_its_key_is_withdrawn() {
    let stage = Stage::warm();
    let token = KEY.token(base());
    assert!(matches!(stage.settle(&token), Ok(Verdict::Valid(_))));
    stage.publish(&[&NEXT_KEY]);
    stage.advance(31);
    assert!(matches!(
        stage.settle(&NEXT_KEY.token(base())),
        Ok(Verdict::Valid(_))
    ));
    assert_eq!(
        stage.settle(&token),
        Ok(Verdict::Forged(TokenError::UnknownKey))
    );
}

impl Verifier {
    fn verify(&self, token: &str, keys: Option<&KeySet>, now: i64) -> Result<Verdict, UnknownKey> {
        Ok(
            match self.authenticate(&AccessToken::new(token), None, keys)? {
                Ok(genuine) => self.judge_time(&genuine, now),
                Err(error) => Verdict::Forged(error),
            },
        )
    }
}

fn verifier() -> Verifier {
    Verifier::new(CLIENT, None, None, 30)
}

fn keys() -> KeySet {
    KeySet::parse(&document(&[&KEY]), NOW).expect("a key set")
}

fn parse(document: &Value) -> Result<KeySet, KeySetError> {
    KeySet::parse(document.to_string().as_bytes(), NOW)
}

fn document(keys: &[&TestKey]) -> Vec<u8> {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    json!({"keys": keys}).to_string().into_bytes()
}

fn verify(token: &str) -> Verdict {
    verifier()
        .verify(token, Some(&keys()), NOW)
        .expect("a known key")
}

fn valid(verdict: Verdict) -> Arc<AccessTokenClaims> {
    match verdict {
        Verdict::Valid(claims) => claims,
        other => panic!("{other:?}"),
    }
}

fn assert_forged(token: &str) {
    assert!(matches!(verify(token), Verdict::Forged(_)));
}

fn base() -> Value {
    json!({"sub": "user_1", "sid": "session_1", "iat": NOW, "exp": NOW + 300})
}

fn with(changes: Value) -> Value {
    merge(base(), changes)
}

fn merge(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        object[name] = value.clone();
    }
    object
}

fn join(header: &str, payload: &str, signature: &[u8]) -> String {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let (header, payload) = (encode(header.as_bytes()), encode(payload.as_bytes()));
    format!("{header}.{payload}.{}", encode(signature))
}

fn unsigned_token(kid: &str, issued_at: i64) -> String {
    let header = json!({"alg": "RS256", "kid": kid}).to_string();
    let payload = with(json!({"iat": issued_at, "exp": issued_at + 300})).to_string();
    join(&header, &payload, b"signature")
}

struct TestKey {
    kid: &'static str,
    pair: KeyPair,
}

impl TestKey {
    fn generate(kid: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key pair");
        Self { kid, pair }
    }

    fn modulus(&self) -> Vec<u8> {
        let modulus = self.pair.public_key().modulus();
        modulus.big_endian_without_leading_zero().to_vec()
    }

    fn jwk(&self) -> Value {
        let n = URL_SAFE_NO_PAD.encode(self.modulus());
        json!({"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": n, "e": "AQAB"})
    }

    fn header(&self) -> String {
        json!({"alg": "RS256", "typ": "JWT", "kid": self.kid}).to_string()
    }

    fn token(&self, claims: Value) -> String {
        self.sign(&self.header(), &claims.to_string(), &RSA_PKCS1_SHA256)
    }

    fn sign(&self, header: &str, payload: &str, encoding: &'static dyn RsaEncoding) -> String {
        let signed = join(header, payload, b"");
        let signed = signed.strip_suffix('.').expect("an empty signature");
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                encoding,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .expect("a signature");
        join(header, payload, &signature)
    }
}

/// Tokens on a stage where clock and WorkOS do as they are told.
struct Stage {
    tokens: Tokens,
    clock: Arc<TestClock>,
    workos: Arc<TestWorkos>,
}

#[derive(Debug)]
struct TestClock(AtomicI64);

#[derive(Default)]
struct TestWorkos {
    fetches: AtomicUsize,
    answer: Mutex<Option<Answer>>,
}

enum Answer {
    Always(Result<Vec<u8>, String>),
    Later(oneshot::Receiver<Result<Vec<u8>, String>>),
}

impl Clock for TestClock {
    fn unix_seconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stage {
    fn new() -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let workos = Arc::new(TestWorkos::default());
        let fetch: FetchKeys = {
            let workos = Arc::clone(&workos);
            Arc::new(move || {
                workos.fetches.fetch_add(1, Ordering::Relaxed);
                let mut answer = workos.answer.lock().expect("no panic");
                match answer.take().expect("an answer") {
                    Answer::Always(always) => {
                        *answer = Some(Answer::Always(always.clone()));
                        async { always }.boxed()
                    }
                    Answer::Later(later) => async { later.await.expect("an answer") }.boxed(),
                }
            })
        };
        let jwks = Jwks::new(fetch, clock.clone(), 30);
        let tokens = Tokens::new(jwks, verifier(), clock.clone());
        Self {
            tokens,
            clock,
            workos,
        }
    }

    /// With `KEY` fetched just now.
    fn warm() -> Self {
        let stage = Self::new();
        stage.publish(&[&KEY]);
        assert!(matches!(
            stage.settle(&KEY.token(base())),
            Ok(Verdict::Valid(_))
        ));
        stage
    }

    fn publish(&self, keys: &[&TestKey]) {
        self.will_answer(Ok(document(keys)));
    }

    fn will_fail(&self) {
        self.will_answer(Err("timeout".into()));
    }

    fn will_answer(&self, answer: Result<Vec<u8>, String>) {
        *self.workos.answer.lock().expect("no panic") = Some(Answer::Always(answer));
    }

    fn will_answer_later(&self) -> oneshot::Sender<Result<Vec<u8>, String>> {
        let (sender, receiver) = oneshot::channel();
        *self.workos.answer.lock().expect("no panic") = Some(Answer::Later(receiver));
        sender
    }

    fn advance(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn check(&self, token: &AccessToken) -> Check {
        let now = self.clock.0.load(Ordering::Relaxed);
        self.tokens.check(token, "user_1", now)
    }

    fn settle(&self, token: &str) -> Result<Verdict, KeysUnavailable> {
        self.tokens
            .settle(&AccessToken::new(token), None)
            .now_or_never()
            .expect("an answer at once")
    }

    fn fetches(&self) -> usize {
        self.workos.fetches.load(Ordering::Relaxed)
    }
}

/// The levels of the events that this folder logs.
#[derive(Clone, Default)]
struct LevelLog(Arc<Mutex<Vec<Level>>>);

impl Subscriber for LevelLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().contains("token")
    }

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        self.0.lock().expect("no panic").push(level);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
