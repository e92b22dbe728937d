//! Work that is done once for all instances of an application.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::{self, BoxFuture, Either};
use tokio::time::{self, Instant};
use tracing::warn;

use crate::seal::SecretSeal;

/// Lets one instance do a piece of work and the others have its result, where there are leases for
/// that; else every instance works for itself.
#[derive(Clone, Default)]
pub(crate) struct Sharing(Option<Arc<dyn Leases>>);

/// Where instances agree who does a piece of work.
///
/// A lease runs out by itself unless it is renewed, so that the work of a dead instance is taken
/// over. Whoever has lost a lease can no longer settle: each has a number that is higher than those
/// before it.
pub(crate) trait Leases: Send + Sync {
    /// Asks for the lease. `owner` names this attempt; asking a second time under it is harmless.
    /// Failures are for those who have `waited` for them.
    fn claim<'a>(
        &'a self,
        key: &'a str,
        owner: &'a str,
        lease: Duration,
        waited: bool,
    ) -> BoxFuture<'a, Result<Claim, Unreachable>>;

    /// Makes the lease run so long again; `false` when it is lost.
    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a str,
        again: Duration,
    ) -> BoxFuture<'a, Result<bool, Unreachable>>;

    /// Puts the result in the place of the lease; `false` when that is lost.
    fn settle<'a>(
        &'a self,
        key: &'a str,
        lease: &'a str,
        result: &'a str,
        keep: Keep,
    ) -> BoxFuture<'a, Result<bool, Unreachable>>;

    /// Whether there is a result.
    fn is_settled<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Unreachable>>;

    /// Gives the lease back without a result.
    fn release<'a>(&'a self, key: &'a str, lease: &'a str) -> BoxFuture<'a, ()>;
}

/// The answer to whoever asks for a lease.
#[cfg_attr(
    not(feature = "redis"),
    expect(dead_code, reason = "there is no other place for leases")
)]
pub(crate) enum Claim {
    Granted(String),
    /// Another instance is at work.
    Held,
    /// The work is done, with this result.
    Settled(String),
}

/// The leases cannot be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unreachable;

/// For whom a result is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Everybody who asks within this time.
    For(Duration),
    /// Those who wait for it: whoever comes later tries again.
    ForWaiters,
}

/// A result that other instances can be told.
pub(crate) trait Shareable {
    /// Bytes for their `read`; `None` for what they had better find out by themselves.
    fn publish(&self) -> Option<(Vec<u8>, Keep)>;
}

/// How work is shared.
pub(crate) struct Terms {
    /// What it is, among all that is shared.
    pub(crate) topic: &'static str,
    /// How long after the end of an instance its work is taken over. It is renewed meanwhile.
    pub(crate) lease: Duration,
    /// How long to wait for another instance.
    pub(crate) patience: Duration,
}

/// A result, and whose.
pub(crate) enum Shared<T, R> {
    Own(T),
    /// As another instance has published it.
    Others(R),
}

/// Work that is still to be done, or whose result another instance may have overtaken.
enum Work<W, T> {
    Ahead(W),
    Done(T),
}

impl Sharing {
    #[cfg(feature = "redis")]
    pub(crate) fn through(leases: Arc<dyn Leases>) -> Self {
        Self(Some(leases))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether an instance has done this work, as far as anybody can be asked.
    pub(crate) async fn is_done(&self, topic: &str, secret: &str) -> bool {
        match &self.0 {
            Some(leases) => leases
                .is_settled(&key_of(topic, secret))
                .await
                .unwrap_or(false),
            None => false,
        }
    }

    /// Does the work, or waits for the instance that does; `None` if that takes it too long.
    ///
    /// The work is known by its topic and by a secret that all who ask have, and its result is sealed
    /// with that secret. When nobody can be asked, the work is done here.
    pub(crate) async fn once<T: Shareable, R>(
        &self,
        terms: Terms,
        secret: &str,
        work: impl Future<Output = T>,
        read: impl Fn(&[u8]) -> Option<R>,
    ) -> Option<Shared<T, R>> {
        let (Some(leases), Some(owner)) = (&self.0, random_name()) else {
            return Some(Shared::Own(work.await));
        };
        let Terms {
            topic,
            lease: term,
            patience,
        } = terms;
        let key = key_of(topic, secret);
        let seal = SecretSeal::new(secret.as_bytes(), topic);
        let deadline = Instant::now() + patience;
        let mut work = Work::Ahead(work);
        let mut waited = false;
        loop {
            match leases.claim(&key, &owner, term, waited).await {
                Err(Unreachable) => return Some(Shared::Own(work.done().await)),
                Ok(Claim::Granted(lease)) => {
                    let result = renewing(&**leases, &key, &lease, term, work.done()).await;
                    let published = result.publish();
                    let sealed =
                        published.and_then(|(bytes, keep)| Some((seal.seal(&bytes).ok()?, keep)));
                    let Some((sealed, keep)) = sealed else {
                        leases.release(&key, &lease).await;
                        return Some(Shared::Own(result));
                    };
                    match leases.settle(&key, &lease, &sealed, keep).await {
                        Ok(true) | Err(Unreachable) => return Some(Shared::Own(result)),
                        Ok(false) => {
                            warn!(topic, "a lease ran out before the work was done");
                            work = Work::Done(result);
                            // What others failed at is no news any more.
                            waited = false;
                        }
                    }
                }
                Ok(Claim::Settled(sealed)) => {
                    let settled = seal.open(&sealed).and_then(|bytes| read(&bytes));
                    if let Some(settled) = settled {
                        return Some(Shared::Others(settled));
                    }
                    warn!(topic, "Redis holds a result that cannot be read");
                    return Some(Shared::Own(work.done().await));
                }
                Ok(Claim::Held) if Instant::now() < deadline => {
                    waited = matches!(work, Work::Ahead(_));
                    time::sleep(POLL).await;
                }
                Ok(Claim::Held) => {
                    return match work {
                        Work::Ahead(_) => None,
                        Work::Done(result) => Some(Shared::Own(result)),
                    };
                }
            }
        }
    }
}

impl<T, W: Future<Output = T>> Work<W, T> {
    async fn done(self) -> T {
        match self {
            Self::Ahead(work) => work.await,
            Self::Done(result) => result,
        }
    }
}

/// Works, and keeps the lease meanwhile.
async fn renewing<T>(
    leases: &dyn Leases,
    key: &str,
    lease: &str,
    term: Duration,
    work: impl Future<Output = T>,
) -> T {
    let renewals = pin!(async {
        loop {
            time::sleep(term / 3).await;
            // A lost lease is noticed when the work is settled, which must go on in any case.
            let _ = leases.renew(key, lease, term).await;
        }
    });
    match future::select(pin!(work), renewals).await {
        Either::Left((result, _)) => result,
        Either::Right((never, _)) => never,
    }
}

fn key_of(topic: &str, secret: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [topic, "\0", secret] {
        context.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}

fn random_name() -> Option<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Between two looks at somebody else's work.
const POLL: Duration = Duration::from_millis(50);
