use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

/// A program that serves on loopback; it ends with this value.
pub(crate) struct Program(Child);

impl Program {
    /// Starts it, and waits for the line that begins so; the rest of that line comes back.
    pub(crate) fn start(command: &mut Command, ready: &str) -> (Self, String) {
        Self::try_start(command, ready)
            .unwrap_or_else(|| panic!("{command:?} ended before it was ready"))
    }

    /// The same for a program that may find its port taken.
    pub(crate) fn try_start(command: &mut Command, ready: &str) -> Option<(Self, String)> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let output = child.stdout.take().expect("it is piped");
        let program = Self(child);
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let said = lines.find_map(|line| Some(line.strip_prefix(ready)?.to_owned()))?;
        // Nobody reads on, but a program must not wait for its output to be read.
        thread::spawn(move || lines.for_each(drop));
        Some((program, said))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
