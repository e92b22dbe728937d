//! Forgeries in bulk: cookies that were tampered with, and tokens that WorkOS never signed.
//!
//! A sample of each by itself; `bash tests/forgeries.sh` makes a million of the one and thousands of
//! the other, the same on every run.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    thread,
};

use authkit_tests::{PASSWORD, TestApp, log::TRY, seal};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn no_malformed_cookie_is_accepted() {
    let app = TestApp::builder().workers(2).start().await;
    let genuine = [app.session(ADA), app.session("alan@example.com")];
    let genuine = genuine.map(|session| app.seal(&session));
    for sealed in &genuine {
        let answer = app.ask("/api/me", &format!("wos-session={sealed}")).await;
        assert_eq!(answer.status, 200);
    }
    let many = number("AUTHKIT_TESTS_COOKIES", 4_000);
    let answers = answers(&app, many, |random| malformed(random, &genuine));
    println!("{many} malformed cookies, answers by status: {answers:?}");
    assert_eq!(answers, BTreeMap::from([(401, many)]));
}

#[tokio::test]
async fn no_forged_token_is_accepted() {
    let app = TestApp::builder().workers(2).start().await;
    let session = app.session(ADA);
    // Older than the key set, so that a key which is not in it does not exist.
    let mut claims = app.claims(&session["access_token"]);
    claims["iat"] = json!(claims["iat"].as_i64().expect("a time") - 100);
    let mut genuine = session.clone();
    genuine["access_token"] = json!(app.emulator.mint(claims.clone()));
    let cookie = format!("wos-session={}", app.seal(&genuine));
    assert_eq!(app.ask("/api/me", &cookie).await.status, 200);

    let many = number("AUTHKIT_TESTS_TOKENS", 200);
    let answers = answers(&app, many, |random| {
        let mut forged = session.clone();
        forged["access_token"] = json!(forged_token(random, &app, &claims));
        format!("wos-session={}", app.seal(&forged))
    });
    println!("{many} forged tokens, answers by status: {answers:?}");
    assert_eq!(answers, BTreeMap::from([(401, many)]));
}

/// A cookie header with something in it that looks like a session and is none.
fn malformed(random: &mut Random, genuine: &[String; 2]) -> String {
    let [sealed, other] = genuine;
    let at = random.below(sealed.len());
    let letter = random.letter();
    let value = match random.below(12) {
        0 => {
            let mut bytes = URL_SAFE_NO_PAD.decode(sealed).expect("base64url");
            let index = random.below(bytes.len());
            bytes[index] ^= 1 << random.below(8);
            URL_SAFE_NO_PAD.encode(bytes)
        }
        1 => format!("{}{letter}{}", &sealed[..at], &sealed[at + 1..]),
        2 => sealed[..at].to_owned(),
        3 => sealed[at + 1..].to_owned(),
        4 => format!("{}{letter}{}", &sealed[..at], &sealed[at..]),
        5 => {
            let end = at + 1 + random.below(sealed.len() - at);
            format!("{}{}", &sealed[..at], &sealed[end..])
        }
        6 => format!("{}{}", &sealed[..at], &other[at.min(other.len())..]),
        7 => {
            let length = random.below(5_000);
            (0..length).map(|_| random.letter()).collect()
        }
        8 => {
            let length = random.below(300);
            // Everything that a cookie's value may consist of, RFC 6265 section 4.1.1.
            let octets = (0x21..0x7f).filter(|byte| !b"\",;\\".contains(byte));
            let octets: Vec<u8> = octets.collect();
            (0..length)
                .map(|_| char::from(octets[random.below(octets.len())]))
                .collect()
        }
        9 => {
            let content = seal::open(PASSWORD, seal::SESSION, sealed).expect("our own");
            match random.below(3) {
                0 => seal::seal(PASSWORD, seal::SIGN_IN_STATE, &content),
                1 => seal::seal(PASSWORD, "", &content),
                _ => seal::seal(
                    "another password, of 32 characters",
                    seal::SESSION,
                    &content,
                ),
            }
        }
        10 => {
            let content = seal::open(PASSWORD, seal::SESSION, sealed).expect("our own");
            let mut session = seal::unpacked(&content);
            let wrong = [json!(7), json!(null), json!([]), json!({"id": 7})];
            let members = ["access_token", "refresh_token", "user"];
            session[members[random.below(3)]] = wrong[random.below(4)].clone();
            let content = match random.below(3) {
                0 => content[..random.below(content.len())].to_owned(),
                1 => session.to_string().into_bytes(),
                _ => seal::packed(&session),
            };
            seal::seal(PASSWORD, seal::SESSION, &content)
        }
        _ => {
            let (first, second) = sealed.split_at(at.max(1));
            return match random.below(4) {
                0 => format!("wos-session.0=2.{second}; wos-session.1={first}"),
                1 => format!("wos-session.0=3.{first}; wos-session.1={second}"),
                2 => format!("wos-session.0=2.{first}"),
                _ => format!("wos-session={sealed}; wos-session={other}"),
            };
        }
    };
    if genuine.contains(&value) {
        return malformed(random, genuine);
    }
    format!("wos-session={value}")
}

/// A token for ada that is not WorkOS's, or that WorkOS made for somebody else.
fn forged_token(random: &mut Random, app: &TestApp, claims: &Value) -> String {
    let genuine = app.emulator.mint(claims.clone());
    let parts: Vec<_> = genuine.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let noise =
        |random: &mut Random, length| -> String { (0..length).map(|_| random.letter()).collect() };
    match random.below(9) {
        0 => {
            let algorithms = [
                "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS384", "RS512",
                "PS256", "ES256", "EdDSA", "rs256", "RS256 ",
            ];
            let algorithm = algorithms[random.below(algorithms.len())];
            let header = json!({"alg": algorithm, "typ": "JWT", "kid": app.emulator.key_id()});
            match random.below(3) {
                0 => app.emulator.mint_with(header, claims.clone()),
                1 => format!("{}.{payload}.", encoded(&header)),
                _ => format!("{}.{payload}.{}", encoded(&header), noise(random, 43)),
            }
        }
        1 => app.emulator.mint_with_unknown_key(claims.clone()),
        2 => {
            let stranger = app.emulator.mint_with_unknown_key(claims.clone());
            let signature = stranger.rsplit('.').next().unwrap_or_default();
            format!("{header}.{payload}.{signature}")
        }
        3 => {
            let header = json!({"alg": "RS256", "kid": noise(random, 12)});
            app.emulator.mint_with(header, claims.clone())
        }
        4 => {
            let mut altered = claims.clone();
            match random.below(4) {
                0 => altered["role"] = json!("owner"),
                1 => altered["exp"] = json!(random.next()),
                2 => altered["org_id"] = json!(noise(random, 8)),
                _ => altered["sid"] = json!(noise(random, 8)),
            }
            format!("{header}.{}.{signature}", encoded(&altered))
        }
        5 => {
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
            let index = random.below(bytes.len());
            bytes[index] ^= 1 << random.below(8);
            format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(bytes))
        }
        6 => {
            let at = random.below(genuine.len());
            format!("{}{}", &genuine[..at], &genuine[at + 1..])
        }
        7 => {
            let mut others = claims.clone();
            let names = ["sub", "sid", "exp", "iat", "client_id"];
            let name = names[random.below(names.len())];
            let values = [
                json!(null),
                json!([]),
                json!({}),
                json!(-1.5),
                json!(""),
                json!("user_x"),
            ];
            others[name] = values[random.below(values.len())].clone();
            if name == "sid" && others[name] == "user_x"
                || name == "client_id" && others[name].is_null()
            {
                others["sub"] = json!("user_x");
            }
            app.emulator.mint(others)
        }
        _ => {
            let lengths = [random.below(80), random.below(300), random.below(400)];
            lengths.map(|length| noise(random, length)).join(".")
        }
    }
}

/// How often each status was answered to requests with cookies that `make` makes.
fn answers(
    app: &TestApp,
    many: usize,
    make: impl Fn(&mut Random) -> String + Sync,
) -> BTreeMap<u16, usize> {
    let mut answers = BTreeMap::new();
    thread::scope(|scope| {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|index| {
                let make = &make;
                scope.spawn(move || {
                    let mut random = Random(index as u64);
                    let share = many / CONNECTIONS + usize::from(index < many % CONNECTIONS);
                    let mut connection = Connection::to(&app.origin);
                    let mut statuses = Vec::new();
                    while statuses.len() < share {
                        let batch = PIPELINED.min(share - statuses.len());
                        let cookies: Vec<_> = (0..batch).map(|_| make(&mut random)).collect();
                        statuses.extend(connection.ask(&cookies));
                    }
                    statuses
                })
            })
            .collect();
        for connection in connections {
            for status in connection.join().expect("every request is answered") {
                *answers.entry(status).or_default() += 1;
            }
        }
    });
    answers
}

/// A connection without a client library in between, which would take longer than the server.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(origin: &str) -> Self {
        let stream = TcpStream::connect(origin.trim_start_matches("http://"));
        Self(BufReader::new(stream.expect("a connection")))
    }

    /// Sends requests with these cookies at once, and gives the statuses of the answers.
    fn ask(&mut self, cookies: &[String]) -> Vec<u16> {
        let requests: String = cookies
            .iter()
            .map(|cookie| format!("GET /api/me HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n"))
            .collect();
        self.0
            .get_mut()
            .write_all(requests.as_bytes())
            .expect("sent");
        cookies
            .iter()
            .map(|cookie| {
                self.answer()
                    .unwrap_or_else(|| panic!("no answer to one of {} bytes", cookie.len()))
            })
            .collect()
    }

    fn answer(&mut self) -> Option<u16> {
        let status = self.line()?.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().ok()?,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        tracing::trace!(target: TRY, status);
        Some(status)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        line.strip_suffix("\r\n").map(str::to_owned)
    }
}

/// SplitMix64: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// A letter of base64url.
    fn letter(&mut self) -> char {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        char::from(LETTERS[self.below(64)])
    }
}

/// As many as the variable says.
fn number(variable: &str, usual: usize) -> usize {
    let number = env::var(variable).ok();
    number.map_or(usual, |number| number.parse().expect("a number"))
}

const CONNECTIONS: usize = 4;
/// Requests that are sent before the first of them is answered.
const PIPELINED: usize = 16;
