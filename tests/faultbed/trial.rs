use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use authkit_tests::{log, promises::secrets_in};

use crate::{
    programs::{Program, Programs, taken_apart},
    rows::Row,
};

/// What came of a row.
pub(crate) struct Trial {
    /// The requests that its tests made.
    pub(crate) tries: usize,
    pub(crate) took: Duration,
    /// None where all is well.
    pub(crate) failures: Vec<String>,
}

impl Trial {
    /// One process for each program that the row's tests are in.
    pub(crate) fn of(programs: &Programs, row: &Row) -> Self {
        let started = Instant::now();
        let mut tests = BTreeMap::<_, Vec<_>>::new();
        for test in &row.tests {
            let (program, test) = taken_apart(test);
            tests.entry(program).or_default().push(test);
        }
        let mut trial = Self {
            tries: 0,
            took: Duration::ZERO,
            failures: Vec::new(),
        };
        for (name, mut tests) in tests {
            let program = programs.named(name);
            if program.tests.iter().any(|test| test == LAST) {
                tests.push(LAST);
            }
            trial.run(program, &tests, &Files::of(row, name));
        }
        trial.took = started.elapsed();
        trial
    }

    fn run(&mut self, program: &Program, tests: &[&str], files: &Files) {
        let status = files.run(program, tests);
        let output = read(&files.output);
        let log = read(&files.log);
        let expected = format!("test result: ok. {} passed", tests.len());
        let end = || {
            let lines: Vec<_> = output.lines().collect();
            lines[lines.len().saturating_sub(40)..].join("\n")
        };
        match status {
            Some(status) if status.success() && output.contains(&expected) => {}
            Some(status) => self.failures.push(format!("{status}\n{}", end())),
            None => self
                .failures
                .push(format!("not done after {LIMIT:?}\n{}", end())),
        }
        self.failures.extend(panics(&output));
        let of_the_application = log.lines().filter(|line| !line.contains(WEB_SOCKET_CLIENT));
        for line in of_the_application
            .filter(|line| !secrets_in(line).is_empty())
            .take(3)
        {
            self.failures
                .push(format!("a secret is in the log: {line}"));
        }
        self.tries += log.lines().filter(|line| line.contains(log::TRY)).count();
    }
}

/// Where a row leaves what it logs and prints.
struct Files {
    log: PathBuf,
    output: PathBuf,
}

impl Files {
    fn of(row: &Row, program: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faultbed");
        fs::create_dir_all(&folder).expect("a folder in the target folder");
        let words = row.fault.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).take(8).collect();
        let name = format!("{}-{}-{program}", words.join("-"), row.tests.len());
        Self {
            log: folder.join(format!("{name}.log")),
            output: folder.join(format!("{name}.out")),
        }
    }

    /// One test after another; `None` when they took too long.
    fn run(&self, program: &Program, tests: &[&str]) -> Option<ExitStatus> {
        let output = File::create(&self.output).expect("a file for the output");
        let errors = output.try_clone().expect("the same file");
        let mut process = Command::new(&program.path)
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .args(tests)
            .env(log::FILE, &self.log)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("the tests start");
        let started = Instant::now();
        while started.elapsed() < LIMIT {
            if let Some(status) = process.try_wait().expect("a child process") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        process.kill().expect("a child process");
        process.wait().expect("a child process");
        None
    }
}

/// What panicked that was not meant to.
fn panics(output: &str) -> Vec<String> {
    let lines: Vec<_> = output.lines().collect();
    lines
        .windows(2)
        .filter(|lines| lines[0].contains(" panicked at ") && !lines[1].contains("on purpose"))
        .map(|lines| lines.join("\n"))
        .collect()
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Looks at a process after all other tests in it: its name is the last of all.
pub(crate) const LAST: &str = "zero_leaks::what_was_opened_is_closed_again";
/// The client of the tests that open a WebSocket logs what it sends; the library has none.
const WEB_SOCKET_CLIENT: &str = " tungstenite::";
/// For one row, with room for a slow machine.
const LIMIT: Duration = Duration::from_secs(300);
