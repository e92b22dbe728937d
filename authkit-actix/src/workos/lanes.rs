//! How many calls are made to WorkOS at once.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

/// Sixteen places for calls: two for the fetches of keys and flags, of which there is one each at a
/// time, and fourteen for the rest. No kind takes more than ten, so that one which hangs leaves the
/// others some.
pub(super) struct Lanes {
    all: Arc<Semaphore>,
    refreshes: Arc<Semaphore>,
    sign_ins: Arc<Semaphore>,
    look_ups: Arc<Semaphore>,
}

/// The kinds of calls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane {
    Refresh,
    SignIn,
    LookUp,
    /// Signing keys and feature flags, which never wait for others.
    Upkeep,
    /// What the application asks by itself, which is not counted.
    Application,
}

/// A place for one call, free again when it is dropped.
pub(super) struct Place(#[expect(dead_code, reason = "held")] Option<[OwnedSemaphorePermit; 2]>);

/// No place came free in time: the call was not made.
#[derive(Debug, thiserror::Error)]
#[error("too many other calls are under way")]
pub(super) struct Busy;

impl Lanes {
    pub(super) fn new() -> Self {
        let places = |many| Arc::new(Semaphore::new(many));
        Self {
            all: places(ALL_BUT_UPKEEP),
            refreshes: places(OF_ONE_KIND),
            sign_ins: places(OF_ONE_KIND),
            look_ups: places(OF_ONE_KIND),
        }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, lane: Lane, patience: Duration) -> Result<Place, Busy> {
        let Some(own) = self.own(lane) else {
            return Ok(Place(None));
        };
        let permits = async {
            let own = Arc::clone(own).acquire_owned().await.ok()?;
            let common = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some([own, common])
        };
        match time::timeout(patience, permits).await {
            Ok(Some(permits)) => Ok(Place(Some(permits))),
            _ => Err(Busy),
        }
    }

    /// A place, if one is free.
    pub(super) fn try_enter(&self, lane: Lane) -> Option<Place> {
        let Some(own) = self.own(lane) else {
            return Some(Place(None));
        };
        let own = Arc::clone(own).try_acquire_owned().ok()?;
        let common = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Place(Some([own, common])))
    }

    fn own(&self, lane: Lane) -> Option<&Arc<Semaphore>> {
        match lane {
            Lane::Refresh => Some(&self.refreshes),
            Lane::SignIn => Some(&self.sign_ins),
            Lane::LookUp => Some(&self.look_ups),
            Lane::Upkeep | Lane::Application => None,
        }
    }
}

const ALL_BUT_UPKEEP: usize = 14;
const OF_ONE_KIND: usize = 10;
