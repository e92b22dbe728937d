//! One call to WorkOS for each refresh token, however many requests ask.

mod deliveries;
mod failure;
mod flight;
mod pace;
mod shared;
mod spend;
mod unverified;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use tracing::{Instrument as _, Span, field::Empty, info_span, warn};

pub(crate) use self::failure::RefreshFailure;
use self::{deliveries::Deliveries, flight::Flight, pace::Pace, shared::Flown};
use super::{Notices, Session, SignedIn, hooks::Hooks, seal::SessionSeal, stored::StoredSessions};
use crate::{
    background::Background,
    clock::Clock,
    flights::{FlightKey, Flights, Landing},
    request_info::RequestInfo,
    sharing::Sharing,
    token::{AccessTokenClaims, Tokens},
    workos::{Breaker, WorkOs},
};

/// The refreshes under way and those of the last minutes.
pub(crate) struct Refreshes {
    flights: Arc<Flights<Refreshed>>,
    deliveries: Arc<Deliveries>,
    means: Arc<Means>,
    pace: Arc<Pace>,
}

/// What refreshes are made with.
struct Means {
    settings: RefreshSettings,
    seal: Arc<SessionSeal>,
    tokens: Arc<Tokens>,
    breaker: Breaker,
    clock: Arc<dyn Clock>,
}

/// What the application has settled about refreshes.
pub(crate) struct RefreshSettings {
    pub(crate) workos: Arc<WorkOs>,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) background: Arc<Background>,
    pub(crate) sharing: Sharing,
    pub(crate) stored: Option<Arc<StoredSessions>>,
    /// How long before its expiry a token is refreshed; `None` for the default of 60 seconds, or
    /// 30 for tokens that live at most five minutes.
    pub(crate) buffer: Option<Duration>,
    /// Whether decisions are logged at INFO.
    pub(crate) lift_decisions: bool,
}

/// The session that follows on a spent refresh token.
pub(crate) struct Successor {
    pub(crate) session: Arc<Session>,
    pub(crate) sealed: Arc<str>,
    /// The organization that was asked for.
    organization_id: Option<String>,
    /// Its token was genuine but not valid when it came: clocks are apart.
    pub(crate) untimely: bool,
    /// Set when its token has been verified; the key may have been out of reach when it came.
    verified: OnceLock<()>,
}

/// A refresh that gave no successor, and the organization it was for.
#[derive(Clone)]
struct Failed {
    organization_id: Option<String>,
    failure: RefreshFailure,
    /// Unix seconds.
    at: i64,
}

type Refreshed = Result<Arc<Successor>, Failed>;

/// The organization that a refresh is for.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    session_id: &'a str,
    organization_id: Option<&'a str>,
    is_switch: bool,
}

impl Refreshes {
    pub(super) fn new(
        seal: Arc<SessionSeal>,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
        settings: RefreshSettings,
    ) -> Self {
        Self {
            flights: Arc::new(Flights::new(
                Arc::clone(&settings.background),
                Arc::clone(&clock),
                SERVES_STRAGGLERS,
            )),
            deliveries: Arc::default(),
            means: Arc::new(Means {
                settings,
                seal,
                tokens,
                breaker: Breaker::new("session refreshes", Arc::clone(&clock)),
                clock,
            }),
            pace: Arc::default(),
        }
    }

    pub(super) fn lifts_decisions(&self) -> bool {
        self.means.settings.lift_decisions
    }

    /// Whether a valid token is so near its end that it should be refreshed.
    pub(super) fn is_due(&self, claims: &AccessTokenClaims, now: i64) -> bool {
        let buffer = self.buffer(claims);
        buffer > 0 && claims.exp.saturating_sub(now) <= buffer
    }

    pub(super) fn seconds_since(&self, time: i64) -> i64 {
        self.means.clock.unix_seconds().saturating_sub(time)
    }

    /// The seconds until WorkOS is asked again, where it is not asked now.
    pub(super) fn pause(&self) -> Option<u64> {
        self.means.breaker.wait()
    }

    /// How many seconds before its end a token is refreshed.
    pub(super) fn buffer(&self, claims: &AccessTokenClaims) -> i64 {
        let lifetime = claims.exp.saturating_sub(claims.iat);
        let buffer = match self.means.settings.buffer {
            Some(buffer) => i64::try_from(buffer.as_secs()).unwrap_or(i64::MAX),
            None if lifetime <= SHORT_LIFE => SHORT_BUFFER,
            None => BUFFER,
        };
        // A buffer as long as the token's life would refresh it with every request.
        if buffer < lifetime {
            buffer
        } else {
            lifetime / 2
        }
    }

    /// Whether the session was refreshed, if that was tried within the last two seconds.
    ///
    /// A refresh of this very cookie is joined instead, which costs no call.
    pub(super) fn lately(&self, session: &Session, session_id: &str) -> Option<bool> {
        if self.flights.knows(key_of(session)) {
            return None;
        }
        self.pace.latest(session_id)
    }

    /// Whether the session's refresh token was spent lately, or is being spent. One that WorkOS did not
    /// take, and asked to wait with, was not.
    pub(super) fn knows_successor(&self, session: &Session) -> bool {
        self.flights.knows_of(key_of(session), Result::is_ok)
    }

    /// Ends a session at WorkOS, which nobody waits for.
    pub(super) fn end_at_workos(&self, session_id: String) {
        let workos = Arc::clone(&self.means.settings.workos);
        let ended = async move {
            if let Err(failure) = workos.revoke_session(&session_id).await {
                warn!(%failure, "a session that has ended here lives on at WorkOS");
            }
        };
        drop(self.means.settings.background.spawn(ended));
    }

    /// Notes that a browser has brought this session back: whatever still has the one before it is a
    /// straggler now.
    pub(super) fn arrived(&self, session: &Session) {
        if let Some(key) = self.deliveries.arrived(session) {
            self.flights.keep_no_longer_than(key, SERVES_STRAGGLERS);
        }
    }

    /// Spends the session's refresh token, or joins whoever does or did so within the last minute;
    /// within ten if its successor has not come back yet.
    ///
    /// A switch waits for a refresh under way and goes on from its successor; a renewal takes what
    /// a switch brought, so that the organization which was asked for wins.
    pub(super) async fn refresh(
        &self,
        session: &Arc<Session>,
        target: Target<'_>,
        request: RequestInfo,
    ) -> Result<Arc<Successor>, RefreshFailure> {
        let mut session = Arc::clone(session);
        let mut reached = None;
        for _ in 0..MOST_ROUNDS {
            let key = key_of(&session);
            let is_straggler = self.flights.has_landed(key);
            let flight = || self.flight(key, &session, target, request.clone());
            match self.flights.join_or_start(key, flight).await {
                Some(Ok(successor)) => {
                    if let Err(failure) = self.means.verify(&successor, &request).await {
                        return unless_reached(failure, reached.filter(|_| !target.is_switch));
                    }
                    let is_meant =
                        !target.is_switch || successor.organization_id == target.organization_id();
                    // A straggler follows the refreshes since, lest an older session replace a newer.
                    let is_overtaken = self.flights.knows(key_of(&successor.session))
                        || is_straggler && self.is_followed_elsewhere(&successor.session).await;
                    if is_meant && !is_overtaken {
                        return Ok(successor);
                    }
                    session = Arc::clone(&successor.session);
                    reached = Some(successor);
                }
                Some(Err(failed)) if failed.organization_id == target.organization_id() => {
                    let failure = failed.failure.later(self.seconds_since(failed.at));
                    return unless_reached(failure, reached.filter(|_| !target.is_switch));
                }
                Some(Err(_)) => {}
                None => break,
            }
        }
        Err(RefreshFailure::UNEXPLAINED)
    }

    /// Whether another instance has refreshed a session of which this one knows no successor. Those in
    /// a store are read from there in any case.
    async fn is_followed_elsewhere(&self, session: &Session) -> bool {
        let RefreshSettings {
            sharing,
            background,
            ..
        } = &self.means.settings;
        if !sharing.is_on() || session.place.is_some() {
            return false;
        }
        let (sharing, tokens) = (sharing.clone(), tokens_of(session));
        let look = async move { sharing.is_done(TOPIC, tokens.expose_secret()).await };
        background.spawn(look).await.unwrap_or(false)
    }

    /// What happens on the background thread, whoever waits for it.
    fn flight(
        &self,
        key: FlightKey,
        session: &Arc<Session>,
        target: Target<'_>,
        request: RequestInfo,
    ) -> impl Future<Output = Landing<Refreshed>> + Send + 'static {
        let flight = Flight {
            means: Arc::clone(&self.means),
            previous: Arc::clone(session),
            organization_id: target.organization_id(),
            request,
        };
        let deliveries = Arc::clone(&self.deliveries);
        let flights = Arc::downgrade(&self.flights);
        let is_switch = target.is_switch;
        let (pace, session_id) = (Arc::clone(&self.pace), target.session_id.to_owned());
        async move {
            let Flown { refreshed, keep } = flight.once_for_all(is_switch).await;
            pace.note(&session_id, refreshed.is_ok());
            let ended = refreshed.as_ref().map_err(|failed| &failed.failure);
            Span::current().record("outcome", failure::outcome(ended));
            if let Ok(successor) = &refreshed {
                let forgotten = deliveries.awaits(&successor.session, key);
                if let (Some(flights), Some(key)) = (flights.upgrade(), forgotten) {
                    flights.keep_no_longer_than(key, SERVES_STRAGGLERS);
                }
            }
            match keep {
                Some(seconds) => Landing::KeepFor(refreshed, seconds),
                None => Landing::Forget(refreshed),
            }
        }
        .instrument(info_span!(
            "authkit.session.refresh",
            session_id = target.session_id,
            user_id = session.user.id,
            organization_id = target.organization_id,
            outcome = Empty,
        ))
    }
}

/// A straggler goes no further than others have come.
fn unless_reached(
    failure: RefreshFailure,
    reached: Option<Arc<Successor>>,
) -> Result<Arc<Successor>, RefreshFailure> {
    match (failure, reached) {
        (RefreshFailure::Unavailable { .. }, Some(successor)) => Ok(successor),
        (failure, _) => Err(failure),
    }
}

/// WorkOS may answer with the same refresh token again, so the access token belongs to the key: with
/// the next one, the refresh token is spent anew.
pub(super) fn key_of(session: &Session) -> FlightKey {
    FlightKey::of(tokens_of(session).expose_secret())
}

fn tokens_of(session: &Session) -> SecretString {
    let refresh_token = session.refresh_token.expose_secret();
    let access_token = session.access_token.expose_secret();
    format!("{refresh_token}\0{access_token}").into()
}

impl<'a> Target<'a> {
    /// The session as it is, in its organization; whatever successor there is will do.
    pub(crate) fn renewal(claims: &'a AccessTokenClaims) -> Self {
        Self {
            session_id: &claims.sid,
            organization_id: claims.org_id.as_deref(),
            is_switch: false,
        }
    }

    /// That organization and no other.
    pub(crate) fn switch(claims: &'a AccessTokenClaims, organization_id: &'a str) -> Self {
        Self {
            session_id: &claims.sid,
            organization_id: Some(organization_id),
            is_switch: true,
        }
    }

    fn organization_id(&self) -> Option<String> {
        self.organization_id.map(str::to_owned)
    }
}

/// What instances call a refresh.
const TOPIC: &str = "refresh";
/// The key fetch for the new token included.
const DEADLINE: Duration = Duration::from_secs(5);
/// Seconds for which requests with the old cookie get the successor without a call, once the new
/// one has come back.
const SERVES_STRAGGLERS: i64 = 60;
/// Seconds for which they do so if it never has.
const KEPT_UNDELIVERED: i64 = 600;
/// Seconds for which a successor waits for the key that its token is signed with: as long as an outage
/// of the keys may be hoped to last.
const KEPT_UNVERIFIED: i64 = 3600;
const BUFFER: i64 = 60;
const SHORT_BUFFER: i64 = 30;
const SHORT_LIFE: i64 = 300;
/// Refreshes and switches of one session that meet.
const MOST_ROUNDS: usize = 8;
