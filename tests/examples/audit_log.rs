use std::time::{Duration, Instant};

use authkit_actix::emulator::Emulator;

use crate::Example;

const PROGRAM: &str = env!("CARGO_BIN_EXE_audit_log");

#[actix_web::test]
async fn who_came_who_was_refused_and_who_left_is_written_down() {
    let emulator = Emulator::builder().quiet().start().expect("an emulator");
    let secret = "a secret of both, as in the dashboard";
    let variables = [("AUDIT_WEBHOOK_SECRET", secret)];
    let example = Example::in_front_of(&emulator, PROGRAM, &variables);
    let webhooks = format!("{}/webhooks/workos", example.origin);
    emulator
        .send_webhooks(&webhooks, secret)
        .expect("an address");
    assert_eq!(example.browser().get("/").await.status, 302);

    let mut alan = example.browser();
    let answer = alan.sign_in("alan@example.com").await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(alan.cookie("wos-session"), None);
    let mut other = example.signed_in("ada@example.com").await;
    assert_eq!(other.submit("/sign-out", &[]).await.status, 303);

    let mut ada = example.signed_in("ada@example.com").await;
    let session = emulator
        .session_for("ada@example.com")
        .expect("a session elsewhere");
    assert!(emulator.end_session(&session.session_id));
    let expected = [
        "ended: user_ada, from WorkOS",
        "signed out: ada@example.com, from 127.0.0.1",
        "signed in: ada@example.com, from 127.0.0.1",
        "refused: alan@example.com, from 127.0.0.1",
    ];
    let start = Instant::now();
    loop {
        let log = ada.get("/").await;
        assert_eq!(log.status, 200, "{}", log.body);
        let missing = expected.iter().find(|entry| !log.body.contains(*entry));
        let Some(missing) = missing else { break };
        let waited = start.elapsed() < Duration::from_secs(20);
        assert!(waited, "{missing:?} is not in {}", log.body);
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
    }
}
