//! Sessions that the server keeps. Their cookie holds a handle: which session it is, and the key that
//! opens it.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tracing::warn;

use super::{
    AgeLimits, CookieChange, Outcome, Resolution, Session, Sessions,
    refresh::key_of,
    unwritten::{Change, Unwritten},
};
use crate::{
    background::Background,
    clock::Clock,
    flights::{Flights, Landing},
    seal::{Purpose, SealError, Sealer, SecretSeal},
    session_store::Store,
    sharing::Unreachable,
};

/// The sessions in a store.
pub(crate) struct StoredSessions {
    shelf: Arc<Shelf>,
    background: Arc<Background>,
    /// The new cookies of sessions that came in theirs.
    moves: Flights<Option<Arc<str>>>,
}

/// What goes on in the background.
pub(super) struct Shelf {
    store: Arc<dyn Store>,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    /// How long a session is kept at most that is not written again.
    lifetime: Duration,
    limits: AgeLimits,
    unwritten: Unwritten,
}

/// What the cookie of a stored session holds: nothing of the session itself.
#[derive(Clone)]
pub(crate) struct Handle {
    id: [u8; HALF],
    key: [u8; HALF],
    /// The session's id at WorkOS, where sessions have an age limit: one that is over must end there
    /// though the store has forgotten it.
    session_id: Option<Arc<str>>,
}

/// Where a session is kept, and as what it stood there.
#[derive(Clone)]
pub(crate) struct Place {
    handle: Handle,
    record: Arc<str>,
}

/// What became of the successor of a stored session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Yes,
    /// Another instance was quicker, or the session has ended: what the store says counts.
    Overtaken,
    /// The store is out of reach.
    NotYet,
}

impl Sessions {
    /// The session that a handle leads to, if there is one.
    pub(super) async fn load(&self, handle: &Handle) -> Result<Option<Session>, Unreachable> {
        match &self.stored {
            Some(stored) => stored.load(handle).await,
            None => Ok(None),
        }
    }

    /// Puts a session in the place of another, on behalf of a request.
    pub(super) async fn put(&self, previous: &Arc<Session>, session: &Arc<Session>) {
        if let Some(stored) = &self.stored {
            let put = Arc::clone(stored);
            let (previous, session) = (Arc::clone(previous), Arc::clone(session));
            let put = async move { put.advance(&previous, &session).await };
            stored.background.spawn(put).await;
        }
    }

    /// Writes down that a stored session is in use, which nobody waits for.
    pub(super) fn note_use(&self, previous: &Arc<Session>, session: &Arc<Session>) {
        if let Some(stored) = self.stored.as_ref().filter(|_| session.place.is_some()) {
            let put = Arc::clone(stored);
            let (previous, session) = (Arc::clone(previous), Arc::clone(session));
            let put = async move { put.advance(&previous, &session).await };
            drop(stored.background.spawn(put));
        }
    }

    /// Moves a session that came in its cookie into the store, if there is one.
    pub(super) async fn placed(&self, resolution: Resolution) -> Resolution {
        match &self.stored {
            Some(stored) => stored.adopt(resolution).await,
            None => resolution,
        }
    }

    /// Forgets the sessions of cookies that are removed, or replaced by a `successor`.
    pub(crate) async fn forget(&self, cookies: &[Cow<'_, [u8]>], successor: Option<&str>) {
        if let Some(stored) = &self.stored {
            stored.forget(cookies, successor).await;
        }
    }
}

impl Session {
    /// What leads to it, if the server keeps it.
    pub(super) fn handle(&self) -> Option<&Handle> {
        self.place.as_ref().map(|place| &place.handle)
    }
}

impl StoredSessions {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        background: Arc<Background>,
        clock: Arc<dyn Clock>,
        lifetime: Duration,
        limits: AgeLimits,
    ) -> Self {
        Self {
            moves: Flights::new(
                Arc::clone(&background),
                Arc::clone(&clock),
                SERVES_STRAGGLERS,
            ),
            shelf: Arc::new(Shelf {
                store,
                sealer,
                clock,
                lifetime,
                limits,
                unwritten: Unwritten::default(),
            }),
            background,
        }
    }

    /// The handle in a cookie, and whether it should be sealed again.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<(Handle, bool)> {
        let opened = self.shelf.sealer.open(Purpose::SessionHandle, sealed);
        let opened = opened.ok()?;
        let (id, rest) = opened.plaintext.split_first_chunk()?;
        let (key, session_id) = rest.split_first_chunk()?;
        let session_id = str::from_utf8(session_id).ok()?;
        let handle = Handle {
            id: *id,
            key: *key,
            session_id: (!session_id.is_empty()).then(|| session_id.into()),
        };
        Some((handle, opened.with_previous_password))
    }

    /// The value of the cookie with a handle in it.
    pub(super) fn seal(&self, handle: &Handle) -> Result<Arc<str>, SealError> {
        self.shelf.seal(handle)
    }

    /// The session that a handle leads to, if there is one.
    async fn load(&self, handle: &Handle) -> Result<Option<Session>, Unreachable> {
        let (shelf, handle) = (Arc::clone(&self.shelf), handle.clone());
        let loaded = self
            .background
            .spawn(async move { shelf.load(&handle).await });
        loaded.await.unwrap_or(Err(Unreachable))
    }

    /// The value of a cookie that leads nowhere.
    pub(super) fn sample_cookie(&self) -> Result<Arc<str>, SealError> {
        self.seal(&Handle {
            id: [0; HALF],
            key: [0; HALF],
            session_id: None,
        })
    }

    /// Whether the store answers.
    pub(super) async fn answers(&self) -> bool {
        let shelf = Arc::clone(&self.shelf);
        let asked = async move { shelf.store.load("nothing").await.is_ok() };
        self.background.spawn(asked).await.unwrap_or(false)
    }

    /// Asks for nothing, to see whether the store answers. In the background only.
    pub(super) async fn is_in_reach(&self) -> bool {
        self.shelf.store.load("nothing").await.is_ok()
    }

    /// Puts a new session in the store, and gives the value of its cookie. In the background only.
    pub(super) async fn insert(
        &self,
        session: &mut Session,
        session_id: &str,
    ) -> Result<Arc<str>, Unreachable> {
        let (place, cookie) = self.shelf.insert(session, session_id).await?;
        session.place = Some(place);
        Ok(cookie)
    }

    /// Puts a session in the place of the one before, and sees that it gets there. In the background
    /// only.
    pub(super) async fn advance(&self, previous: &Arc<Session>, session: &Arc<Session>) {
        let Some(place) = &previous.place else {
            return;
        };
        if self.shelf.replace(previous, session).await == Written::NotYet {
            let change = Change::Successor {
                previous: Arc::clone(previous),
                session: Arc::clone(session),
            };
            self.write_later(place.handle.store_key(), change);
        }
    }

    /// Moves a session that came in its cookie into the store; while that is out of reach, it stays
    /// where it is.
    async fn adopt(&self, mut resolution: Resolution) -> Resolution {
        let Outcome::SignedIn(signed_in) = &resolution.outcome else {
            return resolution;
        };
        let session = Arc::clone(&signed_in.session);
        if session.place.is_some() {
            return resolution;
        }
        let (shelf, key) = (Arc::clone(&self.shelf), key_of(&session));
        let claims = Arc::clone(&signed_in.claims);
        let flight = || async move {
            match shelf.insert(&session, &claims.sid).await {
                Ok((_, cookie)) => Landing::Keep(Some(cookie)),
                Err(Unreachable) => Landing::Forget(None),
            }
        };
        if let Some(Some(cookie)) = self.moves.join_or_start(key, flight).await {
            resolution.cookie = CookieChange::Set(cookie);
        }
        resolution
    }

    /// Forgets the sessions of cookies that are removed, or replaced by a `successor`: at once, or as
    /// soon as the store is in reach.
    async fn forget(&self, cookies: &[Cow<'_, [u8]>], successor: Option<&str>) {
        let successor = successor.and_then(|sealed| self.open(sealed.as_bytes()));
        for cookie in cookies {
            let Some((handle, _)) = self.open(cookie) else {
                continue;
            };
            if successor.as_ref().is_some_and(|(it, _)| it.id == handle.id) {
                continue;
            }
            let (shelf, key) = (Arc::clone(&self.shelf), handle.store_key());
            let removal = self
                .background
                .spawn(async move { shelf.remove(&key).await });
            if let Some(Err(Unreachable)) = removal.await {
                self.write_later(handle.store_key(), Change::Removal);
            }
        }
    }

    fn write_later(&self, key: String, change: Change) {
        if self.shelf.unwritten.keep(key, change) {
            let shelf = Arc::clone(&self.shelf);
            drop(
                self.background
                    .spawn(async move { shelf.unwritten.write(&shelf).await }),
            );
        }
    }
}

impl Shelf {
    fn seal(&self, handle: &Handle) -> Result<Arc<str>, SealError> {
        let session_id = handle.session_id.as_deref().unwrap_or_default();
        let plaintext = [&handle.id, &handle.key, session_id.as_bytes()].concat();
        let sealed = self.sealer.seal(Purpose::SessionHandle, &plaintext)?;
        Ok(sealed.into())
    }

    async fn load(&self, handle: &Handle) -> Result<Option<Session>, Unreachable> {
        let key = handle.store_key();
        let Some(record) = self.store.load(&key).await? else {
            return Ok(None);
        };
        let Some(mut session) = handle.open(record) else {
            warn!("the session store holds a value that is no session of ours");
            return Ok(None);
        };
        match self.unwritten.of(&key) {
            Some(Change::Removal) => return Ok(None),
            Some(Change::Successor {
                previous,
                session: successor,
            }) if session.has_tokens_of(&previous) => {
                let place = session.place.take();
                session = Session {
                    place,
                    ..Session::clone(&successor)
                };
            }
            _ => {}
        }
        Ok(Some(session))
    }

    async fn insert(
        &self,
        session: &Session,
        session_id: &str,
    ) -> Result<(Place, Arc<str>), Unreachable> {
        let session_id = self.limits.are_set().then(|| session_id.into());
        let handle = Handle::random(session_id).ok_or(Unreachable)?;
        let record = handle.record(session).ok_or(Unreachable)?;
        let cookie = self.seal(&handle).map_err(|_| Unreachable)?;
        self.store
            .insert(&handle.store_key(), &record, self.lifetime_of(session))
            .await?;
        Ok((Place { handle, record }, cookie))
    }

    pub(super) async fn replace(&self, previous: &Session, session: &Session) -> Written {
        let Some(place) = &previous.place else {
            return Written::Overtaken;
        };
        let (handle, key) = (&place.handle, place.handle.store_key());
        let Some(new) = handle.record(session) else {
            return Written::Overtaken;
        };
        let lifetime = self.lifetime_of(session);
        let mut old = Arc::clone(&place.record);
        for _ in 0..MOST_TRIES {
            match self.store.replace(&key, &old, &new, lifetime).await {
                Ok(true) => return Written::Yes,
                Ok(false) => {}
                Err(Unreachable) => return Written::NotYet,
            }
            // The same session may have been written again, with another time of its last use.
            let current = match self.store.load(&key).await {
                Ok(record) => record.and_then(|record| handle.open(record)),
                Err(Unreachable) => return Written::NotYet,
            };
            match current {
                // Another request has noted as much.
                Some(current) if current.to_json() == session.to_json() => return Written::Yes,
                Some(current) if current.has_tokens_of(previous) => match current.place {
                    Some(place) => old = place.record,
                    None => return Written::Overtaken,
                },
                _ => return Written::Overtaken,
            }
        }
        Written::Overtaken
    }

    pub(super) async fn remove(&self, key: &str) -> Result<(), Unreachable> {
        self.store.remove(key).await
    }

    /// As long as it can be used: what is over need not be kept.
    fn lifetime_of(&self, session: &Session) -> Duration {
        match self.limits.left(session, self.clock.unix_seconds()) {
            Some(left) => {
                let left = u64::try_from(left).unwrap_or_default().max(1);
                self.lifetime.min(Duration::from_secs(left))
            }
            None => self.lifetime,
        }
    }
}

impl Handle {
    fn random(session_id: Option<Arc<str>>) -> Option<Self> {
        let mut handle = Self {
            id: [0; HALF],
            key: [0; HALF],
            session_id,
        };
        rand::fill(&mut handle.id).ok()?;
        rand::fill(&mut handle.key).ok()?;
        Some(handle)
    }

    /// The session's id at WorkOS, if it must end there.
    pub(super) fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// A hash of the id: whoever reads the store's keys cannot make a cookie of one.
    fn store_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &self.id))
    }

    fn record(&self, session: &Session) -> Option<Arc<str>> {
        let sealed = self.record_seal().seal(&session.to_json()).ok()?;
        Some(sealed.into())
    }

    fn open(&self, record: String) -> Option<Session> {
        let json = self.record_seal().open(&record)?;
        let mut session: Session = serde_json::from_slice(&json).ok()?;
        session.place = Some(Place {
            handle: self.clone(),
            record: record.into(),
        });
        Some(session)
    }

    fn record_seal(&self) -> SecretSeal {
        SecretSeal::new(&self.key, "stored-session")
    }
}

impl fmt::Debug for StoredSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSessions")
    }
}

/// Bytes of an id, and of a key.
const HALF: usize = 32;
/// Seconds for which requests with an old cookie get the one that another got.
const SERVES_STRAGGLERS: i64 = 60;
/// Writers of one session that meet.
const MOST_TRIES: usize = 8;
