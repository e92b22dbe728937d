use serde_json::Value;

use super::*;

const NEW: &str = "correct-horse-battery-staple-0123456789";
const OLD: &str = "an-older-password-of-at-least-32-characters";
const NAMED: &str = "a-newer-cookie-password-of-at-least-32-chars!";
/// A moment before the vectors that are made to last expire.
const NOW: i64 = 1_790_000_000;

fn sealer(passwords: &[&str]) -> IronSealer {
    sealer_with_ids(passwords, &[])
}

fn sealer_with_ids(passwords: &[&str], by_id: &[(&str, &str)]) -> IronSealer {
    let by_id = by_id.iter();
    IronSealer::new(
        passwords.iter().map(|&password| password.into()).collect(),
        by_id
            .map(|&(id, password)| (id.to_owned(), password.into()))
            .collect(),
    )
}

fn error(result: Result<Opened, SealError>) -> Option<SealError> {
    result.err()
}

/// What other libraries have sealed, and what they refuse to open.
fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).expect("JSON")
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().expect("a text")
}

fn vector(name: &str) -> Value {
    let vectors = vectors();
    let mut vectors = vectors["vectors"].as_array().expect("a list").iter();
    vectors
        .find(|vector| vector["name"] == name)
        .expect("a vector of that name")
        .clone()
}

#[test]
fn what_other_libraries_seal_opens() {
    for name in [
        "iron-session-ttl0",
        "iron-session-ttl-far-unicode",
        "iron-session-rotated-id2",
        "iron-webcrypto2-bare",
    ] {
        let vector = vector(name);
        let password = text(&vector, "password");
        let opened = sealer_with_ids(&[password], &[("2", password)])
            .open(text(&vector, "sealed"), NOW)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let plaintext: Value = serde_json::from_slice(&opened.plaintext).expect("JSON");
        assert_eq!(plaintext, vector["plaintext"], "{name}");
        assert!(!opened.with_previous_password, "{name}");
    }
}

#[test]
fn what_other_libraries_refuse_is_refused() {
    let vectors = vectors();
    let refused = vectors["negative"].as_array().expect("a list");
    assert_eq!(refused.len(), 9);
    for vector in refused {
        let name = text(vector, "name");
        let expected = match name {
            "wrong-prefix" | "seven-parts" | "nine-parts" => SealError::Malformed,
            _ => SealError::Refused,
        };
        let opened = sealer(&[text(vector, "password")]).open(text(vector, "sealed"), NOW);
        assert_eq!(error(opened), Some(expected), "{name}");
    }
    let expired = vector("expired-must-refuse");
    let opened = sealer(&[text(&expired, "password")]).open(text(&expired, "sealed"), NOW);
    assert_eq!(error(opened), Some(SealError::Expired));
}

#[test]
fn a_seal_expires_a_minute_after_its_time() {
    let vector = vector("expired-must-refuse");
    let sealer = sealer(&[text(&vector, "password")]);
    let sealed = text(&vector, "sealed");
    // It says 1700000600000 milliseconds.
    assert!(sealer.open(sealed, 1_700_000_659).is_ok());
    assert_eq!(
        error(sealer.open(sealed, 1_700_000_660)),
        Some(SealError::Expired)
    );
    assert!(sealer.open(sealed, -1).is_ok());
}

#[test]
fn the_same_plaintext_under_the_same_salts_is_the_same_seal_as_other_libraries_make() {
    for name in ["iron-session-ttl0", "iron-session-ttl-far-unicode"] {
        let vector = vector(name);
        let sealed = text(&vector, "sealed");
        let sealer = sealer(&[text(&vector, "password")]);
        let opened = sealer.open(sealed, NOW).expect("opens");
        let parts: Vec<_> = sealed.split('*').collect();
        let fresh = Fresh {
            encryption_salt: parts[2].to_owned(),
            iv: URL_SAFE_NO_PAD
                .decode(parts[3])
                .expect("base64url")
                .try_into()
                .expect("16 bytes"),
            mac_salt: parts[6].to_owned(),
        };
        let again = sealer.seal_with(&fresh, &opened.plaintext, parts[5]);
        assert_eq!(again.as_deref(), Ok(sealed), "{name}");
    }
}

#[test]
fn what_was_sealed_opens_again() {
    let sealer = sealer(&[NEW]);
    for length in (0..70).chain([5000, 16 * 1024]) {
        let plaintext = vec![b'x'; length];
        let sealed = sealer.seal(&plaintext).expect("seals");
        let opened = sealer.open(&sealed, NOW).expect("opens");
        assert_eq!(opened.plaintext[..], plaintext[..]);
        assert!(!opened.with_previous_password);
    }
}

#[test]
fn a_seal_has_the_form_that_other_libraries_write() {
    let sealed = sealer(&[NEW]).seal(b"{\"a\":1}").expect("seals");
    let parts: Vec<_> = sealed.split('*').collect();
    let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
    assert_eq!(lengths, [6, 1, 64, 22, 22, 0, 64, 45]);
    assert_eq!(parts[1], "1");
    assert!(sealed.starts_with("Fe26.2*1*"));
    assert!(sealed.ends_with("~2"));
    assert!(IronSealer::is_iron(sealed.as_bytes()));
    assert!(!IronSealer::is_iron(b"AQABAgME"));
    assert!(sealed.bytes().all(|byte| matches!(
        byte,
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'*' | b'.' | b'~'
    )));
}

#[test]
fn nothing_in_two_seals_is_the_same() {
    let sealer = sealer(&[NEW]);
    let first = sealer.seal(b"same").expect("seals");
    let second = sealer.seal(b"same").expect("seals");
    let pairs: Vec<_> = first.split('*').zip(second.split('*')).collect();
    for index in [2, 3, 4, 6, 7] {
        assert_ne!(pairs[index].0, pairs[index].1, "part {index}");
    }
    let salts: Vec<_> = first.split('*').collect();
    assert_ne!(salts[2], salts[6]);
}

#[test]
fn the_version_may_be_missing_but_not_another() {
    let sealer = sealer(&[NEW]);
    let sealed = sealer.seal(b"x").expect("seals");
    let bare = sealed.strip_suffix("~2").expect("a version");
    assert!(sealer.open(bare, NOW).is_ok());
    for other in ["~1", "~3", "~", "~2~2", "~2 ", "*"] {
        assert_eq!(
            error(sealer.open(&format!("{bare}{other}"), NOW)),
            Some(SealError::Malformed),
            "{other}"
        );
    }
}

#[test]
fn no_flipped_bit_is_accepted() {
    let sealer = sealer(&[NEW]);
    let sealed = sealer.seal(b"some session").expect("seals");
    for index in 0..sealed.len() {
        for bit in 0..8 {
            let mut bytes = sealed.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            let Ok(altered) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(sealer.open(&altered, NOW).is_err(), "{altered}");
        }
    }
}

#[test]
fn no_truncation_is_accepted() {
    let sealer = sealer(&[NEW]);
    let sealed = sealer.seal(b"some session").expect("seals");
    let bare = sealed.len() - "~2".len();
    for length in (0..sealed.len()).filter(|&length| length != bare) {
        assert!(sealer.open(&sealed[..length], NOW).is_err(), "{length}");
        assert!(sealer.open(&sealed[length + 1..], NOW).is_err());
    }
}

#[test]
fn no_inserted_character_is_accepted() {
    let sealer = sealer(&[NEW]);
    let sealed = sealer.seal(b"some session").expect("seals");
    for index in 0..=sealed.len() {
        for inserted in ['A', '_', '=', '*', '~', '1', ' ', '\0', '%', 'é'] {
            let mut altered = sealed.clone();
            altered.insert(index, inserted);
            assert!(sealer.open(&altered, NOW).is_err(), "{index} {inserted}");
        }
    }
}

#[test]
fn what_is_no_seal_is_malformed() {
    let salt = "0".repeat(64);
    let capitals = "A".repeat(64);
    let iv = "A".repeat(22);
    let mac = "A".repeat(43);
    let good = format!("Fe26.2*1*{salt}*{iv}*{iv}**{salt}*{mac}~2");
    let sealer = sealer(&[NEW]);
    assert_eq!(error(sealer.open(&good, NOW)), Some(SealError::Refused));
    for wrong in [
        String::new(),
        "Fe26.2".to_owned(),
        "*******".to_owned(),
        "Fe26.2*******~2".to_owned(),
        "*".repeat(64 * 1024),
        good.replace(&salt, &salt[1..]),
        good.replace(&salt, &capitals),
        good.replacen(&salt, &capitals, 1),
        good.replacen(&salt, &format!("{}g", &salt[1..]), 1),
        good.replacen(&iv, &"A".repeat(21), 1),
        good.replacen(&iv, &"A".repeat(24), 1),
        good.replacen(&iv, "", 1),
        good.replace(&mac, "A==="),
        good.replace("**", "*0*"),
        good.replace("**", "*007*"),
        good.replace("**", "*-1*"),
        good.replace("**", "*1e9*"),
        good.replace("**", "*9x*"),
        good.replace("**", "*99999999999999999999*"),
        good.replace("**", "***"),
    ] {
        assert_eq!(
            error(sealer.open(&wrong, NOW)),
            Some(SealError::Malformed),
            "{wrong}"
        );
    }
    for refused in [
        good.replace("**", "*18446744073709551615*"),
        good.replace("**", "*9990000000000*"),
    ] {
        assert_eq!(error(sealer.open(&refused, NOW)), Some(SealError::Refused));
    }
}

/// Somebody with the password may have made the MAC over anything.
#[test]
fn what_is_genuine_but_does_not_decrypt_is_refused() {
    let sealer = sealer(&[NEW]);
    let salt = "0".repeat(64);
    for ciphertext in ["", "AA", &"A".repeat(22), &"A".repeat(43)] {
        let authenticated = format!("Fe26.2*1*{salt}*{}*{ciphertext}*", "A".repeat(22));
        let mac = hmac::sign(&mac_key(&NEW.into(), &salt), authenticated.as_bytes());
        let sealed = format!("{authenticated}*{salt}*{}~2", URL_SAFE_NO_PAD.encode(mac));
        assert_eq!(
            error(sealer.open(&sealed, NOW)),
            Some(SealError::Refused),
            "{ciphertext}"
        );
    }
}

#[test]
fn a_previous_password_opens_and_says_so() {
    let sealed = sealer(&[OLD]).seal(b"x").expect("seals");
    let opened = sealer(&[NEW, OLD]).open(&sealed, NOW).expect("opens");
    assert_eq!(opened.plaintext[..], b"x"[..]);
    assert!(opened.with_previous_password);
    assert_eq!(
        error(sealer(&[NEW]).open(&sealed, NOW)),
        Some(SealError::Refused)
    );
}

#[test]
fn the_newest_password_seals() {
    let sealed = sealer(&[NEW, OLD]).seal(b"x").expect("seals");
    assert!(sealer(&[NEW]).open(&sealed, NOW).is_ok());
    assert!(sealer(&[OLD]).open(&sealed, NOW).is_err());
}

#[test]
fn a_password_with_an_id_opens_what_names_it_and_nothing_else() {
    let vector = vector("iron-session-rotated-id2");
    let sealed = text(&vector, "sealed");
    let open = |by_id: &[(&str, &str)]| error(sealer_with_ids(&[NEW], by_id).open(sealed, NOW));
    assert_eq!(open(&[("2", NAMED)]), None);
    assert_eq!(open(&[("3", OLD), ("2", NAMED)]), None);
    for by_id in [&[][..], &[("3", NAMED)], &[("2", NEW)], &[("", NAMED)]] {
        assert_eq!(open(by_id), Some(SealError::Refused), "{by_id:?}");
    }
    let ours = sealer(&[OLD]).seal(b"x").expect("seals");
    let by_id = sealer_with_ids(&[NEW], &[("2", OLD)]);
    assert_eq!(error(by_id.open(&ours, NOW)), Some(SealError::Refused));
}

#[test]
fn sixteen_kilobytes_fit_and_a_hundred_do_not() {
    let sealer = sealer(&[NEW]);
    // 208 bytes of salts, MAC and the like; blocks of 16, and base64 on top.
    let largest = (64 * 1024 - 208) / 4 * 3 / 16 * 16 - 1;
    let sealed = sealer.seal(&vec![b'x'; largest]).expect("seals");
    assert!(sealer.open(&sealed, NOW).is_ok());
    for length in [largest + 1, 64 * 1024, 64 * 1024 + 1, 100 * 1024] {
        assert_eq!(
            sealer.seal(&vec![b'x'; length]).err(),
            Some(SealError::TooLarge)
        );
    }
    // Ciphertexts grow by whole blocks, so the expiry fills the rest.
    let fresh = Fresh::random().expect("random bytes");
    let length_with = |filling: usize| {
        let expiry = "9".repeat(filling);
        let sealed = sealer.seal_with(&fresh, &vec![b'x'; largest], &expiry);
        sealed.map(|sealed| sealed.len())
    };
    let room = 64 * 1024 - length_with(0).expect("seals");
    assert_eq!(length_with(room), Ok(64 * 1024));
    assert_eq!(length_with(room + 1), Err(SealError::TooLarge));
    let long = "A".repeat(64 * 1024 + 1);
    assert_eq!(error(sealer.open(&long, NOW)), Some(SealError::TooLarge));
    assert_eq!(
        error(sealer.open(&long[1..], NOW)),
        Some(SealError::Malformed)
    );
}

#[test]
fn debug_output_shows_no_password() {
    let debug = format!("{:?}", sealer_with_ids(&[NEW, OLD], &[("2", NAMED)]));
    assert_eq!(debug, "IronSealer { passwords: 2, by_id: 1 }");
}
