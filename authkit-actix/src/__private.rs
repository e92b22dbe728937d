//! Names for what the attribute macros write. Not for applications: they change without notice.

pub use authkit_macros::{ensure_signed_in, sign_up_path};

pub use crate::{
    access::{Requirement, Rule},
    oauth::Screen,
    web::guard::{Guard, Guarded},
};
