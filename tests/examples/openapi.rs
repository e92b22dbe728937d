use std::collections::BTreeMap;

use authkit_actix::emulator::{Emulator, EmulatorApiKey, Endpoint, Fault};
use authkit_tests::{Answer, seal};
use serde_json::Value;

use crate::{Example, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_openapi");
const SCHEMES: [&str; 3] = ["session", "bearer", "api_key"];

/// The header that shows who is calling, by a scheme of the document: somebody with every right, or
/// with none.
fn credential(emulator: &Emulator, scheme: &str, has_rights: bool) -> (&'static str, String) {
    let email = match has_rights {
        true => "ada@example.com",
        false => "alan@example.com",
    };
    match scheme {
        "session" => {
            let sealed = seal::cookie(emulator, email);
            ("cookie", format!("wos-session={sealed}"))
        }
        "bearer" => {
            let session = emulator.session_for(email).expect("a session");
            ("authorization", format!("Bearer {}", session.access_token))
        }
        _ => {
            let mut key = EmulatorApiKey::of_organization("org_acme", format!("sk_{has_rights}"));
            if has_rights {
                key = key.permission("reports:read");
            }
            emulator.issue_api_key(key).expect("its owner is known");
            ("authorization", format!("Bearer sk_{has_rights}"))
        }
    }
}

async fn call(example: &Example, operation: &Operation, credential: &(&str, String)) -> Answer {
    let headers = [(credential.0, credential.1.as_str())];
    let mut browser = example.browser();
    send(
        &mut browser,
        &operation.method,
        &operation.path,
        &headers,
        "",
    )
    .await
}

struct Operation {
    method: String,
    path: String,
    /// The credentials that the document says are taken.
    schemes: Vec<String>,
    /// The statuses that the document says may come, each with its media type.
    answers: BTreeMap<u16, String>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let members = |value: &Value| value.as_object().expect("an object").clone();
    let mut operations = Vec::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(&item) {
            let security = operation["security"].as_array().expect("it is guarded");
            let schemes = security.iter().flat_map(members);
            let answers = members(&operation["responses"]).into_iter();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                schemes: schemes.map(|(scheme, _)| scheme).collect(),
                answers: answers
                    .map(|(status, answer)| {
                        let media_type = members(&answer["content"]).keys().next().cloned();
                        (
                            status.parse().expect("a status"),
                            media_type.expect("a body"),
                        )
                    })
                    .collect(),
            });
        }
    }
    operations
}

#[actix_web::test]
async fn the_document_says_what_the_routes_answer() {
    let emulator = Emulator::builder().quiet().start().expect("an emulator");
    let example = Example::in_front_of(&emulator, PROGRAM, &[]);
    let document = example.browser().api("/openapi.json").await.json();
    let operations = operations(&document);
    assert_eq!(operations.len(), 3);
    let mut given = vec![BTreeMap::new(); operations.len()];
    let note = |given: &mut BTreeMap<u16, String>, answer: &Answer| {
        let media_type = answer.header("content-type").unwrap_or_default();
        given.insert(answer.status, media_type.to_owned());
    };
    for (operation, given) in operations.iter().zip(&mut given) {
        let nothing = ("accept", "application/json".to_owned());
        note(given, &call(&example, operation, &nothing).await);
        for scheme in SCHEMES {
            for has_rights in [true, false] {
                let credential = credential(&emulator, scheme, has_rights);
                let answer = call(&example, operation, &credential).await;
                let is_taken = operation.schemes.iter().any(|it| it == scheme);
                let place = format!("{} by {scheme}, {has_rights}", operation.path);
                assert_eq!(answer.status != 401, is_taken, "{place}");
                assert!(!is_taken || !has_rights || answer.status == 200, "{place}");
                note(given, &answer);
            }
        }
    }

    // The keys of WorkOS are unknown to this one, and stay so.
    let example = Example::in_front_of(&emulator, PROGRAM, &[]);
    for endpoint in [Endpoint::Jwks, Endpoint::ApiKeyValidation] {
        emulator.fault(endpoint, Fault::Status(503));
    }
    for (operation, given) in operations.iter().zip(&mut given) {
        for scheme in &operation.schemes {
            let credential = credential(&emulator, scheme, true);
            note(given, &call(&example, operation, &credential).await);
        }
        assert_eq!(*given, operation.answers, "{}", operation.path);
    }
}

#[actix_web::test]
async fn refusals_have_the_schema_that_the_document_gives_them() {
    let example = Example::start(PROGRAM);
    let document = example.browser().api("/openapi.json").await.json();
    let refused = &document["paths"]["/api/me"]["get"]["responses"]["401"]["content"];
    let schema = &refused["application/problem+json"]["schema"]["$ref"];
    assert_eq!(*schema, "#/components/schemas/Problem");
    let schema = &document["components"]["schemas"]["Problem"];
    let answer = example.browser().api("/api/me").await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    for member in schema["required"].as_array().expect("some are required") {
        let member = member.as_str().expect("a name");
        assert!(!answer.json()[member].is_null(), "{member}");
    }
    assert!(answer.json()["sign_in_url"].is_string());

    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["session"]["name"], "wos-session");
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert_eq!(schemes["api_key"]["scheme"], "bearer");
}
