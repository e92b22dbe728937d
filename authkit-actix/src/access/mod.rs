//! Who is asking, and what they may: pure values.

mod auth_user;
mod bearer_user;
mod caller;
mod requirement;

pub(crate) use self::requirement::{Decision, is_within};
pub use self::{
    auth_user::{AuthUser, NoClaims},
    bearer_user::{BearerUser, ProfileError},
    caller::Caller,
    requirement::{Credential, Requirement, Rule},
};
