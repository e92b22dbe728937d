//! What can only be told by asking around.

use futures::future;

use super::{API_KEY, CLOCK, SESSION_STORE, SIGNING_KEYS, report::Finding};
use crate::{
    authkit::Inner,
    session::Sessions,
    token::KeySet,
    workos::{Probed, WorkOsError},
};

/// The keys, the API key, and by the date of an answer, the clock.
pub(super) async fn workos(inner: &Inner) -> [Finding; 3] {
    let keys = async {
        let probed = inner.workos.probe_key_set().await;
        (probed, inner.clock.unix_seconds())
    };
    let api_key = async {
        let probed = inner.workos.probe_api_key().await;
        (probed, inner.clock.unix_seconds())
    };
    let ((keys, keys_at), (api_key, api_key_at)) = future::join(keys, api_key).await;
    // A cache may have answered for the keys.
    let date = api_key.date.map(|date| (date, api_key_at));
    let date = date.or(keys.date.map(|date| (date, keys_at)));
    [
        signing_keys(inner, &keys),
        accepted(inner, &api_key),
        clock(inner, date),
    ]
}

fn signing_keys(inner: &Inner, keys: &Probed) -> Finding {
    let (client_id, api) = (&inner.config.client_id, &inner.config.api_url);
    let body = match &keys.answer {
        Ok(body) => body,
        Err(WorkOsError::OurFault { status: 404, .. }) => {
            return Finding::fault(
                SIGNING_KEYS,
                format!("there are none for {client_id} at {api} (status 404)"),
                "copy the client id from the WorkOS dashboard to WORKOS_CLIENT_ID",
            );
        }
        Err(failure) => {
            return Finding::fault(
                SIGNING_KEYS,
                format!("they cannot be fetched: {failure}"),
                format!("{REACH} {api}"),
            );
        }
    };
    match KeySet::parse(body, inner.clock.unix_seconds()) {
        Ok(keys) if keys.len() == 1 => Finding::fine(SIGNING_KEYS, format!("1 usable, from {api}")),
        Ok(keys) => Finding::fine(SIGNING_KEYS, format!("{} usable, from {api}", keys.len())),
        Err(error) => Finding::fault(
            SIGNING_KEYS,
            format!("{error}, from {api}"),
            "see whether WORKOS_API_HOSTNAME is WorkOS's API, and no proxy or page of yours",
        ),
    }
}

/// WorkOS knows the code of the probe for none of its own only after it has taken the API key.
fn accepted(inner: &Inner, probed: &Probed) -> Finding {
    let client_id = &inner.config.client_id;
    match &probed.answer {
        Err(WorkOsError::Terminal { .. }) => {
            Finding::fine(API_KEY, format!("WorkOS takes it for {client_id}"))
        }
        Err(WorkOsError::OurFault { status, code })
            if *status == 401 || code.as_deref().is_some_and(is_of_client) =>
        {
            Finding::fault(
                API_KEY,
                format!("WorkOS refuses it for {client_id} (status {status})"),
                "copy an API key and the client id of one environment from the WorkOS dashboard to \
                 WORKOS_API_KEY and WORKOS_CLIENT_ID; keys are shown once, so make a new one if need \
                 be",
            )
        }
        Err(failure) => Finding::not_checked(
            API_KEY,
            failure.to_string(),
            format!("{REACH} {}, and try again", inner.config.api_url),
        ),
        Ok(_) => Finding::not_checked(
            API_KEY,
            "whatever answers takes any code",
            "see whether WORKOS_API_HOSTNAME is WorkOS's API",
        ),
    }
}

fn is_of_client(code: &str) -> bool {
    matches!(code, "invalid_client" | "unauthorized_client")
}

/// `date` is the time at WorkOS, and what this clock said when it came.
fn clock(inner: &Inner, date: Option<(i64, i64)>) -> Finding {
    let Some((there, here)) = date else {
        return Finding::not_checked(
            CLOCK,
            "no answer came to compare it with",
            format!("{REACH} {}, and try again", inner.config.api_url),
        );
    };
    let apart = here.saturating_sub(there);
    let leeway = inner.config.leeway.as_secs();
    let seconds = apart.unsigned_abs();
    let seen = match apart {
        0 => "as at WorkOS, to the second".to_owned(),
        1.. => format!("{seconds} s ahead of WorkOS's; {leeway} s are tolerated"),
        _ => format!("{seconds} s behind WorkOS's; {leeway} s are tolerated"),
    };
    let cure = "keep this machine's time by NTP (`timedatectl set-ntp true`, chrony)";
    // A date has whole seconds.
    if seconds > leeway.max(1) {
        Finding::fault(CLOCK, seen, cure)
    } else if seconds > (leeway / 2).max(1) {
        Finding::warning(CLOCK, seen, cure)
    } else {
        Finding::fine(CLOCK, seen)
    }
}

pub(super) async fn session_store(sessions: &Sessions) -> Option<Finding> {
    Some(if sessions.store_is_in_reach().await? {
        Finding::fine(SESSION_STORE, "it answers")
    } else {
        Finding::fault(
            SESSION_STORE,
            "it does not answer: whoever has a session gets 503",
            "let this machine reach the place that sessions are kept in",
        )
    })
}

#[cfg(feature = "redis")]
pub(super) async fn redis(inner: &Inner) -> Option<Finding> {
    use super::REDIS;
    use crate::redis::Pong;

    let redis = inner.redis.clone()?;
    let address = redis.shown_address().to_owned();
    let pong = inner.background.spawn(async move { redis.ping().await });
    let (problem, cure) = match pong.await.unwrap_or(Pong::OutOfReach) {
        Pong::Well => return Some(Finding::fine(REDIS, format!("{address} answers"))),
        Pong::Refuses => (
            format!("{address} answers, but takes no writes"),
            "see its log: it may be full, or a replica",
        ),
        Pong::OutOfReach => (
            format!("{address} does not answer within 250 ms"),
            "see whether it runs, and whether address, password and firewall are right",
        ),
    };
    let nobody = inner.config.strict_revocation;
    Some(if nobody {
        let seen = format!("{problem}: with `strict_revocation`, nobody is served");
        Finding::fault(REDIS, seen, cure)
    } else {
        let seen = format!("{problem}: instances go on by themselves");
        Finding::warning(REDIS, seen, cure)
    })
}

#[cfg(not(feature = "redis"))]
pub(super) async fn redis(_: &Inner) -> Option<Finding> {
    None
}

const REACH: &str = "see whether name resolution, firewall and proxy let this machine reach";
