//! Names for what the attribute macros write. Not for applications: they change without notice.

pub use authkit_macros::{ensure_signed_in, require_api_key, sign_up_path};

pub use crate::{
    access::{Credential, Requirement, Rule},
    oauth::Screen,
    web::guard::{Guard, Guarded},
};
