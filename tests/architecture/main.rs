//! The rules of the house that the compiler does not know: which part of the library may name what.

mod documents;
mod source;

use source::Source;

#[test]
fn only_the_web_the_emulator_and_the_testing_kit_know_actix() {
    only(
        &["crate::web", "crate::emulator", "crate::testing"],
        &["actix_web", "actix_http"],
    );
}

#[test]
fn only_the_configuration_reads_the_environment() {
    only(&["crate::config"], &["std::env"]);
}

#[test]
fn only_the_doors_to_workos_and_to_redis_open_sockets_the_emulator_aside() {
    only(
        &["crate::workos", "crate::redis", "crate::emulator"],
        &[
            "redis",
            "reqwest",
            "hyper",
            "tokio::net",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::os::unix::net",
        ],
    );
}

#[test]
fn only_the_door_to_workos_names_the_sdk_and_the_http_types_of_it() {
    only(&["crate::workos"], &["workos"]);
    only(&["crate::workos"], &["http"]);
}

#[test]
fn only_the_door_to_redis_knows_how_it_is_spoken_to() {
    only(&["crate::redis"], &["redis", "rustls"]);
}

#[test]
fn signatures_are_verified_among_the_tokens_alone() {
    only(
        &["crate::token", "crate::emulator"],
        &["aws_lc_rs::signature"],
    );
}

#[test]
fn only_one_place_knows_where_metrics_go() {
    only(&["crate::metrics"], &["metrics"]);
}

#[test]
fn the_emulator_shares_no_code_with_the_rest() {
    let mut emulator = Source::all();
    emulator.retain(|source| is_in(&source.module, "crate::emulator"));
    let is_own = |name: &str| is_in(name, "crate::emulator");
    let is_foreign = |name: &str| is_in(name, "crate") && !is_own(name);
    assert_eq!(uses(&emulator, is_foreign), [""; 0]);
    assert_ne!(uses(&emulator, is_own), [""; 0], "nobody: is it misspelt?");
}

#[test]
fn the_arrows_between_the_parts_point_one_way() {
    let place = |name: &str| {
        let part = name.strip_prefix("crate::")?.split("::").next()?;
        let row = ROWS.iter().position(|row| row.contains(&part))?;
        Some((row, part.to_owned()))
    };
    let mut against = Vec::new();
    for source in Source::all() {
        let Some((row, part)) = place(&source.module) else {
            continue;
        };
        let points_up = |name: &str| {
            place(name).is_some_and(|(used_row, used)| used_row >= row && used != part)
        };
        against.extend(uses(&[source], points_up));
    }
    assert_eq!(against, [""; 0]);
}

/// Only these modules, and those inside them, name these things, or anything inside them.
fn only(modules: &[&str], things: &[&str]) {
    let (allowed, others): (Vec<_>, Vec<_>) = Source::all()
        .into_iter()
        .partition(|source| modules.iter().any(|module| is_in(&source.module, module)));
    let is_thing = |name: &str| things.iter().any(|thing| is_in(name, thing));
    assert_eq!(uses(&others, is_thing), [""; 0]);
    assert_ne!(uses(&allowed, is_thing), [""; 0], "nobody: is it misspelt?");
}

fn uses(sources: &[Source], is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let mut uses = Vec::new();
    for source in sources {
        for name in source.names.iter().filter(|name| is_meant(name)) {
            uses.push(format!("{} uses {name}", source.module));
        }
    }
    uses
}

fn is_in(name: &str, whole: &str) -> bool {
    name.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Each part uses only parts of earlier rows. Those that are not here stand beside.
const ROWS: &[&[&str]] = &[
    &["clock", "config", "background", "request_info", "metrics"],
    &["seal", "flights"],
    &["workos", "oauth", "sharing"],
    &["lookups", "session_store"],
    &["token", "feature_flags", "api_keys", "profiles"],
    &["session"],
    &["access", "redis"],
    &["authkit"],
    &["user_sessions"],
    &["web"],
    &["diagnosis"],
];
