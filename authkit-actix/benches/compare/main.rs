//! What this library costs a request, side by side with what stands in its place elsewhere, in one
//! process: `cargo bench --bench compare -- --help`.

#![expect(clippy::print_stdout, reason = "a program that prints its figures")]

mod checks;
mod load;
mod report;
mod servers;
#[path = "../support/mod.rs"]
mod support;

use std::{env, fs, process::ExitCode, thread};

use authkit_actix::AuthKit;
use load::{Load, get};
use report::{Goal, Row, Spread};
use serde_json::{Value, json};
use servers::{Front, Server};
use support::World;

const HELP: &str = "\
cargo bench --bench compare -- [options]

    --check             exit with 1 where a figure misses what it must be by more than 15 %
    --json FILE         write the figures to a file
    --rounds N          rounds, 21 unless told otherwise
    --sessions N        live sessions, 100000 unless told otherwise
    --for-node          only print a session with the keys of its token, and, for each line of input,
                        the nanoseconds of a check; the Node side asks for that
    --serve FRONT PORT WORKERS COOKIE_FILE
                        only serve: bare, noop, authkit or actix-session, for load generators
";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().position(|argument| argument == name);
    let values = |name: &str| flag(name).map(|index| &arguments[index + 1..]);
    let number = |name: &str, default: usize| {
        values(name).map_or(default, |values| values[0].parse().expect("a number"))
    };
    let world = World::new();
    if flag("--help").is_some() {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if flag("--for-node").is_some() {
        println!("{}", world.for_others());
        checks::one_for_each_line(&world, |nanoseconds| println!("{nanoseconds}"));
        return ExitCode::SUCCESS;
    }
    if let Some([front, port, workers, file, ..]) = values("--serve") {
        let front = Front::named(front).expect("a front");
        let workers = workers.parse().expect("a number");
        serve(&world, front, port.parse().expect("a port"), workers, file);
    }

    let rounds = number("--rounds", 21);
    let variants = over_http(&world, rounds);
    let mut rows = rows_over_http(&variants);
    rows.extend(rows_in_process(
        &world,
        rounds,
        number("--sessions", 100_000),
    ));

    println!("\nWorker's time per request, microseconds\n");
    for variant in &variants {
        let Spread {
            median,
            least,
            most,
        } = Spread::of(&variant.microseconds);
        let name = variant.name;
        println!("{name:<58} {median:>8.2}  {least:>8.2} .. {most:<8.2}");
    }
    println!("\nMedians, and the range of {rounds} rounds\n");
    for row in &rows {
        row.print();
    }
    if let Some([file, ..]) = values("--json") {
        let json = json!({
            "rounds": rounds,
            "variants": variants.iter().map(Variant::json).collect::<Vec<_>>(),
            "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        });
        fs::write(file, format!("{json:#}\n")).expect("a writable file");
    }
    let failed: Vec<_> = rows.iter().filter(|row| row.fails()).collect();
    for row in &failed {
        println!("\nmissed: {}", row.name);
    }
    if flag("--check").is_some() && !failed.is_empty() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// One application with one kind of request.
struct Variant {
    name: &'static str,
    front: Front,
    load: Load,
    requests: Vec<String>,
    /// Each request is sent once.
    is_fresh: bool,
    microseconds: Vec<f64>,
    server: Server,
}

const BARE: &str = "bare handler";
const BARE_COOKIE: &str = "bare handler, cookie sent";
const NOOP: &str = "no-op middleware, cookie sent";
const PUBLIC: &str = "AuthKit, public route";
const PUBLIC_COOKIE: &str = "AuthKit, public route, cookie sent";
const SIGNED_IN: &str = "AuthKit, signed in";
const FIRST_SIGHT: &str = "AuthKit, first sight of a token";
const SESSION_BARE: &str = "bare handler, actix-session's cookie sent";
const SESSION: &str = "actix-session's cookie store, signed in";
const IDENTITY: &str = "actix-identity over it, signed in";

fn over_http(world: &World, rounds: usize) -> Vec<Variant> {
    let none = [String::new()];
    let ours = world.cookies(0..load::CONNECTIONS);
    let fresh = world.cookies(1000..1000 + rounds * TURNS * FRESH);
    let authkit = world.authkit();
    let variant = |name, front, path, cookies: &[String]| {
        let (server, load) = started(front, &authkit);
        Variant {
            name,
            front,
            load,
            requests: cookies.iter().map(|cookies| get(path, cookies)).collect(),
            is_fresh: false,
            microseconds: Vec::new(),
            server,
        }
    };
    let theirs = [Front::ActixSession.cookie(world, &authkit)];
    let identity = [Front::ActixIdentity.cookie(world, &authkit)];
    let mut variants = vec![
        variant(BARE, Front::Bare, "/", &none),
        variant(BARE_COOKIE, Front::Bare, "/", &ours),
        variant(NOOP, Front::Noop, "/", &ours),
        variant(PUBLIC, Front::AuthKit, "/", &none),
        variant(PUBLIC_COOKIE, Front::AuthKit, "/", &ours),
        variant(SIGNED_IN, Front::AuthKit, "/account", &ours),
        Variant {
            is_fresh: true,
            ..variant(FIRST_SIGHT, Front::AuthKit, "/account", &fresh)
        },
        variant(SESSION_BARE, Front::Bare, "/", &theirs),
        variant(SESSION, Front::ActixSession, "/account", &theirs),
        variant(IDENTITY, Front::ActixIdentity, "/account", &identity),
    ];
    let count = variants.len();
    for turn in 0..rounds * TURNS {
        if turn > 0 && turn % (SITTING * TURNS) == 0 {
            for variant in &mut variants {
                (variant.server, variant.load) = started(variant.front, &authkit);
            }
        }
        for index in 0..count {
            variants[(index + turn) % count].measure(turn);
        }
    }
    variants
}

/// An application that has answered its first requests.
fn started(front: Front, authkit: &AuthKit) -> (Server, Load) {
    let server = Server::start(front, authkit, 1, 0);
    let mut load = Load::connect(server.address);
    load.run(&[get("/", "")], FIRST_REQUESTS);
    (server, load)
}

impl Variant {
    fn measure(&mut self, turn: usize) {
        if self.is_fresh {
            let requests = self.requests[turn * FRESH..][..FRESH].to_vec();
            let (warm_up, requests) = requests.split_at(WARM_UP);
            self.load.run(warm_up, WARM_UP);
            self.time(turn, requests, FRESH - WARM_UP);
        } else {
            let requests = std::mem::take(&mut self.requests);
            self.load.run(&requests, WARM_UP);
            self.time(turn, &requests, REQUESTS);
            self.requests = requests;
        }
    }

    fn time(&mut self, turn: usize, requests: &[String], count: usize) {
        let started = self.worker_nanoseconds();
        self.load.run(requests, count);
        let nanoseconds = self.worker_nanoseconds() - started;
        self.microseconds.resize(turn / TURNS + 1, 0.0);
        self.microseconds[turn / TURNS] += nanoseconds / (count * TURNS) as f64 / 1000.0;
    }

    fn worker_nanoseconds(&mut self) -> f64 {
        let answer = self.load.ask(&get("/cpu", ""));
        let body = answer.rsplit("\r\n").next().expect("a body");
        body.parse().expect("a number")
    }

    fn json(&self) -> Value {
        let mut json = Spread::of(&self.microseconds).json();
        json["name"] = json!(self.name);
        json
    }
}

fn rows_over_http(variants: &[Variant]) -> Vec<Row> {
    let times = |name: &str| {
        let variant = variants.iter().find(|variant| variant.name == name);
        &variant.expect("a variant").microseconds
    };
    let row = |name, goal, of: fn([f64; 4]) -> f64, names: [&str; 4]| {
        let [a, b, c, d] = names.map(times);
        let samples = (0..a.len()).map(|round| of([a[round], b[round], c[round], d[round]]));
        Row::new(name, goal, samples.collect::<Vec<_>>().into_iter())
    };
    let added = |[with, without, theirs, theirs_without]: [f64; 4]| {
        (with - without) / (theirs - theirs_without)
    };
    let remains = |[with, without, ..]: [f64; 4]| without / with;
    let pair = |with, without| [with, without, without, without];
    vec![
        row(
            "added time of a signed-in request, against actix-session",
            Goal::AtMost {
                must: 0.55,
                aim: 0.40,
            },
            added,
            [SIGNED_IN, BARE_COOKIE, SESSION, SESSION_BARE],
        ),
        row(
            "added time of a signed-in request, microseconds",
            Goal::None,
            |[with, without, ..]| with - without,
            pair(SIGNED_IN, BARE_COOKIE),
        ),
        row(
            "throughput of a bare handler that remains, signed in",
            Goal::AtLeast {
                must: 0.55,
                aim: 0.65,
            },
            remains,
            pair(SIGNED_IN, BARE_COOKIE),
        ),
        row(
            "throughput that remains with actix-session",
            Goal::None,
            remains,
            pair(SESSION, SESSION_BARE),
        ),
        row(
            "throughput that remains with actix-identity",
            Goal::None,
            remains,
            pair(IDENTITY, SESSION_BARE),
        ),
        row(
            "requests per second, against actix-session",
            Goal::AtLeast {
                must: 1.6,
                aim: 2.0,
            },
            remains,
            pair(SIGNED_IN, SESSION),
        ),
        row(
            "first sight of a token, against actix-session's added time",
            Goal::AtMost {
                must: 2.5,
                aim: 2.0,
            },
            added,
            [FIRST_SIGHT, BARE_COOKIE, SESSION, SESSION_BARE],
        ),
        row(
            "throughput that remains on a public route",
            Goal::AtLeast {
                must: 0.97,
                aim: 0.99,
            },
            remains,
            pair(PUBLIC, BARE),
        ),
        row(
            "throughput that remains on a public route, cookie sent",
            Goal::None,
            remains,
            pair(PUBLIC_COOKIE, BARE_COOKIE),
        ),
        row(
            "throughput that remains behind a no-op middleware",
            Goal::None,
            remains,
            pair(NOOP, BARE_COOKIE),
        ),
    ]
}

fn rows_in_process(world: &World, rounds: usize, sessions: usize) -> Vec<Row> {
    let ratio = |name, goal, pairs: &[(f64, f64)]| {
        Row::new(name, goal, pairs.iter().map(|(one, other)| other / one))
    };
    let live = checks::live_sessions(world, sessions, rounds);
    let threads = checks::two_threads(world, rounds.min(21));
    vec![
        Row::new(
            "a check in this process, microseconds",
            Goal::None,
            live.iter().map(|(one, _)| one / 1000.0),
        ),
        ratio(
            "a check with 100,000 live sessions, against one",
            Goal::AtMost {
                must: 1.3,
                aim: 1.15,
            },
            &live,
        ),
        ratio(
            "first sight with 100 published keys, against one",
            Goal::AtMost {
                must: 1.1,
                aim: 1.02,
            },
            &checks::published_keys(world, 100, rounds),
        ),
        ratio(
            "an altered cookie, against a good one",
            Goal::AtMost {
                must: 1.0,
                aim: 0.5,
            },
            &checks::hostile_cookie(world, rounds),
        ),
        Row::new(
            "two threads' checks per second, against one thread's",
            Goal::AtLeast {
                must: 1.7,
                aim: 1.9,
            },
            threads.iter().map(|[one, two, _]| 2.0 * one / two),
        ),
        Row::new(
            "two threads that share nothing, against one",
            Goal::None,
            threads.iter().map(|[one, _, apart]| 2.0 * one / apart),
        ),
        Row::new(
            "refresh storm of 1000, milliseconds over a single refresh",
            Goal::AtMost {
                must: 20.0,
                aim: 5.0,
            },
            checks::refresh_storm(world, 1000, rounds.min(11))
                .into_iter()
                .map(|(one, many)| many - one),
        ),
    ]
}

/// Serves until somebody ends the process; the cookie to send is in the file as soon as the server
/// listens.
fn serve(world: &World, front: Front, port: u16, workers: usize, file: &str) -> ! {
    let authkit = world.authkit();
    let cookie = match front {
        Front::ActixSession | Front::ActixIdentity => front.cookie(world, &authkit),
        Front::Bare | Front::Noop | Front::AuthKit => world.cookie(&world.session(0)),
    };
    let _server = Server::start(front, &authkit, workers, port);
    fs::write(file, cookie).expect("a writable file");
    loop {
        thread::park();
    }
}

/// A round visits every application so many times, so that what disturbs the machine for a moment
/// disturbs them all.
const TURNS: usize = 10;
/// Rounds until all applications are started anew: where one comes to lie in memory makes a difference
/// of its own.
const SITTING: usize = 5;
/// To an application that has just started.
const FIRST_REQUESTS: usize = 2000;
/// In a turn.
const REQUESTS: usize = 320;
const WARM_UP: usize = 48;
/// First sights in a turn, each of another token, with those to warm up.
const FRESH: usize = 2 * WARM_UP;
