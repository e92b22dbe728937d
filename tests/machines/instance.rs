use std::{
    env,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use authkit_actix::emulator::{
    Emulator, EmulatorOrganization, EmulatorUser, Endpoint, RefreshReuse,
};
use authkit_tests::{Browser, Program, RedisServer, free_port, seal, variables_at};

pub(crate) const ADA: &str = "ada@example.com";
/// A member of `org_acme` and of `org_globex`.
pub(crate) const GRACE: &str = "grace@example.com";

/// Two showcases, as two machines run them, in front of one emulator and around one Redis.
pub(crate) struct Machines {
    pub(crate) emulator: Emulator,
    pub(crate) redis: RedisServer,
    pub(crate) instances: Vec<Instance>,
    /// How many seconds the emulator is behind.
    behind: Arc<AtomicI64>,
}

/// A showcase as a process of its own; it ends with this value.
pub(crate) struct Instance {
    pub(crate) origin: String,
    port: u16,
    command: Command,
    program: Option<Program>,
}

impl Machines {
    /// Two instances that share what instances share, with these variables besides.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        Self::with(RefreshReuse::Repeat, variables)
    }

    pub(crate) fn with(reuse: RefreshReuse, variables: &[(&str, &str)]) -> Self {
        Self::around(RedisServer::start(), reuse, variables)
    }

    pub(crate) fn around(
        redis: RedisServer,
        reuse: RefreshReuse,
        variables: &[(&str, &str)],
    ) -> Self {
        let behind = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&behind);
        let emulator = Emulator::builder()
            .quiet()
            .refresh_reuse(reuse)
            .organization(EmulatorOrganization::new("org_acme", "Acme"))
            .organization(EmulatorOrganization::new("org_globex", "Globex"))
            .user(EmulatorUser::new(ADA))
            .user(
                EmulatorUser::new(GRACE)
                    .member_of("org_acme", "admin")
                    .member_of("org_globex", "member"),
            )
            .clock(move || now() - clock.load(Ordering::SeqCst))
            .start()
            .expect("an emulator");
        let mut machines = Self {
            emulator,
            redis,
            instances: Vec::new(),
            behind,
        };
        for _ in 0..2 {
            machines.add(variables);
        }
        machines
    }

    /// One more instance.
    pub(crate) fn add(&mut self, variables: &[(&str, &str)]) {
        let port = free_port();
        let mut command = Program::alone(env!("CARGO_BIN_EXE_showcase"));
        command
            .envs(variables_at(port, &self.emulator))
            .envs([("SHOWCASE_LOG", "warn"), ("SHOWCASE_WORKERS", "1")])
            .env("SHOWCASE_REDIS_URL", self.redis.url())
            .envs(variables.iter().copied());
        let mut instance = Instance {
            origin: format!("http://127.0.0.1:{port}"),
            port,
            command,
            program: None,
        };
        instance.start();
        self.instances.push(instance);
    }

    /// The cookie of a session whose token ran out a while ago.
    pub(crate) fn expired(&self) -> String {
        self.expired_of(ADA)
    }

    pub(crate) fn expired_of(&self, email: &str) -> String {
        self.behind.store(400, Ordering::SeqCst);
        let cookie = self.cookie_of(email);
        self.behind.store(0, Ordering::SeqCst);
        cookie
    }

    /// The cookie of a session.
    pub(crate) fn cookie(&self) -> String {
        self.cookie_of(ADA)
    }

    fn cookie_of(&self, email: &str) -> String {
        format!("wos-session={}", seal::cookie(&self.emulator, email))
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.emulator.calls(Endpoint::AuthenticateRefresh)
    }
}

impl Instance {
    /// Starts the program and waits until it serves.
    pub(crate) fn start(&mut self) {
        self.program = Some(Program::start(&mut self.command, "Open ").0);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    pub(crate) fn program(&self) -> &Program {
        self.program.as_ref().expect("it runs")
    }

    /// Waits for a program that was told to end.
    pub(crate) fn ends_well(&mut self) -> bool {
        self.program.take().expect("it runs").ends_well()
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::at(&self.origin)
    }

    /// A browser that is signed in, and a copy of its cookie.
    pub(crate) async fn signed_in(&self) -> (Browser, String) {
        let mut browser = self.browser();
        let answer = browser.sign_in(ADA).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let copy = browser.session_cookie();
        (browser, copy)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// Waits until a cookie is refused.
pub(crate) async fn refused_within(limit: Duration, browser: &Browser, cookie: &str) {
    let began = Instant::now();
    while browser.api_with("/api/me", cookie).await.status != 401 {
        assert!(began.elapsed() < limit, "still served after {limit:?}");
        pause(10).await;
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs() as i64
}

/// A number of rounds: what the environment says, or few enough for every day.
pub(crate) fn rounds(variable: &str, usual: usize) -> usize {
    let rounds = env::var(variable).ok().and_then(|text| text.parse().ok());
    rounds.unwrap_or(usual)
}

/// Numbers below a bound, different in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(seed.expect("after 1970").as_nanos() as u64 | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

pub(crate) async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
