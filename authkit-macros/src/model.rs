//! What the attributes on a function mean, once they are known to be right.

use syn::Expr;

/// Which of the attributes of this crate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    EnsureSignedIn,
    RequireApiKey,
    SignUpPath,
}

impl Kind {
    /// The attribute of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::EnsureSignedIn, Self::RequireApiKey, Self::SignUpPath]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EnsureSignedIn => "ensure_signed_in",
            Self::RequireApiKey => "require_api_key",
            Self::SignUpPath => "sign_up_path",
        }
    }
}

/// Who may reach the function, and where strangers are led.
pub(crate) struct Rule {
    /// At least one, each once.
    pub(crate) accept: Vec<Credential>,
    /// All of these; none means anyone who is accepted.
    pub(crate) requirements: Vec<Requirement>,
    /// Seconds: an integer literal from 1 to `u32::MAX`, or the path of a constant.
    pub(crate) max_age: Option<Expr>,
    pub(crate) screen: Screen,
}

/// A way to show who one is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    Session,
    Bearer,
    ApiKey,
}

pub(crate) enum Requirement {
    /// The value is a string literal that is not empty, or the path of a constant.
    Right(Right, Expr),
    AnyOrganization,
    NoImpersonation,
    /// At least one.
    All(Vec<Requirement>),
    /// At least one.
    Any(Vec<Requirement>),
    Not(Box<Requirement>),
}

/// What a token can say about a person.
#[derive(Clone, Copy)]
pub(crate) enum Right {
    Role,
    Permission,
    Entitlement,
    FeatureFlag,
    Organization,
}

/// The screen that a stranger sees first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    SignIn,
    SignUp,
}
