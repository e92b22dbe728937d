//! The session cookie: what is believed, what is refused, and how it is written.

use std::{
    iter,
    time::{Duration, Instant},
};

use authkit_actix::{AuthKitBuilder, SameSite, emulator::Endpoint};
use authkit_tests::{Browser, Cookie, Log, PASSWORD, TestApp, raw_exchange, seal};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

const ME: &str = "/api/me";
const ADA: &str = "ada@example.com";
const GRACE: &str = "grace@example.com";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;
const OLD_PASSWORD: &str = "a password from before, 32 characters";

fn cookie(sealed: &str) -> String {
    format!("wos-session={sealed}")
}

fn attributes(cookie: &Cookie) -> Vec<&str> {
    let mut attributes: Vec<_> = cookie.attributes.iter().map(String::as_str).collect();
    attributes.sort_unstable();
    attributes
}

/// The value of a cookie that came in one piece or in chunks.
fn whole(browser: &Browser) -> String {
    if let Some(value) = browser.cookie("wos-session") {
        return value.to_owned();
    }
    let chunks: String = chunks(browser).concat();
    chunks
        .split_once('.')
        .expect("the first says how many")
        .1
        .to_owned()
}

fn chunks(browser: &Browser) -> Vec<String> {
    let names = (0..).map(|index| format!("wos-session.{index}"));
    names
        .map_while(|name| browser.cookie(&name).map(str::to_owned))
        .collect()
}

fn as_cookies<S: AsRef<str>>(chunks: &[S]) -> String {
    let chunks = chunks.iter().enumerate();
    let cookies = chunks.map(|(index, chunk)| format!("wos-session.{index}={}", chunk.as_ref()));
    cookies.collect::<Vec<_>>().join("; ")
}

/// Makes ada's session about this many bytes long.
fn grow(app: &TestApp, bytes: usize) {
    let profile = json!({"metadata": {"notes": "n".repeat(bytes)}});
    app.emulator
        .change_user(ADA, |ada| ada.profile(profile))
        .expect("ada");
}

#[tokio::test]
async fn a_cookie_is_refused_and_dropped_whichever_of_its_bits_is_flipped() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let sealed = app.seal(&app.session(ADA));
    assert_eq!(browser.api_with(ME, &cookie(&sealed)).await.status, 200);
    let bytes = URL_SAFE_NO_PAD.decode(&sealed).expect("base64url");
    for index in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[index] ^= 1 << (index % 8);
        let altered = cookie(&URL_SAFE_NO_PAD.encode(&altered));
        assert!(
            browser.api_with(ME, &altered).await.drops_the_session(),
            "byte {index}"
        );
    }
}

#[tokio::test]
async fn a_cookie_is_refused_and_dropped_whichever_of_its_characters_is_another() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let sealed = app.seal(&app.session(ADA));
    for index in 0..sealed.len() {
        let other = if &sealed[index..=index] == "A" {
            "B"
        } else {
            "A"
        };
        let altered = cookie(&format!(
            "{}{other}{}",
            &sealed[..index],
            &sealed[index + 1..]
        ));
        assert!(
            browser.api_with(ME, &altered).await.drops_the_session(),
            "character {index}"
        );
    }
}

#[tokio::test]
async fn a_cookie_is_refused_and_dropped_wherever_it_is_cut_or_added_to() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let sealed = app.seal(&app.session(ADA));
    let ends = (0..sealed.len())
        .filter(|index| index % 5 == 0 || *index < 60 || index + 10 > sealed.len());
    for index in ends {
        for altered in [
            sealed[..index].to_owned(),
            sealed[index + 1..].to_owned(),
            format!("{}A{}", &sealed[..index], &sealed[index..]),
        ] {
            assert!(
                browser
                    .api_with(ME, &cookie(&altered))
                    .await
                    .drops_the_session(),
                "{index}"
            );
        }
    }
    for added in ["A", "AAAA", "=", "==", ".", "%3D", "~2", "-", "\u{e9}"] {
        for altered in [format!("{sealed}{added}"), format!("{added}{sealed}")] {
            assert!(
                browser
                    .api_with(ME, &cookie(&altered))
                    .await
                    .drops_the_session(),
                "{added}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_sealed_value_is_refused_and_dropped() {
    let app = TestApp::start().await;
    let token = app.session(ADA)["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    for garbage in [
        "",
        "\"\"",
        "x",
        "%",
        "null",
        "*******",
        "Fe26.2*******~2",
        "Fe26.2*1*a*b*c*99999999999999999999*d*e~2",
        "Fe26.2*7*a*b*c**d*e~2",
        "0.0",
        "1.",
        "\u{fffd}\u{e9}",
        &"A".repeat(65_536),
        &"AAAA.".repeat(1000),
        &token,
        &app.session(ADA)
            .to_string()
            .replace([';', ',', ' ', '"'], "."),
    ] {
        let answer = app.ask(ME, &cookie(garbage)).await;
        assert!(
            answer.drops_the_session(),
            "{} {answer:?}",
            &garbage[..garbage.len().min(40)]
        );
    }
}

#[tokio::test]
async fn a_document_with_a_refused_cookie_is_led_to_sign_in_and_the_cookie_dropped() {
    let app = TestApp::start().await;
    for path in ["/account", "/api/me", "/private/page"] {
        let mut browser = app.browser();
        browser.set_cookie("wos-session", "garbage");
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 302, "{path}");
        assert!(answer.removes("wos-session"), "{path}");
    }
    let mut browser = app.browser();
    browser.set_cookie("wos-session", "garbage");
    let answer = browser.get("/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.removes("wos-session"));
}

#[tokio::test]
async fn a_value_that_was_sealed_for_something_else_is_no_session() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let start = browser.get("/sign-in").await;
    let state = start.location_parameter("state").expect("a state");
    let session = seal::packed(&app.session(ADA));
    for sealed in [
        state,
        seal::seal(PASSWORD, seal::SIGN_IN_STATE, &session),
        seal::seal(PASSWORD, "pending-authentication", &session),
        seal::seal(PASSWORD, "", &session),
    ] {
        assert!(
            browser
                .api_with(ME, &cookie(&sealed))
                .await
                .drops_the_session()
        );
    }
}

#[tokio::test]
async fn what_is_well_sealed_but_wrong_inside_is_refused_and_dropped() {
    let app = TestApp::start().await;
    let good = app.session(ADA);
    let other = app.session(GRACE);
    let with = |name: &str, value: Value| {
        let mut session = good.clone();
        session[name] = value;
        session.to_string()
    };
    let without = |name: &str| {
        let mut session = good.clone();
        session.as_object_mut().expect("an object").remove(name);
        session.to_string()
    };
    let text = good.to_string();
    let deep = "[".repeat(20_000);
    for wrong in [
        String::new(),
        "null".to_owned(),
        "7".to_owned(),
        "\"session\"".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "\0".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}{text}"),
        without("access_token"),
        without("refresh_token"),
        without("user"),
        with("access_token", json!(7)),
        with("access_token", json!(null)),
        with("access_token", json!("")),
        with("access_token", json!({"token": "x"})),
        with("access_token", json!("a.b.c")),
        with("refresh_token", json!([])),
        with("refresh_token", json!(null)),
        with("user", json!(null)),
        with("user", json!("ada")),
        with("user", json!({"id": 7, "email": ADA})),
        with("user", json!({"id": "user_ada"})),
        with("user", other["user"].clone()),
        with("access_token", other["access_token"].clone()),
        with("impersonator", json!("root@example.com")),
        with("authentication_method", json!(7)),
        with("user", json!({"id": "x".repeat(45_000), "email": ADA})),
        text.replacen(
            '{',
            &format!("{{\"access_token\":{},", good["access_token"]),
            1,
        ),
        text.replacen('{', &format!("{{\"user\":{},", other["user"]), 1),
        deep.clone(),
        text.replacen("\"user\":{", &format!("\"user\":{deep}{{"), 1),
        format!("{{\"user\":{}", "{\"a\":".repeat(5_000)),
    ] {
        let value: Option<Value> = serde_json::from_str(&wrong).ok();
        // What names a member twice is something else as a value.
        let value = value.filter(|value: &Value| *value.to_string() == *wrong);
        let packed = value.map(|value| seal::packed(&value));
        for content in iter::once(wrong.clone().into_bytes()).chain(packed) {
            let sealed = seal::seal(PASSWORD, seal::SESSION, &content);
            let answer = app.ask(ME, &cookie(&sealed)).await;
            assert!(
                answer.drops_the_session(),
                "{} {answer:?}",
                &wrong[..wrong.len().min(200)]
            );
        }
    }
    let packed = seal::packed(&good);
    // The field and its length of two bytes come before the lengths of the token's parts.
    let token = 3;
    let with_byte = |at: usize, byte: u8| {
        let mut packed = packed.clone();
        packed[at] = byte;
        packed
    };
    let field = |field: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).expect("a short field");
        [&packed[..], &[field, length], content].concat()
    };
    for wrong in [
        packed[..packed.len() - 1].to_vec(),
        // A token of another wire type, or longer than all of the message.
        with_byte(0, 0x08),
        with_byte(2, 0xff),
        // Parts that are longer than all of the token; part of the claims in the header.
        with_byte(token, 0xff),
        with_byte(token + 2, 0xff),
        with_byte(token + 1, packed[token + 1] + 1),
        // A text that is none; a number of more than ten bytes.
        field(0x12, b"\xff"),
        [&packed[..], b"\x38", &[0xff; 10], b"\x01"].concat(),
        // Groups in groups, one that never ends, a field of number zero, and fields without an end.
        vec![0x9b; 40_000],
        [&packed[..], &[0xab, 0x06]].concat(),
        field(0x02, b"x"),
        [&packed[..], &[0xff; 40_000]].concat(),
        // Fields of other kinds in the user.
        field(0x1a, b"\x08\x01"),
        field(0x1a, b"\x1a\x00"),
    ] {
        let sealed = seal::seal(PASSWORD, seal::SESSION, &wrong);
        let answer = app.ask(ME, &cookie(&sealed)).await;
        assert!(
            answer.drops_the_session(),
            "{} {answer:?}",
            wrong[wrong.len().saturating_sub(50)..].escape_ascii()
        );
    }
}

#[tokio::test]
async fn a_session_in_json_is_read_too() {
    let app = TestApp::start().await;
    let session = app.session(ADA).to_string();
    let sealed = seal::seal(PASSWORD, seal::SESSION, session.as_bytes());
    let answer = app.ask(ME, &cookie(&sealed)).await;
    assert_eq!(answer.json()["user"]["email"], ADA);
    assert!(answer.set_cookies().is_empty());
}

#[tokio::test]
async fn members_that_are_not_known_are_ignored() {
    let app = TestApp::start().await;
    let mut session = app.session(ADA);
    session["organizationId"] = json!("org_globex");
    session["later"] = json!({"deep": [[[{}]]]});
    session["user"]["later"] = json!(true);
    let answer = app.ask(ME, &cookie(&app.seal(&session))).await;
    assert_eq!(answer.json()["user"]["email"], ADA);
    assert_eq!(answer.json()["organization_id"], "org_acme");
    assert!(answer.set_cookies().is_empty());
}

#[tokio::test]
async fn a_cookie_of_100_kb_is_refused_by_somebody() {
    let app = TestApp::start().await;
    let sealed = seal::seal(PASSWORD, seal::SESSION, &[b'['; 60_000]);
    assert!(app.ask(ME, &cookie(&sealed)).await.drops_the_session());
    let beyond = format!(
        "GET {ME} HTTP/1.1\r\nhost: localhost\r\ncookie: {}\r\n\r\n",
        cookie(&"A".repeat(140_000))
    );
    let answer = raw_exchange(&app.origin, beyond.as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 431") || answer.is_empty(),
        "{answer}"
    );
    assert_eq!(app.browser().api(ME).await.status, 401);
}

#[tokio::test]
async fn the_cookie_holds_only_what_a_session_needs() {
    let app = TestApp::start().await;
    let browser = app.signed_in(ADA).await;
    let session = app.open(browser.cookie("wos-session").expect("a session"));
    let members = session.as_object().expect("an object").keys();
    for member in members {
        let known = [
            "access_token",
            "refresh_token",
            "user",
            "authentication_method",
        ];
        assert!(known.contains(&member.as_str()), "{member}");
    }
}

#[tokio::test]
async fn a_previous_password_still_opens_and_the_newest_seals_in_that_response() {
    let older = "a password from long before, 32 characters";
    let app = TestApp::builder()
        .authkit(move |authkit| authkit.previous_cookie_passwords([OLD_PASSWORD, older]))
        .start()
        .await;
    for password in [OLD_PASSWORD, older] {
        let session = app.session(ADA);
        let sealed = seal::seal_session(password, &session);
        let answer = app.ask(ME, &cookie(&sealed)).await;
        assert_eq!(answer.status, 200);
        let set = answer.set_cookie("wos-session").expect("sealed again");
        let resealed = app.open(&set.value);
        assert_eq!(resealed["access_token"], session["access_token"]);
        assert_eq!(resealed["refresh_token"], session["refresh_token"]);
        let again = app.ask(ME, &cookie(&set.value)).await;
        assert_eq!(again.status, 200);
        assert!(again.set_cookies().is_empty());
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

#[tokio::test]
async fn a_removed_password_opens_nothing() {
    let app = TestApp::start().await;
    let sealed = seal::seal_session(OLD_PASSWORD, &app.session(ADA));
    assert!(app.ask(ME, &cookie(&sealed)).await.drops_the_session());
}

#[tokio::test]
async fn of_two_cookies_of_one_name_the_one_that_opens_counts_and_is_set_again() {
    let app = TestApp::start().await;
    let sealed = app.seal(&app.session(ADA));
    let foreign = seal::seal_session(OLD_PASSWORD, &app.session(GRACE));
    for other in ["", "garbage", &foreign, &sealed[1..]] {
        for both in [
            format!("wos-session={sealed}; wos-session={other}"),
            format!("wos-session={other}; wos-session={sealed}"),
            format!("a=b; wos-session={other}; c=d; wos-session={sealed}; e=f"),
        ] {
            let answer = app.ask(ME, &both).await;
            assert_eq!(answer.status, 200, "{other}");
            assert_eq!(answer.json()["user"]["email"], ADA);
            let set = answer.set_cookie("wos-session").expect("set again");
            assert_eq!(app.open(&set.value)["user"]["email"], ADA);
        }
    }
}

#[tokio::test]
async fn of_two_cookies_that_open_neither_counts() {
    let app = TestApp::start().await;
    let [ada, grace] = [ADA, GRACE].map(|email| app.seal(&app.session(email)));
    for both in [
        format!("wos-session={ada}; wos-session={grace}"),
        format!("wos-session={grace}; wos-session={ada}"),
    ] {
        assert!(app.ask(ME, &both).await.drops_the_session());
    }
}

#[tokio::test]
async fn two_cookie_headers_are_read_as_one() {
    let app = TestApp::start().await;
    let session = cookie(&app.seal(&app.session(ADA)));
    let headers = [
        ("cookie", "a=b; wos-session=garbage"),
        ("cookie", session.as_str()),
    ];
    let answer = app.browser().send(Method::GET, ME, &headers, "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.set_cookie("wos-session").is_some());
}

#[tokio::test]
async fn many_cookies_are_read_quickly() {
    let app = TestApp::start().await;
    let sealed = app.seal(&app.session(ADA));
    let foreign = seal::seal_session(OLD_PASSWORD, &app.session(ADA));
    let strangers: Vec<_> = (0..500)
        .map(|index| format!("cookie{index}=value"))
        .collect();
    let large = format!("large={}", "x".repeat(64 * 1024));
    let named: Vec<_> = (0..500)
        .map(|index| format!("wos-session=x{index}"))
        .collect();
    let sealed_elsewhere = vec![format!("wos-session={foreign}"); 40];
    let chunks: Vec<_> = (0..500)
        .map(|index| format!("wos-session.{index}=x"))
        .collect();
    for others in [strangers, vec![large], named, sealed_elsewhere, chunks] {
        let cookies = format!("{}; wos-session={sealed}", others.join("; "));
        let started = Instant::now();
        let answer = app.ask(ME, &cookies).await;
        assert_eq!(answer.status, 200, "{}", &cookies[..60]);
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{}",
            &cookies[..60]
        );
    }
}

#[tokio::test]
async fn names_that_only_look_like_the_sessions_are_left_alone() {
    let app = TestApp::start().await;
    for name in [
        "Wos-Session",
        "wos-session-2",
        "wos-session.x",
        "wos-session.-1",
        "wos-session.01",
        "wos-sessio",
    ] {
        let answer = app.ask(ME, &format!("{name}=garbage")).await;
        assert_eq!(answer.status, 401, "{name}");
        assert!(answer.set_cookies().is_empty(), "{name} {answer:?}");
    }
}

#[tokio::test]
async fn a_session_of_any_size_comes_in_cookies_that_browsers_keep() {
    let app = TestApp::start().await;
    for bytes in [0, 1_000, 1_800, 2_000, 4_000, 8_000, 16_000] {
        grow(&app, bytes);
        let mut browser = app.browser();
        let answer = browser.sign_in(ADA).await;
        assert_eq!(answer.status, 303, "{bytes}");
        for set in answer.set_cookies() {
            assert!(
                set.name.len() + set.value.len() <= 4096,
                "{bytes} {}",
                set.name
            );
        }
        let me = browser.api(ME).await.json();
        assert_eq!(
            me["user"]["metadata"]["notes"].as_str().map(str::len),
            Some(bytes)
        );
        assert_eq!(app.open(&whole(&browser))["user"]["email"], ADA);
    }
}

#[tokio::test]
async fn a_cookie_is_split_only_when_it_would_be_too_long() {
    let app = TestApp::start().await;
    let mut last = 0;
    for bytes in (1_000..2_200).step_by(40) {
        grow(&app, bytes);
        let mut browser = app.browser();
        let answer = browser.sign_in(ADA).await;
        let sealed = whole(&browser);
        let fits = "wos-session".len() + sealed.len() <= 4096;
        assert_eq!(
            answer.set_cookie("wos-session").is_some(),
            fits,
            "{}",
            sealed.len()
        );
        last = sealed.len();
    }
    assert!(last > 4096);
}

#[tokio::test]
async fn a_growing_session_gets_chunks_and_a_shrinking_one_gives_them_back() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in(ADA).await;
    for (bytes, expected) in [
        (9_000, 4),
        (16_000, 6),
        (5_000, 3),
        (0, 1),
        (16_000, 6),
        (0, 1),
    ] {
        grow(&app, bytes);
        app.clock.advance(EXPIRED);
        let answer = browser.api(ME).await;
        assert_eq!(answer.status, 200, "{bytes}");
        let names = browser.cookie_names();
        match expected {
            1 => assert_eq!(names, ["wos-session"], "{bytes}"),
            _ => {
                assert!(names.len().abs_diff(expected) <= 1, "{bytes} {names:?}");
                assert!(
                    names.iter().all(|name| name.starts_with("wos-session.")),
                    "{names:?}"
                );
            }
        }
        assert_eq!(browser.api(ME).await.status, 200);
    }
}

#[tokio::test]
async fn a_large_session_is_warned_about() {
    let log = Log::capture();
    let app = TestApp::start().await;
    grow(&app, 8_123);
    let browser = app.signed_in(ADA).await;
    let line = format!("bytes={}", whole(&browser).len());
    let lines = log.lines_with(&line);
    assert!(
        lines.iter().any(|line| line.contains("WARN")),
        "{line} {lines:?}"
    );
}

#[tokio::test]
async fn a_session_with_chunks_that_do_not_belong_together_is_refused_and_all_are_dropped() {
    let app = TestApp::start().await;
    grow(&app, 9_000);
    let mut browser = app.signed_in(ADA).await;
    let stale = chunks(&browser);
    app.clock.advance(EXPIRED);
    assert_eq!(browser.api(ME).await.status, 200);
    let good = chunks(&browser);
    let strange = chunks(&app.signed_in(ADA).await);
    assert!(good.len() >= 3 && good.len() == strange.len() && good.len() == stale.len());
    assert_eq!(browser.api_with(ME, &as_cookies(&good)).await.status, 200);

    let mut wrong = vec![
        as_cookies(&["0.", "A"]),
        as_cookies(&["2.A"]),
        as_cookies(&["50.A"; 50]),
        as_cookies(&["A"; 50]),
    ];
    for index in 0..good.len() {
        let missing: Vec<_> = as_cookies(&good).split("; ").map(str::to_owned).collect();
        let rest = missing
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        wrong.push(
            rest.map(|(_, cookie)| cookie.as_str())
                .collect::<Vec<_>>()
                .join("; "),
        );
        for others in [&stale, &strange] {
            let mut mixed = good.clone();
            mixed[index].clone_from(&others[index]);
            wrong.push(as_cookies(&mixed));
        }
        let mut swapped = good.clone();
        swapped.swap(index, (index + 1) % good.len());
        wrong.push(as_cookies(&swapped));
        wrong.push(format!("{}; wos-session.{index}=x", as_cookies(&good)));
    }
    for cookies in wrong {
        let answer = browser.api_with(ME, &cookies).await;
        assert_eq!(answer.status, 401, "{}", &cookies[..80.min(cookies.len())]);
        for cookie in cookies.split("; ") {
            let (name, _) = cookie.split_once('=').expect("a cookie");
            assert!(answer.removes(name), "{name}");
        }
        assert!(answer.removes("wos-session"));
    }
}

#[tokio::test]
async fn a_hundred_small_chunks_are_refused_and_dropped() {
    let app = TestApp::start().await;
    for chunk in ["A", "100.A", "1.A"] {
        let cookies = as_cookies(&[chunk; 100]);
        let request = format!(
            "GET {ME} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncookie: {cookies}\r\n\r\n"
        );
        let answer = raw_exchange(&app.origin, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        for index in 0..100 {
            let removal = format!("set-cookie: wos-session.{index}=; ");
            assert!(answer.contains(&removal), "{removal} {answer}");
        }
    }
}

#[tokio::test]
async fn leftovers_of_a_larger_session_do_no_harm() {
    let app = TestApp::start().await;
    let sealed = app.seal(&app.session(ADA));
    let cookies = format!("wos-session.1=x; wos-session={sealed}; wos-session.2=y");
    assert_eq!(app.ask(ME, &cookies).await.status, 200);
    app.clock.advance(EXPIRED);
    let answer = app.ask(ME, &cookies).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.removes("wos-session.1") && answer.removes("wos-session.2"),
        "{answer:?}"
    );
}

/// A configuration, the name of its cookie, the attributes beside `Path` and `HttpOnly`, and whether
/// a host-only twin is removed.
type Written = (
    fn(AuthKitBuilder) -> AuthKitBuilder,
    &'static str,
    &'static [&'static str],
    bool,
);

const HTTPS: &str = "https://app.example.com/callback";
const WRITTEN: [Written; 10] = [
    (
        |it| it,
        "wos-session",
        &["SameSite=Lax", "Max-Age=34560000"],
        false,
    ),
    (
        |it| it.redirect_uri(HTTPS),
        "wos-session",
        &["SameSite=Lax", "Secure", "Max-Age=34560000"],
        false,
    ),
    (
        |it| it.base_url("https://app.example.com"),
        "wos-session",
        &["SameSite=Lax", "Secure", "Max-Age=34560000"],
        false,
    ),
    (
        |it| it.redirect_uri(HTTPS).base_url("http://localhost:3000"),
        "wos-session",
        &["SameSite=Lax", "Max-Age=34560000"],
        false,
    ),
    (
        |it| it.cookie_same_site(SameSite::Strict),
        "wos-session",
        &["SameSite=Strict", "Max-Age=34560000"],
        false,
    ),
    (
        |it| it.cookie_same_site(SameSite::None),
        "wos-session",
        &["SameSite=None", "Secure", "Max-Age=34560000"],
        false,
    ),
    (
        |it| it.redirect_uri(HTTPS).cookie_domain("example.com"),
        "wos-session",
        &[
            "SameSite=Lax",
            "Secure",
            "Domain=example.com",
            "Max-Age=34560000",
        ],
        true,
    ),
    (
        |it| it.cookie_max_age(Duration::from_secs(3600)),
        "wos-session",
        &["SameSite=Lax", "Max-Age=3600"],
        false,
    ),
    (
        |it| it.cookie_name("my.session"),
        "my.session",
        &["SameSite=Lax", "Max-Age=34560000"],
        false,
    ),
    (
        |it| it.redirect_uri(HTTPS).host_prefix(),
        "__Host-wos-session",
        &["SameSite=Lax", "Secure", "Max-Age=34560000"],
        false,
    ),
];

/// The attributes of a cookie that is set, and of its removal, in the order of [`attributes`].
fn expected<'a>(attributes: &[&'a str], removal: bool, host_only: bool) -> Vec<&'a str> {
    let mut expected = vec!["HttpOnly", "Path=/"];
    for attribute in attributes {
        match *attribute {
            attribute if attribute.starts_with("Max-Age") && removal => expected.push("Max-Age=0"),
            attribute if attribute.starts_with("Domain") && host_only => {}
            attribute => expected.push(attribute),
        }
    }
    expected.sort_unstable();
    expected
}

#[tokio::test]
async fn a_cookie_is_set_and_removed_with_the_configured_attributes() {
    for (index, (configure, name, set, has_twin)) in WRITTEN.into_iter().enumerate() {
        let app = TestApp::builder().authkit(configure).start().await;
        let sealed = app.seal(&app.session(ADA));
        app.clock.advance(EXPIRED);
        let answer = app.ask(ME, &format!("{name}={sealed}")).await;
        assert_eq!(answer.status, 200, "{index}");
        let (set_now, removed): (Vec<_>, Vec<_>) = answer
            .set_cookies()
            .into_iter()
            .partition(|cookie| !cookie.value.is_empty());
        assert_eq!(set_now.len(), 1, "{index} {set_now:?}");
        assert_eq!(set_now[0].name, name);
        assert_eq!(
            attributes(&set_now[0]),
            expected(set, false, false),
            "{index}"
        );
        for twin in removed {
            assert!(has_twin && twin.name == name, "{index} {twin:?}");
            assert_eq!(attributes(&twin), expected(set, true, true), "{index}");
        }

        let names = [name.to_owned(), format!("{name}.0"), format!("{name}.1")];
        let answer = app
            .ask(
                ME,
                &format!("{}=2; {}=2.x; {}=x", names[0], names[1], names[2]),
            )
            .await;
        assert_eq!(answer.status, 401, "{index}");
        let removals = answer.set_cookies();
        assert!(
            removals.iter().all(|cookie| cookie.value.is_empty()),
            "{index}"
        );
        for name in names {
            let removals = removals.iter().filter(|cookie| cookie.name == name);
            let removals: Vec<_> = removals.map(attributes).collect();
            assert_eq!(removals.len(), 1 + usize::from(has_twin), "{index} {name}");
            assert!(
                removals.contains(&expected(set, true, false)),
                "{index} {removals:?}"
            );
            assert!(
                !has_twin || removals.contains(&expected(set, true, true)),
                "{index}"
            );
        }
    }
}

#[tokio::test]
async fn of_two_cookies_the_host_only_twin_is_removed_where_a_domain_is_configured() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.redirect_uri(HTTPS).cookie_domain("example.com"))
        .start()
        .await;
    let sealed = app.seal(&app.session(ADA));
    let answer = app
        .ask(ME, &format!("wos-session=garbage; wos-session={sealed}"))
        .await;
    assert_eq!(answer.status, 200);
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert_eq!(
        (cookies[0].value.as_str(), cookies[0].attribute("domain")),
        ("", None)
    );
    assert_eq!(cookies[0].attribute("max-age"), Some("0"));
    assert_eq!(cookies[1].attribute("domain"), Some("example.com"));
    assert_eq!(app.open(&cookies[1].value)["user"]["email"], ADA);
}

#[tokio::test]
async fn a_cookie_under_another_name_is_not_the_session() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.cookie_name("my-session"))
        .start()
        .await;
    let sealed = app.seal(&app.session(ADA));
    let answer = app.ask(ME, &cookie(&sealed)).await;
    assert_eq!(answer.status, 401);
    assert!(answer.set_cookies().is_empty());
}
