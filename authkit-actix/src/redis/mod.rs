//! Redis, where several instances keep what they share: on the background thread, no call longer
//! than a quarter of a second, and none at all while it is out of reach.

mod leases;
mod link;
mod notices;
mod ping;
mod sessions;

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use futures::future;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ScriptInvocation};
use secrecy::SecretString;
use tokio::{
    sync::{Notify, watch},
    time,
};
use tracing::{error, info, warn};

use self::link::{Link, Source};
pub(crate) use self::{ping::Pong, sessions::RedisSessions};
use crate::{background::Background, metrics};

/// A Redis server or cluster, in reach or not.
#[derive(Clone)]
pub(crate) struct Redis(Arc<Inner>);

struct Inner {
    source: Source,
    link: Mutex<Reach>,
    lost: Notify,
    /// It answers, but with errors: said once.
    is_refusing: AtomicBool,
    closed: watch::Sender<bool>,
}

/// The connection, and a number that tells it from those before it.
struct Reach {
    generation: u64,
    link: Option<Link>,
}

/// Why Redis has not done what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// It is out of reach, or refuses.
    Unavailable,
    /// What stands under the key is not ours.
    Foreign,
}

/// Something to ask Redis, and to ask again over a new connection.
enum Call<'a> {
    Command(Cmd),
    Script(ScriptInvocation<'a>),
}

impl Redis {
    /// Connects to the node, or to the cluster of these nodes, and to it again whenever it is lost.
    ///
    /// Waits for the first connection, a quarter of a second at most: an application starts without
    /// Redis too.
    pub(crate) fn start(urls: &[SecretString], background: &Background) -> Result<Self, String> {
        let redis = Self(Arc::new(Inner {
            source: Source::parse(urls)?,
            link: Mutex::new(Reach {
                generation: 0,
                link: None,
            }),
            lost: Notify::new(),
            is_refusing: AtomicBool::new(false),
            closed: watch::Sender::new(false),
        }));
        let (tried, first_try) = mpsc::channel();
        let watched = redis.clone();
        drop(background.spawn(async move { watched.keep_connected(tried).await }));
        let _ = first_try.recv_timeout(LIMIT);
        Ok(redis)
    }

    /// Ends what goes on in the background; calls under way still finish.
    pub(crate) fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Runs something until it ends or this is closed.
    async fn until_closed(&self, work: impl Future<Output = ()>) {
        let mut closed = self.0.closed.subscribe();
        let closed = pin!(closed.wait_for(|closed| *closed));
        future::select(pin!(work), closed).await;
    }

    async fn keep_connected(&self, tried: mpsc::Sender<()>) {
        self.until_closed(async {
            let mut is_known_lost = false;
            loop {
                match Link::open(&self.0.source).await {
                    Ok(link) => {
                        if is_known_lost {
                            info!(redis = self.address(), "Redis is back");
                        }
                        self.connected(link);
                        let _ = tried.send(());
                        self.0.lost.notified().await;
                        is_known_lost = true;
                    }
                    Err(problem) => {
                        if !is_known_lost {
                            is_known_lost = true;
                            metrics::redis_is_connected(false);
                            error!(redis = self.address(), problem, "{OUT_OF_REACH}");
                        }
                        let _ = tried.send(());
                        time::sleep(PAUSE).await;
                    }
                }
            }
        })
        .await;
    }

    fn connected(&self, link: Link) {
        let mut reach = self.reach();
        reach.generation += 1;
        reach.link = Some(link);
        metrics::redis_is_connected(true);
    }

    async fn read<T: FromRedisValue>(&self, command: Cmd) -> Result<T, Failure> {
        self.send(Call::Command(command)).await
    }

    async fn write<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, Failure> {
        let sent = self.send(call).await;
        if sent.is_ok() && self.0.is_refusing.swap(false, Ordering::Relaxed) {
            info!(redis = self.address(), "Redis takes writes again");
        }
        sent
    }

    async fn send<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, Failure> {
        let (generation, link) = {
            let reach = self.reach();
            (reach.generation, reach.link.clone())
        };
        let mut link = link.ok_or(Failure::Unavailable)?;
        let sent = time::timeout(LIMIT, async {
            match call.send(&mut link).await {
                // A connection that idled too long was cut, which says nothing about the server.
                Err(error) if error.is_connection_dropped() => call.send(&mut link).await,
                sent => sent,
            }
        });
        match sent.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if is_foreign(&error) => Err(Failure::Foreign),
            Ok(Err(error)) if is_refusal(&error) => {
                self.refused(&error);
                Err(Failure::Unavailable)
            }
            Ok(Err(error)) => {
                self.lost(generation, &error.to_string());
                Err(Failure::Unavailable)
            }
            Err(_) => {
                self.lost(generation, "no answer within 250 ms");
                Err(Failure::Unavailable)
            }
        }
    }

    fn lost(&self, generation: u64, problem: &str) {
        let mut reach = self.reach();
        if reach.generation == generation && reach.link.take().is_some() {
            metrics::redis_is_connected(false);
            error!(redis = self.address(), problem, "{OUT_OF_REACH}");
            self.0.lost.notify_one();
        }
    }

    fn refused(&self, error: &RedisError) {
        if !self.0.is_refusing.swap(true, Ordering::Relaxed) {
            error!(redis = self.address(), %error, "Redis refuses what it is asked: instances go on by themselves");
        }
    }

    fn address(&self) -> &str {
        &self.0.source.address
    }

    fn reach(&self) -> MutexGuard<'_, Reach> {
        self.0.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    async fn send<T: FromRedisValue>(&self, link: &mut Link) -> Result<T, RedisError> {
        match self {
            Self::Command(command) => command.query_async(link).await,
            Self::Script(script) => script.invoke_async(link).await,
        }
    }
}

/// Whether the key holds a value of another kind, or the value is none that we write.
fn is_foreign(error: &RedisError) -> bool {
    let kind = error.kind();
    error.code() == Some("WRONGTYPE")
        || error.to_string().contains("WRONGTYPE")
        || matches!(kind, ErrorKind::UnexpectedReturnType | ErrorKind::Parse)
}

/// Whether the server itself has answered, with an error.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// Says that a value is passed over, without showing it.
fn warn_of_foreign(key: &str) {
    warn!(
        key,
        "Redis holds something under a key of ours that is not ours"
    );
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis")
    }
}

const OUT_OF_REACH: &str = "Redis is out of reach: instances go on by themselves until it is back";
/// For each call, sending it a second time included.
const LIMIT: Duration = Duration::from_millis(250);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(250);
