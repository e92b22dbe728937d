//! What the emulator lets an application rely on, besides what its own tests say.

use authkit_tests::{Program, TestApp};

const ADA: &str = "ada@example.com";

#[test]
fn on_its_start_it_says_whom_to_sign_in_as() {
    let output = Program::alone(env!("CARGO_BIN_EXE_configured"))
        .args(["http://127.0.0.1:3000", "/", ""])
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for part in [
        "development only",
        "http://127.0.0.1:",
        ADA,
        "password: password",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn its_pages_need_no_script() {
    let app = TestApp::start().await;
    for path in ["/sign-in", "/sign-up"] {
        let mut browser = app.browser();
        let start = browser.get(path).await;
        let page = browser.follow(start).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("<form"), "{}", page.body);
        assert!(
            !page.body.to_lowercase().contains("<script"),
            "{}",
            page.body
        );
    }
}

#[tokio::test]
async fn two_of_them_share_neither_keys_nor_sessions() {
    let (one, other) = (TestApp::start().await, TestApp::start().await);
    let cookie = |app: &TestApp| app.cookie_of(ADA);
    assert_eq!(one.ask("/api/me", &cookie(&one)).await.status, 200);
    let answer = one.ask("/api/me", &cookie(&other)).await;
    assert!(matches!(answer.status, 401 | 503), "{answer:?}");
}

#[tokio::test]
async fn an_application_is_as_well_off_with_the_strictest_of_them() {
    use authkit_actix::emulator::RefreshReuse;
    let app = TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .start()
        .await;
    let mut browser = app.signed_in(ADA).await;
    for _ in 0..3 {
        app.clock.advance(400);
        assert_eq!(
            browser.get("/account").await.body,
            "account of ada@example.com"
        );
    }
}
