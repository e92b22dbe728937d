//! How often Redis is asked, and for how much. `guide/several-machines.md` tells the numbers.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use authkit_tests::{RedisServer, TestApp};

use crate::slow_redis::{IN_COOKIES, IN_REDIS, app};

const ME: &str = "/api/me";
const ADA: &str = "ada@example.com";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;
const ROUNDS: u64 = 50;

/// What something costs on the average.
#[derive(Debug)]
struct Cost {
    calls: f64,
    /// Both ways.
    bytes: u64,
}

/// What it costs to answer `ROUNDS` requests with this cookie, the clock being set forward before each.
async fn cost(redis: &RedisServer, app: &TestApp, seconds: i64, cookies: &[String]) -> Cost {
    let traffic = || redis.count("total_net_input_bytes") + redis.count("total_net_output_bytes");
    let looks = traffic();
    let looks = traffic() - looks;
    let before = traffic();
    for cookie in &cookies[..cookies.len() / 2] {
        app.clock.advance(seconds);
        assert_eq!(app.ask(ME, cookie).await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let bytes = (traffic() - before).saturating_sub(looks) / ROUNDS;

    let mut monitor = Command::new("redis-cli")
        .args(["-p", &redis.port().to_string(), "MONITOR"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli is installed");
    let mut lines = BufReader::new(monitor.stdout.take().expect("it is piped")).lines();
    assert_eq!(lines.next().expect("a line").expect("a text"), "OK");
    for cookie in &cookies[cookies.len() / 2..] {
        app.clock.advance(seconds);
        assert_eq!(app.ask(ME, cookie).await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    redis.ask(&["ECHO", "the end"]);
    let calls = lines
        .map(|line| line.expect("a text"))
        .take_while(|line| !line.contains("the end"))
        // What a script does inside the server is no call, and connections are looked at anyway.
        .filter(|line| !line.contains(" lua]") && !line.contains("\"PING\""))
        .count();
    monitor.kill().expect("it runs");
    monitor.wait().expect("it ends");
    Cost {
        calls: calls as f64 / ROUNDS as f64,
        bytes,
    }
}

#[tokio::test]
async fn with_sessions_in_cookies_a_request_costs_nothing_and_a_refresh_three_calls() {
    let redis = RedisServer::start();
    let app = app(redis.port(), IN_COOKIES).await;
    let sessions: Vec<_> = (0..2 * ROUNDS).map(|_| app.cookie_of(ADA)).collect();
    let request = cost(&redis, &app, 0, &sessions).await;
    assert_eq!(request.calls, 0.0, "{request:?}");
    app.clock.advance(EXPIRED);
    let refresh = cost(&redis, &app, 0, &sessions).await;
    let straggler = cost(&redis, &app, 0, &sessions).await;
    println!(
        "sessions in cookies: a request {request:?}, a refresh {refresh:?}, a straggler {straggler:?}"
    );
    assert_eq!(refresh.calls, 3.0, "{refresh:?}");
    assert!(refresh.bytes < 4_000, "{refresh:?}");
    assert_eq!(straggler.calls, 1.0, "{straggler:?}");
    assert!(straggler.bytes < 300, "{straggler:?}");
}

#[tokio::test]
async fn with_sessions_in_redis_a_request_costs_one_call_and_a_refresh_five_more() {
    let redis = RedisServer::start();
    let app = app(redis.port(), IN_REDIS).await;
    let cookies = vec![app.signed_in(ADA).await.session_cookie(); 2 * ROUNDS as usize];
    let request = cost(&redis, &app, 0, &cookies).await;
    let refresh = cost(&redis, &app, EXPIRED, &cookies).await;
    println!("sessions in Redis: a request {request:?}, one with a refresh {refresh:?}");
    assert_eq!(request.calls, 1.0, "{request:?}");
    assert!(request.bytes < 3_000, "{request:?}");
    assert_eq!(refresh.calls, 6.0, "{refresh:?}");
    assert!(refresh.bytes < 16_000, "{refresh:?}");
}
