use std::{
    borrow::Cow,
    cmp::Reverse,
    fmt::{self, Display},
    process::ExitCode,
};

use serde::Serialize;

use crate::config::ConfigError;

/// What was found when the whole arrangement was looked over; from [`AuthKit::diagnose`].
///
/// Its [`Display`] is for a terminal, without colours:
///
/// ```text
/// AuthKit: 1 fault, 6 fine
///
/// fault        API key: WorkOS refuses it for client_123 (status 401)
///              > copy an API key and the client id of one environment from the WorkOS dashboard …
/// fine         signing keys: 1 usable, from https://api.workos.com
/// ```
///
/// No secret is in it; serialized, it is a list of findings with `name`, `verdict`, `seen` and
/// `cure`.
///
/// [`AuthKit::diagnose`]: crate::AuthKit::diagnose
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use = "print it, or ask it `is_healthy()`"]
pub struct Diagnosis {
    findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    name: Cow<'static, str>,
    verdict: Verdict,
    seen: String,
    cure: Option<String>,
}

/// How a thing is that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// People can sign in, but not everything is as it should be.
    Warning,
    /// What it depends on did not answer: it may be fine or not.
    NotChecked,
    /// People cannot sign in, or not stay signed in.
    Fault,
}

impl Diagnosis {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// Everything that was looked at, the worst first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by_key(|finding| Reverse(finding.verdict));
        findings.into_iter()
    }

    /// The finding of a name, such as `clock`.
    pub fn finding(&self, name: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.name == name)
    }

    /// The worst verdict.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.findings.iter().map(|finding| finding.verdict);
        verdicts.max().unwrap_or(Verdict::Fine)
    }

    /// Whether nothing is at fault and everything could be checked; warnings are healthy.
    pub fn is_healthy(&self) -> bool {
        self.verdict() <= Verdict::Warning
    }

    /// What a program says that ends with this: 0 when healthy, 1 with a fault, 2 if something could
    /// not be checked.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.verdict() {
            Verdict::Fine | Verdict::Warning => 0,
            Verdict::Fault => 1,
            Verdict::NotChecked => 2,
        })
    }
}

/// Each problem of a configuration that is refused is a fault, named by the builder's method and by
/// the variable.
impl From<ConfigError> for Diagnosis {
    fn from(error: ConfigError) -> Self {
        let faults = error.problems().iter().map(|problem| Finding {
            name: match problem.variable() {
                Some(variable) => format!("{} ({variable})", problem.field()).into(),
                None => problem.field().to_owned().into(),
            },
            verdict: Verdict::Fault,
            seen: problem.message().to_owned(),
            cure: None,
        });
        Self::new(faults.collect())
    }
}

impl Finding {
    pub(super) fn fine(name: &'static str, seen: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::Fine,
            seen: seen.into(),
            cure: None,
        }
    }

    pub(super) fn warning(
        name: &'static str,
        seen: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Warning,
            cure: Some(cure.into()),
            ..Self::fine(name, seen)
        }
    }

    pub(super) fn fault(
        name: &'static str,
        seen: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Fault,
            ..Self::warning(name, seen, cure)
        }
    }

    pub(super) fn not_checked(
        name: &'static str,
        seen: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::NotChecked,
            ..Self::warning(name, seen, cure)
        }
    }

    /// What was looked at: `configuration`, `redirect URI`, `cookies`, `cookie size`,
    /// `signing keys`, `API key`, `clock`, and where there is one `session store` or `Redis`. Of a
    /// configuration that is refused, the builder's method and the variable.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What was seen.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// What to do about it, unless it is fine or [`seen`](Self::seen) says it.
    pub fn cure(&self) -> Option<&str> {
        self.cure.as_deref()
    }
}

impl Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKit: ")?;
        let mut separator = "";
        for verdict in [
            Verdict::Fault,
            Verdict::NotChecked,
            Verdict::Warning,
            Verdict::Fine,
        ] {
            let of_it = |finding: &&Finding| finding.verdict == verdict;
            let count = self.findings.iter().filter(of_it).count();
            if count > 0 {
                write!(f, "{separator}{count} {}", verdict.of_many(count))?;
                separator = ", ";
            }
        }
        writeln!(f)?;
        for finding in self.findings() {
            write!(f, "\n{finding}")?;
        }
        Ok(())
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:WIDTH$}{}: {}",
            self.verdict.of_many(1),
            self.name,
            self.seen
        )?;
        match &self.cure {
            Some(cure) => write!(f, "\n{:WIDTH$}> {cure}", ""),
            None => Ok(()),
        }
    }
}

impl Verdict {
    fn of_many(self, count: usize) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning if count == 1 => "warning",
            Self::Warning => "warnings",
            Self::NotChecked => "not checked",
            Self::Fault if count == 1 => "fault",
            Self::Fault => "faults",
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.of_many(1))
    }
}

/// `not checked`, and room.
const WIDTH: usize = 13;
