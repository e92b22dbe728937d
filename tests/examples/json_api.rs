use serde_json::json;

use crate::{Example, refusal, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_json_api");
const JSON: (&str, &str) = ("content-type", "application/json");
const NOTE: &str = r#"{"text": "Milk"}"#;

#[actix_web::test]
async fn strangers_get_problem_details_before_their_body_is_read() {
    let example = Example::start(PROGRAM);
    let mut stranger = example.browser();
    let answer = stranger.api("/api/notes").await;
    assert_eq!(refusal(&answer), (401, "signed_out".to_owned()));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert!(answer.json()["sign_in_url"].is_string());

    let answer = send(&mut stranger, "POST", "/api/notes", &[JSON], "{").await;
    assert_eq!(refusal(&answer), (401, "signed_out".to_owned()));
    let forged = [("authorization", "Bearer a.b.c")];
    let answer = send(&mut stranger, "GET", "/api/notes", &forged, "").await;
    assert_eq!(answer.status, 401);
}

#[actix_web::test]
async fn a_session_and_a_token_are_the_same_caller() {
    let example = Example::start(PROGRAM);
    let mut ada = example.signed_in("ada@example.com").await;
    let home = ada.get("/").await;
    assert!(home.body.contains("Hello, Ada Lovelace"), "{}", home.body);
    let answer = send(&mut ada, "POST", "/api/notes", &[JSON], NOTE).await;
    assert_eq!(
        (answer.status, answer.json()),
        (201, json!({"text": "Milk"}))
    );

    // The address bar sends this.
    let typed = [("accept", "text/html"), ("sec-fetch-site", "none")];
    let token = send(&mut ada, "GET", "/authkit/token", &typed, "").await;
    let token = token.json()["access_token"].clone();
    let bearer = format!("Bearer {}", token.as_str().expect("a token"));
    let bearer = [JSON, ("authorization", bearer.as_str())];
    let mut program = example.browser();
    let answer = send(&mut program, "POST", "/api/notes", &bearer, NOTE).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let answer = send(&mut program, "GET", "/api/notes", &bearer, "").await;
    assert_eq!(answer.json(), json!([{"text": "Milk"}, {"text": "Milk"}]));
}

#[actix_web::test]
async fn every_problem_is_told_in_one_way() {
    let example = Example::start(PROGRAM);
    let mut ada = example.signed_in("ada@example.com").await;
    let answer = send(&mut ada, "POST", "/api/notes", &[JSON], "{").await;
    assert_eq!(refusal(&answer), (400, "malformed".to_owned()));
    let mut alan = example.signed_in("alan@example.com").await;
    let answer = send(&mut alan, "POST", "/api/notes", &[JSON], NOTE).await;
    assert_eq!(refusal(&answer), (403, "forbidden".to_owned()));
}
