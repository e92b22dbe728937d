use crate::{Example, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_htmx");

#[actix_web::test]
async fn a_partial_that_a_stranger_loads_leads_the_page_to_sign_in_and_back() {
    let example = Example::start(PROGRAM);
    let mut browser = example.browser();
    assert!(browser.get("/").await.body.contains("/partials/inbox"));
    let page = format!("{}/?tab=inbox", example.origin);
    let htmx = [("hx-request", "true"), ("hx-current-url", page.as_str())];
    for (method, path) in [("GET", "/partials/inbox"), ("POST", "/partials/message")] {
        let answer = send(&mut browser, method, path, &htmx, "").await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.set_cookies().is_empty(), "{path}");
        let sign_in = answer.header("hx-redirect").expect("an address");
        let start = browser.get(sign_in).await;
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let answer = browser.get(&callback).await;
        assert_eq!(answer.location().as_ref(), Some(&page), "{path}");
        browser.forget("wos-session");
    }
}

#[actix_web::test]
async fn a_partial_is_for_the_signed_in() {
    let example = Example::start(PROGRAM);
    let mut ada = example.signed_in("ada@example.com").await;
    let htmx = [
        ("hx-request", "true"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let answer = send(&mut ada, "GET", "/partials/inbox", &htmx, "").await;
    assert!(answer.body.contains("messages of ada@example.com"));
    assert!(!answer.body.contains("<html"), "{}", answer.body);
    let answer = send(&mut ada, "POST", "/partials/message", &htmx, "text=%3Cb%3E").await;
    assert!(answer.body.contains("&lt;b&gt;"), "{}", answer.body);
}
