//! Two machines whose Redis is away, stalls, forgets or starves; and machines short of handles.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use authkit_actix::emulator::{Endpoint, Fault, RefreshReuse};
use authkit_tests::RedisServer;
use futures::future::join_all;

use crate::instance::{Machines, pause, refused_within};

const ME: &str = "/api/me";

/// Everybody is served though each machine refreshes by itself, and soon they are one again.
async fn go_on_alone(machines: &Machines, trouble: &str) {
    let cookie = machines.expired();
    let before = machines.refreshes();
    for instance in &machines.instances {
        let browser = instance.browser();
        let began = Instant::now();
        let answers = join_all((0..20).map(|_| browser.api_with(ME, &cookie))).await;
        for answer in answers {
            assert_eq!(answer.status, 200, "{trouble}: {}", answer.body);
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(3), "{trouble}: {took:?}");
    }
    assert_eq!(machines.refreshes() - before, 2, "{trouble}");
}

async fn are_one_again(machines: &Machines, trouble: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let cookie = machines.expired();
        let before = machines.refreshes();
        for instance in &machines.instances {
            assert_eq!(instance.browser().api_with(ME, &cookie).await.status, 200);
        }
        if machines.refreshes() - before == 1 {
            return;
        }
        assert!(Instant::now() < deadline, "after {trouble}");
        pause(100).await;
    }
}

#[tokio::test]
async fn refreshes_go_on_at_each_machine_while_redis_is_in_trouble() {
    let mut machines = Machines::around(RedisServer::stopped(), RefreshReuse::Repeat, &[]);
    go_on_alone(&machines, "Redis is not there at the start").await;
    machines.redis.restart();
    are_one_again(&machines, "Redis was not there at the start").await;

    machines.redis.stop();
    go_on_alone(&machines, "Redis is down").await;
    machines.redis.restart();
    are_one_again(&machines, "Redis was down").await;

    machines.redis.pause();
    go_on_alone(&machines, "Redis stalls").await;
    machines.redis.resume();
    are_one_again(&machines, "Redis has stalled").await;

    machines.redis.starve();
    go_on_alone(&machines, "Redis has no memory").await;
    machines.redis.feed();
    are_one_again(&machines, "Redis had no memory").await;

    machines.redis.ask(&["FLUSHALL"]);
    machines.redis.ask(&["SCRIPT", "FLUSH"]);
    are_one_again(&machines, "Redis has forgotten everything").await;
}

#[tokio::test]
async fn a_refresh_counts_though_redis_is_gone_when_its_result_is_to_be_told() {
    let mut machines = Machines::start(&[]);
    are_one_again(&machines, "the start").await;
    let cookie = machines.expired();
    let before = machines.refreshes();
    machines.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::Delay(Duration::from_millis(800)),
    );
    let browser = machines.instances[0].browser();
    let redis = &mut machines.redis;
    let (answer, ()) = tokio::join!(browser.api_with(ME, &cookie), async {
        pause(300).await;
        redis.stop();
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    let successor = answer.set_cookie("wos-session").expect("the successor");
    assert_eq!(machines.refreshes() - before, 1);
    machines.emulator.clear_faults();
    let successor = format!("wos-session={}", successor.value);
    let there = machines.instances[1].browser();
    assert_eq!(there.api_with(ME, &successor).await.status, 200);
    // Who sends the old cookie to the other has its refresh repeated by WorkOS.
    assert_eq!(there.api_with(ME, &cookie).await.status, 200);
}

#[tokio::test]
async fn values_of_others_under_our_keys_harm_nobody() {
    let machines = Machines::with(RefreshReuse::Repeat, &[]);
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    for command in [
        ["SET", "garbage"].as_slice(),
        &["SET", "R:garbage", "PX", "60000"],
        &["SET", "L:1:somebody"],
        &["SET", "", "PX", "60000"],
        &["LPUSH", "a list"],
        &["SETBIT", "0", "1"],
    ] {
        let cookie = machines.expired();
        assert_eq!(first.browser().api_with(ME, &cookie).await.status, 200);
        for key in machines.redis.keys("authkit:once:*") {
            machines.redis.ask(&["DEL", &key]);
            let command = [&command[..1], &[key.as_str()], &command[1..]].concat();
            machines.redis.ask(&command);
        }
        let answer = second.browser().api_with(ME, &cookie).await;
        assert_eq!(answer.status, 200, "{command:?}: {}", answer.body);
        machines.redis.ask(&["FLUSHALL"]);
    }
    for command in [
        ["SET", "authkit:ended", "garbage"].as_slice(),
        &["LPUSH", "authkit:ended", "a list"],
        &["HSET", "authkit:ended", "a", "hash"],
    ] {
        machines.redis.ask(&["DEL", "authkit:ended"]);
        machines.redis.ask(command);
        let (mut browser, copy) = first.signed_in().await;
        browser.submit("/sign-out", &[]).await;
        refused_within(Duration::from_secs(1), &second.browser(), &copy).await;
        assert_eq!(machines.redis.ask(&["TYPE", "authkit:ended"]), "zset");
    }
    for text in ["no JSON", "{}", "{\"notice\": \"unknown\"}"] {
        machines.redis.ask(&["PUBLISH", "authkit:notices", text]);
    }
    for instance in &machines.instances {
        let cookie = machines.cookie();
        assert_eq!(instance.browser().api_with(ME, &cookie).await.status, 200);
    }
}

#[tokio::test]
async fn a_session_that_ends_while_redis_is_away_ends_elsewhere_when_it_is_back() {
    let mut machines = Machines::start(&[]);
    let (mut browser, copy) = machines.instances[0].signed_in().await;
    let elsewhere = machines.instances[1].browser();
    machines.redis.stop();
    browser.submit("/sign-out", &[]).await;
    assert_eq!(browser.api_with(ME, &copy).await.status, 401);
    // The last known list serves there.
    assert_eq!(elsewhere.api_with(ME, &copy).await.status, 200);
    machines.redis.restart();
    refused_within(Duration::from_secs(10), &elsewhere, &copy).await;
}

#[tokio::test]
async fn by_option_nobody_is_served_who_may_have_ended_elsewhere() {
    let mut machines = Machines::start(&[("SHOWCASE_STRICT_REVOCATION", "true")]);
    let cookie = machines.cookie();
    let browser = machines.instances[0].browser();
    assert_eq!(browser.api_with(ME, &cookie).await.status, 200);
    machines.redis.stop();
    let began = Instant::now();
    let mut answer = browser.api_with(ME, &cookie).await;
    while answer.status == 200 && began.elapsed() < Duration::from_secs(3) {
        pause(20).await;
        answer = browser.api_with(ME, &cookie).await;
    }
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert!(answer.set_cookies().is_empty());
    machines.redis.restart();
    let back = Instant::now();
    while browser.api_with(ME, &cookie).await.status != 200 {
        assert!(back.elapsed() < Duration::from_secs(10));
        pause(20).await;
    }
}

#[tokio::test]
async fn five_hundred_slow_clients_and_few_handles_do_not_stop_the_others() {
    let machines = Machines::start(&[]);
    let instance = &machines.instances[0];
    let limited = Command::new("prlimit")
        .args([
            format!("--pid={}", instance.program().process()),
            "--nofile=256:256".to_owned(),
        ])
        .status();
    assert!(limited.expect("prlimit is there").success());
    let cookie = machines.expired();
    // Who is connected already is served throughout.
    let connected = instance.browser();
    let healthy = format!("wos-session={}", {
        let answer = connected.api_with(ME, &cookie).await;
        answer.set_cookie("wos-session").expect("refreshed").value
    });
    let idle = handles(instance.program().process());
    // Enough to use every handle up, though none ever says what it wants.
    let mut slow = Vec::new();
    for _ in 0..500 {
        let address = SocketAddr::from(([127, 0, 0, 1], instance.port()));
        // The system asks again after a second when a queue is full.
        let timeout = Duration::from_secs(3);
        let Ok(mut client) = TcpStream::connect_timeout(&address, timeout) else {
            break;
        };
        let _ = client.write_all(b"GET /api/me HTTP/1.1\r\nHost:");
        slow.push(client);
    }
    assert!(slow.len() > 200, "{}", slow.len());
    assert_eq!(connected.api_with(ME, &healthy).await.status, 200);
    let cookie = machines.expired();
    let other = machines.instances[1].browser();
    assert_eq!(other.api_with(ME, &cookie).await.status, 200);
    drop(slow);
    let deadline = Instant::now() + Duration::from_secs(30);
    let browser = instance.browser();
    loop {
        let answer = browser.try_api_with(ME, &cookie).await;
        if answer.is_some_and(|answer| answer.status == 200) {
            break;
        }
        assert!(Instant::now() < deadline, "it does not recover");
        pause(200).await;
    }
    drop((browser, connected));
    let deadline = Instant::now() + Duration::from_secs(30);
    while handles(instance.program().process()) > idle + 20 {
        assert!(Instant::now() < deadline, "handles are not given back");
        pause(200).await;
    }
    assert_eq!(machines.refreshes(), 2);
}

#[tokio::test]
async fn five_hundred_slow_clients_do_not_hold_up_the_others() {
    let machines = Machines::start(&[]);
    let instance = &machines.instances[0];
    let slow: Vec<_> = (0..500)
        .map(|number| {
            let address = ("127.0.0.1", instance.port());
            let mut client = TcpStream::connect(address).expect("a connection");
            let begun = format!("GET /api/me?{number} HTTP/1.1\r\nHost:");
            client.write_all(begun.as_bytes()).expect("sent");
            client
        })
        .collect();
    let browser = instance.browser();
    for _ in 0..5 {
        let cookie = machines.expired();
        let began = Instant::now();
        let answers = join_all((0..20).map(|_| browser.api_with(ME, &cookie))).await;
        for answer in answers {
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    assert_eq!(machines.refreshes(), 5);
    drop(slow);
}

fn handles(process: u32) -> usize {
    let handles = std::fs::read_dir(format!("/proc/{process}/fd"));
    handles.expect("a Linux process").count()
}
