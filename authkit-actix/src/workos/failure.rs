//! What a failed call means for a session.

use std::{fmt, time::Duration};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use super::lanes::Busy;

/// Why WorkOS did not give what was asked, by what follows from it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum WorkOsError {
    /// The grant is spent, wrong or revoked, or the session has ended: the user is signed out.
    #[error("WorkOS refused the grant ({code})")]
    Terminal {
        /// The error code of the answer, such as `invalid_grant`.
        code: String,
    },
    /// The user has to do something at AuthKit first.
    #[error("WorkOS asks for another step ({})", .0.code)]
    StepUp(StepUp),
    /// Nothing is known about the user: WorkOS is down, slow, limiting or incomprehensible.
    #[error("WorkOS gave no usable answer ({reason})")]
    Transient {
        /// What happened.
        reason: TransientReason,
        /// How long WorkOS asked us to wait.
        retry_after: Option<Duration>,
    },
    /// WorkOS refuses this application: a wrong API key, client id or request.
    #[error("WorkOS refused this application's request with status {status}{}", DisplayCode(.code.as_deref()))]
    OurFault {
        /// The HTTP status of the answer.
        status: u16,
        /// The error code of the answer.
        code: Option<String>,
    },
}

/// What the user has to do before WorkOS gives tokens.
#[derive(Clone, Debug)]
pub(crate) struct StepUp {
    /// The error code, such as `sso_required` or `mfa_enrollment`.
    pub(crate) code: String,
    /// The AuthKit page where the step is taken, where WorkOS names one.
    pub(crate) authkit_redirect_url: Option<String>,
    /// Proof of the steps already taken.
    pub(crate) pending_authentication_token: Option<SecretString>,
    /// The organizations that the user may choose from.
    pub(crate) organizations: Vec<OrganizationChoice>,
}

/// An organization that a user may sign in to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "Organization"))]
#[non_exhaustive]
pub struct OrganizationChoice {
    /// The organization's id: `org_…`.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// How an answer was unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransientReason {
    /// No connection, or one that broke.
    Network,
    /// The deadline passed.
    Timeout,
    /// This HTTP status.
    Status(u16),
    /// A body that is not what the API describes, or too large.
    Unreadable,
    /// Tokens that are not for this user or not signed by a known key.
    Unverifiable,
    /// Too many other calls were under way: this one was not made.
    Busy,
}

impl fmt::Display for TransientReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("network failure"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Unreadable => f.write_str("unreadable body"),
            Self::Unverifiable => f.write_str("unverifiable tokens"),
            Self::Busy => f.write_str("too many calls at once"),
        }
    }
}

impl StepUp {
    /// Whether no step leads into the organization that was asked for.
    pub(crate) fn is_a_refusal(&self) -> bool {
        self.authkit_redirect_url.is_none()
            && (self.code == "organization_not_authorized"
                || self.code == "organization_not_found"
                || self.code.starts_with("organization_membership"))
    }
}

impl WorkOsError {
    pub(crate) fn transient(reason: TransientReason) -> Self {
        Self::Transient {
            reason,
            retry_after: None,
        }
    }

    /// The failure class of a refused answer: its status first, its body second.
    pub(crate) fn classify(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
        let code = body.codes().next().map(printable);
        let terminal = body.codes().find(|code| is_terminal(code)).map(printable);
        let step_up = body.codes().find(|code| is_step_up(code)).map(printable);
        match status {
            400 => match terminal {
                Some(code) => Self::Terminal { code },
                // Without an OAuth error it was not WorkOS that spoke.
                None if code.is_none() => Self::transient(TransientReason::Status(status)),
                None => Self::OurFault { status, code },
            },
            403 => match step_up {
                Some(code) => Self::StepUp(StepUp {
                    code,
                    authkit_redirect_url: body.authkit_redirect_url.0,
                    pending_authentication_token: body.pending_authentication_token.0,
                    organizations: body.organizations.0.unwrap_or_default(),
                }),
                None => Self::OurFault { status, code },
            },
            300..=399 | 408 | 429 | 500.. => Self::Transient {
                reason: TransientReason::Status(status),
                retry_after: retry_after.map(|wait| wait.min(LONGEST_WAIT)),
            },
            _ => Self::OurFault { status, code },
        }
    }
}

impl From<workos::Error> for WorkOsError {
    fn from(error: workos::Error) -> Self {
        use workos::transport::TransportErrorKind;
        match error {
            workos::Error::Api(api) => Self::classify(api.status, &api.raw_body, api.retry_after),
            workos::Error::Network(error) => Self::transient(match error.kind {
                _ if error.source.is::<Busy>() => TransientReason::Busy,
                TransportErrorKind::Timeout => TransientReason::Timeout,
                _ => TransientReason::Network,
            }),
            _ => Self::transient(TransientReason::Unreadable),
        }
    }
}

/// The body of a refusal; a member of another type than expected is as good as none.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: Lenient<String>,
    #[serde(default)]
    error: Lenient<String>,
    #[serde(default)]
    authkit_redirect_url: Lenient<String>,
    #[serde(default)]
    pending_authentication_token: Lenient<SecretString>,
    #[serde(default)]
    organizations: Lenient<Vec<OrganizationChoice>>,
}

impl ErrorBody {
    fn codes(&self) -> impl Iterator<Item = &str> {
        [&self.code, &self.error]
            .into_iter()
            .filter_map(|code| code.0.as_deref())
    }
}

struct Lenient<T>(Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(serde_json::from_value(value).ok()))
    }
}

fn is_terminal(code: &str) -> bool {
    matches!(
        code,
        "invalid_grant"
            | "expired_token"
            | "access_denied"
            | "session_ended"
            | "session_expired"
            | "session_revoked"
            | "session_not_found"
            | "user_not_found"
            | "organization_not_found"
    )
}

/// Codes that a step at AuthKit can cure; whatever concerns the organization is one of them, since
/// AuthKit lets the user choose another.
fn is_step_up(code: &str) -> bool {
    matches!(
        code,
        "sso_required"
            | "mfa_enrollment"
            | "mfa_challenge"
            | "mfa_verification"
            | "email_verification_required"
            | "authentication_method_not_allowed"
    ) || code.starts_with("organization_")
}

/// A code for a log line: short, and of characters that codes are made of.
fn printable(code: &str) -> String {
    code.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .take(64)
        .collect()
}

struct DisplayCode<'a>(Option<&'a str>);

impl fmt::Display for DisplayCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn class(status: u16, body: &str) -> String {
        match WorkOsError::classify(status, body.as_bytes(), None) {
            WorkOsError::Terminal { code } => format!("terminal {code}"),
            WorkOsError::StepUp(step_up) => format!("step-up {}", step_up.code),
            WorkOsError::Transient { reason, .. } => format!("transient {reason}"),
            WorkOsError::OurFault { status, .. } => format!("our fault {status}"),
        }
    }

    #[test]
    fn only_an_oauth_refusal_is_terminal() {
        let body = r#"{"error":"invalid_grant","error_description":"gone"}"#;
        assert_eq!(class(400, body), "terminal invalid_grant");
        for status in [401, 403, 404, 422] {
            assert_eq!(class(status, body), format!("our fault {status}"));
        }
        for status in [300, 302, 408, 429, 500, 503, 599] {
            assert_eq!(class(status, body), format!("transient status {status}"));
        }
    }

    #[test]
    fn a_bad_request_that_is_not_from_workos_says_nothing_about_the_user() {
        for body in ["", "<html>Bad Request</html>", "[]", "{}", r#"{"error":7}"#] {
            assert_eq!(class(400, body), "transient status 400");
        }
        assert_eq!(class(400, r#"{"error":"invalid_client"}"#), "our fault 400");
    }

    #[test]
    fn steps_that_authkit_can_take_are_told_from_other_refusals() {
        for code in [
            "sso_required",
            "mfa_enrollment",
            "organization_selection_required",
        ] {
            assert_eq!(
                class(403, &format!(r#"{{"code":"{code}"}}"#)),
                format!("step-up {code}")
            );
        }
        assert_eq!(class(403, r#"{"code":"forbidden"}"#), "our fault 403");
        assert_eq!(class(403, "<html>"), "our fault 403");
    }

    #[test]
    fn an_organization_that_no_step_leads_into_is_a_refusal() {
        let is_a_refusal = |body: &str| match WorkOsError::classify(403, body.as_bytes(), None) {
            WorkOsError::StepUp(step_up) => step_up.is_a_refusal(),
            other => panic!("{other}"),
        };
        for code in [
            "organization_not_authorized",
            "organization_not_found",
            "organization_membership_inactive",
        ] {
            assert!(is_a_refusal(&format!(r#"{{"code":"{code}"}}"#)));
            let with_a_way =
                format!(r#"{{"code":"{code}","authkit_redirect_url":"https://auth.example"}}"#);
            assert!(!is_a_refusal(&with_a_way));
        }
        for code in ["organization_selection_required", "sso_required"] {
            assert!(!is_a_refusal(&format!(r#"{{"code":"{code}"}}"#)));
        }
    }

    #[test]
    fn the_code_that_decides_is_found_beside_another() {
        let both = r#"{"error":"invalid_grant","code":"bad_request","error_description":7}"#;
        assert_eq!(class(400, both), "terminal invalid_grant");
        let both = r#"{"error":"forbidden","code":"sso_required","organizations":"none"}"#;
        assert_eq!(class(403, both), "step-up sso_required");
    }

    #[test]
    fn every_error_of_the_sdk_has_its_class() {
        use workos::{Error, transport::TransportError};

        let refusal = workos::ApiError {
            status: 400,
            code: None,
            message: String::new(),
            request_id: None,
            retry_after: None,
            headers: http::HeaderMap::new(),
            raw_body: br#"{"error":"invalid_grant"}"#[..].into(),
        };
        for (error, meaning) in [
            (
                Error::Api(Box::new(refusal)),
                "WorkOS refused the grant (invalid_grant)",
            ),
            (
                TransportError::timeout("late").into(),
                "WorkOS gave no usable answer (timeout)",
            ),
            (
                TransportError::other(Busy).into(),
                "WorkOS gave no usable answer (too many calls at once)",
            ),
            (
                TransportError::other("reset").into(),
                "WorkOS gave no usable answer (network failure)",
            ),
            (
                Error::Jwt(String::new()),
                "WorkOS gave no usable answer (unreadable body)",
            ),
        ] {
            assert_eq!(WorkOsError::from(error).to_string(), meaning);
        }
    }

    #[test]
    fn a_code_from_outside_is_made_printable() {
        let hostile = format!(r#"{{"error":"<b>\n{}"}}"#, "x".repeat(1000));
        let WorkOsError::OurFault {
            code: Some(code), ..
        } = WorkOsError::classify(422, hostile.as_bytes(), None)
        else {
            panic!("an error of ours");
        };
        assert_eq!(code, format!("b{}", "x".repeat(63)));
    }

    #[test]
    fn a_refusal_of_the_application_is_told_with_its_code() {
        let told = |body: &str| WorkOsError::classify(401, body.as_bytes(), None).to_string();
        let without = "WorkOS refused this application's request with status 401";
        assert_eq!(told("<html>"), without);
        assert_eq!(
            told(r#"{"error":"invalid_client"}"#),
            format!("{without} (invalid_client)")
        );
    }

    #[test]
    fn a_wait_is_bounded() {
        let WorkOsError::Transient { retry_after, .. } =
            WorkOsError::classify(429, b"", Some(Duration::from_secs(u64::MAX)))
        else {
            panic!("transient");
        };
        assert_eq!(retry_after, Some(LONGEST_WAIT));
    }

    proptest! {
        #[test]
        fn whatever_is_answered_its_status_bounds_what_it_can_mean(
            status in any::<u16>(),
            body in prop_oneof![
                vec(any::<u8>(), 0..200),
                r#"\{"(code|error)":"(invalid_grant|sso_required|organization_x|[a-z_]{0,20})"\}"#
                    .prop_map(String::into_bytes),
            ],
            wait in any::<Option<u64>>(),
        ) {
            let wait = wait.map(Duration::from_secs);
            match WorkOsError::classify(status, &body, wait) {
                WorkOsError::Terminal { code } => {
                    prop_assert_eq!(status, 400);
                    prop_assert!(is_terminal(&code));
                }
                WorkOsError::StepUp(step_up) => {
                    prop_assert_eq!(status, 403);
                    prop_assert!(is_step_up(&step_up.code));
                }
                WorkOsError::Transient { retry_after, .. } => {
                    let is_outage = matches!(status, 300..=400 | 408 | 429 | 500..);
                    prop_assert!(is_outage, "{}", status);
                    prop_assert!(retry_after.is_none_or(|wait| wait <= LONGEST_WAIT));
                }
                WorkOsError::OurFault { status: told, .. } => {
                    prop_assert_eq!(told, status);
                    prop_assert!(!matches!(status, 300..=399 | 408 | 429 | 500..));
                }
            }
        }
    }
}
