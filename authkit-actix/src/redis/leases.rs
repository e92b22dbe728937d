use std::{sync::LazyLock, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use redis::Script;

use super::{Call, Failure, Redis, warn_of_foreign};
use crate::sharing::{Claim, Keep, Leases, Unreachable};

impl Leases for Redis {
    fn claim<'a>(
        &'a self,
        key: &'a str,
        owner: &'a str,
        lease: Duration,
        waited: bool,
    ) -> BoxFuture<'a, Result<Claim, Unreachable>> {
        async move {
            let name = name_of(key);
            let mut script = CLAIM.prepare_invoke();
            script
                .key(&name)
                .key(format!("{name}:fence"))
                .arg(owner)
                .arg(u8::from(waited))
                .arg(millis(lease))
                .arg(millis(FENCE));
            let value: String = self.lease_call(&name, Call::Script(script)).await?;
            Ok(match value.split_once(':') {
                Some(("L", lease)) if lease.ends_with(owner) => Claim::Granted(value),
                Some(("L", _)) => Claim::Held,
                Some((_, result)) => Claim::Settled(result.to_owned()),
                None => Claim::Settled(value),
            })
        }
        .boxed()
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a str,
        again: Duration,
    ) -> BoxFuture<'a, Result<bool, Unreachable>> {
        async move {
            let name = name_of(key);
            let mut script = RENEW.prepare_invoke();
            script.key(&name).arg(lease).arg(millis(again));
            self.lease_call(&name, Call::Script(script)).await
        }
        .boxed()
    }

    fn settle<'a>(
        &'a self,
        key: &'a str,
        lease: &'a str,
        result: &'a str,
        keep: Keep,
    ) -> BoxFuture<'a, Result<bool, Unreachable>> {
        async move {
            let name = name_of(key);
            let (kind, keep) = match keep {
                Keep::For(time) => ('R', time),
                Keep::ForWaiters => ('F', WAITERS),
            };
            let mut script = SWAP.prepare_invoke();
            script
                .key(&name)
                .arg(lease)
                .arg(format!("{kind}:{result}"))
                .arg(millis(keep));
            self.lease_call(&name, Call::Script(script)).await
        }
        .boxed()
    }

    fn is_settled<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Unreachable>> {
        async move {
            let name = name_of(key);
            // A lease, a failure or nothing: the first two letters tell, and the result stays there.
            let mut look = redis::cmd("GETRANGE");
            look.arg(&name).arg(0).arg(1);
            let kind: String = self.lease_call(&name, Call::Command(look)).await?;
            Ok(kind == "R:")
        }
        .boxed()
    }

    fn release<'a>(&'a self, key: &'a str, lease: &'a str) -> BoxFuture<'a, ()> {
        async move {
            let name = name_of(key);
            let mut script = RELEASE.prepare_invoke();
            script.key(&name).arg(lease);
            // A lease that cannot be given back runs out by itself.
            let _: Result<bool, _> = self.lease_call(&name, Call::Script(script)).await;
        }
        .boxed()
    }
}

impl Redis {
    async fn lease_call<T: redis::FromRedisValue>(
        &self,
        name: &str,
        call: Call<'_>,
    ) -> Result<T, Unreachable> {
        self.write(call).await.map_err(|failure| {
            if failure == Failure::Foreign {
                warn_of_foreign(name);
            }
            Unreachable
        })
    }
}

/// In braces is what a cluster places both keys of a piece of work by.
fn name_of(key: &str) -> String {
    format!("authkit:once:{{{key}}}")
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What stands under a key begins with its kind: `L:` a lease, with its number and its owner, `R:` a
/// result, `F:` a failure. All of them run out; what does not is not ours.
pub(super) static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
         local is_ours = held and redis.call('PTTL', KEYS[1]) >= 0
         if is_ours and not (ARGV[2] == '0' and string.sub(held, 1, 2) == 'F:') then
             return held
         end
         local fence = redis.call('INCR', KEYS[2])
         redis.call('PEXPIRE', KEYS[2], ARGV[4])
         local lease = 'L:' .. fence .. ':' .. ARGV[1]
         redis.call('SET', KEYS[1], lease, 'PX', ARGV[3])
         return lease",
    )
});

pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         return redis.call('PEXPIRE', KEYS[1], ARGV[2])",
    )
});

/// Compares and sets.
pub(super) static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
         return 1",
    )
});

pub(super) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         return redis.call('DEL', KEYS[1])",
    )
});

/// Longer than any stalled instance goes on: a lease after that has another owner.
const FENCE: Duration = Duration::from_secs(600);
/// Long enough for everybody who looks every fiftieth of a second.
const WAITERS: Duration = Duration::from_secs(1);
