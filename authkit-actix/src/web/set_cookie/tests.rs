use std::time::{Duration, Instant};

use proptest::{collection::vec, prelude::*};

use super::*;

fn config() -> CookieConfig {
    CookieConfig {
        name: "wos-session".to_owned(),
        max_age: Duration::from_secs(34_560_000),
        domain: None,
        same_site: SameSite::Lax,
        secure: true,
    }
}

fn with_domain() -> CookieConfig {
    CookieConfig {
        domain: Some("example.com".to_owned()),
        ..config()
    }
}

/// A value in which no two places look alike.
fn sealed(length: usize) -> String {
    (0..length.div_ceil(6))
        .map(|number| format!("{number:06}"))
        .collect::<String>()[..length]
        .to_owned()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// `name=value` of each header, as the browser keeps and sends it.
fn pairs(headers: &[String]) -> Vec<&str> {
    headers
        .iter()
        .map(|header| header.split(';').next().unwrap_or_default())
        .collect()
}

fn candidates(header: &str) -> Vec<String> {
    candidates_in([header.as_bytes()])
}

fn candidates_in<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let candidates = find("wos-session", headers.into_iter()).candidates();
    let texts = candidates.into_iter().map(Cow::into_owned);
    texts
        .map(|text| String::from_utf8(text).expect("text"))
        .collect()
}

#[test]
fn a_session_is_set_with_its_attributes() {
    assert_eq!(
        session_cookies(&config(), "abc", &[]),
        ["wos-session=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=34560000"]
    );
    let config = CookieConfig {
        same_site: SameSite::Strict,
        secure: false,
        max_age: Duration::from_secs(60),
        ..with_domain()
    };
    assert_eq!(
        session_cookies(&config, "abc", &[]),
        ["wos-session=abc; HttpOnly; SameSite=Strict; Path=/; Domain=example.com; Max-Age=60"]
    );
}

#[test]
fn a_removal_repeats_the_attributes() {
    assert_eq!(
        removal_cookies(&config(), &[]),
        ["wos-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"]
    );
}

#[test]
fn a_removal_takes_the_chunks_and_the_host_only_twins_along() {
    let present = names(&["wos-session", "wos-session.0"]);
    assert_eq!(
        removal_cookies(&with_domain(), &present),
        [
            "wos-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com; Max-Age=0",
            "wos-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
            "wos-session.0=; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com; Max-Age=0",
            "wos-session.0=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
        ]
    );
}

#[test]
fn the_host_only_twin_goes_where_a_domain_is_configured() {
    let present = names(&["wos-session"]);
    assert_eq!(
        session_cookies(&with_domain(), "abc", &present),
        [
            "wos-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
            "wos-session=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com; Max-Age=34560000",
        ]
    );
    assert_eq!(session_cookies(&config(), "abc", &present).len(), 1);
}

#[test]
fn a_verifier_is_never_strict() {
    assert_eq!(
        verifier_cookie(&with_domain(), "v", "x"),
        "v=x; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com; Max-Age=600"
    );
    for (configured, same_site) in [
        (SameSite::Lax, "Lax"),
        (SameSite::Strict, "Lax"),
        (SameSite::None, "None"),
    ] {
        let config = CookieConfig {
            same_site: configured,
            ..config()
        };
        assert_eq!(
            verifier_removal(&config, "v"),
            format!("v=; HttpOnly; SameSite={same_site}; Secure; Path=/; Max-Age=0")
        );
    }
}

#[test]
fn sessions_of_every_size_fit_and_come_back() {
    for name in ["s", "wos-session", &"n".repeat(135)] {
        let config = CookieConfig {
            name: name.to_owned(),
            ..config()
        };
        let around = 4096 - name.len();
        let sizes = (around - 12..around + 12)
            .chain(2 * around - 30..2 * around + 30)
            .chain([0, 1, 7168, 7169, 16_384, 65_536]);
        for size in sizes {
            let sealed = sealed(size);
            let headers = session_cookies(&config, &sealed, &[]);
            let pairs = pairs(&headers);
            assert_eq!(pairs.len() == 1, size <= around, "{size}");
            assert!(
                pairs.iter().all(|pair| pair.len() - "=".len() <= 4096),
                "{size}"
            );

            let header = pairs.join("; ");
            let found = find(name, std::iter::once(header.as_str()));
            assert_eq!(found.candidates()[..], [sealed.as_bytes()], "{size}");
            assert_eq!(found.names().len(), pairs.len());
        }
    }
}

#[test]
fn a_growing_session_removes_the_plain_cookie_and_a_shrinking_one_the_chunks() {
    let headers = session_cookies(&config(), &sealed(5000), &names(&["wos-session"]));
    assert_eq!(pairs(&headers)[0], "wos-session=");
    assert!(pairs(&headers)[1].starts_with("wos-session.0=2.000000"));
    assert!(pairs(&headers)[2].starts_with("wos-session.1="));

    let present = names(&["wos-session.0", "wos-session.1", "wos-session.2"]);
    let headers = session_cookies(&config(), &sealed(5000), &present);
    assert_eq!(pairs(&headers)[0], "wos-session.2=");
    assert_eq!(headers.len(), 3);

    let headers = session_cookies(&config(), "abc", &present);
    assert_eq!(
        pairs(&headers),
        [
            "wos-session.0=",
            "wos-session.1=",
            "wos-session.2=",
            "wos-session=abc"
        ]
    );
}

#[test]
fn cookies_are_found_among_others_however_they_are_written() {
    for header in [
        "wos-session=abc",
        "a=b; wos-session=abc; c=d",
        "a=b;wos-session=abc;",
        " wos-session = abc ",
        "wos-session=\"abc\"",
        "junk; =; ;; wos-session=abc",
        "wos-session-2=x; xwos-session=y; WOS-SESSION=z; wos-session=abc",
        "wos-session=abc; wos-session=abc",
    ] {
        assert_eq!(candidates(header), ["abc"], "{header}");
    }
    assert_eq!(candidates("wos-session=a=b"), ["a=b"]);
    assert_eq!(candidates("wos-session=\"abc"), ["\"abc"]);
    assert_eq!(candidates("wos-session=\""), ["\""]);
    assert_eq!(candidates("wos-session="), [""]);
    assert!(candidates("wos-session; a=wos-session").is_empty());
}

#[test]
fn several_headers_are_read_as_one() {
    let headers: [&[u8]; 2] = [b"wos-session.0=2.a; a=b", b"wos-session.1=b"];
    assert_eq!(candidates_in(headers), ["ab"]);
}

#[test]
fn of_two_cookies_of_one_name_both_are_candidates() {
    assert_eq!(
        candidates("wos-session=b; wos-session=a; wos-session=b"),
        ["b", "a"]
    );
}

#[test]
fn strange_bytes_in_another_cookie_do_no_harm() {
    let header: &[u8] = b"a=\xff\xfe; b=caf\xc3\xa9; wos-session=abc; \xff=c";
    assert_eq!(candidates_in([header]), ["abc"]);
    let pairs: Vec<_> = cookie_pairs(header).collect();
    assert_eq!(pairs, [("b", "caf\u{e9}"), ("wos-session", "abc")]);
}

#[test]
fn no_cookie_is_no_candidate() {
    let found = find("wos-session", std::iter::empty::<&str>());
    assert!(found.is_empty() && found.candidates().is_empty() && found.names().is_empty());
    assert!(!find("wos-session", std::iter::once("wos-session=")).is_empty());
    assert!(!find("wos-session", std::iter::once("wos-session.3=x")).is_empty());
}

#[test]
fn stale_chunks_are_ignored_and_named() {
    let header = "wos-session.0=2.a; wos-session.1=b; wos-session.2=stale; wos-session.9=stale";
    assert_eq!(candidates(header), ["ab"]);
    assert_eq!(
        find("wos-session", std::iter::once(header)).names(),
        names(&[
            "wos-session.0",
            "wos-session.1",
            "wos-session.2",
            "wos-session.9"
        ])
    );
    assert_eq!(candidates(&format!("wos-session=c; {header}")), ["c", "ab"]);
}

#[test]
fn chunks_may_come_in_any_order() {
    assert_eq!(
        candidates("wos-session.2=c; wos-session.0=3.a; wos-session.1=b"),
        ["abc"]
    );
}

#[test]
fn incomplete_or_doubled_chunks_give_nothing() {
    for header in [
        "wos-session.0=2.a",
        "wos-session.1=b",
        "wos-session.0=3.a; wos-session.2=c",
        "wos-session.0=2.a; wos-session.0=2.x; wos-session.1=b",
        "wos-session.0=2.a; wos-session.1=b; wos-session.1=x",
        "wos-session.0=a; wos-session.1=b",
        "wos-session.0=0.a",
        "wos-session.0=.a",
        "wos-session.0=02.a; wos-session.1=b",
        "wos-session.0=+2.a; wos-session.1=b",
        "wos-session.0=-1.a",
        "wos-session.0=99999999999999999999.a",
    ] {
        assert!(candidates(header).is_empty(), "{header}");
    }
}

#[test]
fn swapped_chunks_do_not_give_the_session() {
    let sealed = sealed(10_000);
    let headers = session_cookies(&config(), &sealed, &[]);
    let mut pairs = pairs(&headers);
    let (second, third) = (pairs[1].to_owned(), pairs[2].to_owned());
    let second = second.replace("wos-session.1=", "wos-session.2=");
    let third = third.replace("wos-session.2=", "wos-session.1=");
    pairs[1] = &second;
    pairs[2] = &third;
    assert!(!candidates(&pairs.join("; ")).contains(&sealed));
}

#[test]
fn only_numbers_as_the_library_writes_them_name_a_chunk() {
    let of = |key: &str| find("wos-session", std::iter::once(format!("{key}=x").as_str())).names();
    for key in ["wos-session.0", "wos-session.10", "wos-session.127"] {
        assert_eq!(of(key), [key]);
    }
    for key in [
        "wos-session.",
        "wos-session.00",
        "wos-session.01",
        "wos-session.+1",
        "wos-session.-1",
        "wos-session.128",
        "wos-session.1x",
        "wos-session.1.1",
        "wos-session..1",
        "wos-session1",
        "wos-session.99999999999999999999999",
    ] {
        assert!(of(key).is_empty(), "{key}");
    }
}

#[test]
fn hundreds_of_cookies_are_read_quickly() {
    let many = |name: &str| -> String { (0..8000).map(|n| format!("{name}={n}; ")).collect() };
    let long = format!("wos-session={}", "=".repeat(64 * 1024));
    let chunks: String = (0..5000).map(|n| format!("wos-session.{n}=x; ")).collect();
    let started = Instant::now();
    for header in [
        many("wos-session"),
        many("wos-session.0"),
        many("other"),
        long,
        chunks,
    ] {
        let found = find("wos-session", std::iter::once(header.as_str()));
        let _ = (found.candidates(), found.names().len());
    }
    assert!(started.elapsed() < Duration::from_secs(1));
}

proptest! {
    #[test]
    fn a_value_of_any_length_fits_its_cookies_and_comes_back(
        length in 1..60_000_usize,
        older in 0..40_000_usize,
    ) {
        let before = session_cookies(&config(), &sealed(older), &[]);
        let before = pairs(&before).join("; ");
        let present = find("wos-session", std::iter::once(&before)).names();
        let headers = session_cookies(&config(), &sealed(length), &present);

        let mut jar = BTreeMap::new();
        for pair in before.split("; ").chain(pairs(&headers)) {
            let (name, value) = pair.split_once('=').expect("a pair");
            prop_assert!(name.len() + value.len() <= 4096);
            jar.insert(name, value);
        }
        jar.retain(|_, value| !value.is_empty());
        let sent: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        prop_assert_eq!(candidates(&sent.join("; ")), [sealed(length)]);
    }

    #[test]
    fn whatever_bytes_come_as_cookies_they_are_read(
        headers in vec(vec(any::<u8>(), 0..200), 0..4),
        chunks in "([x;=]{0,2} ?(wos-session)?(\\.[0-9]{1,4})?=?[0-9.a-c]{0,9};? ?){0,9}",
    ) {
        let all = headers.iter().map(Vec::as_slice).chain([chunks.as_bytes()]);
        let found = find("wos-session", all.clone());
        prop_assert_eq!(found.is_empty(), found.names().is_empty());
        prop_assert_eq!(found.is_empty(), !is_sent("wos-session", all));
        for name in found.names() {
            prop_assert!(name.starts_with("wos-session"));
        }
        for candidate in found.candidates() {
            prop_assert!(candidate.len() <= chunks.len() + 200);
        }
    }
}
