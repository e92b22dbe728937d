//! What a check costs, as a whole and in parts: `cargo bench --bench check`.
//!
//! The parts are the operations that nobody can leave out, made with the crates that the library
//! makes them with: what the whole takes beyond their sum is the library's own.

#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use authkit_actix::AccessTokenClaims;
use aws_lc_rs::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    digest::{SHA256, digest},
    signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents},
};
use base64_simd::URL_SAFE_NO_PAD;
use criterion::{BatchSize, Criterion};
use prost::Message as _;
use serde_json::Value;
use support::{World, altered, is_signed_in, learn, request};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let world = World::new();
    signed_in(&mut criterion, &world);
    first_sight(&mut criterion, &world);
    refused(&mut criterion, &world);
    live_sessions(&mut criterion, &world);
    parts(&mut criterion, &world);
    criterion.final_summary();
}

fn signed_in(criterion: &mut Criterion, world: &World) {
    let mut group = criterion.benchmark_group("signed in, cookie of");
    let sessions = [
        ("1 kB", world.small_session()),
        ("2 kB", world.session(0)),
        ("4 kB", world.large_session(4 * 1024)),
        ("12 kB", world.large_session(12 * 1024)),
    ];
    for (size, session) in sessions {
        let cookie = world.cookie(&session);
        let authkit = world.authkit();
        learn(&authkit, std::slice::from_ref(&cookie));
        let request = request(&cookie);
        group.bench_function(size, |bencher| {
            bencher.iter(|| assert!(is_signed_in(&authkit, &request)));
        });
    }
}

fn first_sight(criterion: &mut Criterion, world: &World) {
    let requests: Vec<_> = world
        .cookies(0..TOKENS)
        .iter()
        .map(|cookie| request(cookie))
        .collect();
    criterion.bench_function("first sight of a token", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut left = usize::try_from(iterations).expect("not that many");
            let mut time = Duration::ZERO;
            while left > 0 {
                let count = left.min(TOKENS);
                let authkit = world.authkit();
                let started = Instant::now();
                for request in &requests[..count] {
                    assert!(is_signed_in(&authkit, request));
                }
                time += started.elapsed();
                left -= count;
            }
            time
        });
    });
}

fn refused(criterion: &mut Criterion, world: &World) {
    let mut group = criterion.benchmark_group("refused");
    let authkit = world.authkit();
    let good = world.cookies(0..1).remove(0);
    let garbage = |length| format!("wos-session={}", "A".repeat(length));
    let cookies = [
        (
            "no cookie of ours",
            format!("theme=dark; {}", "x".repeat(2000)),
        ),
        ("an altered cookie", altered(&good)),
        ("garbage of 2 kB", garbage(2000)),
        ("garbage of 64 kB", garbage(64 * 1024)),
        ("500 cookies", "wos-session=A; ".repeat(500)),
    ];
    for (name, cookie) in cookies {
        let request = request(&cookie);
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert!(!is_signed_in(&authkit, &request)));
        });
    }
}

fn live_sessions(criterion: &mut Criterion, world: &World) {
    let mut group = criterion.benchmark_group("signed in, live sessions");
    for sessions in [1, 1_000, 100_000] {
        let cookies = world.cookies(0..sessions);
        let authkit = world.authkit();
        learn(&authkit, &cookies);
        let mut any = cookies.iter().cycle().step_by(7919);
        group.bench_function(sessions.to_string(), |bencher| {
            bencher.iter_batched_ref(
                || request(any.next().expect("a cycle")),
                |request| assert!(is_signed_in(&authkit, request)),
                BatchSize::SmallInput,
            );
        });
    }
}

fn parts(criterion: &mut Criterion, world: &World) {
    let mut group = criterion.benchmark_group("part");
    let session = world.session(0);
    let cookie = world.cookie(&session);
    let (_, sealed) = cookie.split_once('=').expect("one cookie");
    let message = Message::of(&session).encode_to_vec();
    let token = session["access_token"].as_str().expect("a token");
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let (_, payload) = signed.split_once('.').expect("a payload");
    let decode = |text: &str| URL_SAFE_NO_PAD.decode_to_vec(text).expect("base64url");
    let (signature, payload) = (decode(signature), decode(payload));
    let packed = Message::of(&session).access_token;

    group.bench_function("base64url of the cookie", |bencher| {
        bencher.iter(|| decode(sealed));
    });
    let key = UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).expect("32 bytes");
    let key = LessSafeKey::new(key);
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    let mut ciphertext = message.clone();
    key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut ciphertext)
        .expect("a short plaintext");
    group.bench_function("ChaCha20-Poly1305", |bencher| {
        bencher.iter_batched_ref(
            || ciphertext.clone(),
            |ciphertext| {
                let opened = key.open_in_place(nonce(), Aad::empty(), ciphertext);
                opened.expect("a genuine ciphertext").len()
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("message of the session", |bencher| {
        bencher.iter(|| Message::decode(&*message).expect("a session"));
    });
    group.bench_function("SHA-256 of the token", |bencher| {
        bencher.iter(|| digest(&SHA256, &packed));
    });
    let keys: Value = serde_json::from_str(&world.emulator.jwks_body()).expect("JSON");
    let member = |name: &str| decode(keys["keys"][0][name].as_str().expect("a member"));
    let key = RsaPublicKeyComponents {
        n: member("n"),
        e: member("e"),
    };
    group.bench_function("RS256 of the token", |bencher| {
        bencher.iter(|| {
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
                .expect("a genuine signature");
        });
    });
    group.bench_function("JSON of the claims", |bencher| {
        bencher.iter(|| serde_json::from_slice::<AccessTokenClaims>(&payload).expect("claims"));
    });
}

/// The session as the cookie holds it, but for the numbers of its fields. The profile stays unread.
#[derive(prost::Message)]
struct Message {
    #[prost(bytes = "vec", tag = "1")]
    access_token: Vec<u8>,
    #[prost(string, repeated, tag = "2")]
    texts: Vec<String>,
    #[prost(bytes = "vec", tag = "3")]
    profile: Vec<u8>,
}

impl Message {
    fn of(session: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let token = text(&session["access_token"]);
        let parts = token.split('.');
        let parts = parts.map(|part| URL_SAFE_NO_PAD.decode_to_vec(part).expect("base64url"));
        let user = session["user"].as_object().expect("a user");
        let mut texts = vec![text(&user["id"]), text(&user["email"])];
        texts.extend(["refresh_token", "authentication_method"].map(|name| text(&session[name])));
        let profile = user
            .iter()
            .filter(|(name, _)| *name != "id" && *name != "email");
        Self {
            access_token: parts.flatten().collect(),
            texts,
            profile: profile
                .filter_map(|(_, member)| member.as_str())
                .flat_map(str::bytes)
                .collect(),
        }
    }
}

/// New tokens for one AuthKit, to which each is new once.
const TOKENS: usize = 256;
