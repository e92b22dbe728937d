//! Access tokens and the keys they are signed with: what is genuine, what is forged, and what cannot
//! be told.

use authkit_actix::{
    Clock as _,
    emulator::{Emulator, Endpoint, Fault},
};
use authkit_tests::{Answer, TestApp, TestClock};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use hkdf::hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

const ME: &str = "/api/me";
const ADA: &str = "ada@example.com";

/// A session of ada's whose access token is this one.
fn with_token(app: &TestApp, token: &str) -> String {
    let mut session = app.session(ADA);
    session["access_token"] = json!(token);
    format!("wos-session={}", app.seal(&session))
}

async fn ask(app: &TestApp, token: &str) -> Answer {
    app.ask(ME, &with_token(app, token)).await
}

/// The claims of a good token of ada's.
fn claims(app: &TestApp) -> Value {
    app.claims(&app.session(ADA)["access_token"])
}

fn header(app: &TestApp) -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": app.emulator.key_id()})
}

fn is_forged(answer: &Answer) -> bool {
    answer.status == 401 && answer.removes("wos-session")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

async fn counterpart() -> TestApp {
    let app = TestApp::start().await;
    // The keys are known before the attack begins.
    let good = app.emulator.mint(claims(&app));
    assert_eq!(ask(&app, &good).await.status, 200);
    app
}

/// Forged, and not worth a call.
async fn assert_forged(app: &TestApp, token: &str, what: &str) {
    let answer = ask(app, token).await;
    assert!(is_forged(&answer), "{what} {answer:?}");
    assert_eq!(
        app.emulator.calls(Endpoint::AuthenticateRefresh),
        0,
        "{what}"
    );
}

#[tokio::test]
async fn no_algorithm_but_rs256_is_believed() {
    let app = counterpart().await;
    for algorithm in [
        "none", "None", "NONE", "nOnE", "", " RS256", "rs256", "RS256\0", "HS256", "HS384",
        "HS512", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "dir",
        "RSA-OAEP",
    ] {
        let mut header = header(&app);
        header["alg"] = json!(algorithm);
        let signed = app.emulator.mint_with(header, claims(&app));
        let unsigned = signed.rsplit_once('.').expect("a token").0.to_owned();
        for token in [format!("{unsigned}."), unsigned, signed] {
            assert_forged(&app, &token, algorithm).await;
        }
    }
    for algorithm in [
        json!(null),
        json!(256),
        json!(["RS256"]),
        json!({"alg": "RS256"}),
    ] {
        let mut header = header(&app);
        header["alg"] = algorithm.clone();
        let token = app.emulator.mint_with(header, claims(&app));
        assert_forged(&app, &token, &algorithm.to_string()).await;
    }
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 1);
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret() {
    let app = counterpart().await;
    let pem = app.emulator.public_key_pem();
    let jwks: Value = serde_json::from_str(&app.emulator.jwks_body()).expect("JSON");
    let modulus = jwks["keys"][0]["n"].as_str().expect("a modulus").to_owned();
    for secret in [pem.as_str(), pem.trim_end(), &modulus, ""] {
        let mut header = header(&app);
        header["alg"] = json!("HS256");
        let message = format!("{}.{}", part(&header), part(&claims(&app)));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
        mac.update(message.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        assert_forged(&app, &format!("{message}.{signature}"), secret).await;
    }
}

#[tokio::test]
async fn a_key_of_the_senders_choice_is_neither_believed_nor_fetched() {
    let app = counterpart().await;
    let attacker = Emulator::builder().quiet().start().expect("an emulator");
    let key: Value = serde_json::from_str(&attacker.jwks_body()).expect("JSON");
    let address = format!("{}/sso/jwks/{}", attacker.api_url(), attacker.client_id());
    for (name, value) in [
        ("jku", json!(address)),
        ("x5u", json!(address)),
        ("jwk", key["keys"][0].clone()),
        ("x5c", json!([attacker.public_key_pem()])),
        ("typ", json!("JWT")),
    ] {
        for kid in [app.emulator.key_id(), attacker.key_id()] {
            let header = json!({"alg": "RS256", "kid": kid, name: value});
            let token = attacker.mint_with(header, claims(&app));
            let answer = ask(&app, &token).await;
            // A key that may be newer than the key set is looked for, where it should be.
            assert!(
                is_forged(&answer) || kid == attacker.key_id() && answer.cannot_tell(),
                "{name} {answer:?}"
            );
        }
    }
    assert_eq!(
        attacker.calls(Endpoint::Jwks) + attacker.calls(Endpoint::Other),
        0
    );
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

#[tokio::test]
async fn a_header_with_demands_or_without_a_key_is_refused() {
    let app = counterpart().await;
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("kid", json!(null)),
        ("kid", json!("")),
        ("kid", json!(7)),
        ("kid", json!(["a"])),
    ] {
        let mut header = header(&app);
        header[name] = value.clone();
        let token = app.emulator.mint_with(header, claims(&app));
        assert_forged(&app, &token, &format!("{name} {value}")).await;
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let app = counterpart().await;
    let good = app.emulator.mint(claims(&app));
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts");
    };
    let other = app.emulator.mint(json!({"sub": "user_ada"}));
    let other = other.rsplit_once('.').expect("a signature").1;
    for token in [
        "".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{payload}.{other}"),
        format!("{header}.{payload}.{signature}."),
        format!("{header}.{payload}.{signature}.x"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}.{}", &signature[1..]),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{}.{payload}.{signature}", part(&json!([]))),
        format!("{header}.{payload}.{}", "A".repeat(20_000)),
    ] {
        assert_forged(&app, &token, &token[..token.len().min(60)]).await;
    }
}

#[tokio::test]
async fn a_genuine_token_that_says_something_impossible_is_refused() {
    let app = counterpart().await;
    let impossible_times = || {
        [
            json!("1700000000"),
            json!(null),
            json!({}),
            json!([]),
            json!(true),
            json!(1.5),
            json!(4_102_444_800.5),
            json!(-1),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e300),
            json!(-1e300),
        ]
    };
    let names = ["", "user_grace", " user_ada", "user_ada\0", "USER_ADA"];
    let wrong_types = || {
        [
            json!(7),
            json!(["user_ada"]),
            json!({"id": "user_ada"}),
            json!(null),
        ]
    };
    let times = ["exp", "nbf", "iat"].into_iter().flat_map(|name| {
        impossible_times()
            .into_iter()
            .map(move |value| (name, value))
    });
    let subjects = names.map(|value| ("sub", json!(value)));
    let types = ["sub", "sid"]
        .into_iter()
        .flat_map(|name| wrong_types().into_iter().map(move |value| (name, value)));
    let others = [
        ("sid", json!("")),
        ("client_id", json!("client_other")),
        ("client_id", json!("")),
        ("client_id", json!(7)),
        ("org_id", json!(7)),
        ("role", json!(["admin"])),
        ("roles", json!("admin")),
        ("permissions", json!({"billing:manage": true})),
        ("permissions", json!([7])),
        ("entitlements", json!("all")),
        ("feature_flags", json!(true)),
        ("act", json!("root@example.com")),
    ];
    for (name, value) in times.chain(subjects).chain(types).chain(others) {
        let mut claims = claims(&app);
        claims[name] = value.clone();
        assert_forged(&app, &app.emulator.mint(claims), &format!("{name} {value}")).await;
    }
    for name in ["exp", "iat", "sub", "sid"] {
        let mut claims = claims(&app);
        claims.as_object_mut().expect("an object").remove(name);
        assert_forged(&app, &app.emulator.mint(claims), name).await;
    }
    for payload in [json!([]), json!(null), json!("claims")] {
        assert_forged(&app, &app.emulator.mint(payload), "no object").await;
    }
}

#[tokio::test]
async fn a_token_that_is_known_is_worth_nothing_in_another_users_session() {
    let app = counterpart().await;
    let session = app.session("grace@example.com");
    let token = session["access_token"].as_str().expect("a token");
    let cookie = format!("wos-session={}", app.seal(&session));
    for _ in 0..2 {
        assert_forged(&app, token, "grace's token").await;
        assert_eq!(app.ask(ME, &cookie).await.status, 200);
    }
}

#[tokio::test]
async fn what_a_token_may_leave_out_it_may_leave_out() {
    let app = counterpart().await;
    for name in [
        "iss",
        "jti",
        "client_id",
        "auth_time",
        "org_id",
        "role",
        "roles",
        "permissions",
        "entitlements",
        "feature_flags",
        "act",
    ] {
        let mut without = claims(&app);
        without.as_object_mut().expect("an object").remove(name);
        let mut null = claims(&app);
        null[name] = json!(null);
        for claims in [without, null] {
            let answer = ask(&app, &app.emulator.mint(claims)).await;
            assert_eq!(answer.status, 200, "{name} {}", answer.body);
        }
    }
}

#[tokio::test]
async fn issuer_and_audience_are_checked_where_they_are_configured() {
    let app = TestApp::builder()
        .authkit(|authkit| {
            authkit
                .issuer("https://issuer.example.com")
                .audience("my-app")
        })
        .start()
        .await;
    let token = |issuer: Value, audience: Value| {
        let mut claims = claims(&app);
        claims["iss"] = issuer;
        claims["aud"] = audience;
        app.emulator.mint(claims)
    };
    let issuer = json!("https://issuer.example.com");
    for audience in [json!("my-app"), json!(["other", "my-app"])] {
        let answer = ask(&app, &token(issuer.clone(), audience)).await;
        assert_eq!(answer.status, 200);
    }
    for wrong in [
        token(json!(null), json!("my-app")),
        token(json!("https://issuer.example.com/"), json!("my-app")),
        token(json!("https://api.workos.com"), json!("my-app")),
        token(issuer.clone(), json!(null)),
        token(issuer.clone(), json!("other")),
        token(issuer.clone(), json!([])),
        token(issuer.clone(), json!(["other"])),
        token(issuer, json!({"my-app": true})),
        app.emulator.mint(claims(&app)),
    ] {
        assert_forged(&app, &wrong, "issuer or audience").await;
    }
}

#[tokio::test]
async fn clocks_that_are_30_seconds_apart_do_no_harm() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.refresh_buffer(std::time::Duration::ZERO))
        .start()
        .await;
    let now = app.clock.unix_seconds();
    let token = |name: &str, seconds: i64| {
        let mut claims = claims(&app);
        claims[name] = json!(now + seconds);
        app.emulator.mint(claims)
    };
    for (name, seconds) in [("iat", 30), ("nbf", 30), ("exp", -30), ("exp", 0)] {
        let answer = ask(&app, &token(name, seconds)).await;
        assert_eq!(answer.status, 200, "{name} {seconds}");
        assert!(answer.set_cookies().is_empty());
    }
    for name in ["iat", "nbf"] {
        assert!(ask(&app, &token(name, 31)).await.cannot_tell(), "{name}");
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
    let answer = ask(&app, &token("exp", -31)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 1);
}

#[tokio::test]
async fn the_leeway_can_be_chosen() {
    let app = TestApp::builder()
        .authkit(|authkit| authkit.leeway(std::time::Duration::from_secs(120)))
        .start()
        .await;
    let mut claims = claims(&app);
    claims["iat"] = json!(app.clock.unix_seconds() + 120);
    assert_eq!(
        ask(&app, &app.emulator.mint(claims.clone())).await.status,
        200
    );
    claims["iat"] = json!(app.clock.unix_seconds() + 121);
    assert!(ask(&app, &app.emulator.mint(claims)).await.cannot_tell());
}

#[tokio::test]
async fn an_expired_token_that_is_forged_is_never_refreshed() {
    let app = counterpart().await;
    let mut claims = claims(&app);
    claims["exp"] = json!(app.clock.unix_seconds() - 1000);
    claims["iat"] = json!(app.clock.unix_seconds() - 2000);
    let stranger = app.emulator.mint_with_unknown_key(claims.clone());
    let genuine = app.emulator.mint(claims);
    let broken = format!("{}A", &genuine[..genuine.len() - 1]);
    let broken = if broken == genuine {
        format!("{}Q", &genuine[..genuine.len() - 1])
    } else {
        broken
    };
    for token in [stranger, broken] {
        assert_forged(&app, &token, "forged and expired").await;
    }
}

#[tokio::test]
async fn many_unknown_keys_cause_one_fetch_in_30_seconds() {
    let app = counterpart().await;
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 1);
    let claims = claims(&app);
    let cookies: Vec<_> = (0..100)
        .map(|index| {
            let header = json!({"alg": "RS256", "kid": format!("kid{index}")});
            with_token(&app, &app.emulator.mint_with(header, claims.clone()))
        })
        .collect();
    for round in 0..3 {
        let answers = join_all(cookies.iter().map(|cookie| app.ask(ME, cookie))).await;
        for answer in answers {
            assert!(is_forged(&answer) || answer.cannot_tell(), "{answer:?}");
        }
        assert!(
            app.emulator.calls(Endpoint::Jwks) <= 1 + round,
            "round {round}"
        );
        app.clock.advance(30);
    }
    assert_eq!(app.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

#[tokio::test]
async fn failed_fetches_count_as_well() {
    let app = TestApp::start().await;
    app.emulator.fault(Endpoint::Jwks, Fault::Status(500));
    let sessions: Vec<_> = (0..20).map(|_| app.session(ADA)).collect();
    for fetches in 1..=3 {
        for session in &sessions {
            let cookie = format!("wos-session={}", app.seal(session));
            assert!(app.ask(ME, &cookie).await.cannot_tell());
        }
        assert_eq!(app.emulator.calls(Endpoint::Jwks), fetches);
        app.clock.advance(30);
    }
}

#[tokio::test]
async fn an_unknown_key_is_forged_unless_the_token_is_newer_than_the_key_set() {
    let app = counterpart().await;
    app.clock.advance(10);
    app.emulator.rotate_key();
    let mut old = claims(&app);
    old["iat"] = json!(app.clock.unix_seconds() - 100);
    assert!(is_forged(&ask(&app, &app.emulator.mint(old)).await));
    let new = with_token(&app, &app.emulator.mint(claims(&app)));
    assert!(app.ask(ME, &new).await.cannot_tell());
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 1);
    app.clock.advance(20);
    assert_eq!(app.ask(ME, &new).await.status, 200);
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn keys_that_are_known_serve_while_workos_is_down() {
    let app = counterpart().await;
    for fault in [Fault::Status(503), Fault::Reset, Fault::Empty] {
        app.emulator.clear_faults();
        app.emulator.fault(Endpoint::Jwks, fault);
        app.clock.advance(3600);
        assert_eq!(
            ask(&app, &app.emulator.mint(claims(&app))).await.status,
            200
        );
        let stranger = app.emulator.mint_with_unknown_key(claims(&app));
        assert!(ask(&app, &stranger).await.cannot_tell());
        assert_eq!(
            ask(&app, &app.emulator.mint(claims(&app))).await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_key_rotation_under_load_signs_nobody_out() {
    let app = counterpart().await;
    let old: Vec<_> = (0..15).map(|_| app.session(ADA)).collect();
    app.clock.advance(60);
    app.emulator.rotate_key();
    let new: Vec<_> = (0..15).map(|_| app.session(ADA)).collect();
    let sessions: Vec<_> = old
        .iter()
        .chain(&new)
        .map(|it| format!("wos-session={}", app.seal(it)))
        .collect();
    let answers = join_all(sessions.iter().map(|cookie| app.ask(ME, cookie))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 2);

    // Everybody is refreshed to a third key, whose set is fetched in between.
    app.clock.advance(400);
    app.emulator.rotate_key();
    let answers = join_all(sessions.iter().map(|cookie| app.ask(ME, cookie))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 3);
}

#[tokio::test]
async fn a_rotation_right_after_a_fetch_signs_nobody_out_either() {
    let app = counterpart().await;
    app.clock.advance(1);
    app.emulator.rotate_key();
    let cookie = app.cookie_of(ADA);
    for _ in 0..29 {
        assert!(app.ask(ME, &cookie).await.cannot_tell());
        app.clock.advance(1);
    }
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
}

#[tokio::test]
async fn good_keys_work_among_bad_ones() {
    let app = TestApp::start().await;
    let real: Value = serde_json::from_str(&app.emulator.jwks_body()).expect("JSON");
    let good = &real["keys"][0];
    let but = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let bad = [
        json!(null),
        json!(7),
        json!("key"),
        json!({}),
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": good["kid"], "alg": "HS256"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": good["kid"]}),
        but("use", json!("enc")),
        but("alg", json!("RS512")),
        but("n", json!("!!!")),
        but("n", json!("")),
        but("n", json!(7)),
        but("n", json!("AQAB")),
        but("e", json!("")),
        but("e", json!("AA")),
        but("kid", json!(null)),
        good.clone(),
    ];
    let mut keys: Vec<_> = bad.to_vec();
    keys.push(good.clone());
    app.emulator
        .set_jwks_body(Some(json!({"keys": keys}).to_string()));
    assert_eq!(
        ask(&app, &app.emulator.mint(claims(&app))).await.status,
        200
    );
}

#[tokio::test]
async fn a_key_set_without_a_usable_key_is_no_key_set() {
    for body in [
        json!({"keys": []}).to_string(),
        json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}).to_string(),
        json!({"keys": "none"}).to_string(),
        json!([]).to_string(),
        "<html>".to_owned(),
        String::new(),
    ] {
        let app = TestApp::start().await;
        app.emulator.set_jwks_body(Some(body.clone()));
        let cookie = app.cookie_of(ADA);
        assert!(app.ask(ME, &cookie).await.cannot_tell(), "{body}");
        app.emulator.set_jwks_body(None);
        app.clock.advance(30);
        assert_eq!(app.ask(ME, &cookie).await.status, 200, "{body}");
    }
}

#[tokio::test]
async fn a_weak_key_verifies_nothing() {
    let app = TestApp::start().await;
    let weak = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 64]), "e": "AQAB", "kid": app.emulator.key_id()});
    app.emulator
        .set_jwks_body(Some(json!({"keys": [weak]}).to_string()));
    assert!(
        ask(&app, &app.emulator.mint(claims(&app)))
            .await
            .cannot_tell()
    );
}

#[tokio::test]
async fn a_key_set_has_a_limit() {
    let app = TestApp::start().await;
    let cookie = app.cookie_of(ADA);
    let real = app.emulator.jwks_body();
    let padded = |bytes: usize| Some(format!("{real}{}", " ".repeat(bytes - real.len())));
    for too_large in [256 * 1024 + 1, 5 << 20] {
        app.emulator.set_jwks_body(padded(too_large));
        assert!(app.ask(ME, &cookie).await.cannot_tell(), "{too_large}");
        app.clock.advance(30);
    }
    app.emulator.set_jwks_body(padded(256 * 1024));
    assert_eq!(app.ask(ME, &cookie).await.status, 200);
}

#[tokio::test]
async fn an_endless_or_inflating_key_set_is_cut_off() {
    for fault in [Fault::Oversize(5 << 20), Fault::GzipBomb, Fault::Truncate] {
        let app = TestApp::start().await;
        app.emulator.fault(Endpoint::Jwks, fault.clone());
        let cookie = app.cookie_of(ADA);
        assert!(app.ask(ME, &cookie).await.cannot_tell(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_set_is_not_looked_for_elsewhere() {
    let app = TestApp::start().await;
    let elsewhere = Emulator::builder()
        .clock(now_of(&app.clock))
        .quiet()
        .start()
        .expect("an emulator");
    elsewhere.set_jwks_body(Some(app.emulator.jwks_body()));
    let address = format!("{}/sso/jwks/{}", elsewhere.api_url(), elsewhere.client_id());
    app.emulator
        .fault(Endpoint::Jwks, Fault::Redirect(address).times(1));
    let cookie = app.cookie_of(ADA);
    assert!(app.ask(ME, &cookie).await.cannot_tell());
    assert_eq!(elsewhere.calls(Endpoint::Jwks), 0);
}

fn now_of(clock: &TestClock) -> impl Fn() -> i64 + Send + Sync + 'static {
    let clock = clock.clone();
    move || clock.unix_seconds()
}

#[tokio::test]
async fn one_cold_start_fetches_the_keys_once() {
    let app = TestApp::start().await;
    let cookies: Vec<_> = (0..100).map(|_| app.cookie_of(ADA)).collect();
    app.emulator.fault(
        Endpoint::Jwks,
        Fault::Delay(std::time::Duration::from_millis(100)),
    );
    let answers = join_all(cookies.iter().map(|cookie| app.ask(ME, cookie))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(app.emulator.calls(Endpoint::Jwks), 1);
}

#[tokio::test]
async fn the_token_says_who_impersonates() {
    let app = counterpart().await;
    let mut claims = claims(&app);
    claims["act"] = json!({"sub": "operator@example.com"});
    let me = ask(&app, &app.emulator.mint(claims)).await.json();
    assert_eq!(me["impersonator"]["email"], "operator@example.com");
}
