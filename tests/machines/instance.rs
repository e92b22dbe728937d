use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use authkit_actix::emulator::{
    Emulator, EmulatorOrganization, EmulatorUser, Endpoint, RefreshReuse,
};
use authkit_tests::{Browser, PASSWORD, RedisServer, free_port, seal, send_signal};
use serde_json::json;

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
    program: Option<Child>,
    variables: Vec<(String, String)>,
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
        let origin = format!("http://127.0.0.1:{port}");
        let all = [
            ("PORT", port.to_string()),
            ("WORKOS_CLIENT_ID", self.emulator.client_id().to_owned()),
            ("WORKOS_API_KEY", self.emulator.api_key().to_owned()),
            ("WORKOS_API_HOSTNAME", self.emulator.host().to_owned()),
            ("WORKOS_API_HTTPS", "false".to_owned()),
            ("WORKOS_API_PORT", self.emulator.port().to_string()),
            ("WORKOS_COOKIE_PASSWORD", PASSWORD.to_owned()),
            ("WORKOS_REDIRECT_URI", format!("{origin}/callback")),
            ("SHOWCASE_WORKERS", "1".to_owned()),
            ("SHOWCASE_LOG", "warn".to_owned()),
            ("SHOWCASE_REDIS_URL", self.redis.url()),
        ];
        let all = all.map(|(name, value)| (name.to_owned(), value));
        let variables = variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let mut instance = Instance {
            origin,
            port,
            program: None,
            variables: all.into_iter().chain(variables).collect(),
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
        let session = self.emulator.session_for(email).expect("a known user");
        let content = json!({
            "access_token": session.access_token,
            "refresh_token": session.refresh_token,
            "user": session.user,
        });
        let sealed = seal::seal(PASSWORD, seal::SESSION, content.to_string().as_bytes());
        format!("wos-session={sealed}")
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.emulator.calls(Endpoint::AuthenticateRefresh)
    }
}

impl Instance {
    /// Starts the program and waits until it serves.
    pub(crate) fn start(&mut self) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_showcase"))
            .env_clear()
            .current_dir(env::temp_dir())
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the showcase");
        let output = program.stdout.take().expect("it is piped");
        self.program = Some(program);
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("Open ")), "it serves");
        // Nobody reads on, but a program must not wait for its output to be read.
        thread::spawn(move || lines.for_each(drop));
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            // It may have ended by itself.
            let _ = program.kill();
            let _ = program.wait();
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        send_signal(signal, self.process());
    }

    pub(crate) fn process(&self) -> u32 {
        self.program.as_ref().expect("it runs").id()
    }

    /// Waits for a program that was told to end; how it ended.
    pub(crate) fn wait(&mut self) -> bool {
        let mut program = self.program.take().expect("it runs");
        program.wait().expect("it ends").success()
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::at(&self.origin)
    }

    /// A browser that is signed in, and a copy of its cookie.
    pub(crate) async fn signed_in(&self) -> (Browser, String) {
        let mut browser = self.browser();
        let answer = browser.sign_in(ADA).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let session = browser.cookie("wos-session").expect("a session");
        let copy = format!("wos-session={session}");
        (browser, copy)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
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
