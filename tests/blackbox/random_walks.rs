//! Sign-in, refresh, switch and sign-out in any order, under any fault, against a small model.

use std::{env, time::Duration};

use actix_web::{HttpResponse, Responder, get, post, web};
use authkit_actix::{
    Auth, AuthKit, AuthUser,
    emulator::{Endpoint, Fault},
    ensure_signed_in,
};
use authkit_tests::{Answer, Browser, TestApp};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;
use tokio::runtime;

/// Who walks; each is in both organizations.
const USERS: [&str; 2] = ["grace@example.com", "hopper@example.com"];
const ORGANIZATIONS: [&str; 2] = ["org_acme", "org_globex"];

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    SignIn(usize),
    /// One request, or several at once.
    Ask(usize, usize),
    Switch(usize, usize),
    SignOut(usize),
    /// The session is ended at WorkOS.
    EndElsewhere(usize),
    Wait(i64),
    RotateKey,
    /// Every refresh goes wrong from now on.
    Break(usize, bool),
    Mend,
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS.len();
    prop_oneof![
        2 => user.clone().prop_map(Step::SignIn),
        6 => (user.clone(), 1..4_usize).prop_map(|(user, many)| Step::Ask(user, many)),
        3 => (user.clone(), 0..ORGANIZATIONS.len()).prop_map(|(user, to)| Step::Switch(user, to)),
        1 => user.clone().prop_map(Step::SignOut),
        1 => user.prop_map(Step::EndElsewhere),
        6 => prop::sample::select(vec![1, 10, 29, 60, 200, 280, 400]).prop_map(Step::Wait),
        1 => Just(Step::RotateKey),
        2 => (0..FAULTS, any::<bool>()).prop_map(|(fault, after)| Step::Break(fault, after)),
        2 => Just(Step::Mend),
    ]
}

const FAULTS: usize = 10;

fn fault(index: usize) -> Fault {
    match index {
        0 => Fault::Status(500),
        1 => Fault::Status(429),
        2 => Fault::StatusWithRetryAfter(503, "3".to_owned()),
        3 => Fault::Status(401),
        4 => Fault::Status(422),
        5 => Fault::Reset,
        6 => Fault::Truncate,
        7 => Fault::Empty,
        8 => Fault::GzipBomb,
        _ => Fault::json(200, json!({"access_token": 7, "user": []})),
    }
}

/// What is known about the session in a browser.
#[derive(Clone, Debug, Default)]
struct Session {
    organization: usize,
    /// When its token was issued.
    since: i64,
    /// WorkOS has ended it.
    ended: bool,
    /// When WorkOS first rotated it without telling us: it repeats its answer for a while, and then
    /// the session is lost.
    lost: Option<i64>,
}

/// The application, who is in front of it, and what must be true of them.
struct Walk {
    app: TestApp,
    now: i64,
    browsers: [Browser; 2],
    sessions: [Option<Session>; 2],
    /// Refreshes go wrong; before or after the rotation.
    broken: Option<bool>,
    /// Until then WorkOS may be spared calls, since it was not well or showed an unknown key.
    spared: i64,
}

impl Walk {
    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::SignIn(user) => self.sign_in(user).await,
            Step::Ask(user, many) => self.ask(user, many).await,
            Step::Switch(user, to) => self.switch(user, to).await,
            Step::SignOut(user) => self.sign_out(user).await,
            Step::EndElsewhere(user) => self.end_elsewhere(user).await,
            Step::Wait(seconds) => {
                self.wait(seconds);
                Ok(())
            }
            Step::RotateKey => {
                // A key that follows another within the cooldown is unknown for the rest of it.
                self.wait(31);
                self.app.emulator.rotate_key();
                Ok(())
            }
            Step::Break(index, after) => {
                self.app.emulator.clear_faults();
                let endpoint = Endpoint::AuthenticateRefresh;
                if after {
                    self.app
                        .emulator
                        .fault(endpoint, fault(index).after_effect());
                } else {
                    self.app.emulator.fault(endpoint, fault(index));
                }
                self.broken = Some(after);
                Ok(())
            }
            Step::Mend => {
                self.app.emulator.clear_faults();
                self.broken = None;
                Ok(())
            }
        }
    }

    fn wait(&mut self, seconds: i64) {
        self.app.clock.advance(seconds);
        self.now += seconds;
    }

    async fn sign_in(&mut self, user: usize) -> Result<(), TestCaseError> {
        let browser = &mut self.browsers[user];
        let start = browser.get("/sign-in?organization_id=org_acme").await;
        let callback = browser.authenticate(&start, USERS[user]).await;
        let end = browser.get(&callback).await;
        prop_assert_eq!(end.status, 303, "{:?}", end);
        self.sessions[user] = Some(Session {
            since: self.now,
            ..Session::default()
        });
        self.ask(user, 1).await
    }

    async fn ask(&mut self, user: usize, many: usize) -> Result<(), TestCaseError> {
        let browser = &self.browsers[user];
        let answers = (0..many).map(|_| {
            let mut browser = browser.clone();
            async move {
                let answer = browser.api("/who").await;
                (answer, browser)
            }
        });
        for (answer, browser) in futures::future::join_all(answers).await {
            self.judge(user, &answer)?;
            self.browsers[user] = browser;
        }
        Ok(())
    }

    /// Whether an answer fits what is known, and what is known after it.
    fn judge(&mut self, user: usize, answer: &Answer) -> Result<(), TestCaseError> {
        let removes = answer.removes("wos-session");
        let Some(session) = &mut self.sessions[user] else {
            prop_assert_eq!(answer.status, 401, "{:?}", answer);
            return Ok(());
        };
        let age = self.now - session.since;
        let (due, expired) = (age >= LIFETIME - BUFFER, age > LIFETIME + LEEWAY);
        let renewed = answer.set_cookie("wos-session").is_some() && !removes;
        let allowed: &[u16] = match (due, self.broken) {
            (false, _) => &[200],
            (true, Some(_)) if expired => &[503],
            (true, Some(_)) => &[200],
            (true, None) if self.now < self.spared && expired => &[200, 401, 503],
            (true, None) if self.now < self.spared => &[200, 401],
            (true, None) if session.ended => &[401],
            // On the edge of what WorkOS repeats, or beyond it with what we remember ourselves.
            (true, None) if session.lost.is_some() => &[200, 401],
            (true, None) => &[200],
        };
        prop_assert!(
            allowed.contains(&answer.status),
            "{:?}, {:?} old {}, not one of {:?}: {:?}",
            USERS[user],
            session,
            age,
            allowed,
            answer
        );
        if answer.status == 401 {
            prop_assert!(session.ended || session.lost.is_some_and(|at| self.now - at > REPEATED));
            prop_assert!(removes);
            self.sessions[user] = None;
            return Ok(());
        }
        prop_assert!(
            !removes,
            "only who is signed out loses a cookie: {:?}",
            answer
        );
        if due && self.broken.is_some() {
            self.spared = self.now + LONGEST_REST;
            if self.broken == Some(true) && !session.ended {
                session.lost.get_or_insert(self.now);
            }
        }
        if answer.status == 200 {
            let organization = ORGANIZATIONS[session.organization];
            prop_assert_eq!(&answer.body, &format!("{} {organization}", USERS[user]));
        }
        if renewed && answer.status == 200 {
            session.since = self.now;
            session.lost = None;
        }
        Ok(())
    }

    async fn switch(&mut self, user: usize, to: usize) -> Result<(), TestCaseError> {
        // What a switch finds is that of a request before it.
        self.ask(user, 1).await?;
        let address = format!("/switch/{}", ORGANIZATIONS[to]);
        let answer = self.browsers[user].submit(&address, &[]).await;
        let Some(session) = &mut self.sessions[user] else {
            prop_assert!(matches!(answer.status, 302 | 303 | 401), "{:?}", answer);
            return Ok(());
        };
        let expired = self.now - session.since > LIFETIME + LEEWAY;
        let before = session.clone();
        match answer.status {
            200 => {
                prop_assert!(!session.ended && self.broken.is_none());
                session.organization = to;
                session.since = self.now;
                session.lost = None;
            }
            // A session that is over shows at its next refresh; one that cannot be told stays.
            400..=499 => {
                prop_assert!(session.ended || session.lost.is_some() || self.broken.is_some())
            }
            503 | 502 => prop_assert!(expired || self.broken.is_some() || self.now < self.spared),
            _ => prop_assert!(false, "{:?}", answer),
        }
        if self.broken.is_some() {
            self.spared = self.now + LONGEST_REST;
            if self.broken == Some(true) && !session.ended && answer.status != 200 {
                session.lost = before.lost.or(Some(self.now));
            }
        }
        if answer.removes("wos-session") {
            prop_assert!(before.ended || before.lost.is_some());
            self.sessions[user] = None;
        }
        self.ask(user, 1).await
    }

    async fn sign_out(&mut self, user: usize) -> Result<(), TestCaseError> {
        let answer = self.browsers[user].submit("/sign-out", &[]).await;
        prop_assert_eq!(answer.status, 303, "{:?}", answer);
        prop_assert_eq!(self.browsers[user].cookie("wos-session"), None);
        if let Some(to) = answer.location().filter(|to| to.contains("/logout?")) {
            self.browsers[user].get(&to).await;
        }
        self.sessions[user] = None;
        self.ask(user, 1).await
    }

    async fn end_elsewhere(&mut self, user: usize) -> Result<(), TestCaseError> {
        let Some(session) = &mut self.sessions[user] else {
            return Ok(());
        };
        let sealed = self.browsers[user]
            .cookie("wos-session")
            .expect("a session");
        let claims = self.app.claims(&self.app.open(sealed)["access_token"]);
        let id = claims["sid"].as_str().expect("an id");
        prop_assert!(self.app.emulator.end_session(id));
        session.ended = true;
        Ok(())
    }
}

#[get("/who")]
async fn who(user: AuthUser) -> String {
    format!(
        "{} {}",
        user.email,
        user.organization_id().unwrap_or("none")
    )
}

#[post("/switch/{to}")]
#[ensure_signed_in]
async fn switch(auth: Auth, to: web::Path<String>) -> Result<impl Responder, actix_web::Error> {
    auth.switch_to_organization(&to).await?;
    Ok(HttpResponse::Ok().finish())
}

async fn walk(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let app = TestApp::builder()
        .emulator(|emulator| {
            use authkit_actix::emulator::{EmulatorOrganization, EmulatorUser};
            let emulator = ORGANIZATIONS.iter().fold(emulator, |emulator, id| {
                emulator.organization(EmulatorOrganization::new(*id, *id))
            });
            USERS.iter().fold(emulator, |emulator, email| {
                let user = ORGANIZATIONS
                    .iter()
                    .fold(EmulatorUser::new(*email), |user, id| {
                        user.member_of(*id, "member")
                    });
                emulator.user(user)
            })
        })
        .routes(|authkit: &AuthKit, config| {
            config
                .service((authkit.handle_auth(), authkit.routes()))
                .service((who, switch));
        })
        .start()
        .await;
    let mut walk = Walk {
        browsers: [app.browser(), app.browser()],
        app,
        now: 0,
        sessions: [None, None],
        broken: None,
        spared: 0,
    };
    for step in &steps {
        walk.take(step).await?;
    }
    Ok(())
}

/// As many walks as `AUTHKIT_TESTS_WALKS` says.
#[test]
fn whatever_happens_in_whatever_order_the_model_is_right() {
    let walks = env::var("AUTHKIT_TESTS_WALKS").ok();
    let walks = walks.map_or(12, |number| number.parse().expect("a number"));
    let config = ProptestConfig {
        cases: walks,
        max_shrink_time: Duration::from_secs(60).as_millis() as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..40), |steps| {
            runtime.block_on(walk(steps))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Of an access token, in seconds.
const LIFETIME: i64 = 300;
/// Before its end, in which it is refreshed.
const BUFFER: i64 = 30;
/// After its end, in which it still counts.
const LEEWAY: i64 = 30;
/// Seconds for which WorkOS at least repeats an answer that was lost.
const REPEATED: i64 = 25;
/// Seconds for which WorkOS is spared at most, after it was not well.
const LONGEST_REST: i64 = 120;
