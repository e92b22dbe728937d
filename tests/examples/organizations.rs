use authkit_actix::emulator::{Emulator, NewSession};
use authkit_tests::{Browser, seal};

use crate::{Example, refusal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_organizations");

/// A browser with a session for an organization.
fn of(example: &Example, emulator: &Emulator, email: &str, organization: &str) -> Browser {
    let session = NewSession::new(email).organization(organization);
    let mut browser = example.browser();
    browser.set_cookie("wos-session", &seal::cookie(emulator, session));
    browser
}

#[actix_web::test]
async fn rights_go_with_the_organization_that_is_switched_to() {
    let emulator = Emulator::builder().quiet().start().expect("an emulator");
    let example = Example::in_front_of(&emulator, PROGRAM, &[]);
    assert_eq!(example.browser().get("/").await.status, 302);

    let mut grace = of(&example, &emulator, "grace@example.com", "org_acme");
    let home = grace.get("/").await;
    for text in ["Grace Hopper", "Acme", "Globex", "Your role here: member"] {
        assert!(home.body.contains(text), "{text}: {}", home.body);
    }
    let posts = grace.get("/posts").await;
    assert!(posts.body.contains("You may read them."), "{}", posts.body);
    for path in ["/members", "/invoices"] {
        assert_eq!(grace.get(path).await.status, 403, "{path}");
        let answer = grace.api(path).await;
        assert_eq!(refusal(&answer), (403, "forbidden".to_owned()));
    }

    let globex = [("organization_id", "org_globex")];
    let answer = grace.submit("/switch", &globex).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert!(grace.get("/").await.body.contains("Your role here: admin"));
    for path in ["/posts", "/members", "/invoices"] {
        assert_eq!(grace.get(path).await.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn nobody_switches_where_they_do_not_belong() {
    let emulator = Emulator::builder().quiet().start().expect("an emulator");
    let example = Example::in_front_of(&emulator, PROGRAM, &[]);
    let mut grace = of(&example, &emulator, "grace@example.com", "org_acme");
    let nowhere = [("organization_id", "org_nowhere")];
    assert_eq!(grace.submit("/switch", &nowhere).await.status, 403);
    assert!(grace.get("/").await.body.contains("Your role here: member"));

    let mut alan = example.signed_in("alan@example.com").await;
    assert_eq!(alan.get("/posts").await.status, 403);
}

#[actix_web::test]
async fn an_organization_that_demands_single_sign_on_is_led_to() {
    let emulator = Emulator::builder().quiet().start().expect("an emulator");
    let example = Example::in_front_of(&emulator, PROGRAM, &[]);
    let mut katherine = of(&example, &emulator, "katherine@example.com", "org_acme");
    let initech = [("organization_id", "org_initech")];
    let answer = katherine.submit("/switch", &initech).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let organization = answer.location_parameter("organization_id");
    assert_eq!(organization.as_deref(), Some("org_initech"));

    let callback = katherine
        .authenticate(&answer, "katherine@example.com")
        .await;
    let answer = katherine.get(&callback).await;
    assert_eq!(answer.location(), Some(format!("{}/", example.origin)));
    let home = katherine.get("/").await;
    assert!(home.body.contains("Your role here: admin"), "{}", home.body);
}
