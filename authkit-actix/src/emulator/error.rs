use std::io;

/// Why the emulator does not start, or not do what a test asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// This is a release build, and the code did not say that it may run there.
    #[error(
        "the AuthKit emulator lets anybody in and does not start in a release build; \
         say `.allow_in_release()` on its builder if this is meant"
    )]
    ReleaseBuild,
    /// The port is taken, or no socket was to be had.
    #[error("the AuthKit emulator cannot listen on port {port} of 127.0.0.1")]
    Listen {
        /// The port asked for; 0 is any.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// Its thread did not start.
    #[error("the AuthKit emulator cannot start its thread")]
    Start(#[source] io::Error),
    /// No signing key could be made.
    #[error("the AuthKit emulator cannot make a signing key")]
    Key,
    /// An address that no redirect can go to.
    #[error("`{0}` is not an absolute http(s) URL")]
    BadUrl(String),
    /// Two users have the same address.
    #[error("there are two users with the address {0}")]
    DuplicateUser(String),
    /// A user is a member of an organization that does not exist.
    #[error(
        "{email} is a member of {organization_id}, which does not exist; add it with `.organization(…)`"
    )]
    UnknownOrganization {
        /// The user's address.
        email: String,
        /// The organization named.
        organization_id: String,
    },
    /// An API key belongs to an organization or user that does not exist.
    #[error("the API key's owner {0} does not exist")]
    UnknownKeyOwner(String),
    /// No user has this address.
    #[error("there is no user with the address {0}")]
    UnknownUser(String),
    /// The user is not a member of the organization asked for.
    #[error("{email} is not a member of {organization_id}")]
    NotAMember {
        /// The user's address.
        email: String,
        /// The organization asked for.
        organization_id: String,
    },
}
