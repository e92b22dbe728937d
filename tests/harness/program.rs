use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    thread,
};

use authkit_actix::emulator::Emulator;

use crate::PASSWORD;

/// A program that runs beside the tests; it ends with this value.
pub struct Program(Child);

impl Program {
    /// The command of a program that knows nothing of this machine's variables and `.env` files.
    pub fn alone(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(env::temp_dir());
        command
    }

    /// Starts it, and waits for the line that begins so; the rest of that line comes back.
    pub fn start(command: &mut Command, ready: &str) -> (Self, String) {
        Self::try_start(command, ready)
            .unwrap_or_else(|| panic!("{command:?} ended before it was ready"))
    }

    /// The same for a program that may find its port taken.
    pub fn try_start(command: &mut Command, ready: &str) -> Option<(Self, String)> {
        let mut program = Self::spawn(command.stdout(Stdio::piped()));
        let output = program.0.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let said = lines.find_map(|line| Some(line.strip_prefix(ready)?.to_owned()))?;
        // Nobody reads on, but a program must not wait for its output to be read.
        thread::spawn(move || lines.for_each(drop));
        Some((program, said))
    }

    /// Its input stays open as long as there are tests, so that it can tell when nobody is left.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal such as `STOP` or `TERM`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), self.process().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits for a program that was told to end; whether it ended well.
    pub fn ends_well(mut self) -> bool {
        self.0.wait().expect("it ends").success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What tells an application of an emulator; where the application itself is, it has to know.
pub fn workos_variables(emulator: &Emulator) -> [(&'static str, String); 6] {
    [
        ("WORKOS_CLIENT_ID", emulator.client_id().to_owned()),
        ("WORKOS_API_KEY", emulator.api_key().to_owned()),
        ("WORKOS_API_HOSTNAME", emulator.host().to_owned()),
        ("WORKOS_API_HTTPS", "false".to_owned()),
        ("WORKOS_API_PORT", emulator.port().to_string()),
        ("WORKOS_COOKIE_PASSWORD", PASSWORD.to_owned()),
    ]
}

/// The same for an application at this port.
pub fn variables_at(port: u16, emulator: &Emulator) -> Vec<(&'static str, String)> {
    let redirect_uri = format!("http://127.0.0.1:{port}/callback");
    let its_own = [
        ("PORT", port.to_string()),
        ("WORKOS_REDIRECT_URI", redirect_uri),
    ];
    [&workos_variables(emulator)[..], &its_own].concat()
}

/// A folder of its own, empty, for the files of a program.
pub fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("authkit-tests-{}-{name}", process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}
