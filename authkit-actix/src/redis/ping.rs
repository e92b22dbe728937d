use std::sync::atomic::Ordering;

use super::Redis;

/// How Redis has answered to somebody who only asks whether it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pong {
    Well,
    /// It answers, but takes no writes.
    Refuses,
    /// Not within 250 ms, or there is no connection.
    OutOfReach,
}

impl Redis {
    /// Asks whether Redis is there. In the background only.
    pub(crate) async fn ping(&self) -> Pong {
        match self.read::<String>(redis::cmd("PING")).await {
            Ok(_) if self.0.is_refusing.load(Ordering::Relaxed) => Pong::Refuses,
            Ok(_) => Pong::Well,
            Err(_) => Pong::OutOfReach,
        }
    }

    /// Where it is, without a password.
    pub(crate) fn shown_address(&self) -> &str {
        self.address()
    }
}
