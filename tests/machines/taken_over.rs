//! A machine that dies or stalls at work, and the one that takes over.

use std::time::{Duration, Instant};

use authkit_actix::emulator::{Endpoint, Fault};
use authkit_tests::Browser;
use futures::future::join_all;

use crate::instance::{Dice, Machines, pause, rounds};

const ME: &str = "/api/me";
/// What WorkOS repeats its answer for, at least, with room for the request.
const TAKEN_OVER: Duration = Duration::from_secs(25);

/// Asks until there is an answer that serves; who is signed out fails the test.
async fn served(browser: &Browser, cookie: &str, since: Instant) {
    loop {
        match browser.try_api_with(ME, cookie).await.map(|it| it.status) {
            Some(200) => return,
            Some(503) | None => {}
            status => panic!("a user was signed out: {status:?}"),
        }
        assert!(since.elapsed() < TAKEN_OVER, "nobody has taken over");
        pause(100).await;
    }
}

#[tokio::test]
async fn a_machine_that_is_killed_at_any_moment_costs_nobody_their_session() {
    kill(Machines::start(&[])).await;
}

#[tokio::test]
async fn nor_does_it_with_sessions_in_redis() {
    kill(Machines::start(&[("SHOWCASE_SESSIONS_IN_REDIS", "true")])).await;
}

async fn kill(mut machines: Machines) {
    let mut dice = Dice::new();
    let kills = rounds("AUTHKIT_KILLS", 5);
    let (mut longest, mut twice) = (Duration::ZERO, 0);
    for round in 1..=kills {
        let cookie = machines.expired();
        let before = machines.refreshes();
        let delay = Duration::from_millis(dice.below(400));
        let mut fault = Fault::Delay(delay).times(2);
        if dice.below(2) == 0 {
            fault = fault.after_effect();
        }
        machines
            .emulator
            .fault(Endpoint::AuthenticateRefresh, fault);
        let victim = dice.below(2) as usize;
        let survivor = machines.instances[1 - victim].browser();
        let doomed = machines.instances[victim].browser();
        let fatal = dice.below(500);
        let began = Instant::now();
        let instance = &mut machines.instances[victim];
        tokio::join!(
            async {
                pause(fatal).await;
                instance.kill();
            },
            join_all((0..20).map(|_| async {
                // Whoever gets no answer asks again, and the balancer knows the survivor.
                if doomed.try_api_with(ME, &cookie).await.is_none() {
                    served(&survivor, &cookie, began).await;
                }
            })),
            join_all((0..20).map(|_| served(&survivor, &cookie, began))),
        );
        let took = began.elapsed();
        longest = longest.max(took);
        let made = machines.refreshes() - before;
        assert!((1..=2).contains(&made), "round {round}: {made} refreshes");
        twice += made - 1;
        println!("kill {round} of {kills}: after {fatal} ms, {made} refreshes, {took:?}");
        machines.emulator.clear_faults();
        machines.instances[victim].start();
    }
    println!("{kills} kills: {twice} second refreshes, all served within {longest:?}");
}

#[tokio::test]
async fn a_machine_that_stalls_past_its_lease_is_overtaken_and_does_no_harm_when_it_wakes() {
    let machines = Machines::start(&[]);
    let cookie = machines.expired();
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    let delay = Fault::Delay(Duration::from_secs(1)).times(1);
    machines
        .emulator
        .fault(Endpoint::AuthenticateRefresh, delay);
    let (stalling, other) = (first.browser(), second.browser());
    let began = Instant::now();
    let (late, ()) = tokio::join!(stalling.api_with(ME, &cookie), async {
        while machines.refreshes() == 0 {
            pause(10).await;
        }
        first.program().signal("STOP");
        served(&other, &cookie, began).await;
        first.program().signal("CONT");
    });
    assert!(began.elapsed() < TAKEN_OVER);
    assert_eq!(machines.refreshes(), 2);
    assert_eq!(late.status, 200, "{}", late.body);
    // Both hold the same session from here on.
    for browser in [&stalling, &other] {
        let answer = browser.api_with(ME, &cookie).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let renewed = answer.set_cookie("wos-session").expect("the successor");
        let renewed = format!("wos-session={}", renewed.value);
        assert_eq!(other.api_with(ME, &renewed).await.status, 200);
        assert_eq!(stalling.api_with(ME, &renewed).await.status, 200);
    }
    assert_eq!(machines.refreshes(), 2);
}

#[tokio::test]
async fn a_machine_that_is_told_to_stop_finishes_its_refresh_first() {
    let mut machines = Machines::start(&[]);
    let cookie = machines.expired();
    let delay = Fault::Delay(Duration::from_millis(800));
    machines
        .emulator
        .fault(Endpoint::AuthenticateRefresh, delay);
    let browser = machines.instances[0].browser();
    let (answer, ()) = tokio::join!(browser.api_with(ME, &cookie), async {
        pause(300).await;
        machines.instances[0].program().signal("TERM");
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(machines.instances[0].ends_well());
    let other = machines.instances[1].browser();
    assert_eq!(other.api_with(ME, &cookie).await.status, 200);
    assert_eq!(machines.refreshes(), 1);
}
