//! Who is asking, and what they may: pure values.

mod auth_user;
mod requirement;

pub(crate) use self::requirement::{Decision, is_within};
pub use self::{
    auth_user::{AuthUser, NoClaims},
    requirement::{Requirement, Rule},
};
