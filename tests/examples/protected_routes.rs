use crate::{Example, refusal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_protected_routes");

#[actix_web::test]
async fn what_is_on_no_list_is_for_the_signed_in() {
    let example = Example::start(PROGRAM);
    let mut stranger = example.browser();
    for path in ["/", "/guides/doors"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
    for path in ["/notes", "/admin", "/guides/doors/more", "/nowhere"] {
        assert_eq!(stranger.get(path).await.status, 302, "{path}");
    }
    let answer = stranger.api("/notes").await;
    assert_eq!(refusal(&answer), (401, "signed_out".to_owned()));

    let join = stranger.get("/join").await;
    let hint = join.location_parameter("screen_hint");
    assert_eq!(hint.as_deref(), Some("sign-up"));
}

#[actix_web::test]
async fn a_guard_asks_the_signed_in_for_more() {
    let example = Example::start(PROGRAM);
    let mut ada = example.signed_in("ada@example.com").await;
    let mut alan = example.signed_in("alan@example.com").await;
    for path in ["/", "/notes", "/join"] {
        assert_eq!(ada.get(path).await.status, 200, "{path}");
        assert_eq!(alan.get(path).await.status, 200, "{path}");
    }
    assert_eq!(ada.get("/admin").await.status, 200);
    assert_eq!(alan.get("/admin").await.status, 403);
    assert_eq!(alan.get("/nowhere").await.status, 404);
}

#[actix_web::test]
async fn whoever_had_to_sign_in_comes_back() {
    let example = Example::start(PROGRAM);
    let mut browser = example.browser();
    let answer = browser.get("/notes?page=2").await;
    let callback = browser.authenticate(&answer, "ada@example.com").await;
    let answer = browser.get(&callback).await;
    let notes = format!("{}/notes?page=2", example.origin);
    assert_eq!(answer.location(), Some(notes));
    assert!(browser.get("/notes").await.body.contains("Ada Lovelace"));
}
