use authkit_tests::{Browser, free_port};

use crate::Example;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tenants");

#[actix_web::test]
async fn each_tenant_signs_in_and_stays_on_its_host() {
    let port = free_port();
    let _example = Example::at(port, PROGRAM);
    let [acme, globex] = ["acme", "globex"].map(|name| format!("http://{name}.localhost:{port}"));
    for (origin, organization, role) in [
        (&acme, "org_acme", "member"),
        (&globex, "org_globex", "admin"),
    ] {
        let mut browser = Browser::at(origin);
        let home = browser.get("/").await;
        let link = home.body.split("href=\"").last().expect("a link");
        let link = link.split('"').next().expect("an address");
        assert!(link.starts_with(origin), "{link}");
        let start = browser.get(&link.replace("&amp;", "&")).await;
        let asked = start.location_parameter("organization_id");
        assert_eq!(asked.as_deref(), Some(organization));
        let redirect_uri = start.location_parameter("redirect_uri");
        assert_eq!(redirect_uri, Some(format!("{origin}/callback")));

        let callback = browser.authenticate(&start, "grace@example.com").await;
        let answer = browser.get(&callback).await;
        assert_eq!(answer.location(), Some(format!("{origin}/desk")));
        let desk = browser.get("/desk").await;
        assert!(desk.body.contains(role), "{}", desk.body);

        let answer = browser.submit("/sign-out", &[]).await;
        let answer = browser.follow(answer).await;
        assert!(answer.body.contains("Sign in"), "{}", answer.body);
        let answer = browser.get("/desk").await;
        let redirect_uri = answer.location_parameter("redirect_uri");
        assert_eq!(redirect_uri, Some(format!("{origin}/callback")));
    }
}

#[actix_web::test]
async fn a_host_that_is_on_no_list_is_nobodys() {
    let port = free_port();
    let _example = Example::at(port, PROGRAM);
    let mut browser = Browser::at(&format!("http://evil.localhost:{port}"));
    assert_eq!(browser.get("/").await.status, 404);
    let answer = browser.get("/sign-in").await;
    let redirect_uri = answer.location_parameter("redirect_uri");
    let acme = format!("http://acme.localhost:{port}/callback");
    assert_eq!(redirect_uri, Some(acme));
}

#[actix_web::test]
async fn the_session_of_one_tenant_opens_no_desk_of_another() {
    let port = free_port();
    let _example = Example::at(port, PROGRAM);
    let mut ada = Browser::at(&format!("http://acme.localhost:{port}"));
    ada.sign_in("ada@example.com").await;
    assert_eq!(ada.get("/desk").await.status, 200);
    let mut copied = Browser::at(&format!("http://globex.localhost:{port}"));
    let session = ada.cookie("wos-session").expect("a session");
    copied.set_cookie("wos-session", session);
    assert_eq!(copied.get("/desk").await.status, 404);
}
