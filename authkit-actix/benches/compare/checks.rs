//! Checks in this process, without a server around them: from a `Cookie` header to a user.

use std::{
    io,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, rt::System};
use authkit_actix::{
    AuthKit, AuthStatus,
    emulator::{Endpoint, Fault},
};
use futures::future::join_all;
use rustix::time::{ClockId, clock_gettime};

use crate::support::{World, altered, is_signed_in, learn, request};

/// What a check costs with one live session and with so many: pairs in nanoseconds.
pub(crate) fn live_sessions(world: &World, many: usize, rounds: usize) -> Vec<(f64, f64)> {
    let cookies = world.cookies(0..many);
    let authkit = world.authkit();
    learn(&authkit, &cookies);
    let mut random = 1_usize;
    let mut some = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        &cookies[(random >> 32) % many]
    };
    (0..rounds)
        .map(|_| {
            let one = requests((0..BATCH).map(|_| &cookies[0]));
            let any = requests((0..BATCH).map(|_| some()));
            (cost(&authkit, &one, true), cost(&authkit, &any, true))
        })
        .collect()
}

/// What a check costs with one live session, in nanoseconds, as often as a line comes in.
pub(crate) fn one_for_each_line(world: &World, tell: impl Fn(f64)) {
    let cookie = world.cookies(0..1).remove(0);
    let authkit = world.authkit();
    learn(&authkit, std::slice::from_ref(&cookie));
    let requests = requests((0..BATCH).map(|_| &cookie));
    for _line in io::stdin().lines() {
        cost(&authkit, &requests, true);
        let total: f64 = (0..BATCHES).map(|_| cost(&authkit, &requests, true)).sum();
        tell(total / BATCHES as f64);
    }
}

/// What the first sight of a token costs with one published key and with so many: pairs in
/// nanoseconds.
pub(crate) fn published_keys(world: &World, many: usize, rounds: usize) -> Vec<(f64, f64)> {
    let one = world.emulator.jwks_body();
    let all = world.key_set(many);
    let mut number = 0;
    let mut first_sight = |keys: &str| {
        world.emulator.set_jwks_body(Some(keys.to_owned()));
        let authkit = world.authkit();
        number += BATCH;
        let cookies = world.cookies(number..number + BATCH);
        cost(&authkit, &requests(cookies.iter()), true)
    };
    let pairs = (0..rounds)
        .map(|_| (first_sight(&one), first_sight(&all)))
        .collect();
    world.emulator.set_jwks_body(None);
    pairs
}

/// What a good cookie costs, and one of its length that somebody has altered: pairs in nanoseconds.
pub(crate) fn hostile_cookie(world: &World, rounds: usize) -> Vec<(f64, f64)> {
    let good = world.cookies(0..1).remove(0);
    let hostile = altered(&good);
    let authkit = world.authkit();
    learn(&authkit, std::slice::from_ref(&good));
    (0..rounds)
        .map(|_| {
            let good = requests((0..BATCH).map(|_| &good));
            let hostile = requests((0..BATCH).map(|_| &hostile));
            (cost(&authkit, &good, true), cost(&authkit, &hostile, false))
        })
        .collect()
}

/// How long one thread takes for its checks, two for twice as many, each with a handle of its own as
/// workers have, and two that share nothing: in nanoseconds of the clock on the wall.
pub(crate) fn two_threads(world: &World, rounds: usize) -> Vec<[f64; 3]> {
    let cookies = world.cookies(0..2 * BATCH);
    let [authkit, another] = [world.authkit(), world.authkit()];
    learn(&authkit, &cookies);
    learn(&another, &cookies);
    let time = |authkits: &[&AuthKit]| {
        let start = &Barrier::new(authkits.len());
        let longest = thread::scope(|scope| {
            let parts = authkits.iter().zip(cookies.chunks(BATCH));
            let threads = parts.map(|(&authkit, cookies)| {
                scope.spawn(move || {
                    let requests = requests(cookies.iter());
                    start.wait();
                    let started = Instant::now();
                    for request in requests.iter().cycle().take(CHECKS) {
                        assert!(is_signed_in(authkit, request));
                    }
                    started.elapsed()
                })
            });
            let threads: Vec<_> = threads.collect();
            let times = threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"));
            times.max().unwrap_or_default()
        });
        longest.as_nanos() as f64
    };
    let worker = authkit.clone();
    (0..rounds)
        .map(|_| {
            [
                time(&[&authkit]),
                time(&[&authkit, &worker]),
                time(&[&authkit, &another]),
            ]
        })
        .collect()
}

/// How long the refresh of a session takes that one request asks for, and so many at once:
/// pairs in milliseconds of the clock on the wall. Each is one call to WorkOS.
pub(crate) fn refresh_storm(world: &World, many: usize, rounds: usize) -> Vec<(f64, f64)> {
    world
        .emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Delay(UPSTREAM));
    let authkit = world.authkit();
    let time = |many: usize| {
        let cookie = world.cookie(&world.due_session());
        let requests = requests((0..many).map(|_| &cookie));
        let calls = world.emulator.calls(Endpoint::AuthenticateRefresh);
        let started = Instant::now();
        let sessions = System::new().block_on(join_all(
            requests.iter().map(|request| authkit.session(request)),
        ));
        let time = started.elapsed();
        let is_signed_in = |status| matches!(status, AuthStatus::SignedIn(_));
        assert!(
            sessions
                .iter()
                .all(|session| is_signed_in(session.status()))
        );
        assert_eq!(
            world.emulator.calls(Endpoint::AuthenticateRefresh),
            calls + 1
        );
        time.as_secs_f64() * 1000.0
    };
    let pairs = (0..rounds).map(|_| (time(1), time(many))).collect();
    world.emulator.clear_faults();
    pairs
}

fn requests<'a>(cookies: impl Iterator<Item = &'a String>) -> Vec<HttpRequest> {
    cookies.map(|cookie| request(cookie)).collect()
}

/// Nanoseconds of this thread per check.
fn cost(authkit: &AuthKit, requests: &[HttpRequest], expected: bool) -> f64 {
    let started = thread_nanoseconds();
    for request in requests {
        assert_eq!(is_signed_in(authkit, request), expected);
    }
    (thread_nanoseconds() - started) as f64 / requests.len() as f64
}

/// The time that this thread has run so far, in nanoseconds.
pub(crate) fn thread_nanoseconds() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

const BATCH: usize = 200;
/// In a round of the Node side.
const BATCHES: usize = 100;
/// Of a thread: enough to make nothing of the milliseconds in which the system finds a core for each.
const CHECKS: usize = 100_000;
/// How long WorkOS takes for a refresh.
const UPSTREAM: Duration = Duration::from_millis(200);
