use authkit_actix::emulator::{Emulator, EmulatorApiKey};
use serde_json::json;

use crate::{Example, refusal, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_api_keys");
const KEY: (&str, &str) = ("authorization", "Bearer sk_sample_acme");

#[actix_web::test]
async fn a_key_opens_what_it_permits_and_shows_what_is_its_owners() {
    let example = Example::start(PROGRAM);
    let mut program = example.browser();
    let answer = send(&mut program, "GET", "/v1/reports", &[KEY], "").await;
    let anvils = json!({"id": 1, "organization": "org_acme", "title": "Anvils sold"});
    assert_eq!(answer.json(), json!([anvils]));

    let answer = send(&mut program, "GET", "/v1/whoami", &[KEY], "").await;
    let owner = &answer.json()["owner"];
    assert_eq!(*owner, "the organization org_acme");

    let answer = send(&mut program, "DELETE", "/v1/reports/1", &[KEY], "").await;
    assert_eq!(refusal(&answer), (403, "forbidden".to_owned()));
}

#[actix_web::test]
async fn nothing_but_a_key_opens() {
    let example = Example::start(PROGRAM);
    let mut program = example.browser();
    let wrong = ("authorization", "Bearer sk_sample_globex");
    for headers in [&[][..], &[wrong]] {
        let answer = send(&mut program, "GET", "/v1/reports", headers, "").await;
        assert_eq!(answer.status, 401, "{headers:?}");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
    }
}

#[actix_web::test]
async fn another_key_shows_its_own_owners_reports() {
    let key = EmulatorApiKey::of_user("grace@example.com", "sk_of_grace")
        .in_organization("org_globex")
        .permission("reports:read")
        .permission("reports:write");
    let emulator = Emulator::builder().quiet().start().expect("an emulator");
    emulator.issue_api_key(key).expect("its owner is known");
    let example = Example::in_front_of(&emulator, PROGRAM, &[]);
    let mut program = example.browser();
    let key = [("authorization", "Bearer sk_of_grace")];
    let answer = send(&mut program, "GET", "/v1/reports", &key, "").await;
    assert_eq!(answer.json()[0]["title"], "Weather made");
    let answer = send(&mut program, "DELETE", "/v1/reports/2", &key, "").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let answer = send(&mut program, "GET", "/v1/whoami", &key, "").await;
    assert_eq!(answer.json()["owner"], "the user user_grace");
}
