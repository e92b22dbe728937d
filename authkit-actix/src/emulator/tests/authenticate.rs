//! What tokens are given for.

use super::*;

#[actix_web::test]
async fn a_wrong_verifier_or_none_is_refused_and_uses_the_code_up() {
    let app = App::start(Emulator::builder());
    for wrong in ["another-verifier-that-is-long-enough-for-rfc-7636", ""] {
        let code = app.code("sign-in", ADA).await;
        let refused = app.exchange(&code, wrong).await;
        assert_eq!(refused.json()["error"], "invalid_grant");
        assert_eq!(app.exchange(&code, VERIFIER).await.status, 400);
    }
}

#[actix_web::test]
async fn a_code_expires_after_ten_minutes() {
    let app = App::start(Emulator::builder());
    let code = app.code("sign-in", ADA).await;
    app.advance(601);
    assert_eq!(
        app.exchange(&code, VERIFIER).await.json()["error"],
        "invalid_grant"
    );
}

#[actix_web::test]
async fn a_client_with_the_wrong_secret_is_refused() {
    let app = App::start(Emulator::builder());
    let body = json!({"client_id": "client_emulator", "client_secret": "sk_other", "grant_type": "refresh_token"});
    let refused = app.post("/user_management/authenticate", body).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (401, &json!("invalid_client"))
    );
    let garbage = app
        .post("/user_management/authenticate", json!([{"grant_type": 7}]))
        .await;
    assert_eq!(garbage.status, 401);
}

#[actix_web::test]
async fn the_choice_can_be_left_to_the_application() {
    let app = App::start(Emulator::builder().organization_selection_at_exchange());
    let code = app.code("sign-in", GRACE).await;
    let asked = app.exchange(&code, VERIFIER).await;
    assert_eq!(asked.status, 403);
    let asked = asked.json();
    assert_eq!(asked["code"], "organization_selection_required");
    assert_eq!(
        asked["organizations"][1],
        json!({"id": "org_globex", "name": "Globex"})
    );
    let body = app.client_body(json!({
        "grant_type": "urn:workos:oauth:grant-type:organization-selection",
        "pending_authentication_token": asked["pending_authentication_token"],
        "organization_id": "org_globex",
    }));
    let tokens = app
        .post("/user_management/authenticate", body.clone())
        .await
        .json();
    assert_eq!(tokens["organization_id"], "org_globex");
    assert_eq!(
        app.post("/user_management/authenticate", body).await.status,
        400
    );
}

#[actix_web::test]
async fn a_repeated_refresh_gets_the_same_pair_for_thirty_seconds() {
    let app = App::start(Emulator::builder());
    let session = app.session_of_ada();
    app.advance(100);
    let first = app.refresh(&session.refresh_token, None).await.json();
    assert_ne!(first["refresh_token"], session.refresh_token);
    let (before, after) = (
        app.verified(&json!(session.access_token)),
        app.verified(&first["access_token"]),
    );
    assert_eq!(before["sid"], after["sid"]);
    assert_eq!(before["auth_time"], after["auth_time"]);
    assert_eq!(after["iat"], NOW + 100);

    app.advance(30);
    assert_eq!(
        app.refresh(&session.refresh_token, None).await.json(),
        first
    );
    app.advance(1);
    let late = app.refresh(&session.refresh_token, None).await;
    assert_eq!(
        (late.status, &late.json()["error"]),
        (400, &json!("invalid_grant"))
    );
    let next = first["refresh_token"].as_str().expect("a token");
    assert_eq!(app.refresh(next, None).await.status, 200);
}

#[actix_web::test]
async fn a_strict_emulator_takes_a_refresh_token_once() {
    let app = App::start(Emulator::builder().refresh_reuse(RefreshReuse::Strict));
    let session = app.session_of_ada();
    assert_eq!(app.refresh(&session.refresh_token, None).await.status, 200);
    let again = app.refresh(&session.refresh_token, None).await;
    assert_eq!(again.json()["error"], "invalid_grant");
}

#[actix_web::test]
async fn a_refresh_switches_the_organization_for_members_only() {
    let builder = Emulator::builder()
        .organization(EmulatorOrganization::new("org_a", "A"))
        .organization(EmulatorOrganization::new("org_b", "B").entitlement("audit"))
        .organization(EmulatorOrganization::new("org_c", "C"))
        .organization(EmulatorOrganization::new("org_sso", "S").demands(StepUp::Sso))
        .user(
            EmulatorUser::new("grace@example.com")
                .member_of("org_a", "member")
                .member_of("org_b", "admin")
                .member_of("org_b", "editor")
                .member_of("org_sso", "member"),
        );
    let app = App::start(builder);
    let session = NewSession::new("grace@example.com").organization("org_a");
    let session = app.emulator.session_for(session).expect("grace");
    let switched = app
        .refresh(&session.refresh_token, Some("org_b"))
        .await
        .json();
    assert_eq!(switched["organization_id"], "org_b");
    let claims = app.verified(&switched["access_token"]);
    assert_eq!(claims["roles"], json!(["admin", "editor"]));
    assert_eq!(claims["entitlements"], json!(["audit"]));

    let token = switched["refresh_token"].as_str().expect("a token");
    let stranger = app.refresh(token, Some("org_c")).await;
    assert_eq!(
        (stranger.status, &stranger.json()["code"]),
        (403, &json!("organization_not_authorized"))
    );
    let demanded = app.refresh(token, Some("org_sso")).await;
    assert_eq!(
        (demanded.status, &demanded.json()["code"]),
        (403, &json!("sso_required"))
    );
    let stays = app.refresh(token, None).await.json();
    assert_eq!(
        stays["organization_id"], "org_b",
        "a refusal spends nothing"
    );
}

#[actix_web::test]
async fn an_ended_session_refreshes_no_more() {
    let app = App::start(Emulator::builder());
    let session = app.session_of_ada();
    assert!(app.emulator.end_session(&session.session_id));
    let refused = app.refresh(&session.refresh_token, None).await;
    assert_eq!(refused.json()["error"], "invalid_grant");
    assert!(!app.emulator.end_session("session_other"));
}

#[actix_web::test]
async fn a_changed_user_shows_in_the_next_refresh() {
    let app = App::start(Emulator::builder());
    let session = app.session_of_ada();
    app.emulator
        .change_user("ada@example.com", |ada| {
            ada.claims(json!({"plan": "pro", "role": null}))
                .profile(json!({"locale": "en-GB"}))
        })
        .expect("ada");
    app.emulator
        .set_access_token_lifetime(Duration::from_secs(60));
    let tokens = app.refresh(&session.refresh_token, None).await.json();
    assert_eq!(tokens["user"]["locale"], "en-GB");
    let claims = app.verified(&tokens["access_token"]);
    assert_eq!(
        (&claims["plan"], &claims["role"]),
        (&json!("pro"), &json!(null))
    );
    assert_eq!(claims["exp"], NOW + 60);

    app.emulator
        .change_user("ada@example.com", |ada| ada.leave("org_acme"))
        .expect("ada");
    let token = tokens["refresh_token"].as_str().expect("a token");
    assert_eq!(app.refresh(token, None).await.status, 403);
    let nowhere = app
        .emulator
        .change_user("ada@example.com", |ada| ada.member_of("org_x", "member"));
    assert!(matches!(
        nowhere,
        Err(EmulatorError::UnknownOrganization { .. })
    ));
}
