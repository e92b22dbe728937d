//! What is counted and measured, through the facade of the `metrics` crate. Without the feature of
//! that name, each of these functions is empty.
//!
//! Names, labels and units are for good: they are in `guide/observability.md`, and dashboards ask for
//! them. A label has few values, none of them from outside.

use std::time::Duration;

#[cfg(feature = "metrics")]
macro_rules! count {
    ($($name_and_labels:tt)*) => {
        ::metrics::counter!($($name_and_labels)*).increment(1)
    };
}

#[cfg(feature = "metrics")]
macro_rules! measure {
    ($value:expr, $($name_and_labels:tt)*) => {
        ::metrics::histogram!($($name_and_labels)*).record($value)
    };
}

#[cfg(feature = "metrics")]
macro_rules! set {
    ($value:expr, $($name_and_labels:tt)*) => {
        ::metrics::gauge!($($name_and_labels)*).set($value)
    };
}

#[cfg(not(feature = "metrics"))]
macro_rules! count {
    ($name:expr $(, $label:expr => $value:expr)*) => {
        { $(let _ = $value;)* }
    };
}

#[cfg(not(feature = "metrics"))]
macro_rules! measure {
    ($measured:expr, $name:expr $(, $label:expr => $value:expr)*) => {
        { let _ = $measured; $(let _ = $value;)* }
    };
}

#[cfg(not(feature = "metrics"))]
use measure as set;

/// Tells the recorder what everything is; one that is installed later does without.
pub(crate) fn describe() {
    #[cfg(feature = "metrics")]
    {
        use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

        describe_counter!(
            "authkit_session_checks_total",
            "Requests that asked for their session, by what came of it"
        );
        describe_counter!(
            "authkit_session_refreshes_total",
            "Refreshes made here, by what came of them"
        );
        describe_counter!(
            "authkit_sign_ins_total",
            "Sign-ins that came back with a code, by what came of them"
        );
        describe_counter!(
            "authkit_callbacks_total",
            "Requests to the callback, by what came of them"
        );
        describe_counter!(
            "authkit_key_fetches_total",
            "Fetches of WorkOS's signing keys, by what came of them"
        );
        describe_counter!(
            "authkit_workos_calls_total",
            "Calls to WorkOS, by call and what came of it"
        );
        describe_counter!(
            "authkit_webhooks_total",
            "Webhooks, by kind and what came of them"
        );
        describe_counter!(
            "authkit_hook_failures_total",
            "Hooks of the application that panicked or took too long"
        );
        describe_histogram!(
            "authkit_session_cookie_bytes",
            Unit::Bytes,
            "The size of session cookies as they are set"
        );
        describe_histogram!(
            "authkit_workos_call_seconds",
            Unit::Seconds,
            "How long calls to WorkOS take"
        );
        describe_gauge!(
            "authkit_breaker_open",
            "1 while WorkOS is asked this only now and then, after failures"
        );
        describe_gauge!(
            "authkit_redis_connected",
            "1 while there is a connection to Redis"
        );
    }
}

/// With every request that asks: each outcome has its key ready.
pub(crate) fn session_checked(outcome: &'static str) {
    match outcome {
        "signed_in" => count!("authkit_session_checks_total", "outcome" => "signed_in"),
        "signed_out" => count!("authkit_session_checks_total", "outcome" => "signed_out"),
        _ => count!("authkit_session_checks_total", "outcome" => "cannot_tell"),
    }
}

pub(crate) fn session_refreshed(outcome: &'static str) {
    count!("authkit_session_refreshes_total", "outcome" => outcome);
}

pub(crate) fn sign_in_ended(outcome: &'static str) {
    count!("authkit_sign_ins_total", "outcome" => outcome);
}

pub(crate) fn callback_answered(outcome: &'static str) {
    count!("authkit_callbacks_total", "outcome" => outcome);
}

pub(crate) fn keys_fetched(outcome: &'static str) {
    count!("authkit_key_fetches_total", "outcome" => outcome);
}

pub(crate) fn workos_called(call: &'static str, outcome: &'static str, took: Duration) {
    count!("authkit_workos_calls_total", "call" => call, "outcome" => outcome);
    measure!(took.as_secs_f64(), "authkit_workos_call_seconds", "call" => call);
}

pub(crate) fn webhook_answered(kind: &'static str, outcome: &'static str) {
    count!("authkit_webhooks_total", "kind" => kind, "outcome" => outcome);
}

pub(crate) fn hook_failed(hook: &'static str) {
    count!("authkit_hook_failures_total", "hook" => hook);
}

pub(crate) fn session_cookie_set(bytes: usize) {
    measure!(bytes as f64, "authkit_session_cookie_bytes");
}

pub(crate) fn breaker_is_open(what: &'static str, is_open: bool) {
    set!(f64::from(u8::from(is_open)), "authkit_breaker_open", "what" => what);
}

#[cfg(feature = "redis")]
pub(crate) fn redis_is_connected(is_connected: bool) {
    set!(f64::from(u8::from(is_connected)), "authkit_redis_connected");
}
