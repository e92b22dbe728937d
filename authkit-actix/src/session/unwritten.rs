//! What a store could not be told while it was out of reach.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{self, Instant};
use tracing::error;

use super::{
    Session,
    stored::{Shelf, Written},
};

/// Successors and removals by the key of their session. They count, and are written when the store is
/// back: a successor that is lost is a lost session, and a session that was ended must not return.
#[derive(Default)]
pub(super) struct Unwritten(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    by_key: HashMap<String, Entry>,
    is_being_written: bool,
}

struct Entry {
    change: Change,
    since: Instant,
}

#[derive(Clone)]
pub(super) enum Change {
    /// The session that follows on another.
    Successor {
        previous: Arc<Session>,
        session: Arc<Session>,
    },
    Removal,
}

impl Unwritten {
    /// Keeps a change; `true` for whoever has to see that it is written.
    pub(super) fn keep(&self, key: String, change: Change) -> bool {
        let mut entries = self.lock();
        if entries.by_key.len() >= MOST && !entries.by_key.contains_key(&key) {
            error!("so many sessions wait for their store that one is lost");
            return false;
        }
        let change = match entries.by_key.remove(&key) {
            Some(before) => before.change.followed_by(change),
            None => change,
        };
        let since = Instant::now();
        entries.by_key.insert(key, Entry { change, since });
        !std::mem::replace(&mut entries.is_being_written, true)
    }

    /// What is to be written under a key.
    pub(super) fn of(&self, key: &str) -> Option<Change> {
        let entries = self.lock();
        entries.by_key.get(key).map(|entry| entry.change.clone())
    }

    /// Tries again until all is written, or has become too old.
    pub(super) async fn write(&self, shelf: &Shelf) {
        loop {
            time::sleep(PAUSE).await;
            for (key, change, since) in self.all() {
                let is_written = match &change {
                    Change::Removal => shelf.remove(&key).await.is_ok(),
                    Change::Successor { previous, session } => {
                        shelf.replace(previous, session).await != Written::NotYet
                    }
                };
                if !is_written {
                    // What cannot be told now, the next cannot either.
                    break;
                }
                // Another change may have come meanwhile.
                let mut entries = self.lock();
                if entries
                    .by_key
                    .get(&key)
                    .is_some_and(|entry| entry.since == since)
                {
                    entries.by_key.remove(&key);
                }
            }
            let mut entries = self.lock();
            entries
                .by_key
                .retain(|_, entry| entry.since.elapsed() < PATIENCE);
            if entries.by_key.is_empty() {
                entries.is_being_written = false;
                return;
            }
        }
    }

    fn all(&self) -> Vec<(String, Change, Instant)> {
        let entries = self.lock();
        let entries = entries.by_key.iter();
        entries
            .map(|(key, entry)| (key.clone(), entry.change.clone(), entry.since))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    /// What two changes come to. The store still has what the first of them replaces.
    fn followed_by(self, next: Self) -> Self {
        match (self, next) {
            // An ended session has no successor.
            (Self::Removal, _) | (_, Self::Removal) => Self::Removal,
            (
                Self::Successor { previous, session },
                Self::Successor {
                    previous: of_next,
                    session: next,
                },
            ) => {
                let continues = of_next.has_tokens_of(&session);
                let previous = if continues { previous } else { of_next };
                Self::Successor {
                    previous,
                    session: next,
                }
            }
        }
    }
}

/// Some kilobytes each.
const MOST: usize = 10_000;
const PAUSE: Duration = Duration::from_millis(250);
/// Afterwards a session that was not written is lost, and one that was not removed lives on.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);
