use proc_macro2::TokenStream;
use quote::quote;

use crate::{apply, model::Kind, parse::Mark, validate};

#[test]
fn a_handler_gets_one_parameter_that_bundles_its_own() {
    let item = quote! {
        pub async fn show(user: AuthUser, mut post: web::Json<Post>) -> impl Responder { post.title }
    };
    let expected = quote! {
        #[doc(hidden)]
        pub enum __Guard_show {}

        impl ::authkit_actix::__private::Guard for __Guard_show {
            const RULE: ::authkit_actix::__private::Rule = ::authkit_actix::__private::Rule {
                accept: &[::authkit_actix::__private::Credential::Session],
                requirement: ::authkit_actix::__private::Requirement::SignedIn,
                max_age: ::core::option::Option::None,
                screen: ::authkit_actix::__private::Screen::SignIn,
            };
        }

        pub async fn show(
            ::authkit_actix::__private::Guarded((user, mut post,), ..):
                ::authkit_actix::__private::Guarded<__Guard_show, (AuthUser, web::Json<Post>,)>
        ) -> impl Responder { post.title }
    };
    assert_eq!(ensure(quote!(), item), expected.to_string());
}

#[test]
fn no_parameter_becomes_the_empty_tuple() {
    let output = ensure(
        quote!(),
        quote!(
            async fn list() -> String {
                String::new()
            }
        ),
    );
    let parameter = quote! {
        ::authkit_actix::__private::Guarded((), ..):
            ::authkit_actix::__private::Guarded<__Guard_list, ()>
    };
    assert!(output.contains(&parameter.to_string()), "{output}");
}

#[test]
fn several_arguments_mean_and() {
    let args = quote!(
        role = "admin",
        not(any(organization, organization = team::ID)),
        max_age = 300
    );
    let expected = quote! {
        requirement: ::authkit_actix::__private::Requirement::All(&[
            ::authkit_actix::__private::Requirement::Role("admin"),
            ::authkit_actix::__private::Requirement::Not(
                &::authkit_actix::__private::Requirement::Any(&[
                    ::authkit_actix::__private::Requirement::AnyOrganization,
                    ::authkit_actix::__private::Requirement::Organization(team::ID)
                ])
            )
        ]),
        max_age: ::core::option::Option::Some(300),
    };
    let output = ensure(args, handler());
    assert!(output.contains(&expected.to_string()), "{output}");
}

#[test]
fn a_constant_age_is_checked_by_the_compiler() {
    let output = ensure(quote!(max_age = limits::RECENT), handler());
    assert!(
        output.contains(":: core :: assert ! (limits :: RECENT > 0 ,"),
        "{output}"
    );
    assert!(!ensure(quote!(max_age = 300), handler()).contains("assert"));
}

#[test]
fn other_attributes_run_first() {
    let item = quote! {
        /// Shows a post.
        #[get("/")]
        async fn show() -> String { String::new() }
    };
    let expected = quote! {
        /// Shows a post.
        #[get("/")]
        #[::authkit_actix::__private::ensure_signed_in(__placed, role = "admin")]
        async fn show() -> String { String::new() }
    };
    assert_eq!(ensure(quote!(role = "admin"), item), expected.to_string());
}

#[test]
fn an_attribute_that_was_placed_is_not_placed_again() {
    let item = quote! {
        /// Shows a post.
        #[inline]
        async fn show() -> String { String::new() }
    };
    let output = ensure(quote!(__placed, role = "admin"), item);
    assert!(
        output.contains("enum __Guard_show") && !output.contains("__placed"),
        "{output}"
    );
    assert!(output.contains("# [inline]"), "{output}");
}

#[test]
fn attributes_with_unsafe_and_other_forms_are_kept() {
    let item = quote! {
        #[unsafe(no_mangle)]
        #[path = "x"]
        #[tool::thing { a, b }]
        pub(crate) async fn show() -> String { String::new() }
    };
    let output = ensure(quote!(__placed), item);
    assert!(
        output.ends_with("-> String { String :: new () }"),
        "{output}"
    );
    for attribute in [
        "# [unsafe (no_mangle)]",
        "# [path = \"x\"]",
        "# [tool :: thing { a , b }]",
    ] {
        assert!(output.contains(attribute), "{output}");
    }
}

#[test]
fn siblings_make_one_rule_whichever_runs_last() {
    let by_sign_up = sign_up(
        quote!(__placed),
        quote! {
            #[::authkit_actix::__private::ensure_signed_in(__placed, role = "admin")]
            async fn show() -> String { String::new() }
        },
    );
    let by_ensure = ensure(
        quote!(__placed, role = "admin"),
        quote! {
            #[authkit_actix::sign_up_path(__placed)]
            async fn show() -> String { String::new() }
        },
    );
    assert_eq!(by_sign_up, by_ensure);
    assert!(
        by_ensure.contains("Requirement :: Role (\"admin\")"),
        "{by_ensure}"
    );
    assert!(by_ensure.contains("Screen :: SignUp"), "{by_ensure}");
    assert!(!by_ensure.contains("sign_up_path"), "{by_ensure}");
}

#[test]
fn accepted_credentials_stand_in_the_rule() {
    let output = ensure(quote!(accept(api_key, session), role = "admin"), handler());
    let expected = quote! {
        accept: &[
            ::authkit_actix::__private::Credential::ApiKey,
            ::authkit_actix::__private::Credential::Session
        ],
        requirement: ::authkit_actix::__private::Requirement::Role("admin"),
    };
    assert!(output.contains(&expected.to_string()), "{output}");
}

#[test]
fn a_handler_for_api_keys_accepts_nothing_else() {
    let output = require_key(quote!(any(permission = "a", permission = B)), handler());
    let expected = quote! {
        accept: &[::authkit_actix::__private::Credential::ApiKey],
        requirement: ::authkit_actix::__private::Requirement::Any(&[
            ::authkit_actix::__private::Requirement::Permission("a"),
            ::authkit_actix::__private::Requirement::Permission(B)
        ]),
    };
    assert!(output.contains(&expected.to_string()), "{output}");
}

#[test]
fn a_handler_for_api_keys_runs_other_attributes_first() {
    let item = quote! {
        #[get("/")]
        async fn show() -> String { String::new() }
    };
    let expected = quote! {
        #[get("/")]
        #[::authkit_actix::__private::require_api_key(__placed, permission = "a")]
        async fn show() -> String { String::new() }
    };
    assert_eq!(
        require_key(quote!(permission = "a"), item),
        expected.to_string()
    );
}

#[test]
fn an_api_key_attribute_stands_alone() {
    for (kind, sibling) in [
        (Kind::RequireApiKey, "ensure_signed_in"),
        (Kind::EnsureSignedIn, "require_api_key"),
    ] {
        let attribute = proc_macro2::Ident::new(sibling, proc_macro2::Span::call_site());
        let item = quote! {
            #[get("/")]
            #[#attribute]
            async fn list() {}
        };
        let output = apply(kind, quote!(), item).to_string();
        assert!(
            output.contains("write `#[ensure_signed_in(accept(session, api_key))]`"),
            "{output}"
        );
        assert_eq!(output.matches("compile_error").count(), 1, "{output}");
    }
    let output = require_key(
        quote!(),
        quote!(
            #[require_api_key]
            async fn list() {}
        ),
    );
    assert!(
        output.contains("a second `#[require_api_key]` on one function"),
        "{output}"
    );
}

#[test]
fn nobody_signs_up_where_no_session_is_accepted() {
    for sibling in [
        quote!(#[require_api_key(__placed)]),
        quote!(#[ensure_signed_in(__placed, accept(bearer))]),
    ] {
        let item = quote!(#sibling async fn list() {});
        let output = sign_up(quote!(__placed), item);
        assert!(output.contains("this handler takes no session"), "{output}");
    }
    let item = quote!(
        #[ensure_signed_in(__placed, accept(session, bearer))]
        async fn list() {}
    );
    assert!(!sign_up(quote!(__placed), item).contains("compile_error"));
}

#[test]
fn every_mistake_in_the_arguments_names_its_cure() {
    for (kind, mistakes) in [
        (Kind::EnsureSignedIn, MISTAKES),
        (Kind::RequireApiKey, MISTAKES_ABOUT_KEYS),
    ] {
        for (args, expected) in mistakes {
            let args: TokenStream = args.parse().expect("tokens");
            let problems = validate::rule([&Mark::new(kind, args.clone())])
                .err()
                .unwrap_or_else(|| panic!("accepted: {args}"));
            let messages: Vec<_> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(messages, *expected, "{args}");
        }
    }
}

#[test]
fn every_mistake_about_the_function_names_its_cure() {
    let mistakes = [
        (
            quote!(
                struct Posts;
            ),
            "`#[ensure_signed_in]` goes on a handler, an `async fn`",
        ),
        (
            quote!(impl Posts {}),
            "`#[ensure_signed_in]` goes on a handler, an `async fn`",
        ),
        (
            quote!(
                mod posts {}
            ),
            "wrap it in the middleware with `protect()`",
        ),
        (
            quote!(
                async fn list(&self) {}
            ),
            "guards free functions only: a handler has no `self`",
        ),
        (
            quote!(
                async fn list(self: Rc<Self>) {}
            ),
            "a handler has no `self`",
        ),
        (
            quote!(
                async fn list();
            ),
            "guards free functions only: this one has no body",
        ),
        (
            quote!(
                fn list() {}
            ),
            "guards async functions only: write `async fn list`",
        ),
        (
            quote!(
                async fn list(#[cfg(x)] user: AuthUser) {}
            ),
            "on two versions of the function",
        ),
        (
            quote!(
                #[ensure_signed_in]
                async fn list() {}
            ),
            "a second `#[ensure_signed_in]`",
        ),
        (
            quote!(
                #[a::ensure_signed_in(__placed)]
                async fn list() {}
            ),
            "as in `#[ensure_signed_in(all(",
        ),
    ];
    for (item, expected) in mistakes {
        let output = ensure(quote!(), item.clone());
        assert!(
            output.starts_with(&item.to_string()),
            "the item must survive: {output}"
        );
        let unquoted = output.replace('\\', "");
        assert!(unquoted.contains(expected), "{item}: {output}");
        assert_eq!(output.matches("compile_error").count(), 1, "{output}");
    }
}

#[test]
fn sign_up_path_takes_no_argument_and_stands_once() {
    let output = sign_up(quote!(role = "admin"), handler());
    assert!(
        output.contains("put rights beside it, in `#[ensure_signed_in(…)]`"),
        "{output}"
    );
    let output = sign_up(
        quote!(),
        quote!(
            #[sign_up_path]
            async fn list() {}
        ),
    );
    assert!(
        output.contains("a second `#[sign_up_path]` on one function"),
        "{output}"
    );
}

#[test]
fn mistakes_in_arguments_and_function_are_told_together() {
    let output = ensure(
        quote!(rol = "admin", any(), max_age = 0),
        quote!(
            struct Posts;
        ),
    );
    assert_eq!(output.matches("compile_error").count(), 4, "{output}");
}

#[test]
fn a_body_with_syntax_of_tomorrow_is_left_alone() {
    let output = ensure(quote!(), quote!(async fn list() -> String { let = => @ ; }));
    assert!(
        output.contains("let = => @ ;") && !output.contains("compile_error"),
        "{output}"
    );
}

#[test]
fn no_token_stream_makes_a_macro_panic() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for _ in 0..4_000 {
        survives(dice.tokens(3), dice.tokens(3));
    }
}

#[test]
fn a_missing_token_makes_no_macro_panic() {
    let item = quote! {
        #[get("/")]
        pub async fn show<T: Post>(user: AuthUser, web::Json((a, b)): web::Json<T>) -> String {}
    };
    for stream in with_one_token_missing(&item) {
        survives(quote!(role = "admin"), stream);
    }
    for (args, _) in MISTAKES {
        for stream in with_one_token_missing(&args.parse().expect("tokens")) {
            survives(stream, item.clone());
        }
    }
}

/// Whatever the tokens, there is an answer; and a function that was whole gives whole items.
fn survives(args: TokenStream, item: TokenStream) {
    for kind in [Kind::EnsureSignedIn, Kind::RequireApiKey, Kind::SignUpPath] {
        apply(kind, args.clone(), item.clone());
        let output = apply(kind, args.clone(), handler());
        syn::parse2::<syn::File>(output.clone())
            .unwrap_or_else(|problem| panic!("{args} gave {output}: {problem}"));
    }
}

fn with_one_token_missing(stream: &TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<_> = stream.clone().into_iter().collect();
    let without = |missing: usize| {
        let kept = tokens.iter().enumerate().filter(|(i, _)| *i != missing);
        kept.map(|(_, token)| token.clone()).collect()
    };
    (0..tokens.len()).map(without).collect()
}

fn ensure(args: TokenStream, item: TokenStream) -> String {
    apply(Kind::EnsureSignedIn, args, item).to_string()
}

fn require_key(args: TokenStream, item: TokenStream) -> String {
    apply(Kind::RequireApiKey, args, item).to_string()
}

fn sign_up(args: TokenStream, item: TokenStream) -> String {
    apply(Kind::SignUpPath, args, item).to_string()
}

fn handler() -> TokenStream {
    quote!(
        async fn list(user: AuthUser) -> String {
            user.email
        }
    )
}

/// Repeatable token streams (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("less than `sides`")
    }

    fn tokens(&mut self, depth: usize) -> TokenStream {
        let mut text = String::new();
        for _ in 0..self.below(7) {
            if depth > 0 && self.below(4) == 0 {
                let (open, close) = [("(", ")"), ("[", "]"), ("{", "}")][self.below(3)];
                text.extend([open, &self.tokens(depth - 1).to_string(), close, " "]);
            } else {
                text.push_str(WORDS[self.below(WORDS.len())]);
                text.push(' ');
            }
        }
        text.parse().expect("balanced tokens")
    }
}

const WORDS: &[&str] = &[
    "role",
    "permission",
    "organization",
    "max_age",
    "any",
    "all",
    "not",
    "accept",
    "bearer",
    "api_key",
    "__placed",
    "permision",
    "=",
    "==",
    ",",
    ",",
    "=",
    ":",
    "::",
    "!",
    "#",
    "..",
    "->",
    "&",
    "<",
    ">",
    "\"admin\"",
    "\"\"",
    "b\"x\"",
    "'c'",
    "'a",
    "0",
    "300",
    "5_000_000_000",
    "1.5",
    "300u64",
    "-",
    "ADMIN",
    "async",
    "fn",
    "self",
    "pub",
    "struct",
    "impl",
    "mod",
    "const",
    "where",
    "list",
    "user",
    "AuthUser",
    "sign_up_path",
    "ensure_signed_in",
    "cfg",
    "r#type",
    "_",
    "ä",
    ";",
    "|",
    "if",
    "|x| x",
];

/// Arguments of `#[ensure_signed_in]`, and everything that is said about them.
const MISTAKES: &[(&str, &[&str])] = &[
    (
        r#"permision = "a""#,
        &["unknown argument `permision`, did you mean `permission`?"],
    ),
    (
        r#"rol = "a""#,
        &["unknown argument `rol`, did you mean `role`?"],
    ),
    (
        r#"roles = "a""#,
        &["unknown argument `roles`, did you mean `role`?"],
    ),
    (
        r#"Role = "a""#,
        &["unknown argument `Role`, did you mean `role`?"],
    ),
    (
        r#"featureFlag = "a""#,
        &["unknown argument `featureFlag`, did you mean `feature_flag`?"],
    ),
    (
        "maxAge = 5",
        &["unknown argument `maxAge`, did you mean `max_age`?"],
    ),
    (
        "org",
        &["unknown argument `org`, did you mean `organization`?"],
    ),
    (
        r#"organization_id = "a""#,
        &["unknown argument `organization_id`, did you mean `organization`?"],
    ),
    (
        "and(organization)",
        &["unknown argument `and`, did you mean `all`?"],
    ),
    (
        "or(organization)",
        &["unknown argument `or`, did you mean `any`?"],
    ),
    (
        "mfa",
        &[
            "unknown argument `mfa`, expected one of `role`, `permission`, `entitlement`, \
           `feature_flag`, `organization`, `no_impersonation`, `max_age`, `any`, `all`, `not`, `accept`",
        ],
    ),
    (
        r#"role = "a", __placed"#,
        &[
            "unknown argument `__placed`, expected one of `role`, `permission`, `entitlement`, \
           `feature_flag`, `organization`, `no_impersonation`, `max_age`, `any`, `all`, `not`, `accept`",
        ],
    ),
    ("role", &["`role` needs a value: write `role = \"admin\"`"]),
    (
        "role =",
        &["`role` needs a value: write `role = \"admin\"`"],
    ),
    (
        r#"role = """#,
        &["`role` is empty: write `role = \"admin\"`"],
    ),
    (
        r#"role = "  ""#,
        &["`role` is empty: write `role = \"admin\"`"],
    ),
    (
        "role = 5",
        &[
            "`role` takes a string literal or the path of a `&'static str` constant: \
           write `role = \"admin\"`",
        ],
    ),
    (
        "permission = list()",
        &[
            "`permission` takes a string literal or the path of a `&'static str` constant: \
           write `permission = \"posts:write\"`",
        ],
    ),
    (
        r#"role = ["a", "b"]"#,
        &["`role` takes one value: write `any(…)` or `all(…)` around several"],
    ),
    (
        r#"role = "a" || role = "b""#,
        &["`role` takes one value: write `any(…)` or `all(…)` around several"],
    ),
    (
        r#"role("owner")"#,
        &["`role` takes its value after `=`: write `role = \"owner\"`"],
    ),
    (
        r#"organization("a", "b")"#,
        &["`organization` takes its value after `=`: write `organization = \"org_…\"`"],
    ),
    ("role: admin", &["expected `=` after `role`"]),
    ("role == admin", &["expected `=` after `role`"]),
    (
        r#""admin""#,
        &["expected an argument such as `role = \"admin\"`"],
    ),
    (
        r#"!role = "a""#,
        &["write `not(…)`, as in `not(role = \"guest\")`"],
    ),
    (
        r#"organization role = "a""#,
        &["expected `,` between arguments"],
    ),
    (
        r#"role = "a" role = "b""#,
        &["expected `,` between arguments"],
    ),
    (
        "any()",
        &["`any()` is empty: name requirements, as in \
           `any(role = \"admin\", permission = \"posts:write\")`"],
    ),
    (
        "all",
        &["`all` takes requirements: write `all(role = \"admin\", permission = \"posts:write\")`"],
    ),
    (
        r#"any = "a""#,
        &["`any` takes requirements: write `any(role = \"admin\", permission = \"posts:write\")`"],
    ),
    (
        "not()",
        &["`not` takes exactly one requirement: \
           write `not(any(…))` or `not(all(…))` for several"],
    ),
    (
        r#"not(organization, role = "a")"#,
        &["`not` takes exactly one requirement: \
           write `not(any(…))` or `not(all(…))` for several"],
    ),
    (
        "not",
        &["`not` takes a requirement: write `not(role = \"guest\")`"],
    ),
    (
        "not(rol = ADMIN)",
        &["unknown argument `rol`, did you mean `role`?"],
    ),
    (
        "max_age = 0",
        &["`max_age = 0` would never let anyone in: \
           write how many seconds a sign-in stays recent, as in `max_age = 300`"],
    ),
    (
        "max_age = 4294967296",
        &["`max_age` is at most 4294967295 seconds"],
    ),
    (
        "max_age = 300u64",
        &["`max_age` is a `u32`: leave the suffix out"],
    ),
    (
        "max_age = 5 * 60",
        &[
            "`max_age` takes whole seconds, as an integer literal or the path of a `u32` constant: \
           write `max_age = 300`",
        ],
    ),
    (
        "max_age",
        &["`max_age` needs seconds: write `max_age = 300`"],
    ),
    (
        "max_age(300)",
        &["`max_age` needs seconds: write `max_age = 300`"],
    ),
    (
        "max_age = 300, max_age = 60",
        &["`max_age` is given twice: keep the lower one"],
    ),
    (
        "any(organization, max_age = 300)",
        &["`max_age` holds for the whole handler: move it out of `any(…)`"],
    ),
    (
        "not(max_age = 300)",
        &["`max_age` holds for the whole handler: move it out of `not(…)`"],
    ),
    (
        "accept",
        &["`accept` takes credentials: write `accept(session, bearer, api_key)`"],
    ),
    (
        "accept = bearer",
        &["`accept` takes credentials: write `accept(session, bearer, api_key)`"],
    ),
    (
        "accept()",
        &["`accept()` would let nobody in: \
           name credentials, as in `accept(session, bearer, api_key)`"],
    ),
    (
        "accept(session, cookie, bearer(x), session, 5)",
        &[
            "expected an argument such as `role = \"admin\"`",
            "unknown credential `cookie`, expected one of `session`, `bearer`, `api_key`",
            "`bearer` takes no value here: put rights beside `accept(…)`",
            "`session` is accepted twice: once is enough",
        ],
    ),
    (
        "accept(session), accept(bearer)",
        &["`accept` is given twice: name all credentials in one"],
    ),
    (
        "any(organization, accept(bearer))",
        &["`accept` holds for the whole handler: move it out of `any(…)`"],
    ),
    (
        "accepts(bearer)",
        &["unknown argument `accepts`, did you mean `accept`?"],
    ),
    (
        "role = 5.0, rol = A, , any(all(not), max_age)",
        &[
            "expected an argument such as `role = \"admin\"`",
            "`role` takes a string literal or the path of a `&'static str` constant: \
             write `role = \"admin\"`",
            "unknown argument `rol`, did you mean `role`?",
            "`not` takes a requirement: write `not(role = \"guest\")`",
            "`max_age` holds for the whole handler: move it out of `any(…)`",
        ],
    ),
];

/// Arguments of `#[require_api_key]`, and everything that is said about them.
const MISTAKES_ABOUT_KEYS: &[(&str, &[&str])] = &[
    (
        r#"role = "admin""#,
        &["`role` is nothing that an API key has: write `permission = \"reports:read\"`"],
    ),
    (
        r#"any(permission = "a", not(organization))"#,
        &["`organization` is nothing that an API key has: \
           write `permission = \"reports:read\"`"],
    ),
    (
        "max_age = 300",
        &["`max_age` is nothing that an API key has: write `permission = \"reports:read\"`"],
    ),
    (
        "accept(session)",
        &["`accept` is nothing that an API key has: write `permission = \"reports:read\"`"],
    ),
    (
        r#"permision = "a""#,
        &["unknown argument `permision`, did you mean `permission`?"],
    ),
    (
        "mfa",
        &["unknown argument `mfa`, expected one of `permission`, `any`, `all`, `not`"],
    ),
    (
        "permission",
        &["`permission` needs a value: write `permission = \"posts:write\"`"],
    ),
];
