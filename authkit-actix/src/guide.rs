//! The guide: how to do things with this crate, by task.
//!
//! | To | Read |
//! |---|---|
//! | know who is asking, refresh and end sessions | [`sessions`] |
//! | begin a sign-in with options, decide who comes in, have pages of your own | [`sign_in`] |
//! | guard a handler, protect all but a list, write middleware | [`protecting_routes`] |
//! | work with organizations, roles and permissions | [`organizations`] |
//! | give scripts and React who is signed in, and tokens | [`browser`] |
//! | take API keys and access tokens | [`api_keys`] |
//! | ask for feature flags | [`feature_flags`] |
//! | hear what happens at WorkOS | [`webhooks`] |
//! | run several instances, with Redis or without | [`several_machines`] |
//! | know what happens while WorkOS is down | [`outages`] |
//! | find out what is wrong, trace and measure | [`observability`] |
//! | test an application | [`testing`] |
//! | look up an option | [`configuration`] |
//! | review the security | [`security_model`] |
//! | share sessions with Next.js | [`sharing_with_nextjs`] |
//! | come from another library | [`migrating_from_authkit_nextjs`], [`migrating_from_actix_identity`] |

/// A page as a module. `links.md` leads its links to the modules here; where the page is read as a
/// file, its own definitions lead to the files.
macro_rules! pages {
    ($($page:ident: $file:literal,)*) => {$(
        #[doc = include_str!("../guide/links.md")]
        #[cfg_attr(
            any(not(doctest), all(feature = "redis", feature = "testing")),
            doc = include_str!(concat!("../guide/", $file))
        )]
        pub mod $page {}
    )*};
}

pages! {
    api_keys: "api-keys.md",
    browser: "browser.md",
    configuration: "configuration.md",
    feature_flags: "feature-flags.md",
    migrating_from_actix_identity: "migrating-from-actix-identity.md",
    migrating_from_authkit_nextjs: "migrating-from-authkit-nextjs.md",
    observability: "observability.md",
    organizations: "organizations.md",
    outages: "outages.md",
    protecting_routes: "protecting-routes.md",
    security_model: "security-model.md",
    sessions: "sessions.md",
    several_machines: "several-machines.md",
    sharing_with_nextjs: "sharing-with-nextjs.md",
    sign_in: "sign-in.md",
    testing: "testing.md",
    webhooks: "webhooks.md",
}
