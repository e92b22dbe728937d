use crate::{Example, refusal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sign_in_page");

/// The address of a link on a page.
fn link(page: &str, text: &str) -> String {
    let before = page.split(&format!("\">{text}</a>")).next();
    let address = before.and_then(|before| before.rsplit("href=\"").next());
    address.expect("a link").replace("&amp;", "&")
}

#[actix_web::test]
async fn strangers_come_to_the_page_and_by_a_provider_to_where_they_were_going() {
    let example = Example::start(PROGRAM);
    let mut browser = example.browser();
    let answer = browser.get("/dashboard?tab=news").await;
    assert_eq!(answer.status, 302);
    let page = format!(
        "{}/login?return_to=%2Fdashboard%3Ftab%3Dnews",
        example.origin
    );
    assert_eq!(answer.location().as_ref(), Some(&page));
    assert!(answer.set_cookies().is_empty());

    let page = browser.get(&page).await;
    let start = browser.get(&link(&page.body, "Google")).await;
    let provider = start.location_parameter("provider");
    assert_eq!(provider.as_deref(), Some("GoogleOAuth"));
    let callback = browser.authenticate(&start, "ada@example.com").await;
    let answer = browser.get(&callback).await;
    let dashboard = format!("{}/dashboard?tab=news", example.origin);
    assert_eq!(answer.location(), Some(dashboard));
    let dashboard = browser.get("/dashboard").await;
    assert!(dashboard.body.contains("You came by GoogleOAuth"));
}

#[actix_web::test]
async fn an_email_address_goes_along() {
    let example = Example::start(PROGRAM);
    let mut browser = example.browser();
    let fields = [("email", "ada@example.com"), ("return_to", "/dashboard")];
    let answer = browser.submit("/login", &fields).await;
    assert_eq!(answer.status, 303);
    let hint = answer.location_parameter("login_hint");
    assert_eq!(hint.as_deref(), Some("ada@example.com"));
    let page = browser.get("/login").await;
    let sign_up = browser.get(&link(&page.body, "New here?")).await;
    let hint = sign_up.location_parameter("screen_hint");
    assert_eq!(hint.as_deref(), Some("sign-up"));
}

#[actix_web::test]
async fn the_page_leads_nowhere_else() {
    let example = Example::start(PROGRAM);
    let mut browser = example.browser();
    for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example"] {
        let page = browser.get(&format!("/login?return_to={elsewhere}")).await;
        let start = browser.get(&link(&page.body, "GitHub")).await;
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let answer = browser.get(&callback).await;
        assert_eq!(answer.location(), Some(format!("{}/", example.origin)));
        browser.forget("wos-session");
    }
    let answer = browser.api("/dashboard").await;
    assert_eq!(refusal(&answer), (401, "signed_out".to_owned()));
}
