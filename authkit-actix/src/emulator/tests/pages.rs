//! The pages, and the way back from them.

use super::*;

#[actix_web::test]
async fn a_browser_that_is_signed_in_goes_straight_back() {
    let app = App::start(Emulator::builder());
    let cookie = app.submit("sign-in", &[], ADA, None).await.cookie;
    let cookie = cookie.as_deref();
    app.advance(60);
    for nothing_new in [&[][..], &[("max_age", "60")]] {
        let back = app.get_with(&app.authorize(nothing_new), cookie).await;
        assert!(back.query().contains_key("code"), "{nothing_new:?}");
    }
    for anew in [("max_age", "59"), ("max_age", "0"), ("prompt", "login")] {
        let page = app.get_with(&app.authorize(&[anew]), cookie).await;
        assert_eq!(page.status, 200, "{anew:?}");
        assert!(page.body.contains("<h1>Sign in</h1>"), "{anew:?}");
    }
    let silent = app.get(&app.authorize(&[("prompt", "none")])).await;
    assert_eq!(silent.query()["error"], "login_required");
    let other = app
        .get_with(&app.authorize(&[("organization_id", "org_globex")]), cookie)
        .await;
    assert_eq!(other.query()["error"], "access_denied");
}

#[actix_web::test]
async fn a_person_in_two_organizations_chooses_one() {
    let app = App::start(Emulator::builder());
    let page = app.submit("sign-in", &[], GRACE, None).await;
    assert!(page.body.contains("Choose an organization") && page.body.contains("Globex"));
    let cookie = page.cookie.as_deref();
    let chosen = [("organization_id", "org_globex")];
    let code = app
        .submit("organization", &[], &chosen, cookie)
        .await
        .query()["code"]
        .clone();
    assert_eq!(
        app.exchange(&code, VERIFIER).await.json()["organization_id"],
        "org_globex"
    );

    let foreign = app
        .submit("organization", &[], &[("organization_id", "org_x")], cookie)
        .await;
    assert_eq!(foreign.query()["error"], "access_denied");
}

#[actix_web::test]
async fn a_new_person_signs_up_and_signs_in_again() {
    let app = App::start(Emulator::builder());
    let page = app.get(&app.authorize(&[("screen_hint", "sign-up")])).await;
    assert!(page.body.contains("Create your account"));
    let new = [
        ("first_name", "Katherine"),
        ("last_name", "<Johnson>"),
        ("email", "kj@example.com"),
        ("password", "orbital mechanics"),
    ];
    let code = app.code("sign-up", &new).await;
    let tokens = app.exchange(&code, VERIFIER).await.json();
    assert_eq!(tokens["user"]["last_name"], "<Johnson>");
    assert_eq!(tokens["organization_id"], json!(null));
    let again = app.submit("sign-up", &[], &new, None).await;
    assert_eq!(again.status, 422);
    assert!(again.body.contains("already") && again.body.contains("&lt;Johnson&gt;"));
    assert!(!again.body.contains("orbital"));
    assert!(
        app.submit("sign-in", &[], &new[2..], None)
            .await
            .query()
            .contains_key("code")
    );
}

#[actix_web::test]
async fn a_wrong_password_is_told_and_nothing_is_set() {
    let app = App::start(Emulator::builder());
    let typed = [("email", "ada@example.com"), ("password", "wrong")];
    let page = app.submit("sign-in", &[], &typed, None).await;
    assert_eq!((page.status, page.cookie.clone()), (401, None));
    assert!(page.body.contains("do not match") && page.body.contains("value=\"ada@example.com\""));
}

#[actix_web::test]
async fn an_operator_impersonates_a_user() {
    let app = App::start(Emulator::builder());
    let form = [
        ("email", "ada@example.com"),
        ("operator", "op@workos.example"),
        ("reason", "ticket 7"),
    ];
    let code = app.code("impersonate", &form).await;
    let tokens = app.exchange(&code, VERIFIER).await.json();
    let expected = json!({"email": "op@workos.example", "reason": "ticket 7"});
    assert_eq!(tokens["impersonator"], expected);
    assert_eq!(
        app.verified(&tokens["access_token"])["act"],
        json!({"sub": "op@workos.example"})
    );

    let session =
        NewSession::new("ada@example.com").impersonated_by("op@workos.example", "ticket 7");
    let session = app.emulator.session_for(session).expect("ada");
    let refreshed = app.refresh(&session.refresh_token, None).await.json();
    assert_eq!(refreshed["impersonator"], expected);
}

#[actix_web::test]
async fn a_sign_out_ends_the_session_and_the_browsers_sign_in() {
    let app = App::start(Emulator::builder());
    let back = app.submit("sign-in", &[], ADA, None).await;
    let cookie = back.cookie.as_deref();
    let tokens = app.exchange(&back.query()["code"], VERIFIER).await.json();
    let sid = app.verified(&tokens["access_token"])["sid"].clone();
    let sid = sid.as_str().expect("a session id");

    let path = format!(
        "/user_management/sessions/logout?session_id={sid}&return_to=https%3A%2F%2Fevil.example"
    );
    let out = app.get_with(&path, cookie).await;
    assert_eq!(out.location.as_deref(), Some("http://localhost:3000/"));
    assert!(
        out.cookie.is_some_and(|cookie| cookie.ends_with('=')),
        "the cookie goes"
    );
    assert_eq!(
        app.get_with(&app.authorize(&[]), cookie).await.status,
        200,
        "the page asks again"
    );
    let refresh_token = tokens["refresh_token"].as_str().expect("a token");
    assert_eq!(app.refresh(refresh_token, None).await.status, 400);

    let path = "/user_management/sessions/logout?session_id=x&return_to=http%3A%2F%2Flocalhost%3A3000%2Fbye";
    assert_eq!(
        app.get(path).await.location.as_deref(),
        Some("http://localhost:3000/bye")
    );
}

#[actix_web::test]
async fn requests_that_cannot_be_trusted_get_a_page_and_no_redirect() {
    let app = App::start(Emulator::builder());
    for parameter in [
        ("client_id", "client_other"),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "/callback"),
    ] {
        let page = app.get(&app.authorize(&[parameter])).await;
        assert_eq!((page.status, page.location), (400, None), "{parameter:?}");
    }
    let twice = format!("{}&state=other", app.authorize(&[]));
    assert_eq!(app.get(&twice).await.status, 400);
    for (parameter, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("provider", ""), "invalid_request"),
        (("max_age", "-1"), "invalid_request"),
    ] {
        let back = app.get(&app.authorize(&[parameter])).await;
        assert_eq!(back.query()["error"], error, "{parameter:?}");
        assert_eq!(back.query()["state"], "st&te");
    }
}

#[actix_web::test]
async fn what_comes_from_outside_is_escaped_in_pages() {
    let app = App::start(Emulator::builder());
    let hostile = "\"><script>alert('1')</script>";
    for hint in ["sign-in", "sign-up"] {
        let page = app
            .get(&app.authorize(&[
                ("login_hint", hostile),
                ("state", hostile),
                ("screen_hint", hint),
            ]))
            .await;
        assert_eq!(page.status, 200);
        assert!(
            page.body.contains("&quot;&gt;&lt;script&gt;"),
            "the hint is there, harmless"
        );
        assert!(!page.body.contains("<script"));
    }
}
