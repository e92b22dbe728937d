//! Clocks that are ten minutes apart.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use authkit_tests::{Log, TestApp};

use super::{ADA, ME, refreshes, renewed, told_to_wait};

/// An app, and how many seconds WorkOS's clock is ahead of its.
async fn apart(seconds: i64) -> (TestApp, Arc<AtomicI64>) {
    let ahead = Arc::new(AtomicI64::new(seconds));
    let offset = Arc::clone(&ahead);
    let app = TestApp::builder()
        .emulator(move |emulator| {
            emulator.clock(move || {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                now.expect("after 1970").as_secs().cast_signed() + offset.load(Ordering::SeqCst)
            })
        })
        .start()
        .await;
    (app, ahead)
}

#[tokio::test]
async fn they_sign_nobody_out_refresh_in_no_loop_and_are_warned_of_once() {
    let log = Log::capture();
    let warnings = || log.lines_with("check this machine's clock").len();

    let (behind, _) = apart(600).await;
    let cookie_of_the_future = behind.cookie_of(ADA);
    for _ in 0..20 {
        let wait = told_to_wait(&behind.ask(ME, &cookie_of_the_future).await);
        assert_eq!(wait, 30);
    }
    assert_eq!(refreshes(&behind), 0);
    assert_eq!(warnings(), 1);
    behind.clock.advance(600);
    let answer = behind.ask(ME, &cookie_of_the_future).await;
    assert_eq!(answer.status, 200, "the clock was put right");

    let (ahead, offset) = apart(-600).await;
    let old = ahead.cookie_of(ADA);
    let answer = ahead.ask(ME, &old).await;
    assert_eq!(answer.status, 503);
    let new = answer.set_cookie("wos-session").expect("the next session");
    let new = format!("wos-session={}", new.value);
    let other = ahead.cookie_of("grace@example.com");
    for left in ["30", "20", "10"] {
        for cookie in [&new, &other, &old].repeat(3) {
            let answer = ahead.ask(ME, cookie).await;
            assert_eq!(answer.status, 503);
            assert_eq!(answer.header("retry-after"), Some(left));
        }
        ahead.clock.advance(10);
    }
    assert_eq!(refreshes(&ahead), 1, "the next token would be no better");
    assert_eq!(warnings(), 2);
    offset.store(30, Ordering::SeqCst);
    for cookie in [new, other] {
        renewed(&ahead.ask(ME, &cookie).await);
    }
    assert_eq!(warnings(), 2);
}
