//! A second AuthKit for one client id is most often a mistake.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tracing::warn;

/// Counts the living handles of a client id: a second one is most often built by mistake, once for
/// each worker, and shares nothing with the first.
pub(super) struct Registration(String);

static LIVING: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

impl Registration {
    pub(super) fn of(client_id: &str) -> Self {
        let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
        let count = living
            .get_or_insert_default()
            .entry(client_id.to_owned())
            .or_default();
        *count += 1;
        if *count == 2 {
            warn!(
                client_id,
                "a second AuthKit was built: build it once, outside the closure of HttpServer::new, \
                 or every worker fetches keys and refreshes sessions for itself",
            );
        }
        Self(client_id.to_owned())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(living) = living.as_mut()
            && let Some(count) = living.get_mut(&self.0)
        {
            *count -= 1;
            if *count == 0 {
                living.remove(&self.0);
            }
        }
    }
}
