use std::collections::HashMap;

use secrecy::ExposeSecret;

use super::*;

const PASSWORD: &str = "correct-horse-battery-staple-0123456789";
const API_KEY: &str = "sk_test_marked_secret";

/// A complete environment with `changes` on top; an empty value unsets.
fn parse(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
    parse_with(Settings::default(), changes)
}

fn parse_with(code: Settings, changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut variables = HashMap::from([
        ("WORKOS_CLIENT_ID", "client_01"),
        ("WORKOS_API_KEY", API_KEY),
        ("WORKOS_COOKIE_PASSWORD", PASSWORD),
        ("WORKOS_REDIRECT_URI", "https://app.example.com/callback"),
    ]);
    variables.extend(changes.iter().copied());
    Config::parse(code, |name| {
        variables.get(name).map(|&value| value.to_owned())
    })
}

fn accepted(changes: &[(&str, &str)]) -> Config {
    parse(changes).expect("the configuration is accepted")
}

/// The single problem that `changes` cause, as `field: message`.
fn refused(changes: &[(&str, &str)]) -> String {
    refused_with(Settings::default(), changes)
}

fn refused_with(code: Settings, changes: &[(&str, &str)]) -> String {
    let error = parse_with(code, changes).expect_err("the configuration is refused");
    assert_eq!(error.problems().len(), 1, "{error}");
    let problem = &error.problems()[0];
    format!("{}: {}", problem.field(), problem.message())
}

#[test]
fn the_required_variables_suffice() {
    let config = accepted(&[]);
    assert_eq!(config.client_id, "client_01");
    assert_eq!(config.base_url.as_str(), "https://app.example.com");
    assert_eq!(config.api_url.as_str(), "https://api.workos.com");
    assert_eq!(config.cookie.name, "wos-session");
    assert_eq!(config.cookie.max_age.as_secs(), 34_560_000);
    assert_eq!(config.cookie.domain, None);
    assert_eq!(config.cookie.same_site, SameSite::Lax);
    assert!(config.cookie.secure);
    assert_eq!(config.leeway.as_secs(), 30);
    assert_eq!(config.refresh_buffer, None);
    assert_eq!(config.paths.callback, "/callback");
    assert_eq!(config.paths.sign_in, "/sign-in");
}

#[test]
fn every_problem_is_listed_at_once_with_its_field_and_variable() {
    let error = Config::parse(Settings::default(), |_| None).expect_err("nothing is set");
    let text = error.to_string();
    for (field, variable) in [
        ("client_id", "WORKOS_CLIENT_ID"),
        ("api_key", "WORKOS_API_KEY"),
        ("cookie_password", "WORKOS_COOKIE_PASSWORD"),
        ("redirect_uri", "WORKOS_REDIRECT_URI"),
    ] {
        assert!(
            text.contains(&format!("- {field} ({variable}): is missing; ")),
            "{text}"
        );
    }
    assert_eq!(error.problems().len(), 4);
    assert!(text.starts_with("the AuthKit configuration has 4 problems:\n- "));
}

#[test]
fn an_empty_value_counts_as_unset() {
    assert!(refused(&[("WORKOS_CLIENT_ID", "")]).contains("is missing"));
    assert!(refused(&[("WORKOS_API_KEY", " \n")]).contains("is missing"));
    assert_eq!(
        accepted(&[("WORKOS_COOKIE_NAME", "")]).cookie.name,
        "wos-session"
    );
    let code = Settings {
        client_id: Some(String::new()),
        api_key: Some("".into()),
        ..Settings::default()
    };
    let config = parse_with(code, &[]).expect("the environment fills in");
    assert_eq!(config.client_id, "client_01");
    assert_eq!(config.api_key.expose_secret(), API_KEY);
}

#[test]
fn code_wins_over_the_environment() {
    let code = Settings {
        client_id: Some("client_code".into()),
        api_key: Some("sk_code".into()),
        cookie_password: Some("another-password-that-is-long-enough".into()),
        previous_cookie_passwords: Some(vec![]),
        redirect_uri: Some("http://localhost:3000/auth/callback".into()),
        base_url: Some("http://localhost:4000".into()),
        cookie_name: Some("code".into()),
        cookie_max_age: Some(Duration::from_secs(60)),
        cookie_same_site: Some(SameSite::Strict),
        api_hostname: Some("localhost".into()),
        api_https: Some(false),
        api_port: Some(8080),
        ..Settings::default()
    };
    let config = parse_with(
        code,
        &[
            ("WORKOS_COOKIE_PASSWORD_PREVIOUS", PASSWORD),
            ("AUTHKIT_BASE_URL", "https://variable.example.com"),
            ("WORKOS_COOKIE_NAME", "variable"),
            ("WORKOS_COOKIE_MAX_AGE", "nonsense"),
            ("WORKOS_COOKIE_SAMESITE", "nonsense"),
            ("WORKOS_API_HOSTNAME", "variable.example.com"),
            ("WORKOS_API_HTTPS", "nonsense"),
            ("WORKOS_API_PORT", "nonsense"),
        ],
    )
    .expect("the variables are not looked at");
    assert_eq!(config.client_id, "client_code");
    assert_eq!(config.api_key.expose_secret(), "sk_code");
    assert_eq!(config.cookie_passwords.len(), 1);
    assert_eq!(
        config.redirect_uri.as_str(),
        "http://localhost:3000/auth/callback"
    );
    assert_eq!(config.base_url.as_str(), "http://localhost:4000");
    assert_eq!(config.cookie.name, "code");
    assert_eq!(config.cookie.max_age.as_secs(), 60);
    assert_eq!(config.cookie.same_site, SameSite::Strict);
    assert!(!config.cookie.secure);
    assert_eq!(config.api_url.as_str(), "http://localhost:8080");
}

#[test]
fn white_space_around_a_value_is_dropped() {
    let config = accepted(&[
        ("WORKOS_CLIENT_ID", " client_01\n"),
        ("WORKOS_API_KEY", "sk_test_marked_secret\n"),
        (
            "WORKOS_COOKIE_PASSWORD",
            " correct-horse-battery-staple-0123456789\n",
        ),
    ]);
    assert_eq!(config.client_id, "client_01");
    assert_eq!(config.api_key.expose_secret(), API_KEY);
    assert_eq!(
        config.cookie_passwords[0].expose_secret(),
        "correct-horse-battery-staple-0123456789"
    );
}

#[test]
fn an_api_key_in_place_of_the_client_id_is_refused_and_not_shown() {
    let message = refused(&[("WORKOS_CLIENT_ID", API_KEY)]);
    assert!(
        message.contains("is an API key") && !message.contains("marked"),
        "{message}"
    );
    assert!(refused(&[("WORKOS_CLIENT_ID", "client 01")]).contains("`client 01`"));
    let message = refused(&[("WORKOS_API_KEY", "sk_test marked")]);
    assert!(message.starts_with("api_key: contains spaces") && !message.contains("marked"));
}

#[test]
fn weak_cookie_passwords_are_refused_and_not_shown() {
    for (password, fault) in [
        ("a-marked-password-of-31-letters", "shorter than 32"),
        ("ääääääääääääääääääääääääääääää", "shorter than 32"),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "one repeated character",
        ),
        ("your-secret-password-marked-for-cookies", "placeholder"),
        ("YOUR_COOKIE_PASSWORD_MARKED_0123456789", "placeholder"),
        ("change-me-marked-change-me-marked-change-me", "placeholder"),
        (
            "<a marked password of 32 characters or more>",
            "placeholder",
        ),
        (
            "a-marked-password-that-is-\u{FFFD}-not-in-utf-8",
            "not UTF-8",
        ),
    ] {
        let message = refused(&[("WORKOS_COOKIE_PASSWORD", password)]);
        assert!(message.starts_with("cookie_password: is "), "{message}");
        assert!(message.contains(fault), "{message}");
        assert!(message.contains("openssl rand"), "{message}");
        assert!(!message.to_lowercase().contains("marked"), "{message}");
    }
}

#[test]
fn passwords_of_32_characters_are_accepted() {
    for password in [
        "0123456789abcdef0123456789abcdef",
        "pässwörd-mit-umlauten-und-mehr-als-32-zeichen",
        "a-newer-cookie-password-of-at-least-32-chars!",
        "ab,cd,ef,gh,ij,kl,mn,op,qr,st,uv,wx,yz",
    ] {
        let config = accepted(&[("WORKOS_COOKIE_PASSWORD", password)]);
        assert_eq!(config.cookie_passwords[0].expose_secret(), password);
    }
}

#[test]
fn previous_passwords_follow_the_newest_and_obey_the_same_rules() {
    let older = "an-older-password-of-many-characters";
    let oldest = "the-oldest-password-of-many-characters";
    let config = accepted(&[(
        "WORKOS_COOKIE_PASSWORD_PREVIOUS",
        &format!("{older}, {oldest},"),
    )]);
    let ring: Vec<_> = config
        .cookie_passwords
        .iter()
        .map(|p| p.expose_secret())
        .collect();
    assert_eq!(ring, [PASSWORD, older, oldest]);

    let message = refused(&[(
        "WORKOS_COOKIE_PASSWORD_PREVIOUS",
        &format!("{older},marked"),
    )]);
    assert!(message.contains("password 2 of 2 is shorter"), "{message}");
    assert!(!message.contains("marked"), "{message}");
}

#[test]
fn password_ids_are_words_of_the_shared_seal_alone() {
    let sharing = |passwords: &[(&str, &str)]| Settings {
        seal_format: SealFormat::Iron,
        iron_passwords: passwords
            .iter()
            .map(|&(id, password)| (id.to_owned(), password.into()))
            .collect(),
        ..Settings::default()
    };
    let other = "another-password-of-at-least-32-characters";
    let config = parse_with(sharing(&[("2", other), ("old_one", PASSWORD)]), &[]);
    let config = config.expect("two ids");
    assert_eq!(config.seal_format, SealFormat::Iron);
    assert_eq!(config.iron_passwords[0].0, "2");
    assert_eq!(config.iron_passwords[0].1.expose_secret(), other);

    for (passwords, problem) in [
        (&[("", other)][..], "id `` is no id"),
        (&[("a*b", other)], "id `a*b` is no id"),
        (&[("1", other)], "id `1` is the cookie password itself"),
        (&[("2", other), ("2", PASSWORD)], "id `2` is there twice"),
        (
            &[("2", "too-short-a-secret")],
            "id `2` has a password that is shorter",
        ),
    ] {
        let refused = refused_with(sharing(passwords), &[]);
        assert!(refused.starts_with("iron_passwords: "), "{refused}");
        assert!(refused.contains(problem), "{refused}");
        assert!(!refused.contains("too-short-a-secret"), "{refused}");
    }
    let default_seal = Settings {
        seal_format: SealFormat::ChaCha,
        ..sharing(&[("2", other)])
    };
    let refused = refused_with(default_seal, &[]);
    assert!(refused.contains("SealFormat::Iron"), "{refused}");
}

#[test]
fn a_session_that_the_server_keeps_is_not_shared_by_its_cookie() {
    let settings = |seal_format, sessions_on_server| Settings {
        seal_format,
        sessions_on_server,
        ..Settings::default()
    };
    let refused = refused_with(settings(SealFormat::Iron, true), &[]);
    assert!(refused.starts_with("seal_format: "), "{refused}");
    for fine in [(SealFormat::Iron, false), (SealFormat::ChaCha, true)] {
        assert!(
            parse_with(settings(fine.0, fine.1), &[]).is_ok(),
            "{fine:?}"
        );
    }
}

#[test]
fn the_redirect_uri_has_an_alias_that_loses() {
    let alias = (
        "NEXT_PUBLIC_WORKOS_REDIRECT_URI",
        "https://alias.example.com/cb",
    );
    assert_eq!(accepted(&[alias]).redirect_uri.path(), "/callback");
    assert_eq!(
        accepted(&[("WORKOS_REDIRECT_URI", ""), alias])
            .redirect_uri
            .path(),
        "/cb"
    );
}

#[test]
fn redirect_uris_that_no_browser_can_follow_are_refused() {
    for uri in [
        "/callback",
        "app.example.com/callback",
        "ftp://app.example.com/callback",
        "https:app.example.com/callback",
        "https:/app.example.com",
        "https:\\\\app.example.com/",
        "https://",
        "https://app example.com/",
        "https://app.example.com/a\tb",
        "https://app.example.com/\u{FFFD}",
        "https://app.example.com:99999/",
        "javascript:alert(1)",
    ] {
        let message = refused(&[("WORKOS_REDIRECT_URI", uri)]);
        assert!(
            message.contains("is not an absolute http or https URL"),
            "{message}"
        );
    }
    assert!(
        refused(&[("WORKOS_REDIRECT_URI", "https://app.example.com/cb#x")]).contains("fragment")
    );
    for uri in [
        "https://marked@app.example.com/cb",
        "https://:marked@app.example.com/cb",
    ] {
        let message = refused(&[("WORKOS_REDIRECT_URI", uri)]);
        assert!(
            message.contains("user name") && !message.contains("marked"),
            "{message}"
        );
    }
    let message = refused(&[("WORKOS_REDIRECT_URI", "https://u:marked@app.example.com:x/")]);
    assert!(!message.contains("marked"), "{message}");
}

#[test]
fn the_base_url_is_an_origin() {
    for text in [
        "https://www.example.com",
        "https://www.example.com/",
        "HTTPS://WWW.example.com:443",
    ] {
        let config = accepted(&[("AUTHKIT_BASE_URL", text)]);
        assert_eq!(config.base_url.as_str(), "https://www.example.com");
    }
    for text in [
        "https://www.example.com/app",
        "https://www.example.com/?a",
        "https://www.example.com/#a",
    ] {
        let message = refused(&[("AUTHKIT_BASE_URL", text)]);
        assert!(
            message.contains("write `https://www.example.com`"),
            "{message}"
        );
    }
    assert!(refused(&[("AUTHKIT_BASE_URL", "www.example.com")]).contains("absolute"));
}

#[test]
fn the_origin_of_the_api_is_no_base_url() {
    assert!(refused(&[("AUTHKIT_BASE_URL", "https://api.workos.com")]).contains("WorkOS API"));
    assert!(
        refused(&[("WORKOS_REDIRECT_URI", "https://api.workos.com/callback")])
            .starts_with("base_url: ")
    );
}

#[test]
fn secure_follows_the_base_url() {
    let plain = ("WORKOS_REDIRECT_URI", "http://localhost:3000/callback");
    assert!(!accepted(&[plain]).cookie.secure);
    assert!(
        accepted(&[plain, ("WORKOS_COOKIE_SAMESITE", "None")])
            .cookie
            .secure
    );
    assert!(
        accepted(&[plain, ("AUTHKIT_BASE_URL", "https://app.example.com")])
            .cookie
            .secure
    );
}

#[test]
fn same_site_is_read_in_any_case() {
    for (text, same_site) in [
        ("LAX", SameSite::Lax),
        ("Strict", SameSite::Strict),
        ("none", SameSite::None),
    ] {
        let config = accepted(&[("WORKOS_COOKIE_SAMESITE", text)]);
        assert_eq!(config.cookie.same_site, same_site);
    }
    assert!(refused(&[("WORKOS_COOKIE_SAMESITE", "lux")]).contains("`lux` is none of"));
}

#[test]
fn the_cookie_lives_from_one_second_to_decades() {
    for seconds in ["1", "86400", "2147483647"] {
        let config = accepted(&[("WORKOS_COOKIE_MAX_AGE", seconds)]);
        assert_eq!(config.cookie.max_age.as_secs().to_string(), seconds);
    }
    for seconds in ["0", "2147483648"] {
        assert!(refused(&[("WORKOS_COOKIE_MAX_AGE", seconds)]).contains("out of range"));
    }
    for seconds in ["-1", "1.5", "1d", "99999999999999999999999"] {
        let message = refused(&[("WORKOS_COOKIE_MAX_AGE", seconds)]);
        assert!(
            message.contains(&format!("`{seconds}` is not whole seconds")),
            "{message}"
        );
    }
}

#[test]
fn cookie_names_are_tokens_that_collide_with_nothing() {
    for name in ["a", "my-session", "__Secure-session", "s.1_x~"] {
        assert_eq!(accepted(&[("WORKOS_COOKIE_NAME", name)]).cookie.name, name);
    }
    for name in [
        "my session",
        "a=b",
        "a;b",
        "ä",
        "a\"",
        "a,b",
        &"n".repeat(129),
    ] {
        assert!(refused(&[("WORKOS_COOKIE_NAME", name)]).contains("is not a cookie name"));
    }
    assert!(refused(&[("WORKOS_COOKIE_NAME", "wos-auth-verifier-x")]).contains("collides"));
}

#[test]
fn the_host_prefix_needs_https_and_no_domain() {
    let code = || Settings {
        host_prefix: true,
        ..Settings::default()
    };
    let plain = ("WORKOS_REDIRECT_URI", "http://localhost:3000/callback");
    let domain = ("WORKOS_COOKIE_DOMAIN", "example.com");
    let named = ("WORKOS_COOKIE_NAME", "__Host-s");

    let config = parse_with(code(), &[]).expect("accepted");
    assert_eq!(config.cookie.name, "__Host-wos-session");
    let config = parse_with(code(), &[named]).expect("accepted");
    assert_eq!(config.cookie.name, "__Host-s");

    assert!(refused_with(code(), &[plain]).starts_with("host_prefix: "));
    assert!(refused_with(code(), &[domain]).starts_with("cookie_domain: "));
    assert!(refused(&[plain, named]).starts_with("cookie_name: "));
    assert!(refused(&[domain, named]).starts_with("cookie_domain: "));
    assert!(refused(&[plain, ("WORKOS_COOKIE_NAME", "__secure-s")]).starts_with("cookie_name: "));
}

#[test]
fn the_cookie_domain_covers_the_app() {
    for (text, domain) in [
        ("example.com", "example.com"),
        (".Example.com", "example.com"),
        ("app.example.com", "app.example.com"),
    ] {
        let config = accepted(&[("WORKOS_COOKIE_DOMAIN", text)]);
        assert_eq!(config.cookie.domain.as_deref(), Some(domain));
    }
    let local = ("WORKOS_REDIRECT_URI", "http://localhost:3000/callback");
    assert!(parse(&[local, ("WORKOS_COOKIE_DOMAIN", "localhost")]).is_ok());

    for domain in [
        "other.com",
        "ple.com",
        "www.app.example.com",
        "com",
        "xexample.com",
    ] {
        let message = refused(&[("WORKOS_COOKIE_DOMAIN", domain)]);
        assert!(message.contains("browsers would refuse"), "{message}");
    }
    for domain in [
        "https://example.com",
        "example.com:443",
        "example.com/",
        "a b",
        "a_b.com",
        "-a.com",
        "example..com",
    ] {
        let message = refused(&[("WORKOS_COOKIE_DOMAIN", domain)]);
        assert!(message.contains("is not a domain"), "{message}");
    }
    for address in ["127.0.0.1", "[::1]"] {
        let message = refused(&[("WORKOS_COOKIE_DOMAIN", address)]);
        assert!(message.contains("is an address"), "{message}");
    }
}

#[test]
fn a_callback_on_another_host_needs_a_domain_that_covers_both() {
    let share = |redirect_uri, domain| {
        let base_url = ("AUTHKIT_BASE_URL", "https://app.example.com");
        let redirect_uri = ("WORKOS_REDIRECT_URI", redirect_uri);
        let domain = ("WORKOS_COOKIE_DOMAIN", domain);
        !accepted(&[base_url, redirect_uri, domain]).hosts_share_no_cookies()
    };
    assert!(share("https://app.example.com:8443/callback", ""));
    assert!(share("https://app.example.com/callback", "example.com"));
    assert!(!share("https://id.example.com/callback", ""));
    assert!(share("https://id.example.com/callback", "example.com"));
    assert!(!share("https://id.example.com/callback", "app.example.com"));
    assert!(!share("https://example.org/callback", "example.com"));
}

#[test]
fn the_api_is_spoken_to_in_plain_text_only_on_loopback() {
    let http = ("WORKOS_API_HTTPS", "false");
    for (hostname, origin) in [
        ("localhost", "http://localhost"),
        ("workos.localhost", "http://workos.localhost"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("127.1.2.3", "http://127.1.2.3"),
        ("[::1]", "http://[::1]"),
    ] {
        let config = accepted(&[http, ("WORKOS_API_HOSTNAME", hostname)]);
        assert_eq!(config.api_url.as_str(), origin);
        let config = accepted(&[
            http,
            ("WORKOS_API_HOSTNAME", hostname),
            ("WORKOS_API_PORT", "8080"),
        ]);
        assert_eq!(config.api_url.as_str(), format!("{origin}:8080"));
    }
    for hostname in [
        "api.workos.com",
        "localhost.example.com",
        "10.0.0.1",
        "[::2]",
        "0.0.0.0",
        "notlocalhost",
    ] {
        let message = refused(&[http, ("WORKOS_API_HOSTNAME", hostname)]);
        assert!(message.starts_with("api_https: plain http"), "{message}");
    }
}

#[test]
fn api_settings_that_are_none_are_refused() {
    for hostname in [
        "https://api.workos.com",
        "api.workos.com:443",
        "api.workos.com/",
        "u@h",
        "a b",
    ] {
        let message = refused(&[("WORKOS_API_HOSTNAME", hostname)]);
        assert!(message.starts_with("api_hostname: "), "{message}");
    }
    assert!(refused(&[("WORKOS_API_HTTPS", "yes")]).contains("`yes` is neither"));
    for port in ["0", "65536", "-1", "http"] {
        assert!(refused(&[("WORKOS_API_PORT", port)]).starts_with("api_port: "));
    }
    let config = accepted(&[("WORKOS_API_HTTPS", "TRUE"), ("WORKOS_API_PORT", "8443")]);
    assert_eq!(config.api_url.as_str(), "https://api.workos.com:8443");
}

#[test]
fn routes_have_plain_paths_of_their_own() {
    let code = |sign_in: &str, sign_up: &str| Settings {
        sign_in_path: Some(sign_in.to_owned()),
        sign_up_path: Some(sign_up.to_owned()),
        ..Settings::default()
    };
    let config = parse_with(code("/login", "/join/now"), &[]).expect("accepted");
    assert_eq!(config.paths.sign_in, "/login");
    assert_eq!(config.paths.sign_up, "/join/now");

    for path in [
        "login", "//evil", "/a//b", "/a?b", "/a#b", "/{a}", "/a*", "/a b", "/../a", "/./a", "/ä",
        "/%61",
    ] {
        let message = refused_with(code(path, "/join"), &[]);
        assert!(message.starts_with("sign_in_path: "), "{message}");
    }
    assert!(
        refused_with(code("/a", "/a"), &[])
            .contains("sign_up_path: `/a` is the path of `sign_in_path`")
    );
    assert!(refused_with(code("/callback", "/a"), &[]).contains("path of `redirect_uri`"));
    assert!(refused_with(code("/a", "/sign-out"), &[]).starts_with("sign_out_path: "));
}

#[test]
fn the_prefix_is_a_plain_path_and_its_routes_are_nobody_elses() {
    let code = |prefix: &str, sign_in: &str| Settings {
        routes_prefix: Some(prefix.into()),
        sign_in_path: Some(sign_in.into()),
        ..Settings::default()
    };
    let config = parse_with(code("/auth", "/auth/in"), &[]).expect("accepted");
    assert_eq!(
        config.paths.select_organization,
        "/auth/select-organization"
    );
    for (path, is_ours) in [
        ("/auth/session", true),
        ("/auth/client.js", true),
        ("/auth/client.3f0c.js", true),
        ("/auth/client.js/x.js", false),
        ("/auth/Session", false),
        ("/auth/session/", false),
        ("/authkit/session", false),
        ("/auth", false),
    ] {
        assert_eq!(config.paths.is_under_prefix(path), is_ours, "{path}");
    }
    for prefix in ["/", "auth", "/auth/", "//auth", "/a?b", "/{a}"] {
        let message = refused_with(code(prefix, "/in"), &[]);
        assert!(message.starts_with("routes_prefix: "), "{message}");
    }
    let message = refused_with(code("/auth", "/auth/sign-out"), &[]);
    assert!(message.starts_with("sign_in_path: `/auth/sign-out` is the path of a route under"));
}

#[test]
fn times_are_bounded() {
    let code = |buffer, leeway| Settings {
        refresh_buffer: Some(Duration::from_secs(buffer)),
        leeway: Some(Duration::from_secs(leeway)),
        ..Settings::default()
    };
    let config = parse_with(code(0, 0), &[]).expect("accepted");
    assert_eq!(config.refresh_buffer, Some(Duration::ZERO));
    assert_eq!(config.leeway, Duration::ZERO);
    assert!(parse_with(code(3600, 300), &[]).is_ok());
    assert!(refused_with(code(3601, 0), &[]).starts_with("refresh_buffer: 3601 s is too long"));
    assert!(refused_with(code(0, 301), &[]).starts_with("leeway: 301 s is too long"));
    let code = |grace| Settings {
        outage_grace: Duration::from_secs(grace),
        ..Settings::default()
    };
    assert!(parse_with(code(86_400), &[]).is_ok());
    assert!(refused_with(code(86_401), &[]).starts_with("outage_grace: 86401 s is too long"));
}

#[test]
fn return_to_origins_are_origins() {
    let code = Settings {
        return_to_origins: vec!["https://www.example.com/".into()],
        ..Settings::default()
    };
    let config = parse_with(code, &[]).expect("accepted");
    assert_eq!(
        config.return_to_origins[0].as_str(),
        "https://www.example.com"
    );

    let code = Settings {
        return_to_origins: vec!["*".into(), "https://a.example.com/b".into()],
        ..Settings::default()
    };
    let error = parse_with(code, &[]).expect_err("refused");
    assert_eq!(error.problems().len(), 2, "{error}");
    assert_eq!(error.problems()[0].field(), "return_to_origins");
    assert_eq!(error.problems()[0].variable(), None);
}

#[test]
fn an_emulator_may_stand_in_only_when_nothing_is_set() {
    assert!(none_required_is_set(|_| None));
    assert!(none_required_is_set(|_| Some(String::new())));
    for name in REQUIRED_VARIABLES.into_iter().chain([REDIRECT_URI_ALIAS]) {
        assert!(!none_required_is_set(
            |asked| (asked == name).then(|| "x".to_owned())
        ));
    }
}

#[test]
fn long_and_strange_values_are_shown_short_and_escaped() {
    let message = refused(&[("WORKOS_COOKIE_SAMESITE", &"x".repeat(1000))]);
    assert!(message.len() < 200, "{message}");
    let message = refused(&[("WORKOS_COOKIE_SAMESITE", "a\nb\u{1b}c")]);
    assert!(message.contains("`a\\nb\\u{1b}c`"), "{message}");
}

#[test]
fn no_secret_appears_in_debug_output() {
    let code = Settings {
        api_key: Some(API_KEY.into()),
        cookie_password: Some(PASSWORD.into()),
        previous_cookie_passwords: Some(vec![PASSWORD.into()]),
        ..Settings::default()
    };
    let shown = format!("{code:?} {:?}", parse_with(code.clone(), &[]));
    assert!(
        !shown.contains(API_KEY) && !shown.contains(PASSWORD),
        "{shown}"
    );
}
