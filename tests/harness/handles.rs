//! The files and sockets that this process has open.

use std::{
    fs,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

static BASELINE: OnceLock<usize> = OnceLock::new();

/// Remembers how many there were before the first application of this process.
pub(crate) fn note_baseline() {
    BASELINE.get_or_init(open);
}

/// Waits until no more are open than before the first application; how many, if that does not
/// happen.
pub fn wait_for_the_baseline() -> Result<(), String> {
    let baseline = *BASELINE.get_or_init(open);
    wait(|| open() <= baseline)
        .map_err(|()| format!("{} handles are open, {baseline} were", open()))
}

/// Waits until at most so many connections lead to a port of this machine.
pub fn wait_for_connections(port: u16, most: usize) -> Result<(), String> {
    wait(|| connections_to(port) <= most)
        .map_err(|()| format!("{} connections lead to {port}", connections_to(port)))
}

fn wait(is_so: impl Fn() -> bool) -> Result<(), ()> {
    let started = Instant::now();
    while !is_so() {
        if started.elapsed() > PATIENCE {
            return Err(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn open() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Those that this side has not closed: established, or closed by the other side alone.
fn connections_to(port: u16) -> usize {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
    let port = format!(":{port:04X}");
    table
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace().skip(2);
            Some((columns.next()?, columns.next()?))
        })
        .filter(|(remote, state)| remote.ends_with(&port) && matches!(*state, "01" | "08"))
        .count()
}

/// Longer than any call to WorkOS takes, and than the tests that run beside.
const PATIENCE: Duration = Duration::from_secs(60);
