//! Where the configuration comes from, and what is said about a wrong one.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

use authkit_actix::{
    AuthKit,
    emulator::{Emulator, EmulatorUser},
};
use authkit_tests::{PASSWORD, Program, TestApp, folder, seal, workos_variables};

/// What a program of its own, with these variables and no others, said.
struct Run {
    succeeded: bool,
    /// The answer's head, or the problems.
    out: String,
    log: String,
}

type Variables<'a> = &'a [(&'a str, &'a str)];

const REQUIRED: [(&str, &str); 4] = [
    ("WORKOS_CLIENT_ID", "client_in_env"),
    ("WORKOS_API_KEY", "sk_test_in_env"),
    ("WORKOS_COOKIE_PASSWORD", PASSWORD),
    ("WORKOS_REDIRECT_URI", "https://app.example.com/callback"),
];

const ALL: [&str; 14] = [
    "WORKOS_CLIENT_ID",
    "WORKOS_API_KEY",
    "WORKOS_COOKIE_PASSWORD",
    "WORKOS_COOKIE_PASSWORD_PREVIOUS",
    "WORKOS_REDIRECT_URI",
    "NEXT_PUBLIC_WORKOS_REDIRECT_URI",
    "AUTHKIT_BASE_URL",
    "WORKOS_COOKIE_NAME",
    "WORKOS_COOKIE_MAX_AGE",
    "WORKOS_COOKIE_DOMAIN",
    "WORKOS_COOKIE_SAMESITE",
    "WORKOS_API_HOSTNAME",
    "WORKOS_API_HTTPS",
    "WORKOS_API_PORT",
];

/// Opens `/protected` with a session cookie that is none, which shows where the sign-in leads and
/// how cookies are written.
fn run(how: &str, variables: Variables<'_>) -> Run {
    ask(how, variables, "wos-session=x; in-code=x; my-session=x")
}

fn ask(how: &str, variables: Variables<'_>, cookies: &str) -> Run {
    let output = Program::alone(env!("CARGO_BIN_EXE_configured"))
        .args([how, "/protected", cookies])
        .envs(variables.iter().copied())
        .output()
        .expect("the program runs");
    Run {
        succeeded: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        log: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The required variables and others, or instead of them.
fn right_but<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&REQUIRED, changes].concat()
}

impl Run {
    /// The problems as they are listed for people.
    fn problems(&self) -> Vec<&str> {
        assert!(!self.succeeded, "{}", self.out);
        let lines = self.out.lines();
        lines.filter(|line| line.starts_with("- ")).collect()
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        assert!(self.succeeded, "{} {}", self.out, self.log);
        assert!(self.out.contains(text), "no {text} in {}", self.out);
    }
}

#[test]
fn the_required_four_suffice_and_the_rest_has_its_defaults() {
    let run = run("env", &REQUIRED);
    run.shows("status: 302");
    run.shows("location: https://api.workos.com/user_management/authorize?");
    run.shows("client_id=client_in_env");
    run.shows("redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback");
    run.shows("set-cookie: wos-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
}

#[test]
fn everything_that_is_missing_is_listed_at_once_with_field_variable_and_cure() {
    let run = run("env", &[]);
    let problems = run.problems();
    assert_eq!(problems.len(), 4, "{}", run.out);
    for (field, variable) in [
        ("client_id", "WORKOS_CLIENT_ID"),
        ("api_key", "WORKOS_API_KEY"),
        ("cookie_password", "WORKOS_COOKIE_PASSWORD"),
        ("redirect_uri", "WORKOS_REDIRECT_URI"),
    ] {
        let start = format!("- {field} ({variable}): is missing; ");
        assert!(
            problems.iter().any(|line| line.starts_with(&start)),
            "{problems:?}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_listed_at_once() {
    let wrong: Vec<_> = ALL
        .into_iter()
        .filter(|name| !["NEXT_PUBLIC_WORKOS_REDIRECT_URI", "WORKOS_API_PORT"].contains(name))
        .map(|variable| (variable, "w r\to:n/g"))
        .collect();
    for port in ["w r\to:n/g", "0"] {
        let mut wrong = wrong.clone();
        wrong.push(("WORKOS_API_PORT", port));
        let run = run("env", &wrong);
        for (variable, _) in wrong {
            let name = format!("({variable})");
            let is_listed = run.problems().iter().any(|line| line.contains(&name));
            assert!(is_listed, "{name} {}", run.out);
        }
    }
}

#[test]
fn a_wrong_value_is_refused_by_the_name_of_its_variable() {
    for (variable, values) in [
        (
            "WORKOS_CLIENT_ID",
            &["sk_test_123", "client 1", "clïent"][..],
        ),
        ("WORKOS_API_KEY", &["sk test", "sk_tëst"]),
        (
            "WORKOS_COOKIE_PASSWORD",
            &[
                "31 characters are not enough: a",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "your-secret-password-of-at-least-32-characters",
                "change_me_change_me_change_me_change_me",
                "<your cookie password, 32 characters or more>",
            ],
        ),
        (
            "WORKOS_COOKIE_PASSWORD_PREVIOUS",
            &["short", "an older password that is long enough,short"],
        ),
        (
            "WORKOS_REDIRECT_URI",
            &[
                "/callback",
                "app.example.com/callback",
                "ftp://app.example.com/callback",
                "javascript:alert(1)",
                "https://",
                "https:app.example.com/callback",
                "https://ada:secret@app.example.com/callback",
                "https://app.example.com/callback#fragment",
            ],
        ),
        (
            "AUTHKIT_BASE_URL",
            &[
                "app.example.com",
                "https://app.example.com/path",
                "https://app.example.com/?query",
                "ws://app.example.com",
                "https://api.workos.com",
                "https://api.workos.com:443/",
            ],
        ),
        (
            "WORKOS_COOKIE_NAME",
            &["my session", "a;b", "a=b", "sëssion", "a,b", "(a)"],
        ),
        (
            "WORKOS_COOKIE_MAX_AGE",
            &["a day", "-1", "1.5", "0", "99999999999999999999"],
        ),
        (
            "WORKOS_COOKIE_DOMAIN",
            &[
                "https://example.com",
                "example.com/",
                "example.com:80",
                "other.example",
                "com",
                "127.0.0.1",
                "a b",
            ],
        ),
        ("WORKOS_COOKIE_SAMESITE", &["sometimes", "lax;"]),
        (
            "WORKOS_API_HOSTNAME",
            &["https://api.workos.com", "api.workos.com/x", "a b"],
        ),
        ("WORKOS_API_HTTPS", &["maybe", "false"]),
        ("WORKOS_API_PORT", &["0", "65536", "http", "-1"]),
    ] {
        for value in values {
            let run = run("env", &right_but(&[(variable, value)]));
            let problems = run.problems();
            assert_eq!(problems.len(), 1, "{variable}={value}: {}", run.out);
            assert!(
                problems[0].contains(&format!("({variable})")),
                "{value}: {}",
                run.out
            );
        }
    }
}

#[test]
fn a_right_value_is_taken() {
    for (variable, value, shown) in [
        (
            "WORKOS_COOKIE_PASSWORD",
            "32 characters are just enough: a",
            "302",
        ),
        (
            "WORKOS_COOKIE_PASSWORD_PREVIOUS",
            "an older password of enough letters, and one of them that is older yet",
            "302",
        ),
        (
            "AUTHKIT_BASE_URL",
            "http://localhost:3000/",
            "wos-session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0",
        ),
        ("WORKOS_COOKIE_NAME", "my-session", "my-session=; HttpOnly"),
        ("WORKOS_COOKIE_DOMAIN", "example.com", "Domain=example.com"),
        ("WORKOS_COOKIE_DOMAIN", ".example.com", "Domain=example.com"),
        (
            "WORKOS_COOKIE_DOMAIN",
            "app.example.com",
            "Domain=app.example.com",
        ),
        (
            "WORKOS_COOKIE_SAMESITE",
            "STRICT",
            "wos-session=; HttpOnly; SameSite=Strict",
        ),
        (
            "WORKOS_COOKIE_SAMESITE",
            "Lax",
            "wos-session=; HttpOnly; SameSite=Lax",
        ),
        (
            "WORKOS_COOKIE_SAMESITE",
            "none",
            "wos-session=; HttpOnly; SameSite=None; Secure",
        ),
        (
            "WORKOS_API_HOSTNAME",
            "auth.example.com",
            "location: https://auth.example.com/user_management",
        ),
        (
            "WORKOS_API_PORT",
            "8443",
            "location: https://api.workos.com:8443/user_management",
        ),
        (
            "WORKOS_API_HTTPS",
            "TRUE",
            "location: https://api.workos.com/user_management",
        ),
    ] {
        run("env", &right_but(&[(variable, value)])).shows(shown);
    }
}

#[test]
fn plain_http_goes_to_loopback_only() {
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let api = [
            ("WORKOS_API_HOSTNAME", host),
            ("WORKOS_API_HTTPS", "false"),
            ("WORKOS_API_PORT", "4000"),
        ];
        run("env", &right_but(&api))
            .shows(&format!("location: http://{host}:4000/user_management"));
    }
    for host in [
        "api.workos.com",
        "10.0.0.1",
        "localhost.example.com",
        "[::2]",
    ] {
        let api = [("WORKOS_API_HOSTNAME", host), ("WORKOS_API_HTTPS", "false")];
        assert_eq!(run("env", &right_but(&api)).problems().len(), 1, "{host}");
    }
}

#[test]
fn an_empty_variable_is_unset() {
    let empty = ALL.map(|variable| (variable, ""));
    assert_eq!(run("env", &empty).problems().len(), 4);
    let filled = [&empty[..], &REQUIRED].concat();
    run("env", &filled).shows("set-cookie: wos-session=; HttpOnly; SameSite=Lax; Secure; Path=/");
}

#[test]
fn a_variable_that_is_not_text_is_refused_by_name() {
    let mut command = Program::alone(env!("CARGO_BIN_EXE_configured"));
    command.args(["env", "/", ""]).envs(REQUIRED);
    for variable in ["WORKOS_CLIENT_ID", "WORKOS_COOKIE_PASSWORD"] {
        command.env(
            variable,
            OsString::from_vec([&[0xff][..], PASSWORD.as_bytes()].concat()),
        );
    }
    let output = command.output().expect("the program runs");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(out.contains("(WORKOS_CLIENT_ID)"), "{out}");
    assert!(out.contains("(WORKOS_COOKIE_PASSWORD)"), "{out}");
}

#[test]
fn the_redirect_uri_has_an_alias_and_wins_over_it() {
    let alias = (
        "NEXT_PUBLIC_WORKOS_REDIRECT_URI",
        "https://alias.example.com/callback",
    );
    let only_alias = [&REQUIRED[..3], &[alias]].concat();
    run("env", &only_alias).shows("redirect_uri=https%3A%2F%2Falias.example.com%2Fcallback");
    run("env", &right_but(&[alias])).shows("redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback");
}

#[test]
fn code_wins_over_the_environment_and_leaves_it_the_rest() {
    let run = run(
        "code",
        &right_but(&[
            ("WORKOS_COOKIE_NAME", "my-session"),
            ("WORKOS_API_PORT", "8443"),
        ]),
    );
    run.shows("client_id=client_in_code");
    run.shows("redirect_uri=https%3A%2F%2Fcode.example.com%2Fback");
    run.shows("set-cookie: in-code=; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=0");
    run.shows("location: https://api.workos.com:8443/");
    assert!(!run.out.contains("my-session"), "{}", run.out);
}

#[test]
fn a_file_of_variables_is_not_read() {
    let folder = folder("dotenv");
    let file: String = REQUIRED
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    std::fs::write(folder.join(".env"), file).expect("a file");
    let output = Program::alone(env!("CARGO_BIN_EXE_configured"))
        .args(["env", "/", ""])
        .current_dir(&folder)
        .output()
        .expect("the program runs");
    assert!(!output.status.success());
}

#[test]
fn no_secret_stands_in_an_error_or_in_the_log() {
    for (variable, value) in [
        ("WORKOS_CLIENT_ID", "sk_live_0MARKED0"),
        ("WORKOS_API_KEY", "sk_live 0MARKED0"),
        ("WORKOS_COOKIE_PASSWORD", "0MARKED0"),
        ("WORKOS_COOKIE_PASSWORD_PREVIOUS", "0MARKED0,1MARKED1"),
        (
            "WORKOS_REDIRECT_URI",
            "https://ada:0MARKED0@app.example.com/",
        ),
        (
            "WORKOS_REDIRECT_URI",
            "app.example.com/?key=sk_live_0MARKED0",
        ),
        ("AUTHKIT_BASE_URL", "https://ada:0MARKED0@app.example.com"),
        ("WORKOS_API_HOSTNAME", "ada:0MARKED0@api.workos.com"),
        ("WORKOS_COOKIE_NAME", "sk_live_0MARKED0 "),
        ("WORKOS_COOKIE_DOMAIN", "sk_live_0MARKED0.test"),
        ("WORKOS_API_PORT", "sk_live_0MARKED0"),
    ] {
        let run = run("env", &right_but(&[(variable, value)]));
        let said = run.out + &run.log;
        assert!(!said.contains("MARKED"), "{variable}: {said}");
    }
    let marked = [
        ("WORKOS_API_KEY", "sk_live_0MARKED0"),
        (
            "WORKOS_COOKIE_PASSWORD",
            "0MARKED0 is in this long password",
        ),
        (
            "WORKOS_COOKIE_PASSWORD_PREVIOUS",
            "1MARKED1 is in that long password",
        ),
    ];
    let wrong = [("WORKOS_CLIENT_ID", ""), ("AUTHKIT_BASE_URL", "")];
    for changes in [&marked[..], &[&marked[..], &wrong].concat()] {
        let run = run("env", &right_but(changes));
        let said = run.out + &run.log;
        assert!(!said.contains("MARKED"), "{said}");
    }
}

#[test]
fn same_site_none_forces_secure_and_warns_once() {
    let changes = [
        ("WORKOS_COOKIE_SAMESITE", "none"),
        ("WORKOS_REDIRECT_URI", "http://localhost:3000/callback"),
    ];
    let run = run("env", &right_but(&changes));
    run.shows("wos-session=; HttpOnly; SameSite=None; Secure; Path=/; Max-Age=0");
    let warnings = run.log.lines().filter(|line| line.contains("SameSite"));
    assert_eq!(warnings.count(), 1, "{}", run.log);
}

#[test]
fn nothing_is_said_about_a_sound_configuration() {
    let run = ask("env", &REQUIRED, "");
    run.shows("status: 302");
    for level in [" WARN ", "ERROR "] {
        assert!(!run.log.contains(level), "{}", run.log);
    }
}

#[test]
fn the_base_url_of_the_application_is_not_the_redirect_uris() {
    let behind_a_proxy = [
        ("WORKOS_REDIRECT_URI", "http://localhost:3000/callback"),
        ("AUTHKIT_BASE_URL", "https://app.example.com"),
    ];
    let run = run("env", &right_but(&behind_a_proxy));
    run.shows("redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcallback");
    run.shows("wos-session=; HttpOnly; SameSite=Lax; Secure");
}

#[test]
fn passwords_lives_and_the_address_of_the_api_come_from_the_environment_too() {
    let emulator = Emulator::builder()
        .user(EmulatorUser::new("ada@example.com"))
        .quiet()
        .start()
        .expect("an emulator");
    let its_own = workos_variables(&emulator);
    let others = [
        (
            "WORKOS_COOKIE_PASSWORD_PREVIOUS",
            "the password before the present one, and the one before that password",
        ),
        ("WORKOS_COOKIE_MAX_AGE", "3600"),
        ("WORKOS_REDIRECT_URI", "http://localhost:3000/callback"),
    ];
    let its_own = its_own
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let variables = [&its_own[..], &others].concat();
    let content = seal::session(&emulator, "ada@example.com");
    for previous in [
        "the password before the present one",
        "and the one before that password",
    ] {
        let sealed = seal::seal_session(previous, &content);
        let run = ask("env", &variables, &format!("wos-session={sealed}"));
        run.shows("status: 404");
        run.shows("Max-Age=3600");
    }
}

#[test]
fn an_emulator_stands_in_only_where_nothing_is_said_of_workos() {
    let fresh = run("http://127.0.0.1:3000", &[]);
    fresh.shows("client_id=client_emulator");
    fresh.shows("redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fcallback");
    for empty in REQUIRED {
        run("http://localhost:3000", &[(empty.0, "")]).shows("client_id=client_emulator");
    }
    for only in REQUIRED {
        let run = run("http://127.0.0.1:3000", &[only]);
        assert_eq!(run.problems().len(), 3, "{only:?} {}", run.out);
    }
    for missing in 0..4 {
        let mut others = REQUIRED.to_vec();
        let (variable, _) = others.remove(missing);
        let run = run("http://127.0.0.1:3000", &others);
        assert_eq!(run.problems().len(), 1, "{variable} {}", run.out);
        assert!(
            run.out.contains(&format!("({variable}): is missing")),
            "{}",
            run.out
        );
    }
    run("http://127.0.0.1:3000", &REQUIRED).shows("client_id=client_in_env");
}

#[test]
fn no_emulator_stands_in_for_an_application_that_others_can_reach() {
    for base_url in [
        "http://0.0.0.0:3000",
        "http://app.example.com",
        "https://localhost.example.com",
    ] {
        assert_eq!(run(base_url, &[]).problems().len(), 4, "{base_url}");
    }
    let public = [("AUTHKIT_BASE_URL", "https://app.example.com")];
    assert_eq!(run("http://127.0.0.1:3000", &public).problems().len(), 4);
}

#[test]
fn each_problem_can_be_read_by_a_program() {
    let error = AuthKit::builder()
        .client_id("client_1")
        .api_key("sk_test_1")
        .cookie_password("too short")
        .redirect_uri("/callback")
        .build()
        .expect_err("two problems");
    let problems: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| (problem.field(), problem.variable()))
        .collect();
    assert_eq!(
        problems,
        [
            ("cookie_password", Some("WORKOS_COOKIE_PASSWORD")),
            ("redirect_uri", Some("WORKOS_REDIRECT_URI")),
        ]
    );
    assert!(
        error
            .problems()
            .iter()
            .all(|problem| !problem.message().is_empty())
    );
}

#[test]
fn the_host_prefix_needs_https_and_no_domain() {
    let builder = || {
        let builder = AuthKit::builder()
            .client_id("client_1")
            .api_key("sk_test_1");
        builder.cookie_password(PASSWORD).host_prefix()
    };
    let http = builder().redirect_uri("http://localhost:3000/callback");
    let domain = builder()
        .redirect_uri("https://app.example.com/callback")
        .cookie_domain("app.example.com");
    for wrong in [http, domain] {
        let error = wrong.build().expect_err("a cookie that browsers refuse");
        assert!(error.to_string().contains("__Host-wos-session"), "{error}");
    }
}

#[tokio::test]
async fn every_pattern_that_cannot_be_read_is_listed_when_the_middleware_is_built() {
    let app = TestApp::start().await;
    let protected = app.authkit.middleware().protect();
    let error = protected
        .unauthenticated_paths(["/fine", "/(?!admin).*", "no-slash"])
        .sign_up_paths(["/:a/{b}"])
        .build()
        .expect_err("three patterns");
    let problems = error.to_string();
    for pattern in ["/(?!admin).*", "no-slash", "/:a/{b}"] {
        assert!(problems.contains(pattern), "{problems}");
    }
    for field in ["unauthenticated_paths", "sign_up_paths"] {
        assert!(problems.contains(field), "{problems}");
    }
}
