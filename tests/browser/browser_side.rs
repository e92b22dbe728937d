//! The module for the browser and its React bindings, in the showcase and in a single-page application.

use std::{path::Path, time::Duration};

use authkit_actix::emulator::{
    Emulator, EmulatorBuilder, EmulatorOrganization, EmulatorUser, Endpoint, NewSession,
};
use authkit_tests::{Program, free_port, seal, variables_at};

use crate::person::{Person, Screen};

/// Somebody at a showcase, in front of an emulator that the test can reach.
struct Visit {
    person: Person,
    emulator: Emulator,
}

impl Visit {
    async fn start(name: &str, screen: Screen) -> Self {
        Self::with(name, screen, |emulator| emulator, &[]).await
    }

    async fn with(
        name: &str,
        screen: Screen,
        change: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder,
        variables: &[(&str, &str)],
    ) -> Self {
        let emulator = Emulator::builder()
            .organization(EmulatorOrganization::new("org_acme", "Acme"))
            .organization(EmulatorOrganization::new("org_globex", "Globex"))
            .role("admin", ["billing:manage"])
            .role("member", ["posts:read"])
            .user(
                EmulatorUser::new("grace@example.com")
                    .name("Grace", "Hopper")
                    .member_of("org_acme", "admin")
                    .member_of("org_globex", "member"),
            )
            .quiet();
        let emulator = change(emulator).start().expect("an emulator");
        let mut showcase = Program::alone(env!("CARGO_BIN_EXE_showcase"));
        showcase
            .envs([("SHOWCASE_LOG", "warn"), ("SHOWCASE_WORKERS", "1")])
            .envs(variables_at(free_port(), &emulator))
            .envs(variables.iter().copied());
        let person = Person::visiting(&mut showcase, name, screen).await;
        Self { person, emulator }
    }

    /// Grace at Acme, unless the test says otherwise.
    async fn has_session(&self, session: impl Into<NewSession>) {
        let sealed = seal::cookie(&self.emulator, session);
        self.person.has_session(&sealed).await;
    }
}

fn grace() -> NewSession {
    NewSession::new("grace@example.com").organization("org_acme")
}

#[tokio::test]
async fn a_react_page_signs_in_shows_the_session_and_signs_out() {
    let visit = Visit::start("react", Screen::Desk).await;
    let person = &visit.person;
    person.open("/react").await;
    person.reads("Hello, stranger").await;
    person.screenshot("react-stranger").await;
    person.click("Sign in").await;
    person.fill("Email", "grace@example.com").await;
    person.fill("Password", "password").await;
    person.click("Sign in").await;
    person.click("Acme").await;
    person.reads("Grace Hopper").await;
    person.is_at("/react").await;
    person.reads_fact("Role", "admin").await;
    person.reads_fact("For", "org_acme").await;
    person.reads_fact("Signed in", "within five minutes").await;
    person.screenshot("react").await;
    person.finds_the_console_empty().await;

    let html: String = person
        .patient_script("fetch('/react').then((it) => it.text()).then(done)")
        .await;
    assert!(
        html.contains("grace@example.com"),
        "the page carries the session"
    );
    assert!(!html.contains("eyJ"), "and no token: {html}");

    person.click("Sign out").await;
    person.reads("Hello, stranger").await;
    person.is_at("/react").await;
    person.finds_the_console_empty().await;
}

#[tokio::test]
async fn what_one_tab_does_the_other_sees() {
    let visit = Visit::start("tabs", Screen::Desk).await;
    let person = &visit.person;
    visit.has_session(grace()).await;
    person.open("/account").await;
    let account = person.here().await;
    let first = person.open_tab("/react").await;
    person.reads_fact("For", "org_acme").await;
    let second = person.open_tab("/react").await;
    person.reads_fact("For", "org_acme").await;
    let globex = person.find("//button[starts-with(., 'Globex')]".to_owned());
    globex.await.click().await.expect("it can be clicked");
    person.reads_fact("For", "org_globex").await;
    let token = person.fact("Token").await;
    person.look_at(&first).await;
    person.reads_fact("For", "org_globex").await;
    person.reads_fact("Role", "member").await;
    assert_eq!(person.fact("Token").await, token);

    person.click("Sign out").await;
    person.reads("Hello, stranger").await;
    person.look_at(&second).await;
    person.reads("Hello, stranger").await;
    person.look_at(&account).await;
    person
        .is_told("You have been signed out. Sign in again")
        .await;
    person.screenshot("account-signed-out").await;
}

#[tokio::test]
async fn a_short_lived_token_is_refreshed_in_time_and_a_session_that_ends_is_noticed() {
    let lifetime = Duration::from_secs(8);
    let visit = Visit::with(
        "refresh",
        Screen::Desk,
        |emulator| emulator.access_token_lifetime(lifetime),
        &[],
    )
    .await;
    let person = &visit.person;
    visit.has_session(grace()).await;
    person.open("/react").await;
    person.reads_fact("Token", "…").await;
    let first = person.fact("Token").await;
    person
        .waits_for(&format!(
            "return !document.body.innerText.includes({first:?})"
        ))
        .await;
    assert_eq!(person.fact("Problem").await, "none");
    let calls = visit.emulator.calls(Endpoint::AuthenticateRefresh);
    assert!((1..=2).contains(&calls), "{calls} refreshes of one token");

    let session_id = person.fact("Session").await;
    assert!(visit.emulator.end_session(&session_id));
    person.reads("Hello, stranger").await;
}

#[tokio::test]
async fn many_who_ask_at_once_make_one_call() {
    let visit = Visit::start("parallel", Screen::Desk).await;
    let person = &visit.person;
    visit.has_session(grace()).await;
    person.open("/account").await;
    let script = "
        const { authkit } = await import('/authkit/client.js');
        const tokens = await Promise.all(Array.from({ length: 50 }, () => authkit.getAccessToken()));
        const calls = performance.getEntriesByType('resource')
            .filter(({ name }) => /authkit\\/(token|refresh)$/.test(name));
        const me = await authkit.fetch('/api/me').then((answer) => answer.json());
        done([new Set(tokens).size, calls.length, me.user.email]);";
    let script = format!("(async () => {{ {script} }})()");
    let (tokens, calls, email): (usize, usize, String) = person.patient_script(&script).await;
    assert_eq!((tokens, calls, email.as_str()), (1, 1, "grace@example.com"));
    assert_eq!(visit.emulator.calls(Endpoint::AuthenticateRefresh), 0);
}

#[tokio::test]
async fn whoever_acts_for_a_user_is_named_and_can_stop_everywhere() {
    let visit = Visit::start("impersonation", Screen::Desk).await;
    let person = &visit.person;
    let session = || grace().impersonated_by("root@example.com", "support");
    visit.has_session(session()).await;
    person.open("/account").await;
    let look = "
        const look = getComputedStyle([...document.querySelectorAll('.authkit-impersonation')].at(-1));
        return ['display', 'padding', 'color', 'backgroundColor', 'borderBottom', 'font']
            .map((name) => look[name]).join(' ')";
    let of_server: String = person.script(look).await;
    person.screenshot("account-impersonated").await;
    person
        .script::<()>("document.body.append(document.createElement('authkit-impersonation'))")
        .await;
    let in_acme = "
        const element = document.querySelector('authkit-impersonation');
        return element.textContent === 'root@example.com is acting as grace@example.com in AcmeStop'";
    person.waits_for(in_acme).await;
    assert_eq!(person.script::<String>(look).await, of_server);

    person.open("/react").await;
    person.reads("Grace Hopper").await;
    person
        .waits_for(
            "return document.querySelector('aside')?.textContent.includes('in Acme') ?? false",
        )
        .await;
    assert_eq!(person.script::<String>(look).await, of_server);
    person.screenshot("react-impersonated").await;
    person.click("Stop").await;
    person.reads("Hello, stranger").await;
}

#[tokio::test]
async fn eager_auth_gives_the_first_paint_its_token_once() {
    let eager = [("SHOWCASE_EAGER_AUTH", "true")];
    let visit = Visit::with("eager", Screen::Desk, |emulator| emulator, &eager).await;
    let person = &visit.person;
    visit.has_session(grace()).await;
    person.open("/react").await;
    person.reads_fact("Token", "…").await;
    let (asked, cookies): (usize, String) = person
        .script(
            "return [performance.getEntriesByType('resource')
                .filter(({ name }) => name.includes('/authkit/')).length, document.cookie]",
        )
        .await;
    assert_eq!((asked, cookies.as_str()), (0, ""));
    person.finds_the_console_empty().await;
}

#[tokio::test]
async fn the_react_page_and_the_account_fit_a_phone() {
    let visit = Visit::start("phone-react", Screen::PhoneInTheDark).await;
    let person = &visit.person;
    let session = grace().impersonated_by("root@example.com", "support");
    visit.has_session(session).await;
    person.open("/react").await;
    person.reads_fact("Token", "…").await;
    person.fits("phone-react").await;
    person.open("/account").await;
    person.fits("phone-account").await;
}

#[tokio::test]
async fn a_single_page_application_is_served_by_actix_and_calls_its_api() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("react-spa/dist/index.html");
    assert!(
        pages.exists(),
        "the pages are not built: tests/all.sh does so, or npm as examples/react-spa/main.rs says"
    );
    let mut application = Program::alone(env!("CARGO_BIN_EXE_react-spa"));
    application.env("PORT", free_port().to_string());
    let person = Person::visiting(&mut application, "react-spa", Screen::Desk).await;
    person.open("/").await;
    person.fill("Email", "ada@example.com").await;
    person.fill("Password", "password").await;
    person.click("Sign in").await;
    person.reads("Notes of Ada").await;
    person.is_at("/").await;
    let note = person.find("//input[@aria-label='Note']".to_owned()).await;
    note.send_keys("Buy milk").await.expect("a field");
    person.click("Add").await;
    person.find("//li[.='Buy milk']".to_owned()).await;
    person.screenshot("react-spa").await;

    person.click("Sign out").await;
    person.fill("Email", "alan@example.com").await;
    person.does_not_read("milk").await;
}
