//! What `diagnose()` finds, against the emulator with something wrong.

use std::time::{Duration, Instant};

use authkit_actix::{
    AuthKit, AuthKitBuilder, Clock as _, Diagnosis, SameSite, SealFormat, SessionStore,
    SessionStoreError, Verdict,
    emulator::{Emulator, Endpoint, Fault},
};
use authkit_tests::{Log, PASSWORD, RedisServer, TestApp, TestClock, free_port};
use serde_json::json;

/// A configuration without an application: diagnosing needs none.
fn configured(change: impl FnOnce(AuthKitBuilder) -> AuthKitBuilder) -> (Emulator, AuthKit) {
    let emulator = Emulator::builder().quiet().allow_in_release();
    let emulator = emulator.start().expect("an emulator");
    let authkit = AuthKit::builder()
        .emulator(&emulator)
        .cookie_password(PASSWORD)
        .redirect_uri("http://localhost:3000/callback");
    let authkit = change(authkit).build().expect("a right configuration");
    (emulator, authkit)
}

async fn diagnosed(change: impl FnOnce(AuthKitBuilder) -> AuthKitBuilder) -> Diagnosis {
    let (_emulator, authkit) = configured(change);
    authkit.diagnose().await
}

#[track_caller]
fn assert_finding(diagnosis: &Diagnosis, name: &str, verdict: Verdict, seen: &str) {
    let finding = diagnosis.finding(name).expect(name);
    assert_eq!(finding.verdict(), verdict, "{diagnosis}");
    assert!(finding.seen().contains(seen), "{diagnosis}");
    assert_eq!(finding.cure().is_none(), verdict == Verdict::Fine);
}

#[track_caller]
fn assert_healthy(diagnosis: &Diagnosis) {
    assert!(diagnosis.is_healthy(), "{diagnosis}");
    assert_eq!(diagnosis.exit_code(), 0.into());
}

#[track_caller]
fn assert_ill(diagnosis: &Diagnosis, exit_code: u8) {
    assert!(!diagnosis.is_healthy(), "{diagnosis}");
    assert_eq!(diagnosis.exit_code(), exit_code.into());
}

#[actix_web::test]
async fn an_application_in_order_is_fine_in_all_respects() {
    let app = TestApp::start().await;
    let diagnosis = app.authkit.diagnose().await;
    let names: Vec<_> = diagnosis.findings().map(|it| it.name()).collect();
    assert_eq!(
        names,
        [
            "configuration",
            "redirect URI",
            "cookies",
            "cookie size",
            "signing keys",
            "API key",
            "clock"
        ]
    );
    assert_eq!(diagnosis.verdict(), Verdict::Fine, "{diagnosis}");
    assert_healthy(&diagnosis);
    let text = diagnosis.to_string();
    assert!(text.starts_with("AuthKit: 7 fine\n\nfine         configuration: "));
    assert!(text.contains(app.emulator.client_id()), "{text}");
}

#[actix_web::test]
async fn a_wrong_api_key_is_a_fault_with_its_cure_and_shown_nowhere() {
    let log = Log::capture();
    let diagnosis = diagnosed(|authkit| authkit.api_key("sk_test_of_another_environment")).await;
    assert_finding(&diagnosis, "API key", Verdict::Fault, "status 401");
    assert_finding(&diagnosis, "signing keys", Verdict::Fine, "1 usable");
    assert_ill(&diagnosis, 1);
    let text = diagnosis.to_string();
    assert!(text.starts_with("AuthKit: 1 fault, 6 fine\n\nfault        API key: "));
    assert!(text.contains("\n             > copy an API key"), "{text}");
    let json = json!(diagnosis).to_string();
    for text in [&text, &json, &format!("{diagnosis:?}")] {
        assert!(!text.contains("another_environment") && !text.contains(PASSWORD));
    }
    assert!(!log.contains("sk_test_of_another_environment"));
}

#[actix_web::test]
async fn a_client_id_that_workos_does_not_know_is_a_fault() {
    let diagnosis = diagnosed(|authkit| authkit.client_id("client_elsewhere")).await;
    assert_finding(
        &diagnosis,
        "signing keys",
        Verdict::Fault,
        "client_elsewhere",
    );
    assert_finding(&diagnosis, "API key", Verdict::Fault, "client_elsewhere");
}

#[actix_web::test]
async fn clocks_that_are_apart_are_told_by_the_seconds() {
    for (seconds, verdict, seen) in [
        (0, Verdict::Fine, "as at WorkOS"),
        (14, Verdict::Fine, "14 s ahead"),
        (-14, Verdict::Fine, "14 s behind"),
        (29, Verdict::Warning, "29 s ahead"),
        (31, Verdict::Fault, "31 s ahead"),
        (-600, Verdict::Fault, "600 s behind"),
    ] {
        let clock = TestClock::now();
        let emulator_clock = TestClock::now();
        emulator_clock.advance(clock.unix_seconds() - emulator_clock.unix_seconds() - seconds);
        let emulator = Emulator::builder().quiet().allow_in_release();
        let emulator = emulator.clock(move || emulator_clock.unix_seconds());
        let emulator = emulator.start().expect("an emulator");
        let authkit = AuthKit::builder()
            .emulator(&emulator)
            .cookie_password(PASSWORD)
            .redirect_uri("http://localhost:3000/callback")
            .clock(clock)
            .build()
            .expect("a right configuration");
        assert_finding(&authkit.diagnose().await, "clock", verdict, seen);
    }
}

#[actix_web::test]
async fn keys_that_do_not_come_or_are_none_are_a_fault() {
    let faults = [
        (Fault::Status(503), "status 503"),
        (Fault::Reset, "network failure"),
        (Fault::Empty, "not a JSON Web Key Set"),
        (Fault::json(200, json!({"keys": []})), "no usable RS256 key"),
        (
            Fault::Redirect("https://elsewhere.example".to_owned()),
            "status 302",
        ),
        (Fault::Oversize(300 << 10), "no usable answer"),
    ];
    for (fault, seen) in faults {
        let (emulator, authkit) = configured(|authkit| authkit);
        emulator.fault(Endpoint::Jwks, fault);
        let diagnosis = authkit.diagnose().await;
        assert_finding(&diagnosis, "signing keys", Verdict::Fault, seen);
        assert_finding(&diagnosis, "API key", Verdict::Fine, "takes it");
    }
}

#[actix_web::test]
async fn nothing_that_hangs_is_waited_for_longer_than_five_seconds() {
    let (emulator, authkit) = configured(|authkit| authkit);
    emulator.fault(Endpoint::Jwks, Fault::Hang);
    emulator.fault(Endpoint::AuthenticateCode, Fault::Drip);
    let began = Instant::now();
    let diagnosis = authkit.diagnose().await;
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_finding(&diagnosis, "signing keys", Verdict::Fault, "timeout");
    assert_finding(&diagnosis, "API key", Verdict::NotChecked, "timeout");
    assert_finding(&diagnosis, "clock", Verdict::NotChecked, "no answer");
}

#[actix_web::test]
async fn what_only_the_api_key_depends_on_is_not_checked_when_it_fails() {
    for fault in [Fault::Status(500), Fault::Status(429), Fault::Status(403)] {
        let (emulator, authkit) = configured(|authkit| authkit);
        emulator.fault(Endpoint::AuthenticateCode, fault);
        let diagnosis = authkit.diagnose().await;
        assert_finding(&diagnosis, "API key", Verdict::NotChecked, "status");
        assert_finding(&diagnosis, "clock", Verdict::Fine, "");
        assert_ill(&diagnosis, 2);
    }
}

#[actix_web::test]
async fn nobody_at_the_api_is_told_from_a_wrong_configuration() {
    let authkit = AuthKit::builder()
        .client_id("client_nobody")
        .api_key("sk_test_nobody")
        .cookie_password(PASSWORD)
        .redirect_uri("http://localhost:3000/callback")
        .api_hostname("127.0.0.1")
        .api_https(false)
        .api_port(free_port())
        .build()
        .expect("a right configuration");
    let diagnosis = authkit.diagnose().await;
    assert_finding(
        &diagnosis,
        "signing keys",
        Verdict::Fault,
        "network failure",
    );
    assert_finding(
        &diagnosis,
        "API key",
        Verdict::NotChecked,
        "network failure",
    );
    assert_finding(&diagnosis, "clock", Verdict::NotChecked, "no answer");
}

#[actix_web::test]
async fn a_redirect_uri_where_the_cookies_do_not_come_along_is_a_fault() {
    let at = |base: &'static str, uri: &'static str| {
        diagnosed(move |authkit| authkit.base_url(base).redirect_uri(uri))
    };
    for (base, uri, verdict, seen) in [
        (
            "http://localhost:3000",
            "http://127.0.0.1:3000/callback",
            Verdict::Fault,
            "begin at `localhost` and end at `127.0.0.1`",
        ),
        (
            "https://app.example.com",
            "https://www.example.com/callback",
            Verdict::Fault,
            "none can be finished",
        ),
        (
            "https://app.example.com",
            "http://app.example.com/callback",
            Verdict::Fault,
            "plain http",
        ),
        (
            "http://app.example.com",
            "https://app.example.com/callback",
            Verdict::Warning,
            "is not",
        ),
        (
            "http://app.example.com",
            "http://app.example.com/callback",
            Verdict::Warning,
            "can be read",
        ),
        (
            "http://localhost:3000",
            "http://localhost:3001/callback",
            Verdict::Warning,
            "go on to `http://localhost:3000`",
        ),
        (
            "https://app.example.com",
            "https://app.example.com",
            Verdict::Warning,
            "the callback is at `/`",
        ),
        (
            "https://app.example.com",
            "https://app.example.com/callback",
            Verdict::Fine,
            "\"Redirects\"",
        ),
    ] {
        assert_finding(&at(base, uri).await, "redirect URI", verdict, seen);
    }
    let shared = diagnosed(|authkit| {
        authkit
            .base_url("https://app.example.com")
            .redirect_uri("https://www.example.com/callback")
            .cookie_domain("example.com")
    });
    assert_finding(&shared.await, "redirect URI", Verdict::Fine, "https://www");
}

#[actix_web::test]
async fn cookies_that_browsers_drop_are_a_fault() {
    let none = |base: &'static str, same_site| {
        diagnosed(move |authkit| {
            authkit
                .redirect_uri(format!("{base}/callback"))
                .cookie_same_site(same_site)
        })
    };
    for (base, same_site, verdict, seen) in [
        (
            "http://app.example.com",
            SameSite::None,
            Verdict::Fault,
            "nobody stays signed in",
        ),
        (
            "http://localhost:3000",
            SameSite::None,
            Verdict::Warning,
            "not every browser",
        ),
        (
            "https://app.example.com",
            SameSite::None,
            Verdict::Warning,
            "requests that other sites cause",
        ),
        (
            "http://app.example.com",
            SameSite::Lax,
            Verdict::Warning,
            "sessions travel readable",
        ),
        (
            "https://app.example.com",
            SameSite::Strict,
            Verdict::Fine,
            "`wos-session`, SameSite=Strict, Secure, for app.example.com alone",
        ),
    ] {
        assert_finding(&none(base, same_site).await, "cookies", verdict, seen);
    }
    let tenants = diagnosed(|authkit| {
        authkit
            .redirect_uri("https://app.example.com/callback")
            .cookie_domain("example.com")
            .redirect_uri_for(
                [
                    "https://tenant.example.com/callback",
                    "https://notexample.com/callback",
                ],
                |_| None,
            )
    });
    let tenants = tenants.await;
    assert_finding(
        &tenants,
        "cookies",
        Verdict::Fault,
        "https://notexample.com",
    );
    let faults = tenants
        .findings()
        .filter(|it| it.verdict() == Verdict::Fault);
    assert_eq!(faults.count(), 1, "{tenants}");
}

#[actix_web::test]
async fn a_public_application_against_an_emulator_is_a_warning() {
    let public = diagnosed(|authkit| authkit.redirect_uri("https://app.example.com/callback"));
    let public = public.await;
    assert_finding(&public, "configuration", Verdict::Warning, "an emulator?");
    assert_healthy(&public);
}

/// What the finding says of bytes and cookies.
fn size(diagnosis: &Diagnosis) -> (usize, String) {
    let seen = diagnosis.finding("cookie size").expect("it is measured");
    let seen = seen.seen().to_owned();
    let bytes = seen.split_once(" bytes in ").map(|(before, _)| before);
    let bytes = bytes.and_then(|before| before.rsplit(' ').next()?.parse().ok());
    (bytes.expect("bytes"), seen)
}

#[actix_web::test]
async fn the_size_of_the_cookie_is_that_of_the_configured_seal_and_fields() {
    let (usual, seen) = size(&diagnosed(|authkit| authkit).await);
    assert!((1400..1800).contains(&usual), "{seen}");
    assert!(seen.contains("in 1 cookie; about"), "{seen}");
    let (few_fields, _) = size(&diagnosed(|authkit| authkit.user_fields([])).await);
    assert!(few_fields + 200 < usual);
    let (shared, _) = size(&diagnosed(|authkit| authkit.seal_format(SealFormat::Iron)).await);
    assert!(shared > usual);
}

struct Unreachable;

impl SessionStore for Unreachable {
    async fn load(&self, _: &str) -> Result<Option<String>, SessionStoreError> {
        Err("on purpose".into())
    }

    async fn insert(&self, _: &str, _: &str, _: Duration) -> Result<(), SessionStoreError> {
        Err("on purpose".into())
    }

    async fn replace(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: Duration,
    ) -> Result<bool, SessionStoreError> {
        Err("on purpose".into())
    }

    async fn remove(&self, _: &str) -> Result<(), SessionStoreError> {
        Err("on purpose".into())
    }
}

#[actix_web::test]
async fn a_session_store_that_does_not_answer_is_a_fault() {
    let diagnosis = diagnosed(|authkit| authkit.session_store(Unreachable)).await;
    assert_finding(&diagnosis, "session store", Verdict::Fault, "503");
    assert_finding(
        &diagnosis,
        "cookie size",
        Verdict::Fine,
        "which session it is",
    );
}

#[actix_web::test]
async fn redis_is_asked_and_its_absence_is_as_grave_as_what_depends_on_it() {
    let redis = RedisServer::start();
    let url = redis.url();
    let diagnosis = diagnosed(move |authkit| authkit.redis(url).sessions_in_redis()).await;
    assert_finding(&diagnosis, "Redis", Verdict::Fine, "answers");
    assert_finding(&diagnosis, "session store", Verdict::Fine, "answers");

    let absent = RedisServer::stopped();
    let url = absent.url();
    let sharing = url.clone();
    let diagnosis = diagnosed(move |authkit| authkit.redis(sharing)).await;
    assert_finding(&diagnosis, "Redis", Verdict::Warning, "go on by themselves");
    assert_healthy(&diagnosis);
    let strict = url.clone();
    let diagnosis = diagnosed(move |authkit| authkit.redis(strict).strict_revocation()).await;
    assert_finding(&diagnosis, "Redis", Verdict::Fault, "nobody is served");
    let diagnosis = diagnosed(move |authkit| authkit.redis(url).sessions_in_redis()).await;
    assert_finding(&diagnosis, "session store", Verdict::Fault, "503");
}

#[actix_web::test]
async fn a_redis_that_hangs_is_out_of_reach_after_250_ms() {
    let redis = RedisServer::start();
    let url = redis.url();
    let (_emulator, authkit) = configured(move |authkit| authkit.redis(url));
    assert_finding(&authkit.diagnose().await, "Redis", Verdict::Fine, "answers");
    redis.pause();
    let diagnosis = authkit.diagnose().await;
    redis.resume();
    assert_finding(&diagnosis, "Redis", Verdict::Warning, "within 250 ms");
}

#[test]
fn a_configuration_that_is_refused_is_a_list_of_faults() {
    let error = AuthKit::builder()
        .client_id("client_123")
        .api_key("sk_test_123")
        .cookie_password("too short")
        .redirect_uri("https://app.example.com/callback")
        .cookie_domain("other.example")
        .build()
        .expect_err("two mistakes");
    let diagnosis = Diagnosis::from(error);
    let names: Vec<_> = diagnosis.findings().map(|it| it.name()).collect();
    assert_eq!(
        names,
        [
            "cookie_password (WORKOS_COOKIE_PASSWORD)",
            "cookie_domain (WORKOS_COOKIE_DOMAIN)"
        ]
    );
    assert_ill(&diagnosis, 1);
}
