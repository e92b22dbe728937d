//! Spans and their fields, as a subscriber sees them.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, OnceLock},
};

use authkit_actix::{
    Clock as _,
    emulator::{EmulatorOrganization, EmulatorUser, Endpoint, Fault},
};
use authkit_tests::{TestApp, webhook};
use reqwest::Method;
use serde_json::json;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

const ME: &str = "/api/me";
/// Seconds after which a new session's token has expired.
const EXPIRED: i64 = 400;
const SECRET: &str = "whsec_of_the_spans";

/// Everything that the library has told the subscriber of this process.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Noted>>>);

/// A span or an event.
#[derive(Clone, Debug, Default)]
struct Noted {
    /// Of an event, its message.
    name: String,
    fields: BTreeMap<&'static str, String>,
    /// The spans around it, from the inside.
    around: Vec<&'static str>,
}

struct Index(usize);

impl Seen {
    /// Watches from the first call on.
    fn watch() -> Self {
        static SEEN: OnceLock<Seen> = OnceLock::new();
        SEEN.get_or_init(|| {
            let seen = Seen::default();
            let subscriber = Registry::default().with(seen.clone().with_filter(LevelFilter::TRACE));
            tracing::subscriber::set_global_default(subscriber).expect("the only one");
            seen
        })
        .clone()
    }

    /// The spans or events of a name with this field, in their order.
    fn with(&self, name: &str, field: &str, value: &str) -> Vec<Noted> {
        let noted = self.0.lock().expect("no test panics with it");
        let has = |it: &&Noted| it.fields.get(field).is_some_and(|it| it == value);
        let of_name = noted.iter().filter(|it| it.name == name);
        of_name.filter(has).cloned().collect()
    }

    /// The only one.
    #[track_caller]
    fn one(&self, name: &str, field: &str, value: &str) -> Noted {
        let mut noted = self.with(name, field, value);
        assert_eq!(noted.len(), 1, "{noted:?}");
        noted.remove(0)
    }
}

impl Visit for Noted {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.name = value.to_owned();
        } else {
            self.fields.insert(field.name(), value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !is_ours(attributes.metadata()) {
            return;
        }
        let span = context.span(id).expect("it is new");
        let mut noted = Noted {
            name: span.name().to_owned(),
            around: span.scope().skip(1).map(|span| span.name()).collect(),
            ..Noted::default()
        };
        attributes.record(&mut noted);
        let mut all = self.0.lock().expect("no test panics with it");
        span.extensions_mut().insert(Index(all.len()));
        all.push(noted);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("it is recorded");
        if let Some(Index(index)) = span.extensions().get::<Index>() {
            let mut all = self.0.lock().expect("no test panics with it");
            values.record(&mut all[*index]);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !is_ours(event.metadata()) {
            return;
        }
        let mut noted = Noted::default();
        event.record(&mut noted);
        let around = context.event_scope(event).into_iter().flatten();
        noted.around = around.map(|span| span.name()).collect();
        self.0.lock().expect("no test panics with it").push(noted);
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("authkit_actix")
        && !metadata.target().starts_with("authkit_actix::emulator")
}

impl Noted {
    #[track_caller]
    fn assert_fields(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            let field = self.fields.get(name).map(String::as_str);
            assert_eq!(field, Some(*value), "{name} of {self:?}");
        }
    }
}

/// An application with a user of that name in an organization.
async fn app(name: &'static str) -> TestApp {
    TestApp::builder()
        .emulator(move |emulator| {
            emulator
                .organization(EmulatorOrganization::new("org_acme", "Acme"))
                .user(
                    EmulatorUser::new(format!("{name}@example.com"))
                        .id(format!("user_{name}"))
                        .member_of("org_acme", "admin"),
                )
        })
        .with_usual_routes(|authkit, app| {
            app.service(authkit.webhooks(SECRET).build().expect("right"));
        })
        .start()
        .await
}

#[actix_web::test]
async fn a_sign_in_names_user_session_and_organization() {
    let (seen, app) = (Seen::watch(), app("signs_in").await);
    let mut browser = app.signed_in("signs_in@example.com").await;
    let me = browser.api(ME).await.json();
    let session_id = me["session_id"].as_str().expect("a session");
    for name in ["authkit.callback", "authkit.callback.exchange"] {
        let span = seen.one(name, "user_id", "user_signs_in");
        span.assert_fields(&[
            ("session_id", session_id),
            ("organization_id", "org_acme"),
            ("outcome", "signed_in"),
        ]);
    }
    let exchange = seen.one("authkit.callback.exchange", "user_id", "user_signs_in");
    assert_eq!(exchange.around, ["authkit.callback"]);
}

#[actix_web::test]
async fn a_session_that_is_served_at_once_is_an_event_with_its_ids() {
    let (seen, app) = (Seen::watch(), app("is_served").await);
    let mut browser = app.with_session("is_served@example.com");
    browser.api(ME).await;
    let me = browser.api(ME).await.json();
    let event = "a request has asked for its session";
    let events = seen.with(event, "user_id", "user_is_served");
    assert_eq!(events.len(), 2);
    events[1].assert_fields(&[
        ("session_id", me["session_id"].as_str().expect("a session")),
        ("organization_id", "org_acme"),
        ("outcome", "signed_in"),
    ]);
    // The first had to fetch the keys.
    let waited = seen.with("authkit.session.resolve", "user_id", "user_is_served");
    assert_eq!(waited.len(), 1);
}

#[actix_web::test]
async fn a_refresh_is_a_span_within_the_request_that_needs_it() {
    let (seen, app) = (Seen::watch(), app("is_refreshed").await);
    let mut browser = app.with_session("is_refreshed@example.com");
    let me = browser.api(ME).await.json();
    app.clock.advance(EXPIRED);
    assert_eq!(browser.api(ME).await.status, 200);
    let ids = [
        ("session_id", me["session_id"].as_str().expect("a session")),
        ("organization_id", "org_acme"),
    ];
    let refresh = seen.one("authkit.session.refresh", "user_id", "user_is_refreshed");
    refresh.assert_fields(&ids);
    refresh.assert_fields(&[("outcome", "refreshed")]);
    assert_eq!(refresh.around, ["authkit.session.resolve"]);
    let resolved = seen.with("authkit.session.resolve", "user_id", "user_is_refreshed");
    let resolved = resolved.last().expect("the second request waited");
    resolved.assert_fields(&ids);
    resolved.assert_fields(&[("outcome", "signed_in")]);
    let calls = seen.with("authkit.workos.call", "call", "session_refresh");
    let path = ["authkit.session.refresh", "authkit.session.resolve"];
    assert!(calls.iter().any(|call| call.around == path));
}

#[actix_web::test]
async fn what_cannot_be_told_says_so_without_ids() {
    let (seen, app) = (Seen::watch(), app("is_unknown").await);
    let mut browser = app.with_session("is_unknown@example.com");
    browser.api(ME).await;
    app.clock.advance(EXPIRED);
    app.emulator
        .fault(Endpoint::AuthenticateRefresh, Fault::Status(500));
    assert_eq!(browser.api(ME).await.status, 503);
    let refresh = seen.one("authkit.session.refresh", "user_id", "user_is_unknown");
    refresh.assert_fields(&[("outcome", "unavailable")]);
    let untold = seen.with("authkit.session.resolve", "outcome", "cannot_tell");
    assert!(!untold.is_empty() && untold.iter().all(|it| !it.fields.contains_key("user_id")));
}

#[actix_web::test]
async fn a_signed_event_is_a_span() {
    let (seen, app) = (Seen::watch(), app("is_told").await);
    let body = json!({
        "id": "event_of_the_spans", "event": "session.revoked", "data": {"id": "session_1"},
    });
    let body = body.to_string();
    let signature = webhook::signature(SECRET, app.clock.unix_seconds(), &body);
    let headers = [("workos-signature", &*signature)];
    let mut sender = app.browser();
    let answer = sender
        .send(Method::POST, "/webhooks/workos", &headers, &body)
        .await;
    assert_eq!(answer.status, 200);
    let span = seen.one("authkit.webhook", "event_id", "event_of_the_spans");
    span.assert_fields(&[("event", "session.revoked")]);
}

#[actix_web::test]
async fn no_span_or_event_tells_an_email_address_or_a_token() {
    let (seen, app) = (Seen::watch(), app("is_private").await);
    let mut browser = app.signed_in("is_private@example.com").await;
    browser.api(ME).await;
    let cookie = browser.cookie("wos-session").expect("a session").to_owned();
    let session = app.open(&cookie);
    app.clock.advance(EXPIRED);
    browser.api(ME).await;
    browser.submit("/sign-out", &[]).await;
    let noted = seen.0.lock().expect("no test panics with it");
    let told = |it: &Noted| it.fields.values().any(|it| it == "user_is_private");
    assert!(noted.iter().any(told));
    for noted in noted.iter() {
        let text = format!("{noted:?}");
        assert!(
            !text.contains("example.com") && !text.contains(&cookie),
            "{text}"
        );
        for secret in ["access_token", "refresh_token"] {
            let secret = session[secret].as_str().expect("a token");
            assert!(!text.contains(secret), "{text}");
        }
    }
}
