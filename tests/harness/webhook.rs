//! Webhooks as WorkOS sends them, written from their description.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// When an event happened, as it stands in the event.
pub fn rfc3339(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).expect("a time of this age");
    time.format(&Rfc3339).expect("a year of four digits")
}

/// The header that goes with a body: `t=<milliseconds>, v1=<hex>`.
pub fn signature(secret: &str, seconds: i64, body: &str) -> String {
    let time = seconds * 1000;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(format!("{time}.{body}").as_bytes());
    let mut header = format!("t={time}, v1=");
    for byte in mac.finalize().into_bytes() {
        write!(header, "{byte:02x}").expect("a string takes it");
    }
    header
}
