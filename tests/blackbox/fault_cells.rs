//! Every call to WorkOS under every fault: from cold and warm, before and after it took effect.
//!
//! Whatever the fault, only an answer that ends a session takes it away, the answer comes in time,
//! others do not notice, and all is well once WorkOS is.

use std::{
    future::Future,
    pin::pin,
    thread,
    time::{Duration, Instant},
};

use actix_web::{get, web};
use authkit_actix::{
    ApiKey, AuthKit, AuthUser,
    emulator::{
        EmulatorApiKey, EmulatorBuilder, EmulatorOrganization, EmulatorUser, Endpoint, Fault,
        FaultPlan, Strike,
    },
};
use authkit_tests::{Answer, Browser, TestApp, TestAppBuilder, handles};
use futures::future::join;
use reqwest::Method;
use serde_json::json;
use tokio::{
    runtime,
    time::{sleep, timeout},
};

use Expected::{CannotTell, Refused, Works};

const ADA: &str = "ada@example.com";
const ALAN: &str = "alan@example.com";
const GRACE: &str = "grace@example.com";
const KEY: &str = "sk_of_the_fault_cells";
const ANOTHER_KEY: &str = "another key";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;

/// A call to WorkOS, by its endpoint.
type Call = Endpoint;

/// What the request that needs the call is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Works,
    CannotTell,
    /// WorkOS has said no.
    Refused,
}

/// The faults by name, each as often as it is tried.
fn faults() -> [(&'static str, Fault); 24] {
    let page = |status| Fault::Body {
        status,
        content_type: "text/html".to_owned(),
        body: "<html><h1>Welcome to the proxy</h1></html>".to_owned(),
    };
    let wrong_types = json!({
        "access_token": 7, "refresh_token": [], "user": "ada", "keys": {}, "api_key": "yes",
    });
    [
        (
            "refused for good",
            Fault::json(400, json!({"error": "invalid_grant"})),
        ),
        ("401", Fault::Status(401)),
        ("403", Fault::Status(403)),
        ("404", Fault::Status(404)),
        ("408", Fault::Status(408)),
        ("422", Fault::Status(422)),
        ("429", Fault::Status(429)),
        (
            "429 with a wait",
            Fault::StatusWithRetryAfter(429, "2".to_owned()),
        ),
        ("500", Fault::Status(500)),
        ("502 as a page", page(502)),
        ("503", Fault::Status(503)),
        ("504", Fault::Status(504)),
        (
            "elsewhere",
            Fault::Redirect("http://127.0.0.1:1/".to_owned()),
        ),
        ("a page", page(200)),
        ("wrong types", Fault::json(200, wrong_types)),
        (ANOTHER_KEY, Fault::WrongKey),
        ("empty", Fault::Empty),
        ("cut off", Fault::Truncate),
        ("too large", Fault::Oversize(5 << 20)),
        ("inflating", Fault::GzipBomb),
        ("reset", Fault::Reset),
        ("slow", Fault::Delay(Duration::from_millis(500))),
        ("dripping", Fault::Drip),
        ("hanging", Fault::Hang),
    ]
}

fn expected(call: Call, fault: &str, warm: bool) -> Expected {
    match (call, fault) {
        (_, "slow") => Works,
        // Keys that are known go on serving, and no answer about a key is signed.
        (Endpoint::Jwks, _) if warm => Works,
        (Endpoint::ApiKeyValidation, ANOTHER_KEY) => Works,
        // A key set that came and lacks a token's key says that the token is forged.
        (Endpoint::Jwks, ANOTHER_KEY) => Refused,
        (Endpoint::Jwks | Endpoint::ApiKeyValidation, _) => CannotTell,
        (_, "refused for good") => Refused,
        _ => CannotTell,
    }
}

#[test]
fn every_fault_of_the_code_exchange() {
    in_groups(Endpoint::AuthenticateCode, &[Strike::Before, Strike::After]);
}

#[test]
fn every_fault_of_the_choice_of_an_organization() {
    let call = Endpoint::AuthenticateOrganization;
    in_groups(call, &[Strike::Before, Strike::After]);
}

#[test]
fn every_fault_of_the_refresh() {
    let call = Endpoint::AuthenticateRefresh;
    in_groups(call, &[Strike::Before, Strike::After]);
}

#[test]
fn every_fault_of_the_key_set() {
    in_groups(Endpoint::Jwks, &[Strike::Before]);
}

#[test]
fn every_fault_of_the_validation_of_an_api_key() {
    in_groups(Endpoint::ApiKeyValidation, &[Strike::Before]);
}

/// Cold and warm, before and after: each on a thread of its own, since faults may take ten seconds.
fn in_groups(call: Call, strikes: &[Strike]) {
    thread::scope(|scope| {
        for strike in strikes {
            for warm in [false, true] {
                scope.spawn(move || {
                    let runtime = runtime::Builder::new_current_thread().enable_all().build();
                    let runtime = runtime.expect("a runtime");
                    runtime.block_on(every_fault(call, *strike, warm));
                });
            }
        }
    });
}

async fn every_fault(call: Call, strike: Strike, warm: bool) {
    let first = app().emulator(counterpart).start().await;
    // Made now: it takes long, and everybody would wait for it.
    first.emulator.mint_with_unknown_key(json!({}));
    if warm {
        assert_eq!(first.with_session(ALAN).api("/me").await.status, 200);
    }
    for (name, fault) in faults() {
        let expected = expected(call, name, warm);
        let started_anew;
        let app = if warm {
            &first
        } else {
            started_anew = app().beside(&first).start().await;
            &started_anew
        };
        let cell = Cell {
            app,
            name: format!("{call:?}, {name}, {strike:?}, warm: {warm}"),
            plan: FaultPlan::from(fault).strike(strike),
            expected,
            warm,
            another_key: name == ANOTHER_KEY,
        };
        match call {
            Endpoint::AuthenticateRefresh => cell.refresh().await,
            Endpoint::Jwks if warm => cell.known_keys().await,
            Endpoint::Jwks => cell.unknown_keys().await,
            Endpoint::ApiKeyValidation => cell.api_key().await,
            Endpoint::AuthenticateOrganization => cell.choice().await,
            _ => cell.exchange().await,
        }
        // Whatever was remembered about the fault is of the past.
        app.clock.advance(1200);
    }
}

/// One fault of one call.
struct Cell<'a> {
    app: &'a TestApp,
    name: String,
    plan: FaultPlan,
    expected: Expected,
    warm: bool,
    another_key: bool,
}

impl Cell<'_> {
    async fn refresh(self) {
        let mut browser = self.app.with_session(ADA);
        self.app.clock.advance(EXPIRED);
        let endpoint = Endpoint::AuthenticateRefresh;
        let answer = self
            .strike(endpoint, REFRESH, "/me", browser.api("/me"))
            .await;
        self.assert_session(&answer);
        // A token whose key cannot be looked up yet is taken as it came; the next key set decides.
        if self.expected == CannotTell && (self.warm || !self.another_key) {
            self.recover(5, async || browser.api("/me").await).await;
        }
    }

    /// A good session, while the keys to verify it with cannot be had.
    async fn unknown_keys(self) {
        let mut browser = self.app.with_session(ADA);
        let refreshes = self.app.emulator.calls(Endpoint::AuthenticateRefresh);
        let answer = browser.api("/me");
        let answer = self
            .strike(Endpoint::Jwks, REFRESH, "/public", answer)
            .await;
        self.assert_session(&answer);
        if self.expected == CannotTell {
            self.recover(10, async || browser.api("/me").await).await;
        }
        let calls = self.app.emulator.calls(Endpoint::AuthenticateRefresh);
        assert_eq!(calls, refreshes, "{}", self.name);
    }

    /// Good sessions, and one that names a key which is not there, for which keys are fetched.
    async fn known_keys(self) {
        let mut browser = self.app.with_session(ADA);
        let mut session = self.app.session(ADA);
        let claims = self.app.claims(&session["access_token"]);
        session["access_token"] = json!(self.app.emulator.mint_with_unknown_key(claims));
        let mut stranger = self.app.browser();
        stranger.set_cookie("wos-session", &self.app.seal(&session));
        // The set that comes is believed, whatever is in it, until the next one.
        let others = if self.another_key { "/public" } else { "/me" };
        let answer = self
            .strike(Endpoint::Jwks, REFRESH, others, stranger.api("/me"))
            .await;
        if self.another_key {
            self.recover(10, async || browser.api("/me").await).await;
        } else {
            assert!(
                matches!(answer.status, 401 | 503),
                "{} {answer:?}",
                self.name
            );
            assert_eq!(browser.api("/me").await.status, 200, "{}", self.name);
        }
    }

    async fn exchange(self) {
        let mut browser = self.app.with_session(ALAN);
        let start = browser.get("/sign-in").await;
        let callback = browser.authenticate(&start, ADA).await;
        let before = self.app.emulator.calls(Endpoint::AuthenticateCode);
        let answer = browser.get(&callback);
        let answer = self
            .strike(Endpoint::AuthenticateCode, CALLBACK, "/me", answer)
            .await;
        let calls = self.app.emulator.calls(Endpoint::AuthenticateCode);
        assert_eq!(calls, before + 1, "{}: a code is sent once", self.name);
        self.assert_sign_in(&answer, &mut browser, ADA).await;
    }

    async fn choice(self) {
        let mut browser = self.app.with_session(ALAN);
        let start = browser.get("/sign-in").await;
        let callback = browser.authenticate(&start, GRACE).await;
        let picker = browser.get(&callback).await;
        assert_eq!(picker.status, 303, "{} {picker:?}", self.name);
        let answer = browser.submit(
            "/authkit/select-organization",
            &[("organization_id", "org_globex")],
        );
        let endpoint = Endpoint::AuthenticateOrganization;
        let answer = self.strike(endpoint, CALLBACK, "/me", answer).await;
        self.assert_sign_in(&answer, &mut browser, GRACE).await;
    }

    async fn api_key(self) {
        let mut program = self.app.browser();
        let authorization = format!("Bearer {KEY}");
        let mut call = async || {
            let headers = [("authorization", authorization.as_str())];
            program.send(Method::GET, "/keyed", &headers, "").await
        };
        let endpoint = Endpoint::ApiKeyValidation;
        let answer = self.strike(endpoint, REFRESH, "/me", call()).await;
        let status = if self.expected == Works { 200 } else { 503 };
        assert_eq!(answer.status, status, "{} {answer:?}", self.name);
        if self.expected == CannotTell {
            self.recover(5, call).await;
        }
    }

    /// The answer to a request under the fault: in time, and without harm to others.
    async fn strike(
        &self,
        endpoint: Endpoint,
        longest: Duration,
        others: &str,
        answer: impl Future<Output = Answer>,
    ) -> Answer {
        let mut other = self.app.with_session(ALAN);
        self.app.emulator.fault(endpoint, self.plan.clone());
        let unaffected = async {
            sleep(Duration::from_millis(100)).await;
            timed(other.api(others)).await
        };
        let ((answer, elapsed), (other, others_elapsed)) = join(timed(answer), unaffected).await;
        self.app.emulator.clear_faults();
        assert!(elapsed <= longest, "{} took {elapsed:?}", self.name);
        assert_eq!(other.status, 200, "{} {other:?}", self.name);
        assert!(others_elapsed < OTHERS, "{} {others_elapsed:?}", self.name);
        answer
    }

    fn assert_session(&self, answer: &Answer) {
        let name = &self.name;
        match self.expected {
            Works => assert_eq!(answer.status, 200, "{name} {answer:?}"),
            CannotTell => {
                assert_eq!(answer.status, 503, "{name} {answer:?}");
                assert!(answer.header("retry-after").is_some(), "{name}");
                assert!(!answer.removes("wos-session"), "{name}");
            }
            Refused => {
                assert_eq!(answer.status, 401, "{name} {answer:?}");
                assert!(answer.removes("wos-session"), "{name}");
            }
        }
    }

    /// Who had a session before keeps it until the sign-in succeeds, now or another time.
    async fn assert_sign_in(&self, answer: &Answer, browser: &mut Browser, email: &str) {
        let name = &self.name;
        let statuses: &[u16] = match self.expected {
            Works => &[303],
            CannotTell => &[502, 504],
            Refused => &[400],
        };
        assert!(statuses.contains(&answer.status), "{name} {answer:?}");
        if self.expected != Works {
            assert!(answer.set_cookie("wos-session").is_none(), "{name}");
            assert_eq!(browser.api("/me").await.body, ALAN, "{name}");
            let mut end = browser.sign_in(email).await;
            if end
                .location()
                .is_some_and(|to| to.contains("select-organization"))
            {
                let choice = [("organization_id", "org_globex")];
                end = browser
                    .submit("/authkit/select-organization", &choice)
                    .await;
            }
            assert_eq!(end.status, 303, "{name} {end:?}");
        }
        assert_eq!(browser.api("/me").await.body, email, "{name}");
    }

    /// WorkOS is well again: so are we, a few times so many seconds later. It repeats a refresh whose
    /// answer was lost for 30 seconds, and is asked for keys after as many.
    async fn recover(&self, seconds: i64, mut ask: impl AsyncFnMut() -> Answer) {
        let mut answer = ask().await;
        for _ in 0..5 {
            if answer.status == 200 {
                return;
            }
            assert_eq!(answer.status, 503, "{} {answer:?}", self.name);
            self.app.clock.advance(seconds);
            sleep(Duration::from_millis(50)).await;
            answer = ask().await;
        }
        assert_eq!(answer.status, 200, "{} {answer:?}", self.name);
    }
}

/// How long an answer took, without the time in which the machine let this test wait.
async fn timed(answer: impl Future<Output = Answer>) -> (Answer, Duration) {
    let started = Instant::now();
    let mut lost = Duration::ZERO;
    let mut answer = pin!(answer);
    loop {
        let tick = Instant::now();
        match timeout(TICK, &mut answer).await {
            Ok(answer) => return (answer, started.elapsed().saturating_sub(lost)),
            Err(_) => lost += tick.elapsed().saturating_sub(2 * TICK),
        }
    }
}

#[tokio::test]
async fn calls_that_failed_leave_no_connection_open_but_the_pool() {
    let app = app().emulator(counterpart).start().await;
    for _ in 0..2 {
        for (name, fault) in faults() {
            if matches!(fault, Fault::Hang | Fault::Drip) {
                continue;
            }
            let mut browser = app.with_session(ADA);
            app.clock.advance(EXPIRED);
            app.emulator.fault(Endpoint::AuthenticateRefresh, fault);
            let answer = browser.api("/me").await;
            assert!(
                matches!(answer.status, 200 | 401 | 503),
                "{name} {answer:?}"
            );
            app.emulator.clear_faults();
            app.clock.advance(1200);
        }
    }
    let stuck: Vec<_> = (0..30).map(|_| app.with_session(ADA)).collect();
    app.clock.advance(EXPIRED);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Hang.times(15));
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Drip);
    futures::future::join_all(stuck.into_iter().map(async |mut it| it.api("/me").await)).await;
    handles::wait_for_connections(app.emulator.port(), POOL).expect("the rest are closed");
}

#[get("/me")]
async fn me(user: AuthUser) -> String {
    user.email.clone()
}

#[get("/public")]
async fn public() -> &'static str {
    "public"
}

#[get("/keyed")]
async fn keyed(key: ApiKey) -> String {
    key.name
}

fn app() -> TestAppBuilder {
    TestApp::builder().routes(|authkit: &AuthKit, config: &mut web::ServiceConfig| {
        config
            .service((authkit.handle_auth(), authkit.routes()))
            .service((me, public, keyed));
    })
}

fn counterpart(emulator: EmulatorBuilder) -> EmulatorBuilder {
    emulator
        .organization_selection_at_exchange()
        .organization(EmulatorOrganization::new("org_acme", "Acme"))
        .organization(EmulatorOrganization::new("org_globex", "Globex"))
        .user(EmulatorUser::new(ADA).member_of("org_acme", "admin"))
        .user(EmulatorUser::new(ALAN))
        .user(
            EmulatorUser::new(GRACE)
                .member_of("org_acme", "member")
                .member_of("org_globex", "admin"),
        )
        .issue_api_key(EmulatorApiKey::of_organization("org_acme", KEY).name("Cells"))
}

/// The worst a refresh, or the fetch of keys, may take.
const REFRESH: Duration = Duration::from_millis(5_500);
const CALLBACK: Duration = Duration::from_millis(10_500);
/// What others may notice.
const OTHERS: Duration = Duration::from_secs(4);
const TICK: Duration = Duration::from_millis(20);
/// As many calls as are made at once.
const POOL: usize = 16;
