//! What is wrong with a configuration.

use std::fmt::{self, Debug, Display};

/// Everything that is wrong with the configuration.
///
/// Its [`Display`] lists each problem with the builder's method, the environment variable and the
/// cure, and never contains a secret:
///
/// ```text
/// the AuthKit configuration has 2 problems:
/// - api_key (WORKOS_API_KEY): is missing; create an API key in the WorkOS dashboard
/// - redirect_uri (WORKOS_REDIRECT_URI): `/callback` is not an absolute http or https URL, such as `https://app.example.com`
/// ```
///
/// Its [`Debug`] says the same, since that is what a `main` that returns it shows.
#[derive(Clone)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    field: &'static str,
    variable: Option<&'static str>,
    message: String,
}

impl ConfigError {
    /// Every problem, in the order of the builder's fields.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }

    pub(crate) fn one(
        field: &'static str,
        variable: Option<&'static str>,
        message: impl Into<String>,
    ) -> Self {
        Self::from_problems(vec![ConfigProblem::new(field, variable, message)])
    }

    pub(crate) fn from_problems(problems: Vec<ConfigProblem>) -> Self {
        Self { problems }
    }
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "the AuthKit configuration has a problem:")?,
            count => write!(f, "the AuthKit configuration has {count} problems:")?,
        }
        for problem in &self.problems {
            write!(f, "\n- {problem}")?;
        }
        Ok(())
    }
}

impl Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigProblem {
    pub(crate) fn new(
        field: &'static str,
        variable: Option<&'static str>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            field,
            variable,
            message: message.into(),
        }
    }

    /// The builder's method that sets the value.
    pub fn field(&self) -> &str {
        self.field
    }

    /// The environment variable that sets the value, where there is one.
    pub fn variable(&self) -> Option<&str> {
        self.variable
    }

    /// What is wrong, and what to do about it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.variable {
            Some(variable) => write!(f, "{} ({variable}): {}", self.field, self.message),
            None => write!(f, "{}: {}", self.field, self.message),
        }
    }
}

/// A value that is no secret, as an error shows it; what looks like one after all is left out.
pub(super) fn shown(text: &str) -> String {
    if text.contains("sk_") {
        return "(an API key?)".to_owned();
    }
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let start: String = text
        .chars()
        .take(MAX_SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    match text.chars().nth(MAX_SHOWN) {
        Some(_) => format!("{start}…"),
        None => start,
    }
}

const MAX_SHOWN: usize = 80;
