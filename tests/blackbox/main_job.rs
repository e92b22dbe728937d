use authkit_tests::TestApp;

#[tokio::test]
async fn a_stranger_signs_in_on_the_way_to_a_protected_page() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let start = browser.get("/account").await;
    assert_eq!(start.status, 302);
    let callback = browser.authenticate(&start, "ada@example.com").await;
    let end = browser.get(&callback).await;
    assert_eq!(end.status, 303);
    assert_eq!(end.location(), Some(format!("{}/account", app.origin)));
    let page = browser.get("/account").await;
    assert_eq!(page.body, "account of ada@example.com");
    assert_eq!(browser.cookie_names(), ["wos-session"]);
}
