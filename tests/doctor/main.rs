//! The doctor as an operator runs it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use authkit_actix::emulator::{Emulator, Endpoint, Fault};
use authkit_tests::{PASSWORD, Program, RedisServer, folder, variables_at};

fn doctor(folder: &Path) -> Command {
    let mut command = Program::alone(env!("CARGO_BIN_EXE_doctor"));
    command.current_dir(folder);
    command
}

fn emulator() -> Emulator {
    let emulator = Emulator::builder().quiet().allow_in_release();
    emulator.start().expect("an emulator")
}

/// What an application in front of an emulator is configured with, line by line.
fn dotenv(emulator: &Emulator) -> String {
    let variables = variables_at(3000, emulator);
    let line = |(name, value)| format!("{name}=\"{value}\"\n");
    variables.into_iter().map(line).collect()
}

/// What was printed, and the exit code.
fn heard(command: &mut Command) -> (String, Option<i32>) {
    let Output { status, stdout, .. } = command.output().expect("the doctor runs");
    let text = String::from_utf8(stdout).expect("it prints text");
    assert!(
        !text.contains("sk_test") && !text.contains(PASSWORD),
        "{text}"
    );
    (text, status.code())
}

#[test]
fn a_right_configuration_in_a_dotenv_file_is_fine() {
    let emulator = emulator();
    let folder = folder("doctor");
    fs::write(folder.join(".env"), dotenv(&emulator)).expect("a file");
    let (text, code) = heard(&mut doctor(&folder));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("AuthKit: 7 fine\n"), "{text}");
}

#[test]
fn a_fault_comes_first_with_its_cure_and_another_exit_code() {
    let emulator = emulator();
    let folder = folder("doctor-fault");
    fs::write(folder.join(".env"), dotenv(&emulator)).expect("a file");
    let mut wrong_key = doctor(&folder);
    let (text, code) = heard(wrong_key.env("WORKOS_API_KEY", "sk_test_wrong"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("\nfault        API key: WorkOS refuses it"));
    assert!(text.contains("\n             > copy an API key"), "{text}");
    emulator.fault(Endpoint::AuthenticateCode, Fault::Status(500));
    let (text, code) = heard(&mut doctor(&folder));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("\nnot checked  API key: "), "{text}");
}

#[test]
fn a_refused_configuration_is_listed_as_a_whole() {
    let mut doctor = Program::alone(env!("CARGO_BIN_EXE_doctor"));
    doctor
        .env("WORKOS_COOKIE_PASSWORD", "short")
        .env("WORKOS_REDIRECT_URI", "https://app.example.com/callback")
        .env("WORKOS_COOKIE_DOMAIN", "other.example");
    let (text, code) = heard(&mut doctor);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("AuthKit: 4 faults\n"), "{text}");
    for name in [
        "client_id (WORKOS_CLIENT_ID)",
        "api_key (WORKOS_API_KEY)",
        "cookie_password (WORKOS_COOKIE_PASSWORD)",
        "cookie_domain (WORKOS_COOKIE_DOMAIN)",
    ] {
        assert!(text.contains(&format!("\nfault        {name}: ")), "{text}");
    }
}

#[test]
fn the_redis_of_the_showcase_is_asked_too() {
    let emulator = emulator();
    let folder = folder("doctor-redis");
    let redis = RedisServer::stopped();
    let dotenv = dotenv(&emulator) + "SHOWCASE_REDIS_URL=" + &redis.url();
    fs::write(folder.join(".env"), dotenv).expect("a file");
    let (text, code) = heard(&mut doctor(&folder));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\nwarning      Redis: "), "{text}");
}
