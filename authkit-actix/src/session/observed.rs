//! What logs, traces and metrics are told of sessions: outcomes and ids, nothing of a person.

use tracing::{Span, debug};

use super::{Outcome, Resolution, SignedIn};
use crate::metrics;

impl Outcome {
    /// One of three words.
    fn name(&self) -> &'static str {
        match self {
            Self::SignedIn(_) => "signed_in",
            Self::SignedOut { .. } => "signed_out",
            Self::CannotTell { .. } => "cannot_tell",
        }
    }
}

impl Resolution {
    /// Notes that a request has asked for its session, and got this.
    pub(crate) fn note_check(&self) {
        let outcome = self.outcome.name();
        metrics::session_checked(outcome);
        let signed_in = self.signed_in();
        debug!(
            outcome,
            user_id = signed_in.map(|it| &*it.claims.sub),
            session_id = signed_in.map(|it| &*it.claims.sid),
            organization_id = signed_in.and_then(|it| it.claims.org_id.as_deref()),
            "a request has asked for its session"
        );
    }

    /// Fills in the fields of the span that it was found in.
    pub(crate) fn record(&self) {
        let span = Span::current();
        span.record("outcome", self.outcome.name());
        if let Some(signed_in) = self.signed_in() {
            signed_in.record(&span);
        }
    }

    fn signed_in(&self) -> Option<&SignedIn> {
        match &self.outcome {
            Outcome::SignedIn(signed_in) => Some(signed_in),
            _ => None,
        }
    }
}

impl SignedIn {
    /// Says in a span whose session it is about; the span names its fields in advance.
    pub(crate) fn record(&self, span: &Span) {
        span.record("user_id", &*self.claims.sub);
        span.record("session_id", &*self.claims.sid);
        if let Some(organization_id) = &self.claims.org_id {
            span.record("organization_id", &**organization_id);
        }
    }
}
