//! What the library does, seen from outside: over HTTP, against the emulator.

mod asking_for_a_user;
mod browser_routes;
mod callback;
mod callback_options;
mod composing;
mod configuration;
mod cookies_and_seals;
mod emulator_rules;
mod feature_flags;
mod live;
mod machine_callers;
mod main_job;
mod page_options;
mod redirects_and_paths;
mod refreshing;
mod responses;
mod revocation;
mod secrets;
mod session_ages;
mod sessions_in_handlers;
mod sign_in_urls;
mod sign_out;
mod signing_in;
mod tokens_and_keys;
mod webhooks;
mod workers;
