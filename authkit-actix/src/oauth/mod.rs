//! The sign-in flow as values: where it leads back to, and what it carries along.

mod return_to;
mod state;

pub(crate) use self::state::{
    SealedState, Selector, SignInOptions, SignInState, verifier_cookie_name,
};
pub use self::{return_to::ReturnTo, state::Screen};
