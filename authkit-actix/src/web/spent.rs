//! A session whose refresh token was refused, though another application may have renewed its cookie.

use std::borrow::Cow;

use actix_web::http::header::HeaderValue;
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::set_cookie::{self, cookie_pairs};
use crate::config::CookieConfig;

/// The mark of a browser that was told to come again before its spent session is removed.
///
/// Its value stands for the spent cookie's, so that a renewed cookie begins anew, and a spent one
/// that comes again is not told twice.
pub(super) struct SpentMark {
    name: String,
    value: String,
}

impl SpentMark {
    pub(super) fn of(config: &CookieConfig, candidates: &[Cow<'_, [u8]>]) -> Self {
        let mut digest = digest::Context::new(&digest::SHA256);
        for sealed in candidates {
            digest.update(sealed);
        }
        Self {
            name: format!("{}-spent", config.name),
            value: URL_SAFE_NO_PAD.encode(digest.finish()),
        }
    }

    pub(super) fn is_among(&self, cookies: &[HeaderValue]) -> bool {
        cookies
            .iter()
            .flat_map(cookie_pairs)
            .any(|(name, value)| name == self.name && value == self.value)
    }

    pub(super) fn cookie(&self, config: &CookieConfig) -> String {
        set_cookie::note(config, &self.name, &self.value, MAX_AGE)
    }

    pub(super) fn removal(&self, config: &CookieConfig) -> String {
        set_cookie::note(config, &self.name, "", 0)
    }
}

/// Seconds in which the browser comes again.
const MAX_AGE: u64 = 60;
