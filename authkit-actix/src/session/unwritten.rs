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
        // An ended session has no successor.
        if !matches!(entries.by_key.get(&key), Some(entry) if entry.is_removal()) {
            let since = Instant::now();
            entries.by_key.insert(key, Entry { change, since });
        }
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
            for (key, change) in self.all() {
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
                self.lock().by_key.remove(&key);
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

    fn all(&self) -> Vec<(String, Change)> {
        let entries = self.lock();
        let entries = entries.by_key.iter();
        entries
            .map(|(key, entry)| (key.clone(), entry.change.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_removal(&self) -> bool {
        matches!(self.change, Change::Removal)
    }
}

/// Some kilobytes each.
const MOST: usize = 10_000;
const PAUSE: Duration = Duration::from_millis(250);
/// Afterwards a session that was not written is lost, and one that was not removed lives on.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);
