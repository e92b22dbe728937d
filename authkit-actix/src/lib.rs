//! Hosted sign-in for Actix-web: WorkOS AuthKit sessions, guards and routes.

#[doc(hidden)]
pub mod __private;
mod access;
mod api_keys;
mod authkit;
mod background;
mod clock;
mod config;
#[cfg(feature = "emulator")]
pub mod emulator;
mod feature_flags;
mod flights;
mod lookups;
mod oauth;
mod profiles;
mod request_info;
mod seal;
mod session;
mod token;
mod web;
mod workos;

pub use self::{
    access::{AuthUser, BearerUser, Caller, NoClaims, ProfileError},
    authkit::{AuthKit, AuthKitBuilder},
    clock::{Clock, SystemClock},
    config::{ConfigError, ConfigProblem, PrivateWhen, SameSite},
    feature_flags::{
        EvaluationContext, FeatureFlag, FeatureFlagChange, FeatureFlagChanges, FeatureFlags,
        FeatureFlagsError,
    },
    oauth::ReturnTo,
    request_info::RequestInfo,
    session::{Admission, RefreshFailureClass},
    token::{AccessTokenClaims, Actor},
    web::{
        auth::{
            Auth, RecentAuth, RefreshError, SaveSessionError, SignInError, SignInUrl, SignOut,
            StepUpRequired,
        },
        banner::ImpersonationBanner,
        compose::RequestAuth,
        extract::AuthStatus,
        middleware::{AuthKitMiddleware, AuthKitService, ProtectBuilder},
        routes::{AuthKitRoutes, CallbackError, CallbackService, HookOutcome, SignIn},
    },
    workos::{
        ApiKey, ApiKeyOwner, Authentication, Client as WorkOsClient, Impersonator, OauthTokens,
        User,
    },
};
pub use authkit_macros::{ensure_signed_in, require_api_key, sign_up_path};
