//! Answers that go wrong on purpose.

use super::*;

#[actix_web::test]
async fn planned_faults_strike_in_turn_before_or_after_the_effect() {
    let app = App::start(Emulator::builder());
    let jwks = "/sso/jwks/client_emulator";
    app.emulator
        .fault(Endpoint::Jwks, Fault::Status(503).times(1));
    app.emulator.fault(
        Endpoint::Jwks,
        Fault::StatusWithRetryAfter(429, "7".to_owned()).times(1),
    );
    app.emulator.fault(Endpoint::Jwks, Fault::Empty.times(1));
    app.emulator
        .fault(Endpoint::Jwks, Fault::json(200, json!({"keys": 7})));
    assert_eq!(app.get(jwks).await.status, 503);
    assert_eq!(app.get(jwks).await.status, 429);
    assert_eq!(app.get(jwks).await.body, "");
    assert_eq!(app.get(jwks).await.body, "{\"keys\":7}");
    assert_eq!(app.get(jwks).await.body, "{\"keys\":7}");
    app.emulator.clear_faults();
    assert!(app.get(jwks).await.json()["keys"].is_array());
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 6);

    let session = app.session_of_ada();
    let refresh = Endpoint::AuthenticateRefresh;
    app.emulator.fault(refresh, Fault::Status(500).times(1));
    app.emulator
        .fault(refresh, Fault::Status(500).times(1).after_effect());
    for _ in 0..2 {
        assert_eq!(app.refresh(&session.refresh_token, None).await.status, 500);
    }
    app.advance(31);
    assert_eq!(
        app.refresh(&session.refresh_token, None).await.status,
        400,
        "the second one spent it"
    );
}

#[actix_web::test]
async fn broken_answers_break_as_they_are_named() {
    let app = App::start(Emulator::builder());
    let url = format!("{}/sso/jwks/client_emulator", app.emulator.api_url());
    let fault = |fault: Fault| app.emulator.fault(Endpoint::Jwks, fault.times(1));
    let short = || app.client.get(&url).timeout(Duration::from_millis(1_500));

    fault(Fault::Reset);
    assert!(
        short().send().await.is_err_and(|error| !error.is_timeout()),
        "no head"
    );
    fault(Fault::Hang);
    assert!(short().send().await.is_err_and(|error| error.is_timeout()));
    fault(Fault::Drip);
    let dripping = short().send().await.expect("a head");
    assert!(dripping.text().await.is_err_and(|error| error.is_timeout()));
    fault(Fault::Truncate);
    let truncated = short().send().await.expect("a head");
    assert_eq!(truncated.content_length(), Some(2048));
    assert!(
        truncated
            .bytes()
            .await
            .is_err_and(|error| !error.is_timeout())
    );
    fault(Fault::Oversize(300_000));
    let large = short().send().await.expect("a head");
    assert_eq!(large.bytes().await.expect("all of it").len(), 300_002);
    fault(Fault::GzipBomb);
    let bomb = short().send().await.expect("a head");
    assert_eq!(bomb.headers()["content-encoding"], "gzip");
    assert!(bomb.bytes().await.expect("all of it").len() < 500_000);
    fault(Fault::Redirect("https://evil.example/".to_owned()));
    assert_eq!(short().send().await.expect("an answer").status(), 302);
    fault(Fault::Delay(Duration::from_millis(200)));
    let before = Instant::now();
    assert_eq!(short().send().await.expect("an answer").status(), 200);
    assert!(before.elapsed() >= Duration::from_millis(200));
    fault(Fault::WrongKey);
    let strange = short().send().await.expect("an answer");
    let strange = strange.text().await.expect("a body");
    assert!(!strange.contains(&app.emulator.key_id()));
}
