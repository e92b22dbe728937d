//! Many requests at once: one refresh for all of them, and nobody gets what is another's.
//!
//! The test command runs a sample. `AUTHKIT_CROWD_ROUNDS` (2) says how often each small crowd comes,
//! `AUTHKIT_CROWD_RESPONSES` (2000) how many responses the mixed crowd gets.

mod dice;

use std::{
    cell::{Cell, RefCell},
    env,
    net::TcpListener,
    time::Duration,
};

use authkit_actix::{
    Clock as _,
    emulator::{EmulatorUser, Endpoint, Fault, FaultPlan, RefreshReuse, Strike},
};
use authkit_tests::{Answer, TestApp, TestClock};
use dice::Dice;
use futures::future::join_all;
use tokio::{
    net::TcpSocket,
    time::{Instant, sleep, sleep_until},
};

#[tokio::test]
async fn whatever_the_crowd_one_refresh_is_made_and_everybody_is_served() {
    let rounds = number_of("AUTHKIT_CROWD_ROUNDS", 2);
    let app = TestApp::builder()
        .emulator(|emulator| emulator.refresh_reuse(RefreshReuse::Strict))
        .listener(roomy_listener())
        .start()
        .await;
    for (crowd, rounds) in [
        (1, rounds),
        (2, rounds),
        (10, rounds),
        (100, rounds),
        (1000, 1),
    ] {
        for round in 1..=rounds {
            let sealed = app.seal(&app.session("ada@example.com"));
            let cookie = format!("wos-session={sealed}");
            app.clock.advance(EXPIRED);
            let before = app.emulator.calls(Endpoint::AuthenticateRefresh);
            let browser = app.browser();
            let asked = (0..crowd).map(|_| browser.api_with(ME, &cookie));
            let answers = join_all(asked).await;
            let calls = app.emulator.calls(Endpoint::AuthenticateRefresh) - before;
            assert_eq!(calls, 1, "{crowd} requests, round {round}");
            let session = |answer: &Answer| {
                assert_eq!(answer.status, 200, "{crowd} requests, round {round}");
                answer.set_cookie("wos-session").expect("a session").value
            };
            let first = session(&answers[0]);
            assert!(answers.iter().all(|answer| session(answer) == first));
        }
        println!("{crowd} requests at once, {rounds} rounds: one refresh each, no error");
    }
}

/// A person with two tabs, which share a cookie.
struct Person {
    email: String,
    cookie: RefCell<String>,
    /// The cookie before, and when it was replaced: a tab may still send it.
    before: RefCell<(String, i64)>,
}

/// What is counted on the way.
#[derive(Default)]
struct Tally {
    next_turn: Cell<Option<Instant>>,
    asked: Cell<usize>,
    served: Cell<usize>,
    could_not_tell: Cell<usize>,
    planned: Cell<usize>,
}

#[tokio::test]
async fn nobody_gets_what_is_anothers_whatever_goes_wrong() {
    let most = number_of("AUTHKIT_CROWD_RESPONSES", 2000);
    let app = TestApp::builder()
        .emulator(|emulator| {
            let people = (0..50).map(|number| EmulatorUser::new(email_of(number)));
            people
                .fold(emulator, |emulator, user| emulator.user(user))
                // Longer than WorkOS repeats an answer, so that none has expired when it comes.
                .access_token_lifetime(Duration::from_secs(40))
        })
        .authkit(|authkit| authkit.leeway(Duration::ZERO))
        .start()
        .await;
    let people: Vec<_> = (0..50)
        .map(|number| {
            let email = email_of(number);
            let sealed = app.seal(&app.session(email.as_str()));
            let cookie = format!("wos-session={sealed}");
            Person {
                email,
                before: RefCell::new((cookie.clone(), app.clock.unix_seconds())),
                cookie: RefCell::new(cookie),
            }
        })
        .collect();
    let dice = Dice::throw();
    let tally = Tally::default();
    let tabs = people.iter().flat_map(|person| [person, person]);
    join_all(tabs.map(|person| browse(&app, person, most, &dice, &tally))).await;
    let refreshes = app.emulator.calls(Endpoint::AuthenticateRefresh);
    println!(
        "{} responses for 50 people ({dice}): {} served, {} could not tell, {refreshes} refreshes, \
         {} faults, 0 mix-ups",
        tally.asked.get(),
        tally.served.get(),
        tally.could_not_tell.get(),
        tally.planned.get(),
    );
    assert!(tally.served.get() * 2 > most, "most are served");
    assert!(refreshes * 40 > most, "there were refreshes enough");
}

impl Tally {
    /// Waits for one's turn, two milliseconds after the one before. The clock runs by turns, five times
    /// as fast as time at most: were it much faster, WorkOS would forget an answer that was lost before
    /// the library has asked for it again more than a few times.
    async fn turn(&self, clock: &TestClock) {
        let now = Instant::now();
        let turn = self.next_turn.get().map_or(now, |next| next.max(now));
        self.next_turn.set(Some(turn + Duration::from_millis(2)));
        self.asked.set(self.asked.get() + 1);
        if self.asked.get().is_multiple_of(100) {
            clock.advance(1);
        }
        sleep_until(turn).await;
    }
}

/// One tab, until the crowd has had its responses.
async fn browse(app: &TestApp, person: &Person, most: usize, dice: &Dice, tally: &Tally) {
    while tally.asked.get() < most {
        tally.turn(&app.clock).await;
        plan_a_fault(app, dice, tally);
        sleep(Duration::from_millis(dice.below(4))).await;
        let now = app.clock.unix_seconds();
        let cookie = match &*person.before.borrow() {
            (before, since) if now - since <= 20 && dice.below(5) == 0 => before.clone(),
            _ => person.cookie.borrow().clone(),
        };
        let answer = app.ask(ME, &cookie).await;
        let new = answer.set_cookie("wos-session");
        match answer.status {
            200 => {
                tally.served.set(tally.served.get() + 1);
                assert_eq!(answer.json()["user"]["email"], person.email, "a mix-up");
            }
            503 => tally.could_not_tell.set(tally.could_not_tell.get() + 1),
            _ => panic!("{} got {answer:?}", person.email),
        }
        if let Some(new) = new {
            assert_eq!(app.open(&new.value)["user"]["email"], person.email);
            let new = format!("wos-session={}", new.value);
            if *person.cookie.borrow() != new {
                let before = person.cookie.replace(new);
                person.before.replace((before, app.clock.unix_seconds()));
            }
        }
    }
}

/// Two of three refreshes go wrong or take their time, before or after the token was spent, some of
/// them several times in a row.
fn plan_a_fault(app: &TestApp, dice: &Dice, tally: &Tally) {
    let calls = app.emulator.calls(Endpoint::AuthenticateRefresh);
    if tally.planned.get() * 3 > calls * 2 {
        return;
    }
    let times = if dice.below(4) == 0 { 4 } else { 1 };
    let fault = match dice.below(12) {
        0 => Fault::Status(429),
        1 => Fault::Status(500),
        2 => Fault::Status(502),
        3 => Fault::Status(503),
        4 => Fault::Reset,
        5 => Fault::Empty,
        6 => Fault::Truncate,
        7 => Fault::Body {
            status: 200,
            content_type: "text/html".to_owned(),
            body: "<html>Please sign in to the network</html>".to_owned(),
        },
        _ => Fault::Delay(Duration::from_millis(dice.below(60))),
    };
    let strike = [Strike::Before, Strike::After][dice.below(2) as usize];
    app.emulator.fault(
        Endpoint::AuthenticateRefresh,
        FaultPlan::from(fault).strike(strike).times(times),
    );
    tally.planned.set(tally.planned.get() + times);
}

/// A socket at which a thousand may knock at once.
fn roomy_listener() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    let address = "127.0.0.1:0".parse().expect("an address");
    socket.bind(address).expect("a port");
    let listener = socket.listen(2048).expect("a listener");
    listener.into_std().expect("a listener")
}

fn email_of(number: usize) -> String {
    format!("person{number}@example.com")
}

fn number_of(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |number| number.parse().expect("a number"))
}

const ME: &str = "/api/me";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;
