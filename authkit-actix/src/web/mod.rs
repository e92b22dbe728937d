//! Everything that knows HTTP: the only folder of the library proper that imports actix-web.

pub(crate) mod auth;
pub(crate) mod authorize;
pub(crate) mod banner;
pub(crate) mod browser_session;
pub(crate) mod cache_control;
pub(crate) mod client_script;
pub(crate) mod compose;
pub(crate) mod credentials;
pub(crate) mod extract;
#[cfg(fuzzing)]
pub mod fuzz;
pub(crate) mod guard;
pub(crate) mod live;
mod lost_cookie;
pub(crate) mod middleware;
pub(crate) mod negotiate;
mod pages;
mod passage;
mod path_pattern;
mod rejection;
pub(crate) mod request_session;
pub(crate) mod response;
mod rounds;
pub(crate) mod routes;
pub(crate) mod set_cookie;
mod spent;
mod unbuilt;
