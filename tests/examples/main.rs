//! The examples, each started as its reader starts it and asked for the one thing that it shows.

mod api_keys;
mod audit_log;
mod htmx;
mod json_api;
mod openapi;
mod organizations;
mod protected_routes;
mod sign_in_page;
mod tenants;
mod websocket;

use std::process::Command;

use authkit_actix::emulator::Emulator;
use authkit_tests::{Answer, Browser, Program, free_port, variables_at};

/// An example that runs.
struct Example {
    _program: Program,
    origin: String,
}

impl Example {
    /// With the emulator in it, as on a machine that knows nothing of WorkOS.
    fn start(program: &str) -> Self {
        Self::at(free_port(), program)
    }

    fn at(port: u16, program: &str) -> Self {
        Self::of(&mut Program::alone(program), port)
    }

    /// In front of an emulator of the test.
    fn in_front_of(emulator: &Emulator, program: &str, variables: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut command = Program::alone(program);
        command
            .envs(variables_at(port, emulator))
            .envs(variables.iter().copied());
        Self::of(&mut command, port)
    }

    fn of(command: &mut Command, port: u16) -> Self {
        let (program, _) = Program::start(command.env("PORT", port.to_string()), "Open ");
        Self {
            _program: program,
            origin: format!("http://127.0.0.1:{port}"),
        }
    }

    /// A browser that has been nowhere yet.
    fn browser(&self) -> Browser {
        Browser::at(&self.origin)
    }

    async fn signed_in(&self, email: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(email).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }
}

/// Sends what no page sends: a method and headers of one's own.
async fn send(
    browser: &mut Browser,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let method = method.parse().expect("a method");
    browser.send(method, path, headers, body).await
}

/// The code of a refusal in problem details.
fn refusal(answer: &Answer) -> (u16, String) {
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{}", answer.body);
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status);
    let code = problem["code"].as_str().expect("a code");
    (answer.status, code.to_owned())
}
