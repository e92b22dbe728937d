use std::{
    env,
    fs::File,
    io,
    sync::{Arc, Mutex, OnceLock},
};

use tracing_subscriber::fmt::MakeWriter;

/// Everything that the process logs, at TRACE.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Captured>>);

#[derive(Default)]
struct Captured {
    text: Vec<u8>,
    file: Option<File>,
}

impl Log {
    /// The log of this test process; captures from the first call on.
    pub fn capture() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let file = env::var_os(FILE).map(|path| File::create(path).expect("a new log"));
            let text = Vec::new();
            let log = Log(Arc::new(Mutex::new(Captured { text, file })));
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(log.clone())
                .init();
            log
        })
        .clone()
    }

    /// Captures if the fault bed wants to read the log afterwards.
    pub(crate) fn capture_for_the_fault_bed() {
        if env::var_os(FILE).is_some() {
            Self::capture();
        }
    }

    pub fn contains(&self, text: &str) -> bool {
        let log = self.0.lock().expect("no test panics while it writes");
        String::from_utf8_lossy(&log.text).contains(text)
    }

    /// The lines that contain a text.
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        let log = self.0.lock().expect("no test panics while it writes");
        let log = String::from_utf8_lossy(&log.text);
        let lines = log.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().expect("no test panics while it writes");
        log.text.extend_from_slice(bytes);
        if let Some(file) = &mut log.file {
            io::Write::write_all(file, bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The variable that names a file for the log.
pub const FILE: &str = "AUTHKIT_TESTS_LOG";
/// The target of one line for each request that a test makes.
pub const TRY: &str = "a_try_of_a_test";
