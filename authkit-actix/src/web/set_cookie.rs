//! Cookies as header values: how a session is split into `Set-Cookie`s, and found again.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    iter,
};

use actix_web::cookie::{self, Cookie};
use memchr::{memchr, memchr_iter, memchr2};
use smallvec::{SmallVec, smallvec};

use crate::{
    config::{CookieConfig, LARGEST_COOKIE, SameSite},
    metrics,
};

/// The `Set-Cookie` values that store `sealed`.
///
/// `present` are the names that the request carried, as [`FoundCookies::names`] gives them:
/// those that the new value leaves over are removed, and where a domain is configured, so are
/// cookies of the same names without one: of two that open, none would count.
pub(crate) fn session_cookies(
    config: &CookieConfig,
    sealed: &str,
    present: &[String],
) -> Vec<String> {
    if sealed.len() > WARN_LENGTH {
        tracing::warn!(
            bytes = sealed.len(),
            "the session cookie is large; proxies often limit request headers to 8 kB"
        );
    }

    let set = split(&config.name, sealed);
    metrics::session_cookie_set(
        set.iter()
            .map(|(name, value)| name.len() + value.len())
            .sum(),
    );
    let left_over = present
        .iter()
        .filter(|name| !set.iter().any(|(used, _)| used == *name));
    let twins = present.iter().filter(|_| config.domain.is_some());

    let mut headers: Vec<_> = twins.map(|name| host_only_removal(config, name)).collect();
    headers.extend(left_over.map(|name| removal(config, name)));
    headers.extend(set.into_iter().map(|(name, value)| {
        attributes(config, name, value)
            .max_age(seconds(config.max_age.as_secs()))
            .finish()
            .to_string()
    }));
    headers
}

/// The `Set-Cookie` values that remove the session: the cookie itself, the chunks that the
/// request carried, and where a domain is configured their host-only twins.
pub(crate) fn removal_cookies(config: &CookieConfig, present: &[String]) -> Vec<String> {
    let chunks = present.iter().filter(|&name| *name != config.name);
    let names = iter::once(&config.name).chain(chunks);
    names
        .flat_map(|name| {
            let twin = config
                .domain
                .as_ref()
                .map(|_| host_only_removal(config, name));
            [Some(removal(config, name)), twin]
        })
        .flatten()
        .collect()
}

/// The `Set-Cookie` value that ties a sign-in to this browser. It lives as long as the state.
pub(crate) fn verifier_cookie(config: &CookieConfig, name: &str, value: &str) -> String {
    verifier(config, name, value, VERIFIER_MAX_AGE)
}

/// The `Set-Cookie` value that removes a [`verifier_cookie`].
pub(crate) fn verifier_removal(config: &CookieConfig, name: &str) -> String {
    verifier(config, name, "", 0)
}

/// The `Set-Cookie` value that hands the access token to the page's scripts for half a minute;
/// `None` when it is too long for a cookie.
pub(crate) fn eager_cookie(config: &CookieConfig, access_token: &str) -> Option<String> {
    let length = EAGER_COOKIE.len() + access_token.len();
    (length <= LARGEST_COOKIE).then(|| eager(config, access_token, EAGER_MAX_AGE))
}

/// The `Set-Cookie` value that removes an [`eager_cookie`].
pub(crate) fn eager_removal(config: &CookieConfig) -> String {
    eager(config, "", 0)
}

/// The `Set-Cookie` value of a small note to ourselves, beside the session and as well kept; removed
/// with `max_age` zero.
pub(crate) fn note(config: &CookieConfig, name: &str, value: &str, max_age: u64) -> String {
    attributes(config, name.to_owned(), value.to_owned())
        .max_age(seconds(max_age))
        .finish()
        .to_string()
}

fn eager(config: &CookieConfig, access_token: &str, max_age: u64) -> String {
    Cookie::build(EAGER_COOKIE, access_token)
        .path("/")
        .secure(config.secure)
        .same_site(cookie::SameSite::Lax)
        .max_age(seconds(max_age))
        .finish()
        .to_string()
}

/// The session cookies of a request, as they were sent and not yet known to be genuine.
#[derive(Default)]
pub(crate) struct FoundCookies<'a> {
    name: &'a str,
    plain: SmallVec<[&'a [u8]; 1]>,
    chunks: BTreeMap<usize, Vec<&'a [u8]>>,
}

/// Finds the cookie `name` and its chunks in the `Cookie` headers of a request.
pub(crate) fn find<'a, H: AsRef<[u8]> + ?Sized + 'a>(
    name: &'a str,
    cookie_headers: impl Iterator<Item = &'a H>,
) -> FoundCookies<'a> {
    let mut found = FoundCookies {
        name,
        ..FoundCookies::default()
    };
    for (key, value) in cookie_headers.flat_map(raw_pairs) {
        let Some(part) = Part::named(name, key) else {
            continue;
        };
        match part {
            Part::Whole => found.plain.push(value),
            Part::Chunk(index) => found.chunks.entry(index).or_default().push(value),
        }
    }
    found
}

/// Whether the `Cookie` headers have the cookie `name`, or a chunk of it.
#[inline]
pub(crate) fn is_sent<'a, H: AsRef<[u8]> + ?Sized + 'a>(
    name: &str,
    mut cookie_headers: impl Iterator<Item = &'a H>,
) -> bool {
    cookie_headers.any(|header| is_in(name, header.as_ref()))
}

fn is_in(name: &str, mut rest: &[u8]) -> bool {
    // The end of a value is only looked for when a name follows that may be the one.
    while let Some(end) = memchr2(b'=', b';', rest) {
        let (key, value) = rest.split_at(end);
        if value[0] == b'=' && Part::named(name, key.trim_ascii()).is_some() {
            return true;
        }
        rest = memchr(b';', value).map_or(&[], |end| &value[end + 1..]);
    }
    false
}

enum Part {
    Whole,
    Chunk(usize),
}

impl Part {
    /// What of the cookie `name` a cookie named `key` is.
    fn named(name: &str, key: &[u8]) -> Option<Self> {
        match key.strip_prefix(name.as_bytes())? {
            [] => Some(Self::Whole),
            [b'.', index @ ..] => chunk_number(str::from_utf8(index).ok()?).map(Self::Chunk),
            _ => None,
        }
    }
}

/// The names and values in a `Cookie` header, as they come. Of bytes that are no UTF-8 only the
/// pair is lost that contains them, since any script of the site may have set it.
pub(crate) fn cookie_pairs<H: AsRef<[u8]> + ?Sized>(
    header: &H,
) -> impl Iterator<Item = (&str, &str)> {
    raw_pairs(header)
        .filter_map(|(name, value)| Some((str::from_utf8(name).ok()?, str::from_utf8(value).ok()?)))
}

fn raw_pairs<H: AsRef<[u8]> + ?Sized>(header: &H) -> impl Iterator<Item = (&[u8], &[u8])> {
    let header = header.as_ref();
    let mut start = 0;
    memchr_iter(b';', header)
        .chain(iter::once(header.len()))
        .filter_map(move |end| {
            let pair = &header[start..end];
            start = end + 1;
            let equals = memchr(b'=', pair)?;
            let (name, value) = (&pair[..equals], &pair[equals + 1..]);
            Some((name.trim_ascii(), unquoted(value.trim_ascii())))
        })
}

impl<'a> FoundCookies<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.chunks.is_empty()
    }

    /// The names that the request carried, each once.
    pub(crate) fn names(&self) -> Vec<String> {
        let plain = (!self.plain.is_empty()).then(|| self.name.to_owned());
        let chunks = self
            .chunks
            .keys()
            .map(|index| chunk_name(self.name, *index));
        plain.into_iter().chain(chunks).collect()
    }

    /// The sealed values that may be the session: each distinct plain one, and the chunks where
    /// they are complete.
    pub(crate) fn candidates(&self) -> SmallVec<[Cow<'a, [u8]>; 1]> {
        if let [only] = self.plain[..]
            && self.chunks.is_empty()
        {
            return smallvec![Cow::Borrowed(only)];
        }
        let mut seen = HashSet::new();
        self.plain
            .iter()
            .filter(|value| seen.insert(**value))
            .map(|value| Cow::Borrowed(*value))
            .chain(self.assembled().map(Cow::Owned))
            .collect()
    }

    /// The chunks in their order. Later ones than the first chunk counts are leftovers; which of
    /// two of one name belongs here cannot be told.
    fn assembled(&self) -> Option<Vec<u8>> {
        let first = self.only_chunk(0)?;
        let dot = memchr(b'.', first)?;
        let count = chunk_number(str::from_utf8(&first[..dot]).ok()?)?;
        let mut sealed = first[dot + 1..].to_owned();
        for index in 1..count {
            sealed.extend_from_slice(self.only_chunk(index)?);
        }
        (count > 0).then_some(sealed)
    }

    fn only_chunk(&self, index: usize) -> Option<&'a [u8]> {
        match self.chunks.get(&index)?.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// Names and values: one cookie where it fits, else `name.0` to `name.n`, the first of which
/// begins with their count and a dot.
pub(crate) fn split(name: &str, sealed: &str) -> Vec<(String, String)> {
    if name.len() + sealed.len() <= LARGEST_COOKIE {
        return vec![(name.to_owned(), sealed.to_owned())];
    }
    let room = LARGEST_COOKIE.saturating_sub(name.len() + CHUNK_OVERHEAD);
    // A seal is ASCII, so it may be cut anywhere.
    let chunks = sealed.as_bytes().chunks(room.max(1));
    let count = chunks.len();
    chunks
        .map(String::from_utf8_lossy)
        .enumerate()
        .map(|(index, chunk)| {
            let value = match index {
                0 => format!("{count}.{chunk}"),
                _ => chunk.into_owned(),
            };
            (chunk_name(name, index), value)
        })
        .collect()
}

fn chunk_name(name: &str, index: usize) -> String {
    format!("{name}.{index}")
}

/// A number as [`split`] writes it: no sign, no leading zero.
fn chunk_number(text: &str) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (number < MAX_CHUNKS && number.to_string() == text).then_some(number)
}

/// Some clients put a value in quotes (RFC 6265, 4.1.1).
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', quoted @ .., b'"'] => quoted,
        _ => value,
    }
}

fn removal(config: &CookieConfig, name: &str) -> String {
    attributes(config, name.to_owned(), String::new())
        .max_age(seconds(0))
        .finish()
        .to_string()
}

fn host_only_removal(config: &CookieConfig, name: &str) -> String {
    let host_only = CookieConfig {
        domain: None,
        ..config.clone()
    };
    removal(&host_only, name)
}

/// A verifier must come along when AuthKit sends the browser back, which `Strict` would prevent.
fn verifier(config: &CookieConfig, name: &str, value: &str, max_age: u64) -> String {
    let config = CookieConfig {
        same_site: match config.same_site {
            SameSite::Lax | SameSite::Strict => SameSite::Lax,
            SameSite::None => SameSite::None,
        },
        ..config.clone()
    };
    attributes(&config, name.to_owned(), value.to_owned())
        .max_age(seconds(max_age))
        .finish()
        .to_string()
}

fn attributes(config: &CookieConfig, name: String, value: String) -> cookie::CookieBuilder<'_> {
    let cookie = Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .secure(config.secure)
        .same_site(match config.same_site {
            SameSite::Lax => cookie::SameSite::Lax,
            SameSite::Strict => cookie::SameSite::Strict,
            SameSite::None => cookie::SameSite::None,
        });
    match &config.domain {
        Some(domain) => cookie.domain(domain.as_str()),
        None => cookie,
    }
}

fn seconds(seconds: u64) -> cookie::time::Duration {
    cookie::time::Duration::seconds(seconds.try_into().unwrap_or(i64::MAX))
}

/// The longest suffix of a name, `.127`, and the longest count, `127.`.
const CHUNK_OVERHEAD: usize = 8;
/// More than the largest seal needs; the names below it are recognised, and removed.
const MAX_CHUNKS: usize = 128;
/// Proxies' usual limit is 8 kB for all headers of a request.
const WARN_LENGTH: usize = 7 * 1024;
/// The cookie that the browser module reads and deletes.
pub(crate) const EAGER_COOKIE: &str = "workos-access-token";
const EAGER_MAX_AGE: u64 = 30;
/// As long as a state is accepted.
const VERIFIER_MAX_AGE: u64 = 600;

#[cfg(test)]
mod tests;
