use std::{
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Program, free_port};

/// A Redis server of a test's own. It keeps nothing on the disk, and ends with this value.
pub struct RedisServer {
    port: u16,
    options: Vec<String>,
    program: Option<Program>,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with options such as `["--requirepass", "secret"]`.
    pub fn with(options: &[&str]) -> Self {
        let mut server = Self::stopped();
        server.options = options.iter().map(|&option| option.to_owned()).collect();
        server.restart();
        server
    }

    /// The place of a server that does not run yet.
    pub fn stopped() -> Self {
        Self {
            port: free_port(),
            options: Vec::new(),
            program: None,
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, empty, where it was.
    pub fn restart(&mut self) {
        let port = self.port.to_string();
        let mut server = Command::new("redis-server");
        server
            .args(["--port", &port, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir", "/tmp"])
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.program = Some(Program::spawn(&mut server));
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not start");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        self.program = None;
    }

    /// Connections stay open, but nothing is answered until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Leaves it no memory: it still reads, but refuses to write.
    pub fn starve(&self) {
        self.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    }

    pub fn feed(&self) {
        self.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    }

    /// What `redis-cli` prints.
    pub fn ask(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(command)
            .output()
            .expect("redis-cli is installed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The keys that match a pattern.
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        let keys = self.ask(&["KEYS", pattern]);
        keys.lines()
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A number out of `INFO`, such as `total_net_input_bytes`.
    pub fn count(&self, name: &str) -> u64 {
        let info = self.ask(&["INFO", "everything"]);
        let prefix = format!("{name}:");
        let value = info.lines().find_map(|line| line.strip_prefix(&prefix));
        value
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(0)
    }

    fn signal(&self, signal: &str) {
        self.program.as_ref().expect("it runs").signal(signal);
    }
}
