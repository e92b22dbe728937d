//! The judgement of signatures, held against that of the `jsonwebtoken` crate.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use proptest::prelude::*;

use super::*;

#[test]
fn both_accept_what_the_key_has_signed() {
    for claims in [base(), with(json!({"org_id": "org_1", "aud": ["a", "b"]}))] {
        assert!(both_accept(&KEY.token(claims)));
    }
}

#[test]
fn both_refuse_what_another_key_or_another_algorithm_has_signed() {
    let claims = base().to_string();
    assert!(!both_accept(&NEXT_KEY.sign(
        &KEY.header(),
        &claims,
        &RSA_PKCS1_SHA256
    )));
    for (algorithm, encoding) in [
        ("RS384", &RSA_PKCS1_SHA384 as &'static dyn RsaEncoding),
        ("PS256", &RSA_PSS_SHA256),
    ] {
        let header = json!({"alg": algorithm, "kid": "key_1"}).to_string();
        assert!(!both_accept(&KEY.sign(&header, &claims, encoding)));
        assert!(!both_accept(&KEY.sign(&KEY.header(), &claims, encoding)));
    }
}

proptest! {
    #[test]
    fn both_refuse_whatever_was_altered(
        at in any::<prop::sample::Index>(),
        cut in 0..3_usize,
        put in "[A-Za-z0-9_.=+/-]{0,2}",
    ) {
        static TOKEN: LazyLock<String> = LazyLock::new(|| KEY.token(base()));
        let at = at.index(TOKEN.len());
        let mut altered = TOKEN.clone();
        altered.replace_range(at..(at + cut).min(TOKEN.len()), &put);
        prop_assert_eq!(both_accept(&altered), altered == *TOKEN);
    }
}

/// Fails when the two do not agree.
fn both_accept(token: &str) -> bool {
    let ours = verifier()
        .authenticate(&AccessToken::new(token), None, Some(&keys()))
        .is_ok_and(|judged| judged.is_ok());

    let mut rules = Validation::new(Algorithm::RS256);
    rules.required_spec_claims.clear();
    // Its own clock is not that of the tests.
    rules.validate_exp = false;
    rules.validate_aud = false;
    let key = DecodingKey::from_rsa_raw_components(&KEY.modulus(), &[1, 0, 1]);
    let theirs = decode::<AccessTokenClaims>(token, &key, &rules).is_ok();

    assert_eq!(ours, theirs, "{token}");
    ours
}
