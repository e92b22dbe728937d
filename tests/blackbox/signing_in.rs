//! How a sign-in starts: the authorization URL, and the cookie that waits for its end.

use authkit_actix::SameSite;
use authkit_tests::{Answer, Browser, Cookie, PASSWORD, TestApp, seal};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

const VERIFIER: &str = "wos-auth-verifier-";

/// The verifier cookies that an answer sets, removals aside.
fn verifiers(answer: &Answer) -> Vec<Cookie> {
    let mut cookies = answer.set_cookies();
    cookies.retain(|cookie| cookie.name.starts_with(VERIFIER) && !cookie.value.is_empty());
    cookies
}

fn the_verifier(answer: &Answer) -> Cookie {
    let mut verifiers = verifiers(answer);
    assert_eq!(verifiers.len(), 1, "{answer:?}");
    verifiers.remove(0)
}

/// The names of the sign-ins that a browser has pending, and their bytes.
fn pending(browser: &Browser) -> (Vec<String>, usize) {
    let mut names = browser.cookie_names();
    names.retain(|name| name.starts_with(VERIFIER));
    let bytes = |name: &&str| name.len() + browser.cookie(name).unwrap_or_default().len();
    let sum = names.iter().map(bytes).sum();
    (names.into_iter().map(str::to_owned).collect(), sum)
}

fn fnv_1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

fn parameters(answer: &Answer) -> Vec<(String, String)> {
    let location = answer.location().expect("a redirect");
    let url = Url::parse(&location).expect("an absolute address");
    let mut parameters: Vec<_> = url.query_pairs().into_owned().collect();
    parameters.sort();
    parameters
}

#[tokio::test]
async fn the_authorization_url_has_what_the_flow_needs_and_nothing_else() {
    let app = TestApp::start().await;
    let start = app.browser().get("/account").await;
    let location = start.location().expect("a redirect");
    let authorize = format!("{}/user_management/authorize?", app.emulator.api_url());
    assert!(location.starts_with(&authorize), "{location}");
    let names: Vec<_> = parameters(&start)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "provider",
            "redirect_uri",
            "response_type",
            "state",
        ]
    );
    for (name, value) in [
        ("client_id", app.emulator.client_id()),
        ("redirect_uri", &format!("{}/callback", app.origin)),
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("provider", "authkit"),
    ] {
        assert_eq!(start.location_parameter(name).as_deref(), Some(value));
    }
}

#[tokio::test]
async fn the_challenge_is_that_of_the_sealed_verifier_and_new_each_time() {
    let app = TestApp::start().await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let start = app.browser().get("/sign-in").await;
        let state = start.location_parameter("state").expect("a state");
        let opened = seal::open(PASSWORD, seal::SIGN_IN_STATE, &state).expect("sealed");
        let document: Value = serde_json::from_slice(&opened).expect("JSON");
        let verifier = document["code_verifier"].as_str().expect("a verifier");
        assert!((43..=128).contains(&verifier.len()), "RFC 7636, 4.1");
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        assert_eq!(start.location_parameter("code_challenge"), Some(challenge));
        seen.extend([state, verifier.to_owned()]);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn a_code_for_another_challenge_signs_nobody_in() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let mut start = browser.get("/sign-in").await;
    let challenge = start.location_parameter("code_challenge").expect("one");
    let other = URL_SAFE_NO_PAD.encode(Sha256::digest(b"the attacker's verifier"));
    let location = start
        .location()
        .expect("a redirect")
        .replace(&challenge, &other);
    let location = location.parse().expect("a header value");
    start.headers.insert("location", location);
    let callback = browser.authenticate(&start, "ada@example.com").await;
    let end = browser.get(&callback).await;
    assert_eq!(end.status, 400, "{}", end.body);
    assert_eq!(browser.cookie("wos-session"), None);
}

#[tokio::test]
async fn the_verifier_cookie_is_the_state_under_a_name_of_its_own() {
    for (text, hash) in [("", 0x811c_9dc5), ("any-string-at-all", 0xce74_c527)] {
        assert_eq!(fnv_1a(text), hash);
    }
    let app = TestApp::start().await;
    for path in ["/account", "/sign-in", "/sign-up", "/private/page"] {
        let start = app.browser().get(path).await;
        let state = start.location_parameter("state").expect("a state");
        let cookie = the_verifier(&start);
        assert_eq!(cookie.name, format!("{VERIFIER}{:08x}", fnv_1a(&state)));
        assert_eq!(cookie.value, state);
        let mut attributes = cookie.attributes;
        attributes.sort();
        assert_eq!(
            attributes,
            ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"]
        );
    }
}

#[tokio::test]
async fn the_verifier_cookie_takes_domain_and_secure_from_the_session() {
    for (same_site, expected) in [
        (SameSite::Lax, "Lax"),
        // It has to come along when AuthKit, another site, sends the browser back.
        (SameSite::Strict, "Lax"),
        (SameSite::None, "None"),
    ] {
        let app = TestApp::builder()
            .authkit(move |authkit| {
                authkit
                    .redirect_uri("https://app.example.com/callback")
                    .cookie_domain("example.com")
                    .cookie_same_site(same_site)
            })
            .start()
            .await;
        let start = app.browser().get("/account").await;
        let cookie = the_verifier(&start);
        assert_eq!(cookie.attribute("samesite"), Some(expected));
        assert_eq!(cookie.attribute("domain"), Some("example.com"));
        assert_eq!(cookie.attribute("secure"), Some(""));
        assert_eq!(cookie.attribute("httponly"), Some(""));
        assert_eq!(cookie.attribute("path"), Some("/"));
        assert_eq!(cookie.attribute("max-age"), Some("600"));
    }
}

#[tokio::test]
async fn only_the_way_to_authkit_sets_a_verifier_cookie() {
    let app = TestApp::start().await;
    let mut ada = app.with_session("ada@example.com");
    for answer in [
        ada.get("/account").await,
        ada.get("/").await,
        app.browser().get("/").await,
        app.browser().get("/public.txt").await,
        app.browser().api("/account").await,
        app.browser().get("/nowhere").await,
        app.browser().get("/callback").await,
        app.browser().submit("/sign-out", &[]).await,
    ] {
        assert_eq!(verifiers(&answer), [], "{answer:?}");
    }
}

#[tokio::test]
async fn tabs_do_not_disturb_each_other() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let account = browser.get("/account").await;
    let team = browser.get("/team").await;
    let to_account = browser.authenticate(&account, "ada@example.com").await;
    let to_team = browser.authenticate(&team, "ada@example.com").await;
    for (callback, path) in [(to_team, "/team"), (to_account, "/account")] {
        let end = browser.get(&callback).await;
        assert_eq!(end.status, 303, "{}", end.body);
        assert_eq!(end.location(), Some(format!("{}{path}", app.origin)));
    }
    assert_eq!(browser.cookie_names(), ["wos-session"]);
}

#[tokio::test]
async fn fifty_sign_ins_leave_few_pending_and_the_newest_works() {
    let app = TestApp::start().await;
    for path in [
        "/account".to_owned(),
        format!("/account?{}", "x".repeat(900)),
    ] {
        let mut browser = app.browser();
        let mut newest = browser.get(&path).await;
        let mut started = vec![the_verifier(&newest).name];
        for _ in 0..49 {
            app.clock.advance(1);
            newest = browser.get(&path).await;
            started.push(the_verifier(&newest).name);
            let (names, bytes) = pending(&browser);
            assert!(names.len() <= 5 && bytes <= 4096, "{names:?} {bytes}");
        }
        let (mut names, _) = pending(&browser);
        let mut expected = started.split_off(50 - names.len());
        names.sort();
        expected.sort();
        assert_eq!(names, expected, "the newest stay");
        let callback = browser.authenticate(&newest, "ada@example.com").await;
        assert_eq!(browser.get(&callback).await.status, 303);
        assert_eq!(browser.get("/account").await.status, 200);
    }
}

#[tokio::test]
async fn five_short_sign_ins_may_be_pending() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for _ in 0..5 {
        browser.get("/account").await;
    }
    assert_eq!(pending(&browser).0.len(), 5);
}

#[tokio::test]
async fn verifier_cookies_of_other_applications_are_left_alone() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let foreign = format!("{VERIFIER}deadbeef");
    let large = format!("{VERIFIER}0badcafe");
    browser.set_cookie(&foreign, "sealed-by-another-application");
    browser.set_cookie(&large, &"x".repeat(3900));
    for _ in 0..10 {
        browser.get("/account").await;
    }
    assert!(browser.cookie(&foreign).is_some() && browser.cookie(&large).is_some());
    assert_eq!(pending(&browser).0.len(), 2 + 5);
    browser.sign_in("ada@example.com").await;
    browser.submit("/sign-out", &[]).await;
    assert_eq!(pending(&browser).0, [large, foreign]);
}

#[tokio::test]
async fn the_routes_take_whom_and_what_to_expect() {
    let app = TestApp::start().await;
    for (query, name, expected) in [
        (
            "organization_id=org_acme",
            "organization_id",
            Some("org_acme"),
        ),
        (
            "login_hint=ada%2B1@example.com",
            "login_hint",
            Some("ada+1@example.com"),
        ),
        (
            "invitation_token=token_1",
            "invitation_token",
            Some("token_1"),
        ),
        ("screen_hint=sign-up", "screen_hint", Some("sign-up")),
        ("screen_hint=nonsense", "screen_hint", None),
        ("login_hint=a%0d%0aX-Evil:%201", "login_hint", None),
        (
            "client_id=client_evil",
            "client_id",
            Some("client_emulator"),
        ),
        ("provider=GoogleOAuth", "provider", Some("authkit")),
        ("connection_id=conn_1", "connection_id", None),
    ] {
        let start = app.browser().get(&format!("/sign-in?{query}")).await;
        assert_eq!(start.status, 302, "{query}");
        let found = start.location_parameter(name);
        assert_eq!(found.as_deref(), expected, "{query}");
        assert_eq!(start.header("x-evil"), None);
    }
    let foreign = "redirect_uri=http://evil.example/&state=x&code_challenge=x";
    let start = app.browser().get(&format!("/sign-in?{foreign}")).await;
    let redirect_uri = start.location_parameter("redirect_uri");
    assert_eq!(redirect_uri, Some(format!("{}/callback", app.origin)));
    assert_eq!(parameters(&start).len(), 7);
}

#[tokio::test]
async fn the_sign_up_route_asks_for_the_sign_up_screen() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let start = browser.get("/sign-up?return_to=/welcome").await;
    assert_eq!(
        start.location_parameter("screen_hint").as_deref(),
        Some("sign-up")
    );
    let back = browser.get("/sign-up?screen_hint=sign-in").await;
    assert_ne!(
        back.location_parameter("screen_hint").as_deref(),
        Some("sign-up")
    );
}

#[tokio::test]
async fn the_links_of_a_page_lead_through_a_sign_in_and_back() {
    let app = TestApp::start().await;
    let home = app.browser().get("/").await;
    let (sign_in, sign_up) = home.body.split_once(' ').expect("two addresses");
    assert!(sign_in.starts_with(&format!("{}/sign-in", app.origin)));
    assert!(sign_up.starts_with(&format!("{}/sign-up", app.origin)));
    let mut browser = app.browser();
    let start = browser.get(sign_in).await;
    let callback = browser.authenticate(&start, "ada@example.com").await;
    let end = browser.get(&callback).await;
    assert_eq!(end.location(), Some(format!("{}/account", app.origin)));
}

#[tokio::test]
async fn a_flow_that_starts_at_the_dashboard_works_whoever_is_signed_in() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alan@example.com").await;
    let headers = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "cross-site"),
        ("referer", "https://dashboard.workos.com/"),
    ];
    let start = browser.send(Method::GET, "/sign-in", &headers, "").await;
    assert_eq!(start.status, 302);
    let callback = browser.authenticate(&start, "alan@example.com").await;
    let end = browser.get(&callback).await;
    assert_eq!(end.location(), Some(format!("{}/", app.origin)));
}

#[tokio::test]
async fn an_operator_acts_as_a_user_and_everybody_can_tell() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let start = browser.get("/sign-in").await;
    let location = start.location().expect("a redirect");
    let form = location.replace("/authorize?", "/authorize/impersonate?");
    let fields = [
        ("email", "ada@example.com"),
        ("operator", "operator@workos.example"),
        ("reason", "a ticket"),
    ];
    let back = browser.submit(&form, &fields).await;
    let end = browser.get(&back.location().expect("a callback")).await;
    assert_eq!(end.status, 303, "{}", end.body);
    let me = browser.api("/api/me").await.json();
    assert_eq!(me["user"]["email"], "ada@example.com");
    assert_eq!(me["impersonator"]["email"], "operator@workos.example");
    assert_eq!(me["impersonator"]["reason"], "a ticket");
}

#[tokio::test]
async fn somebody_new_signs_up_on_the_way_to_a_page() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let start = browser.get("/start").await;
    let location = start.location().expect("a redirect");
    let form = location.replace("/authorize?", "/authorize/sign-up?");
    let fields = [
        ("email", "new@example.com"),
        ("password", "password of mine"),
        ("first_name", "New"),
        ("last_name", "Person"),
    ];
    let back = browser.submit(&form, &fields).await;
    let end = browser.get(&back.location().expect("a callback")).await;
    assert_eq!(end.location(), Some(format!("{}/start", app.origin)));
    assert_eq!(
        browser.get("/start").await.body,
        "started by new@example.com"
    );
}

#[tokio::test]
async fn a_prefetched_link_starts_no_sign_in() {
    let app = TestApp::start().await;
    for purpose in ["sec-purpose", "purpose"] {
        for path in ["/sign-in", "/sign-up", "/account", "/private/page"] {
            let headers = [(purpose, "prefetch"), ("sec-fetch-mode", "navigate")];
            let answer = app.browser().send(Method::GET, path, &headers, "").await;
            assert_eq!(answer.set_cookies(), [], "{path}");
            assert_eq!(answer.location(), None, "{path}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_starts_by_get_only() {
    let app = TestApp::start().await;
    for path in ["/sign-in", "/sign-up"] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = app.browser().send(method, path, &[], "").await;
            assert_eq!(answer.status, 405, "{path}");
            assert!(
                answer
                    .header("allow")
                    .is_some_and(|allow| allow.contains("GET"))
            );
            assert_eq!(answer.set_cookies(), [], "{path}");
        }
    }
}

#[tokio::test]
async fn an_address_of_any_length_is_protected_and_returned_to_when_it_fits() {
    let app = TestApp::start().await;
    for (length, is_kept) in [
        (200, true),
        (1000, true),
        (1024, true),
        (1025, false),
        (2700, false),
        (4096, false),
        (8192, false),
        (16000, false),
    ] {
        let address = format!("/account?{}", "x".repeat(length - "/account?".len()));
        let mut browser = app.browser();
        let start = browser.get(&address).await;
        assert_eq!(start.status, 302, "{length}");
        let cookie = the_verifier(&start);
        assert!(cookie.name.len() + cookie.value.len() <= 4096, "{length}");
        let callback = browser.authenticate(&start, "ada@example.com").await;
        let end = browser.get(&callback).await;
        assert_eq!(end.status, 303, "{length}");
        let expected = if is_kept { &address } else { "/" };
        assert_eq!(end.location(), Some(format!("{}{expected}", app.origin)));
        assert_eq!(browser.get("/account").await.status, 200, "{length}");
    }
}

#[tokio::test]
async fn over_long_options_never_break_a_sign_in() {
    let app = TestApp::start().await;
    for name in [
        "return_to",
        "organization_id",
        "login_hint",
        "invitation_token",
    ] {
        for length in [600, 1024, 3000, 10_000] {
            let value = format!("/{}", "é".repeat(length / 2));
            let address = format!("/sign-in?{name}={value}");
            let start = app.browser().get(&address).await;
            assert_eq!(start.status, 302, "{name} {length}");
            let cookie = the_verifier(&start);
            assert!(
                cookie.name.len() + cookie.value.len() <= 4096,
                "{name} {length}"
            );
        }
    }
}

#[tokio::test]
async fn options_that_grow_when_they_are_sealed_never_break_a_sign_in() {
    let app = TestApp::start().await;
    for character in ["%01", "%22", "%5c", "%C3%A9"] {
        let value = character.repeat(500 / (character.len() / 3));
        let address = format!(
            "/sign-in?organization_id={value}&login_hint={value}&invitation_token={value}\
             &return_to=/{value}"
        );
        let start = app.browser().get(&address).await;
        assert_eq!(start.status, 302, "{character}");
        let cookie = the_verifier(&start);
        let bytes = cookie.name.len() + cookie.value.len();
        assert!(bytes <= 4096, "{character} {bytes}: a browser drops it");
    }
}

#[tokio::test]
async fn a_started_sign_in_is_not_cached() {
    let app = TestApp::start().await;
    for path in ["/account", "/sign-in"] {
        let start = app.browser().get(path).await;
        let cache = start.header("cache-control").expect("Cache-Control");
        assert!(
            cache.contains("private") && cache.contains("no-store"),
            "{cache}"
        );
        assert_eq!(start.header("pragma"), Some("no-cache"));
        assert!(start.headers_joined("vary").contains("Cookie"));
    }
}
