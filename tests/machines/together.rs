//! What two machines do as one.

use std::time::{Duration, Instant};

use authkit_actix::emulator::{Endpoint, Fault, RefreshReuse};
use authkit_tests::Answer;
use futures::{StreamExt as _, future::join_all};
use reqwest::Method;
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use crate::instance::{ADA, GRACE, Machines, pause, refused_within, rounds};

const ME: &str = "/api/me";

/// A hundred requests with one cookie, every other one at the other machine.
async fn storm(machines: &Machines, cookie: &str) -> Vec<Answer> {
    let browsers: Vec<_> = machines
        .instances
        .iter()
        .map(|instance| instance.browser())
        .collect();
    let asked = (0..100).map(|number| browsers[number % browsers.len()].api_with(ME, cookie));
    join_all(asked).await
}

#[tokio::test]
async fn a_hundred_requests_at_two_machines_make_one_refresh_each_round() {
    let machines = Machines::with(RefreshReuse::Strict, &[]);
    let storms = rounds("AUTHKIT_STORMS", 10);
    for round in 1..=storms {
        let cookie = machines.expired();
        let began = Instant::now();
        for answer in storm(&machines, &cookie).await {
            assert_eq!(answer.status, 200, "round {round}: {}", answer.body);
            assert!(answer.set_cookie("wos-session").is_some(), "round {round}");
        }
        assert_eq!(machines.refreshes(), round);
        println!(
            "storm {round} of {storms}: one refresh, {:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn the_same_with_sessions_in_redis() {
    let machines = Machines::with(
        RefreshReuse::Strict,
        &[("SHOWCASE_SESSIONS_IN_REDIS", "true")],
    );
    for round in 1..=rounds("AUTHKIT_STORMS", 10) {
        let cookie = machines.expired();
        for answer in storm(&machines, &cookie).await {
            assert_eq!(answer.status, 200, "round {round}: {}", answer.body);
        }
        assert_eq!(machines.refreshes(), round);
    }
}

#[tokio::test]
async fn a_straggler_at_the_other_machine_gets_the_result_without_a_call() {
    let machines = Machines::with(RefreshReuse::Strict, &[]);
    let cookie = machines.expired();
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    assert_eq!(first.browser().api_with(ME, &cookie).await.status, 200);
    pause(2_000).await;
    let answer = second.browser().api_with(ME, &cookie).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.set_cookie("wos-session").is_some());
    assert_eq!(machines.refreshes(), 1);
}

#[tokio::test]
async fn a_switch_at_one_machine_waits_for_a_refresh_at_the_other_and_goes_on_from_there() {
    let machines = Machines::with(RefreshReuse::Strict, &[]);
    let cookie = machines.expired_of(GRACE);
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    let slowly = Fault::Delay(Duration::from_millis(600)).times(1);
    machines
        .emulator
        .fault(Endpoint::AuthenticateRefresh, slowly);
    let (here, mut there) = (first.browser(), second.browser());
    there.set_cookie("wos-session", cookie.trim_start_matches("wos-session="));
    let (refreshed, switched) = tokio::join!(here.api_with(ME, &cookie), async {
        pause(200).await;
        let headers = [
            ("content-type", "application/json"),
            ("sec-fetch-site", "same-origin"),
        ];
        let wanted = r#"{"organization_id": "org_globex"}"#;
        let address = "/authkit/organization";
        there.send(Method::POST, address, &headers, wanted).await
    });
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    assert_eq!(switched.status, 200, "{}", switched.body);
    let me = there.api(ME).await.json();
    assert_eq!(me["organization_id"], "org_globex");
    // The one that was under way, and the switch: which was no second use of one token.
    assert_eq!(machines.refreshes(), 2);
}

#[tokio::test]
async fn a_straggler_gets_what_another_machine_has_made_of_the_session_since() {
    let machines = Machines::with(RefreshReuse::Strict, &[]);
    let cookie = machines.expired_of(GRACE);
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    let mut there = second.browser();
    let refreshed = first.browser().api_with(ME, &cookie).await;
    let renewed = refreshed.set_cookie("wos-session").expect("a new session");
    there.set_cookie("wos-session", &renewed.value);
    let headers = [
        ("content-type", "application/json"),
        ("sec-fetch-site", "same-origin"),
    ];
    let wanted = r#"{"organization_id": "org_globex"}"#;
    let address = "/authkit/organization";
    let switched = there.send(Method::POST, address, &headers, wanted).await;
    assert_eq!(switched.status, 200, "{}", switched.body);

    let straggler = first.browser().api_with(ME, &cookie).await;
    assert_eq!(straggler.status, 200, "{}", straggler.body);
    assert_eq!(straggler.json()["organization_id"], "org_globex");
    assert_eq!(machines.refreshes(), 2);
}

#[tokio::test]
async fn a_session_that_has_ended_costs_one_call_at_all_machines() {
    let machines = Machines::with(RefreshReuse::Strict, &[]);
    let cookie = machines.expired();
    machines.emulator.fault(
        Endpoint::AuthenticateRefresh,
        Fault::json(400, serde_json::json!({"error": "invalid_grant"})),
    );
    for answer in storm(&machines, &cookie).await {
        assert_eq!(answer.status, 401);
        assert!(answer.removes("wos-session"));
    }
    assert_eq!(machines.refreshes(), 1);
}

#[tokio::test]
async fn an_outage_of_workos_keeps_the_session_at_all_machines() {
    let machines = Machines::start(&[]);
    let cookie = machines.expired();
    machines
        .emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(503).times(2));
    for answer in storm(&machines, &cookie).await {
        assert!(matches!(answer.status, 200 | 503), "{}", answer.status);
        assert!(!answer.removes("wos-session"));
    }
    machines.emulator.clear_faults();
    let deadline = Instant::now() + Duration::from_secs(30);
    for instance in &machines.instances {
        while instance.browser().api_with(ME, &cookie).await.status != 200 {
            assert!(Instant::now() < deadline);
            pause(200).await;
        }
    }
}

#[tokio::test]
async fn one_callback_at_two_machines_makes_one_exchange() {
    let machines = Machines::start(&[]);
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    machines.emulator.fault(
        Endpoint::AuthenticateCode,
        Fault::Delay(Duration::from_millis(300)),
    );
    let mut browser = first.browser();
    let start = browser.get("/sign-in").await;
    let callback = browser.authenticate(&start, ADA).await;
    // As a balancer would: the same request, at the other machine.
    let moved = callback.replace(&first.port().to_string(), &second.port().to_string());
    let cookies: Vec<_> = browser
        .cookie_names()
        .iter()
        .map(|name| format!("{name}={}", browser.cookie(name).expect("it has it")))
        .collect();
    let cookies = cookies.join("; ");
    let (here, there) = (first.browser(), second.browser());
    let (one, other) = tokio::join!(
        here.api_with(&callback, &cookies),
        there.api_with(&moved, &cookies)
    );
    for answer in [&one, &other] {
        assert_eq!(answer.status, 303, "{}", answer.body);
    }
    assert_eq!(
        one.set_cookie("wos-session").map(|cookie| cookie.value),
        other.set_cookie("wos-session").map(|cookie| cookie.value),
    );
    assert_eq!(machines.emulator.calls(Endpoint::AuthenticateCode), 1);
}

#[tokio::test]
async fn a_session_that_ends_at_one_machine_has_ended_at_the_other_within_a_second() {
    let machines = Machines::start(&[]);
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    let (mut browser, copy) = first.signed_in().await;
    let there = second.browser();
    assert_eq!(there.api_with(ME, &copy).await.status, 200);
    browser.submit("/sign-out", &[]).await;
    refused_within(Duration::from_secs(1), &there, &copy).await;
}

#[tokio::test]
async fn a_socket_at_one_machine_closes_within_a_second_when_its_user_signs_out_at_the_other() {
    let machines = Machines::start(&[]);
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    let (mut browser, copy) = first.signed_in().await;
    let address = format!("{}/ws", second.origin.replace("http:", "ws:"));
    let mut request = address.into_client_request().expect("an address");
    for (name, value) in [("cookie", &copy), ("origin", &second.origin)] {
        let value = HeaderValue::try_from(value).expect("a header");
        request.headers_mut().insert(name, value);
    }
    let (mut socket, _) = connect_async(request).await.expect("a socket");
    let hello = socket.next().await.expect("a word").expect("a good one");
    assert!(hello.to_text().expect("a text").starts_with("hello"));
    browser.submit("/sign-out", &[]).await;
    let heard = timeout(Duration::from_secs(1), socket.next()).await;
    let heard = heard.expect("within a second").expect("a word");
    let Ok(Message::Close(Some(close))) = heard else {
        panic!("{heard:?}");
    };
    assert_eq!(u16::from(close.code), 4401);
}

#[tokio::test]
async fn a_machine_that_joins_later_knows_which_sessions_have_ended() {
    let mut machines = Machines::start(&[]);
    let (mut browser, copy) = machines.instances[0].signed_in().await;
    browser.submit("/sign-out", &[]).await;
    pause(300).await;
    machines.add(&[]);
    let there = machines.instances[2].browser();
    assert_eq!(there.api_with(ME, &copy).await.status, 401);
}
