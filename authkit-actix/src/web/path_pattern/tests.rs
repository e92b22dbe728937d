use actix_web::test::TestRequest;
use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, path: &str) -> bool {
    PathPattern::parse(pattern)
        .unwrap_or_else(|error| panic!("{error}"))
        .matches(path)
}

fn refused(pattern: &str) -> String {
    match PathPattern::parse(pattern) {
        Ok(_) => panic!("`{pattern}` is accepted"),
        Err(message) => message,
    }
}

/// Whether a request for `target` is matched, decoded as the router does it.
fn public(pattern: &str, target: &str) -> bool {
    let request = TestRequest::with_uri(target).to_srv_request();
    PathPatterns::parse("unauthenticated_paths", [pattern])
        .expect("a pattern")
        .matches(request.uri().path(), request.match_info().as_str())
}

#[test]
fn patterns_match_whole_paths() {
    for (pattern, hits, misses) in [
        ("/", &["/"][..], &["", "/a", "/a/"][..]),
        (
            "/about",
            &["/about"],
            &[
                "/", "/abou", "/about/", "/aboutx", "/about/x", "/About", "x/about",
            ],
        ),
        ("/docs/", &["/docs/"], &["/docs", "/docs/a"]),
        (
            "/@me/a-b_c.d~e!,=&'",
            &["/@me/a-b_c.d~e!,=&'"],
            &["/@me/a-b_cxd~e!,=&'"],
        ),
        ("/café au lait", &["/café au lait"], &["/cafe au lait"]),
        // AuthKit's syntax
        (
            "/docs/:page",
            &["/docs/a", "/docs/a.b"],
            &["/docs", "/docs/", "/docs/a/", "/docs/a/b", "/docsa"],
        ),
        (
            "/docs/:page/edit",
            &["/docs/a/edit"],
            &["/docs/edit", "/docs//edit", "/docs/a/b/edit"],
        ),
        (
            "/docs/:page?",
            &["/docs", "/docs/a"],
            &["/docs/", "/docs/a/b", "/docsa"],
        ),
        (
            "/docs/:path+",
            &["/docs/a", "/docs/a/b/c"],
            &["/docs", "/docs/", "/docs/a/", "/docsa"],
        ),
        (
            "/docs/:path*",
            &["/docs", "/docs/a", "/docs/a/b"],
            &["/docs/", "/doc", "/docsa", "/docsa/b", "/Docs/a"],
        ),
        (
            "/docs/:path*/edit",
            &["/docs/edit", "/docs/a/b/edit"],
            &["/docs", "/docs/a", "/docsedit"],
        ),
        ("/:path*", &["/", "/a", "/a/b"], &["/a/"]),
        ("/:page?", &["/", "/a"], &["/a/b"]),
        ("/:lang?/:path*", &["/", "/a", "/a/b"], &["/a/"]),
        ("/:path+", &["/a", "/a/b"], &["/"]),
        ("/:page", &["/a"], &["/", "/a/b"]),
        ("/:a_1/:B", &["/x/y"], &["/x"]),
        // Actix's syntax
        (
            "/docs/{page}",
            &["/docs/a"],
            &["/docs", "/docs/", "/docs/a/b"],
        ),
        (
            "/docs/{name}.html",
            &["/docs/a.html"],
            &["/docs/a", "/docs/axhtml"],
        ),
        (
            "/docs/{tail:.*}",
            &["/docs/", "/docs/a", "/docs/a/b"],
            &["/docs", "/docsa"],
        ),
        ("/docs/{tail}*", &["/docs/", "/docs/a/b"], &["/docs"]),
        ("/docs{tail:.*}", &["/docs", "/docs/a", "/docsa"], &["/doc"]),
        (
            "/{id:\\d{2,4}}/x",
            &["/12/x", "/1234/x"],
            &["/1/x", "/12345/x", "/ab/x"],
        ),
        ("/{a}-{b}", &["/x-y"], &["/x", "/x-"]),
        (
            "/{kind:(?:news|blog)}/{id}",
            &["/news/1", "/blog/x"],
            &["/other/1", "/news"],
        ),
        (
            "/v1/items{_:[:]}batch",
            &["/v1/items:batch"],
            &["/v1/itemsbatch"],
        ),
        ("/v1/{id}:batch", &["/v1/a:batch"], &["/v1/a"]),
        ("/c{_:[+]}{_2:[+]}", &["/c++"], &["/c+"]),
    ] {
        for path in hits {
            assert!(matches(pattern, path), "{pattern} misses {path}");
        }
        for path in misses {
            assert!(!matches(pattern, path), "{pattern} hits {path}");
        }
    }
}

#[test]
fn other_syntax_is_refused_with_the_cure() {
    for (pattern, cure) in [
        ("", "does not begin with `/`"),
        ("about", "does not begin with `/`"),
        (":path*", "does not begin with `/`"),
        ("{tail:.*}", "does not begin with `/`"),
        ("https://example.com/a", "does not begin with `/`"),
        ("/((?!api).*)", "`(` has no meaning"),
        ("/docs/(.*)", "`{name:…}`"),
        ("/docs)", "`)` has no meaning"),
        ("/docs/*", "the rest of the path `:name*`"),
        ("/docs*", "`*` has no meaning"),
        ("/docs/{a}/*", "`*` has no meaning"),
        ("/[a]", "`[` has no meaning"),
        ("/a]", "`]` has no meaning"),
        ("/^a", "`^` has no meaning"),
        ("/a$", "`$` has no meaning"),
        ("/a|b", "`|` has no meaning"),
        ("/c+", "`{_:[+]}`"),
        ("/a?b=c", "query or a fragment"),
        ("/a#b", "query or a fragment"),
        ("/{a}?", "query or a fragment"),
        ("/a%20b", "write the character itself"),
        (
            "/a:b",
            "for a part of one write `{name}`, for a colon `{_:[:]}`",
        ),
        ("/:", "is not `:name`"),
        ("/:*", "is not `:name`"),
        ("/:1", "is not `:name`"),
        ("/:name.html", "write `{name}`"),
        ("/:name(\\d+)", "`{name:regular expression}`"),
        ("/:a:b", "is not `:name`"),
        ("/:name**", "more than one"),
        ("/:name?+", "more than one"),
        ("/:a/{b}", "mixes"),
        ("/{a}/:b", "mixes"),
        ("/{a", "never closed"),
        ("/{a:{}", "never closed"),
        ("/{a}}", "closes nothing"),
        ("/a}", "closes nothing"),
        ("/{}", "has no name"),
        ("/{:.*}", "has no name"),
        ("/{a-b}", "has no name"),
        ("/{1}", "has no name"),
        ("/{a }", "has no name"),
        ("/{a:.*}*", "leave the `*` away"),
        ("/{a:[}", "is not a regular expression"),
        ("/{a:x)|(y}", "is not a regular expression"),
        ("/{a:\\}", "is not a regular expression"),
        ("/{a:(?!x).*}", "list the paths"),
        ("/{a:(?x) #}", "list the paths"),
        ("/{a:(?P<b>x)}", "list the paths"),
        ("/{a:(?:(?=x))}", "list the paths"),
        ("/{a}/{a}", "a name of its own"),
        ("/:a/:a", "a name of its own"),
        ("/a//b", "match nothing"),
        ("/a/../b", "match nothing"),
        ("/./b", "match nothing"),
        ("/a;b", "match nothing"),
        ("/a\\b", "match nothing"),
        ("/a\nb", "match nothing"),
    ] {
        let message = refused(pattern);
        assert!(message.contains(cure), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_pattern_has_up_to_sixteen_parameters() {
    let pattern = |count| -> String { (0..count).map(|n| format!("/:a{n}")).collect() };
    assert!(matches(&pattern(16), &"/x".repeat(16)));
    assert!(refused(&pattern(17)).contains("more than 16"));
}

#[test]
fn no_pattern_panics() {
    const PIECES: [&str; 18] = [
        "/", ":a", "{b}", "{", "}", "*", "?", "+", "(", ")", ":", "{c:.*}", "{d:", "\\", "[", "é",
        "{e}*", "x",
    ];
    for a in PIECES {
        for b in PIECES {
            for c in PIECES {
                let _ = PathPattern::parse(&format!("/{a}{b}{c}"));
                let _ = PathPattern::parse(&format!("/{{a:{a}{b}{c}}}"));
            }
        }
    }
}

#[test]
fn every_bad_pattern_is_listed() {
    let problems = PathPatterns::parse("sign_up_paths", ["/join", "join", "/(a)", "/ok/:x*"])
        .expect_err("two are bad");
    let listed: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(listed.len(), 2);
    assert!(
        listed[0].starts_with("sign_up_paths: `join`: does not begin"),
        "{}",
        listed[0]
    );
    assert!(
        listed[1].starts_with("sign_up_paths: `/(a)`: "),
        "{}",
        listed[1]
    );
}

#[test]
fn an_empty_list_matches_nothing() {
    let none: [&str; 0] = [];
    let patterns = PathPatterns::parse("unauthenticated_paths", none).expect("no patterns");
    assert!(!patterns.matches("/", "/"));
}

#[test]
fn patterns_see_the_path_that_the_router_sees() {
    assert!(public("/private/open", "/private/open"));
    assert!(public("/private/open", "/private/open?a=b//c;d"));
    assert!(public("/private/open", "/private/%6fpen"));
    assert!(public("/caf\u{e9}", "/caf%C3%A9"));
    assert!(public("/a b", "/a%20b"));
    assert!(public("/docs/:path*", "/docs/a/b.c/d"));
    assert!(public("/docs/:path*", "/docs/.well-known/..."));
}

#[test]
fn ambiguous_paths_count_as_protected() {
    for target in [
        "/docs/a%2fb",
        "/docs/a%2Fb",
        "/docs/a%5cb",
        "/docs/a%5Cb",
        "/docs/%2e%2e/private",
        "/docs/%2E./private",
        "/docs/a%2ehtml",
        "/docs/a%00",
        "/docs/a;b",
        "/docs/..;/private",
        "/docs/a%3bb",
        "/docs/a%3Bb",
        "/docs//private",
        "//docs/a",
        "/docs/a//",
        "/docs/../private",
        "/docs/./a",
        "/docs/..",
        "/docs/a%252fb",
        "/docs/a%25",
        "/docs/%0a",
        "/docs/%7f",
        "/docs/%c0%af",
        "/docs/%ff",
    ] {
        assert!(!public("/docs/{tail:.*}", target), "{target}");
        assert!(!public("/{tail:.*}", target), "{target}");
    }
    for path in [
        "/docs/a\\b",
        "/docs/a\0",
        "/a;",
        "/a%2F",
        "/..",
        "/.",
        "/a/..",
    ] {
        assert!(is_ambiguous(path), "{path}");
    }
    for path in [
        "/", "/a.b", "/...", "/a/.b", "/a/b..", "/%20", "/2f", "/%2g", "/%f2e", "%2",
    ] {
        assert!(!is_ambiguous(path), "{path}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_as_a_pattern_it_is_read_or_refused(
        text in ".*",
        near in r"/([a-z:{}()\[\]*+?.\\/%#^$|_-]|\{[a-z]{1,3}(:[a-z.*+\[\]^/]{0,5})?\}){0,12}",
    ) {
        for pattern in [&text, &near] {
            if let Ok(read) = PathPattern::parse(pattern) {
                read.matches("/docs/a");
            }
        }
    }

    #[test]
    fn a_path_of_plain_segments_matches_itself_and_nothing_else(
        path in "(/[A-Za-z0-9~_.-]{1,6}){1,4}",
        other in "(/[A-Za-z0-9~_.-]{1,6}){0,4}/?",
    ) {
        prop_assume!(!is_ambiguous(&path));
        prop_assert!(matches(&path, &path));
        prop_assert_eq!(matches(&path, &other), path == other);
    }

    #[test]
    fn what_a_list_opens_lies_under_its_pattern_and_is_read_in_one_way(
        target in r"/(public|PUBLIC|private|\.|\.\.|%2[ef]|%5[cC]|%00|;|/|\\|a|%61|\u{fffd}){0,7}",
    ) {
        let list = PathPatterns::parse("unauthenticated_paths", ["/public/:rest*"]);
        if list.expect("a pattern").matches(&target, &target) {
            prop_assert!(target == "/public" || target.starts_with("/public/"), "{}", target);
            let odd = ["//", "%2", "%5", "%00", ";", "\\", "\u{fffd}"];
            prop_assert!(odd.iter().all(|odd| !target.contains(odd)), "{}", target);
            prop_assert!(target.split('/').all(|segment| !matches!(segment, "." | "..")));
        }
    }
}
