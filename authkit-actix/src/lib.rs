//! Hosted sign-in for Actix-web: WorkOS AuthKit sessions, guards and routes.

#[doc(hidden)]
pub mod __private;
mod access;
mod authkit;
mod background;
mod clock;
mod config;
#[cfg(feature = "emulator")]
pub mod emulator;
mod feature_flags;
mod flights;
mod oauth;
mod seal;
mod session;
mod token;
mod web;
mod workos;

pub use self::{
    access::{AuthUser, NoClaims},
    authkit::{AuthKit, AuthKitBuilder},
    clock::{Clock, SystemClock},
    config::{ConfigError, ConfigProblem, SameSite},
    feature_flags::{
        EvaluationContext, FeatureFlag, FeatureFlagChange, FeatureFlagChanges, FeatureFlags,
        FeatureFlagsError,
    },
    oauth::ReturnTo,
    token::{AccessTokenClaims, Actor},
    web::{
        auth::{Auth, RecentAuth, RefreshError, SignInError, SignInUrl, SignOut, StepUpRequired},
        extract::AuthStatus,
        middleware::{AuthKitMiddleware, AuthKitService, ProtectBuilder},
        routes::{AuthKitRoutes, CallbackService},
    },
    workos::{Client as WorkOsClient, Impersonator, User},
};
pub use authkit_macros::{ensure_signed_in, sign_up_path};
