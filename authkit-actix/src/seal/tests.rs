use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use proptest::{collection::vec, prelude::*, sample::select};
use sha2::Sha256;

use super::*;

const NEW: &str = "correct-horse-battery-staple-0123456789";
const OLD: &str = "an-older-password-of-at-least-32-characters";

fn sealer(passwords: &[&str]) -> Sealer {
    let passwords: Vec<_> = passwords.iter().map(|&p| SecretString::from(p)).collect();
    Sealer::new(&passwords)
}

fn error(result: Result<Opened, SealError>) -> Option<SealError> {
    result.err()
}

#[test]
fn what_was_sealed_opens_again() {
    let sealer = sealer(&[NEW]);
    for plaintext in [&b""[..], b"x", b"{\"a\":1}", &[0xff; 5000]] {
        for purpose in PURPOSES {
            let sealed = sealer.seal(purpose, plaintext).expect("seals");
            let opened = sealer.open(purpose, &sealed).expect("opens");
            assert_eq!(opened.plaintext[..], plaintext[..]);
            assert!(!opened.with_previous_password);
        }
    }
}

#[test]
fn a_sealed_value_is_safe_in_cookies_and_urls() {
    let sealed = sealer(&[NEW])
        .seal(Purpose::Session, &[0; 300])
        .expect("seals");
    assert!(
        sealed
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    );
}

#[test]
fn the_same_plaintext_is_never_sealed_the_same_way_twice() {
    let sealer = sealer(&[NEW]);
    let first = sealer.seal(Purpose::Session, b"same").expect("seals");
    let second = sealer.seal(Purpose::Session, b"same").expect("seals");
    assert_ne!(first, second);
}

#[test]
fn purposes_are_indexed_by_their_own_place() {
    for (index, purpose) in PURPOSES.into_iter().enumerate() {
        assert_eq!(purpose as usize, index);
    }
}

#[test]
fn a_value_of_one_purpose_does_not_open_as_another() {
    let sealer = sealer(&[NEW]);
    for made_for in PURPOSES {
        let sealed = sealer.seal(made_for, b"secret").expect("seals");
        for read_as in PURPOSES.into_iter().filter(|&other| other != made_for) {
            assert_eq!(
                error(sealer.open(read_as, &sealed)),
                Some(SealError::Refused)
            );
        }
    }
}

#[test]
fn purposes_differ_by_key_and_by_associated_data() {
    let session = chacha::Key::derive(NEW.as_bytes(), "session");
    let state = chacha::Key::derive(NEW.as_bytes(), "sign-in-state");
    let sealed = session.seal("session", b"secret").expect("seals");
    let opens = |key: &chacha::Key, context| {
        let mut plaintext = Plaintext::default();
        key.open(context, sealed.as_bytes(), &mut plaintext).is_ok()
    };
    assert!(opens(&session, "session"));
    assert!(!opens(&state, "session"));
    assert!(!opens(&session, "sign-in-state"));
}

#[test]
fn no_flipped_bit_is_accepted() {
    let sealer = sealer(&[NEW]);
    let sealed = sealer
        .seal(Purpose::Session, b"some session")
        .expect("seals");
    for index in 0..sealed.len() {
        for bit in 0..8 {
            let mut bytes = sealed.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            let Ok(altered) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(
                sealer.open(Purpose::Session, &altered).is_err(),
                "{altered}"
            );
        }
    }
}

#[test]
fn no_truncation_is_accepted() {
    let sealer = sealer(&[NEW]);
    let sealed = sealer
        .seal(Purpose::Session, b"some session")
        .expect("seals");
    for length in 0..sealed.len() {
        assert!(sealer.open(Purpose::Session, &sealed[..length]).is_err());
        assert!(
            sealer
                .open(Purpose::Session, &sealed[length + 1..])
                .is_err()
        );
    }
}

#[test]
fn no_inserted_character_is_accepted() {
    // Lengths of every remainder by three, since only some of them end in spare bits.
    for length in 10..13 {
        let sealer = sealer(&[NEW]);
        let sealed = sealer
            .seal(Purpose::Session, &vec![7; length])
            .expect("seals");
        for index in 0..=sealed.len() {
            for inserted in ['A', '_', '=', '+', '/', ' ', '\n', '\0', '.', 'é'] {
                let mut altered = sealed.clone();
                altered.insert(index, inserted);
                assert!(sealer.open(Purpose::Session, &altered).is_err());
            }
        }
    }
}

#[test]
fn a_value_has_one_spelling() {
    let sealer = sealer(&[NEW]);
    for length in 10..13 {
        let sealed = sealer
            .seal(Purpose::Session, &vec![7; length])
            .expect("seals");
        for last in 0..128u8 {
            let mut altered = sealed.clone();
            altered.pop();
            altered.push(char::from(last));
            assert_eq!(
                sealer.open(Purpose::Session, &altered).is_ok(),
                altered == sealed
            );
        }
    }
}

#[test]
fn an_unknown_version_is_malformed() {
    let sealer = sealer(&[NEW]);
    let sealed = sealer.seal(Purpose::Session, b"x").expect("seals");
    let newer = format!("Ag{}", &sealed[2..]);
    assert_eq!(
        error(sealer.open(Purpose::Session, &newer)),
        Some(SealError::Malformed)
    );
    assert_eq!(
        error(sealer.open(Purpose::Session, "")),
        Some(SealError::Malformed)
    );
}

#[test]
fn a_previous_password_opens_and_says_so() {
    let sealed = sealer(&[OLD]).seal(Purpose::Session, b"x").expect("seals");
    let opened = sealer(&[NEW, OLD])
        .open(Purpose::Session, &sealed)
        .expect("opens");
    assert_eq!(opened.plaintext[..], b"x"[..]);
    assert!(opened.with_previous_password);
}

#[test]
fn the_newest_password_seals() {
    let sealed = sealer(&[NEW, OLD])
        .seal(Purpose::Session, b"x")
        .expect("seals");
    assert!(sealer(&[NEW]).open(Purpose::Session, &sealed).is_ok());
    assert!(sealer(&[OLD]).open(Purpose::Session, &sealed).is_err());
}

#[test]
fn a_removed_password_opens_nothing() {
    let sealed = sealer(&[OLD]).seal(Purpose::Session, b"x").expect("seals");
    assert_eq!(
        error(sealer(&[NEW]).open(Purpose::Session, &sealed)),
        Some(SealError::Refused)
    );
}

#[test]
fn sixteen_kilobytes_fit_and_a_hundred_do_not() {
    let sealer = sealer(&[NEW]);
    assert!(sealer.seal(Purpose::Session, &[b'x'; 16 * 1024]).is_ok());
    // The largest plaintext: 41 bytes of version, nonce and tag, and base64 on top.
    assert!(sealer.seal(Purpose::Session, &[b'x'; 49_152 - 41]).is_ok());
    for length in [49_152 - 40, 64 * 1024, 100 * 1024] {
        assert_eq!(
            sealer.seal(Purpose::Session, &vec![b'x'; length]).err(),
            Some(SealError::TooLarge)
        );
    }
    assert_eq!(
        error(sealer.open(Purpose::Session, "A".repeat(64 * 1024 + 1))),
        Some(SealError::TooLarge)
    );
    assert_eq!(
        error(sealer.open(Purpose::Session, "A".repeat(64 * 1024))),
        Some(SealError::Malformed)
    );
}

#[test]
fn the_format_is_the_one_of_version_one() {
    let nonce = std::array::from_fn(|index| index as u8);
    let context = Purpose::Session.context();
    let sealed = chacha::Key::derive(NEW.as_bytes(), context)
        .seal_with_nonce(&nonce, context, b"hello")
        .expect("seals");
    assert_eq!(sealed, KNOWN_ANSWER);
    let opened = sealer(&[NEW])
        .open(Purpose::Session, KNOWN_ANSWER)
        .expect("opens");
    assert_eq!(opened.plaintext[..], b"hello"[..]);
}

/// The crate that has XChaCha20-Poly1305 as a whole gives the same bytes, for lengths on every side of
/// the blocks that the fast implementations work in.
#[test]
fn every_length_is_sealed_as_the_reference_does() {
    let context = Purpose::Session.context();
    let mut reference = chacha20poly1305::Key::default();
    Hkdf::<Sha256>::new(None, NEW.as_bytes())
        .expand(context.as_bytes(), &mut reference)
        .expect("32 bytes");
    let reference = XChaCha20Poly1305::new(&reference);
    let key = chacha::Key::derive(NEW.as_bytes(), context);
    for length in (0..300).chain([511, 512, 513, 1024, 4095, 4096, 16_384]) {
        let nonce = std::array::from_fn(|index| (length * 31 + index * 7) as u8);
        let msg: Vec<_> = (0..length).map(|index| (index * 13) as u8).collect();
        let sealed = key.seal_with_nonce(&nonce, context, &msg).expect("seals");
        let payload = Payload {
            msg: &msg,
            aad: context.as_bytes(),
        };
        let ciphertext = reference.encrypt(&nonce.into(), payload).expect("seals");
        let expected = [&[1], nonce.as_slice(), &ciphertext].concat();
        assert_eq!(sealed, URL_SAFE_NO_PAD.encode(expected));
    }
}

/// Cookies in browsers have this form: when it changes, everybody is signed out.
const KNOWN_ANSWER: &str = "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF1eovFvbSVeOGAQz48llNNW_JV0GCA";

#[test]
fn debug_output_shows_no_key() {
    assert_eq!(
        format!("{:?}", sealer(&[NEW])),
        "Sealer { passwords: 1, .. }"
    );
}

proptest! {
    #[test]
    fn any_bytes_come_back_and_only_for_their_purpose(
        plaintext in vec(any::<u8>(), 0..4_000),
        made_for in select(PURPOSES.to_vec()),
        read_as in select(PURPOSES.to_vec()),
    ) {
        let sealer = sealer(&[NEW]);
        let sealed = sealer.seal(made_for, &plaintext).expect("seals");
        match sealer.open(read_as, &sealed) {
            Ok(opened) => {
                prop_assert_eq!(read_as, made_for);
                prop_assert_eq!(&opened.plaintext[..], &plaintext[..]);
            }
            Err(error) => {
                prop_assert_ne!(read_as, made_for);
                prop_assert_eq!(error, SealError::Refused);
            }
        }
    }

    #[test]
    fn whatever_text_comes_nothing_opens(text in ".*") {
        prop_assert!(sealer(&[NEW, OLD]).open(Purpose::Session, &text).is_err());
    }

    #[test]
    fn nothing_opens_that_was_spliced_from_what_does(
        cut in 0..200_usize,
        from in 0..200_usize,
        other in "[A-Za-z0-9_-]{0,40}",
    ) {
        let sealer = sealer(&[NEW]);
        let seal = |plaintext: &[u8]| sealer.seal(Purpose::Session, plaintext).expect("seals");
        let (one, two) = (seal(&[1; 80]), seal(&[2; 80]));
        let (cut, from) = (cut.min(one.len()), from.min(two.len()));
        let spliced = format!("{}{other}{}", &one[..cut], &two[from..]);
        prop_assume!(spliced != one && spliced != two);
        prop_assert!(sealer.open(Purpose::Session, &spliced).is_err());
    }
}
