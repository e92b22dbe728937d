use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;
use redis::{Cmd, Script, aio::PubSub};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time,
};
use tracing::warn;

use super::{Call, Failure, LIMIT, PAUSE, Redis, leases::millis};
use crate::{
    background::Background,
    clock::Clock,
    session::{Elsewhere, KEPT_FOR, Notice, Notices},
};

/// The other instances, reached through a channel of Redis.
struct Channel {
    untold: mpsc::Sender<Notice>,
    is_heard: AtomicBool,
}

impl Elsewhere for Channel {
    fn tell(&self, notice: &Notice) {
        if let Err(TrySendError::Full(_)) = self.untold.try_send(notice.clone()) {
            warn!("so much is untold to the other instances that a notice is lost");
        }
    }

    fn is_heard(&self) -> bool {
        self.is_heard.load(Ordering::Acquire)
    }
}

impl Redis {
    /// Tells the other instances what becomes known here, and hears what they say.
    ///
    /// Waits until the list of ended sessions is there, a quarter of a second at most.
    pub(crate) fn connect(
        &self,
        notices: &Arc<Notices>,
        clock: Arc<dyn Clock>,
        background: &Background,
    ) {
        let (untold, mut to_tell) = mpsc::channel(MOST_UNTOLD);
        let channel = Arc::new(Channel {
            untold,
            is_heard: AtomicBool::new(false),
        });
        notices.connect(Arc::clone(&channel) as Arc<dyn Elsewhere>);
        let redis = self.clone();
        let of_telling = Arc::clone(&clock);
        drop(background.spawn(async move {
            redis
                .until_closed(redis.tell_all(&mut to_tell, &*of_telling))
                .await;
            // A sign-out just before the end is no less one.
            while let Ok(notice) = to_tell.try_recv()
                && redis.tell(&notice, &*of_telling).await.is_ok()
            {}
        }));
        let (tried, first_try) = std::sync::mpsc::channel();
        let (redis, notices) = (self.clone(), Arc::clone(notices));
        drop(background.spawn(async move {
            let listening = redis.listen(&notices, &channel.is_heard, &*clock, tried);
            redis.until_closed(listening).await;
        }));
        let _ = first_try.recv_timeout(LIMIT);
    }

    async fn tell_all(&self, untold: &mut mpsc::Receiver<Notice>, clock: &dyn Clock) {
        while let Some(notice) = untold.recv().await {
            // What ends a session is told as soon as anybody can hear it.
            while self.tell(&notice, clock).await.is_err() && notice.lasts() {
                time::sleep(PAUSE).await;
            }
        }
    }

    async fn tell(&self, notice: &Notice, clock: &dyn Clock) -> Result<(), Failure> {
        let Ok(text) = serde_json::to_string(notice) else {
            return Ok(());
        };
        if !notice.lasts() {
            let publish = Cmd::publish(CHANNEL, text);
            return self.write(Call::Command(publish)).await;
        }
        let now = clock.unix_seconds();
        let mut script = TELL.prepare_invoke();
        script
            .key(ENDED)
            .arg(CHANNEL)
            .arg(text)
            .arg(now.saturating_add(KEPT_FOR))
            .arg(now)
            .arg(millis(Duration::from_secs(KEPT_FOR.unsigned_abs())));
        self.write(Call::Script(script)).await
    }

    async fn listen(
        &self,
        notices: &Notices,
        is_heard: &AtomicBool,
        clock: &dyn Clock,
        tried: std::sync::mpsc::Sender<()>,
    ) {
        loop {
            // What is said while the list is read is heard after it.
            if let Some(subscription) = self.0.source.subscription(CHANNEL).await
                && self.read_list(notices, clock).await.is_ok()
            {
                is_heard.store(true, Ordering::Release);
                let _ = tried.send(());
                hear(subscription, notices).await;
                is_heard.store(false, Ordering::Release);
            }
            let _ = tried.send(());
            time::sleep(PAUSE).await;
        }
    }

    async fn read_list(&self, notices: &Notices, clock: &dyn Clock) -> Result<(), Failure> {
        for page in 0.. {
            let first = page * PAGE;
            let now = clock.unix_seconds();
            let page = Cmd::zrangebyscore_limit(ENDED, now, "+inf", first, PAGE);
            let texts: Vec<Vec<u8>> = match self.read(page).await {
                // Nobody can have put a session of ours there.
                Err(Failure::Foreign) => Vec::new(),
                texts => texts?,
            };
            texts.iter().for_each(|text| apply(text, notices));
            if texts.len() < PAGE.unsigned_abs() {
                break;
            }
        }
        Ok(())
    }
}

/// Hears what is said until the connection is silent.
async fn hear(subscription: PubSub, notices: &Notices) {
    let (mut sink, mut stream) = subscription.split();
    loop {
        match time::timeout(SILENCE, stream.next()).await {
            Ok(Some(message)) => apply(message.get_payload_bytes(), notices),
            Ok(None) => return,
            Err(_) => {
                let ping = sink.ping::<redis::Value>();
                if !matches!(time::timeout(LIMIT, ping).await, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

fn apply(text: &[u8], notices: &Notices) {
    match serde_json::from_slice(text) {
        Ok(notice) => notices.apply(&notice),
        Err(_) => warn!("another instance says something about sessions that is not understood"),
    }
}

/// Remembers and says that sessions have ended; forgets those whose tokens have run out, and what
/// somebody else may have put in the place of the list.
pub(super) static TELL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local kind = redis.call('TYPE', KEYS[1]).ok
         if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
         redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
         redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[4])
         redis.call('PEXPIRE', KEYS[1], ARGV[5])
         return redis.call('PUBLISH', ARGV[1], ARGV[2])",
    )
});

/// The list of ended sessions, by the time until which it must name them.
const ENDED: &str = "authkit:ended";
const CHANNEL: &str = "authkit:notices";
const PAGE: isize = 1_000;
const MOST_UNTOLD: usize = 10_000;
/// How long nothing may be heard before the connection is looked at.
const SILENCE: Duration = Duration::from_secs(1);
