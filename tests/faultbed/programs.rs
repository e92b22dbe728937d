use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The programs with the black-box tests in them.
pub(crate) struct Programs(BTreeMap<&'static str, Program>);

/// One of them.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// The names of its tests.
    pub(crate) tests: Vec<String>,
}

impl Programs {
    /// Builds them, with the features of a build of the whole workspace.
    pub(crate) fn build() -> Self {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["test", "--locked", "--workspace", "--all-features"])
            .args(["--no-run", "--message-format=json"])
            .args(NAMES.iter().flat_map(|name| ["--test", name]))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        let messages = String::from_utf8_lossy(&output.stdout);
        let messages: Vec<Value> = messages
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let program = |name: &'static str| {
            let mut of_it = messages.iter().filter(|it| it["target"]["name"] == name);
            let path = of_it.find_map(|message| message["executable"].as_str());
            let path = path.unwrap_or_else(|| {
                panic!(
                    "{name} does not compile:\n{}",
                    String::from_utf8_lossy(&output.stderr)
                )
            });
            (name, Program::at(path.into()))
        };
        Self(NAMES.iter().copied().map(program).collect())
    }

    pub(crate) fn named(&self, name: &str) -> &Program {
        &self.0[name]
    }

    /// Every test, by the full name that the table knows it by.
    pub(crate) fn tests(&self) -> Vec<String> {
        let of = |(program, it): (&&str, &Program)| -> Vec<_> {
            let tests = it.tests.iter().map(|test| full_name(program, test));
            tests.collect()
        };
        self.0.iter().flat_map(of).collect()
    }
}

impl Program {
    fn at(path: PathBuf) -> Self {
        let tests = listed(&path);
        Self { path, tests }
    }
}

fn listed(program: &Path) -> Vec<String> {
    let output = Command::new(program)
        .args(["--list", "--format", "terse"])
        .output()
        .expect("the tests can be listed");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(str::to_owned)
        .collect()
}

/// The first program's tests go without its name.
fn full_name(program: &str, test: &str) -> String {
    if program == NAMES[0] {
        test.to_owned()
    } else {
        format!("{program}::{test}")
    }
}

/// The program of a test, and its name in there.
pub(crate) fn taken_apart(full_name: &str) -> (&'static str, &str) {
    let elsewhere = NAMES[1..].iter().find_map(|program| {
        let test = full_name.strip_prefix(program)?.strip_prefix("::")?;
        Some((*program, test))
    });
    elsewhere.unwrap_or((NAMES[0], full_name))
}

const NAMES: &[&str] = &["blackbox", "outages", "crowds"];
