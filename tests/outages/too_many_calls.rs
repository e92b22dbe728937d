//! Calls to WorkOS are limited in number, and one kind cannot take all of them.

use std::time::{Duration, Instant};

use authkit_actix::emulator::{Endpoint, Fault};
use authkit_tests::TestApp;
use futures::future::join_all;

use super::{ADA, ME, all_expired, refreshes, renewed, told_to_wait};

#[tokio::test]
async fn refreshes_that_hang_leave_room_for_sign_ins_and_nobody_waits_long() {
    let app = TestApp::start().await;
    let cookies = all_expired(&app, 40);
    // Warms the key set up.
    app.signed_in(ADA).await;
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Hang);
    let asked = cookies.iter().map(|cookie| async {
        let started = Instant::now();
        told_to_wait(&app.ask(ME, cookie).await);
        assert!(started.elapsed() < Duration::from_secs(8));
    });
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(refreshes(&app), 10);
        let started = Instant::now();
        app.signed_in(ADA).await;
        assert!(started.elapsed() < Duration::from_secs(4));
    };
    tokio::join!(join_all(asked), meanwhile);
}

#[tokio::test]
async fn whoever_found_no_place_has_spent_nothing_and_comes_back() {
    let app = TestApp::start().await;
    let cookies = all_expired(&app, 60);
    let slow = Fault::Delay(Duration::from_millis(900));
    app.emulator.fault(Endpoint::AuthenticateRefresh, slow);
    let answers = join_all(cookies.iter().map(|cookie| app.ask(ME, cookie))).await;
    let turned_away = answers.iter().filter(|answer| answer.status != 200);
    for answer in turned_away {
        told_to_wait(answer);
    }
    app.emulator.clear_faults();
    for (cookie, answer) in cookies.iter().zip(answers) {
        if answer.status != 200 {
            renewed(&app.ask(ME, cookie).await);
        }
    }
}
