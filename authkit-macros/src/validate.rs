//! From what was written to what it means, or to every mistake in it.

use proc_macro2::{Span, TokenStream};
use syn::{Error, Expr, ExprLit, FnArg, Ident, Lit, LitInt, LitStr, Result};

use crate::{
    model::{Credential, Kind, Requirement, Right, Rule, Screen},
    parse::{Argument, Handler, Mark, Value, arguments},
};

/// What the attributes on one function ask for together.
pub(crate) fn rule<'a>(
    marks: impl IntoIterator<Item = &'a Mark>,
) -> std::result::Result<Rule, Vec<Error>> {
    let mut reader = Reader::default();
    let mut requirements = Vec::new();
    let mut screen = Screen::SignIn;
    for mark in marks {
        match mark.kind {
            Kind::EnsureSignedIn => requirements.extend(reader.list(&mark.args, None)),
            Kind::RequireApiKey => {
                reader.accept = Some((mark.span, vec![Credential::ApiKey]));
                reader.is_for_keys = true;
                requirements.extend(reader.list(&mark.args, None));
            }
            Kind::SignUpPath => {
                screen = Screen::SignUp;
                if !mark.args.is_empty() {
                    reader.problems.push(Error::new_spanned(
                        &mark.args,
                        "`#[sign_up_path]` takes no argument: \
                         put rights beside it, in `#[ensure_signed_in(…)]`",
                    ));
                }
            }
        }
    }
    if screen == Screen::SignUp
        && let Some((span, accepted)) = &reader.accept
        && !accepted.contains(&Credential::Session)
    {
        let message = "`#[sign_up_path]` leads people to sign up, and this handler takes no session: \
             add `session` to `accept(…)`, or leave the attribute out";
        reader.problems.push(Error::new(*span, message));
    }
    if reader.problems.is_empty() {
        Ok(Rule {
            accept: match reader.accept {
                Some((_, accepted)) => accepted,
                None => vec![Credential::Session],
            },
            requirements,
            max_age: reader.max_age,
            screen,
        })
    } else {
        Err(reader.problems)
    }
}

/// The function, if the attribute can stand on it.
pub(crate) fn handler(kind: Kind, handler: Handler) -> std::result::Result<Handler, Vec<Error>> {
    let name = kind.name();
    let sig = &handler.sig;
    let mut problems = Vec::new();

    let siblings = handler.marks();
    if let Some(second) = siblings.iter().find(|mark| mark.kind == kind) {
        let cure = match kind {
            Kind::EnsureSignedIn => {
                "put the requirements of both into one, as in \
                 `#[ensure_signed_in(all(role = \"admin\", permission = \"posts:write\"))]`"
            }
            Kind::RequireApiKey => {
                "put the permissions of both into one, as in \
                 `#[require_api_key(permission = \"a\", permission = \"b\")]`"
            }
            Kind::SignUpPath => "one is enough",
        };
        let message = format!("a second `#[{name}]` on one function: {cure}");
        problems.push(Error::new(second.span, message));
    }

    let rival = match kind {
        Kind::EnsureSignedIn => Some(Kind::RequireApiKey),
        Kind::RequireApiKey => Some(Kind::EnsureSignedIn),
        Kind::SignUpPath => None,
    };
    if let Some(rival) = siblings.iter().find(|mark| Some(mark.kind) == rival) {
        let message = format!(
            "`#[{}]` cannot stand beside `#[{name}]`: for a handler that takes sessions and API \
             keys, write `#[ensure_signed_in(accept(session, api_key))]`",
            rival.kind.name()
        );
        problems.push(Error::new(rival.span, message));
    }

    if let Some(receiver) = sig.receiver() {
        problems.push(Error::new_spanned(
            receiver,
            format!("`#[{name}]` guards free functions only: a handler has no `self`"),
        ));
    } else if !handler.has_body() {
        problems.push(Error::new_spanned(
            sig,
            format!("`#[{name}]` guards free functions only: this one has no body"),
        ));
    } else if sig.asyncness.is_none() {
        problems.push(Error::new_spanned(
            sig.fn_token,
            format!(
                "`#[{name}]` guards async functions only: write `async fn {}`",
                sig.ident
            ),
        ));
    }

    for parameter in &sig.inputs {
        let FnArg::Typed(parameter) = parameter else {
            continue;
        };
        for attribute in &parameter.attrs {
            if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
                problems.push(Error::new_spanned(
                    attribute,
                    "parameters of a guarded handler are bundled, so one alone cannot be \
                     conditional: put `#[cfg(…)]` on two versions of the function",
                ));
            }
        }
    }

    if problems.is_empty() {
        Ok(handler)
    } else {
        Err(problems)
    }
}

/// Reads the arguments of all attributes and gathers what does not belong into one requirement.
#[derive(Default)]
struct Reader {
    max_age: Option<Expr>,
    /// Where it was said, and what.
    accept: Option<(Span, Vec<Credential>)>,
    /// Whether only what an API key can have may be asked for.
    is_for_keys: bool,
    problems: Vec<Error>,
}

impl Reader {
    /// `group` is the `any`, `all` or `not` around the list.
    fn list(&mut self, tokens: &TokenStream, group: Option<&Ident>) -> Vec<Requirement> {
        let list = arguments(tokens.clone(), &mut self.problems);
        list.into_iter()
            .filter_map(|argument| self.argument(argument, group))
            .collect()
    }

    fn argument(&mut self, argument: Argument, group: Option<&Ident>) -> Option<Requirement> {
        let Argument { name, value } = argument;
        let read = match self.term(&name) {
            Ok(Term::Right(Right::Organization)) if matches!(value, Value::Absent) => {
                Ok(Some(Requirement::AnyOrganization))
            }
            Ok(Term::Right(right)) => {
                text(&name, value).map(|value| Some(Requirement::Right(right, value)))
            }
            Ok(Term::NoImpersonation) => match value {
                Value::Absent => Ok(Some(Requirement::NoImpersonation)),
                Value::Assigned(_) | Value::List(_) => Err(Error::new(
                    name.span(),
                    "`no_impersonation` takes no value: write it alone",
                )),
            },
            Ok(Term::MaxAge) => self.max_age(&name, value, group).map(|()| None),
            Ok(Term::Accept) => self.accept(&name, value, group).map(|()| None),
            Ok(Term::Any) => self.group(&name, value, Requirement::Any),
            Ok(Term::All) => self.group(&name, value, Requirement::All),
            Ok(Term::Not) => self.not(&name, value),
            Err(problem) => Err(problem),
        };
        read.unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        })
    }

    fn term(&self, name: &Ident) -> Result<Term> {
        let term = Term::named(name, self.is_for_keys)?;
        if self.is_for_keys && !term.suits_keys() {
            let message = format!(
                "`{name}` is nothing that an API key has: write `{}`",
                Term::EXAMPLE_FOR_KEYS
            );
            return Err(Error::new(name.span(), message));
        }
        Ok(term)
    }

    /// Reads `accept(…)`, going on behind each mistake.
    fn accept(&mut self, name: &Ident, value: Value, group: Option<&Ident>) -> Result<()> {
        if let Some(group) = group {
            let message =
                format!("`accept` holds for the whole handler: move it out of `{group}(…)`");
            return Err(Error::new(name.span(), message));
        }
        let Value::List(tokens) = value else {
            let message = format!("`accept` takes credentials: write `{}`", example(name));
            return Err(Error::new(name.span(), message));
        };
        if tokens.is_empty() {
            let message = format!(
                "`accept()` would let nobody in: name credentials, as in `{}`",
                example(name)
            );
            return Err(Error::new(name.span(), message));
        }
        let mut accepted = Vec::new();
        for Argument { name, value } in arguments(tokens, &mut self.problems) {
            match credential(&name, &value) {
                Ok(credential) if accepted.contains(&credential) => {
                    let message = format!("`{name}` is accepted twice: once is enough");
                    self.problems.push(Error::new(name.span(), message));
                }
                Ok(credential) => accepted.push(credential),
                Err(problem) => self.problems.push(problem),
            }
        }
        if self.accept.replace((name.span(), accepted)).is_some() {
            let message = "`accept` is given twice: name all credentials in one";
            return Err(Error::new(name.span(), message));
        }
        Ok(())
    }

    fn max_age(&mut self, name: &Ident, value: Value, group: Option<&Ident>) -> Result<()> {
        if let Some(group) = group {
            let message =
                format!("`max_age` holds for the whole handler: move it out of `{group}(…)`");
            return Err(Error::new(name.span(), message));
        }
        if self.max_age.replace(seconds(name, value)?).is_some() {
            let message = "`max_age` is given twice: keep the lower one";
            return Err(Error::new(name.span(), message));
        }
        Ok(())
    }

    /// `None` when everything inside was wrong, and was said to be.
    fn group(
        &mut self,
        name: &Ident,
        value: Value,
        of: fn(Vec<Requirement>) -> Requirement,
    ) -> Result<Option<Requirement>> {
        let message = match value {
            Value::List(tokens) if !tokens.is_empty() => {
                let inner = self.list(&tokens, Some(name));
                return Ok((!inner.is_empty()).then(|| of(inner)));
            }
            Value::List(_) => {
                format!(
                    "`{name}()` is empty: name requirements, as in `{}`",
                    example(name)
                )
            }
            Value::Absent | Value::Assigned(_) => {
                format!("`{name}` takes requirements: write `{}`", example(name))
            }
        };
        Err(Error::new(name.span(), message))
    }

    fn not(&mut self, name: &Ident, value: Value) -> Result<Option<Requirement>> {
        let told = self.problems.len();
        let Value::List(tokens) = value else {
            let message = format!("`not` takes a requirement: write `{}`", example(name));
            return Err(Error::new(name.span(), message));
        };
        let mut inner = self.list(&tokens, Some(name));
        match (inner.pop(), inner.is_empty()) {
            (Some(only), true) => Ok(Some(Requirement::Not(Box::new(only)))),
            _ if self.problems.len() > told => Ok(None),
            _ => Err(Error::new(
                name.span(),
                "`not` takes exactly one requirement: \
                 write `not(any(…))` or `not(all(…))` for several",
            )),
        }
    }
}

/// The names that arguments have.
#[derive(Clone, Copy)]
enum Term {
    Right(Right),
    NoImpersonation,
    MaxAge,
    Accept,
    Any,
    All,
    Not,
}

impl Term {
    const EXAMPLE_FOR_KEYS: &str = "permission = \"reports:read\"";

    /// Whether an API key can be asked for it.
    fn suits_keys(self) -> bool {
        matches!(
            self,
            Self::Right(Right::Permission) | Self::Any | Self::All | Self::Not
        )
    }

    /// The term of a name; what is not offered to API keys is known all the same.
    fn named(name: &Ident, is_for_keys: bool) -> Result<Self> {
        let written = name.to_string();
        if let Some((_, term, _)) = TERMS.iter().find(|(known, ..)| *known == written) {
            return Ok(*term);
        }
        let advice = match nearest(&written, is_for_keys) {
            Some(known) => format!("did you mean `{known}`?"),
            None => {
                let known: Vec<_> = TERMS
                    .iter()
                    .filter(|(_, term, _)| !is_for_keys || term.suits_keys())
                    .map(|(known, ..)| format!("`{known}`"))
                    .collect();
                format!("expected one of {}", known.join(", "))
            }
        };
        let message = format!("unknown argument `{written}`, {advice}");
        Err(Error::new(name.span(), message))
    }
}

fn example(name: &Ident) -> &'static str {
    TERMS
        .iter()
        .find(|(known, ..)| name == known)
        .map_or("", |(_, _, example)| example)
}

fn credential(name: &Ident, value: &Value) -> Result<Credential> {
    let credential = match name.to_string().as_str() {
        "session" => Credential::Session,
        "bearer" => Credential::Bearer,
        "api_key" => Credential::ApiKey,
        other => {
            let message = format!(
                "unknown credential `{other}`, expected one of `session`, `bearer`, `api_key`"
            );
            return Err(Error::new(name.span(), message));
        }
    };
    match value {
        Value::Absent => Ok(credential),
        Value::Assigned(_) | Value::List(_) => {
            let message = format!("`{name}` takes no value here: put rights beside `accept(…)`");
            Err(Error::new(name.span(), message))
        }
    }
}

/// A string literal that says something, or the path of a constant.
fn text(name: &Ident, value: Value) -> Result<Expr> {
    let example = example(name);
    let value = match value {
        Value::Assigned(value) => ungrouped(value),
        Value::List(inner) => {
            let meant = match syn::parse2::<LitStr>(inner) {
                Ok(text) => format!("{name} = {}", text.token()),
                Err(_) => example.to_owned(),
            };
            let message = format!("`{name}` takes its value after `=`: write `{meant}`");
            return Err(Error::new(name.span(), message));
        }
        Value::Absent => {
            let message = format!("`{name}` needs a value: write `{example}`");
            return Err(Error::new(name.span(), message));
        }
    };
    let message = match &value {
        Expr::Path(_) => return Ok(value),
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => {
            if !text.value().trim().is_empty() {
                return Ok(value);
            }
            format!("`{name}` is empty: write `{example}`")
        }
        Expr::Array(_) | Expr::Assign(_) | Expr::Binary(_) => {
            format!("`{name}` takes one value: write `any(…)` or `all(…)` around several")
        }
        _ => format!(
            "`{name}` takes a string literal or the path of a `&'static str` constant: \
             write `{example}`"
        ),
    };
    Err(Error::new_spanned(value, message))
}

/// An integer literal from 1 to `u32::MAX`, or the path of a constant.
fn seconds(name: &Ident, value: Value) -> Result<Expr> {
    let Value::Assigned(value) = value else {
        let message = "`max_age` needs seconds: write `max_age = 300`";
        return Err(Error::new(name.span(), message));
    };
    let value = ungrouped(value);
    match &value {
        Expr::Path(_) => Ok(value),
        Expr::Lit(ExprLit {
            lit: Lit::Int(seconds),
            ..
        }) => {
            literal_seconds(seconds)?;
            Ok(value)
        }
        _ => Err(Error::new_spanned(
            value,
            "`max_age` takes whole seconds, as an integer literal or the path of a `u32` \
             constant: write `max_age = 300`",
        )),
    }
}

fn literal_seconds(seconds: &LitInt) -> Result<()> {
    if !["", "u32"].contains(&seconds.suffix()) {
        return Err(Error::new(
            seconds.span(),
            "`max_age` is a `u32`: leave the suffix out",
        ));
    }
    match seconds.base10_parse::<u32>() {
        Ok(0) => Err(Error::new(seconds.span(), NO_AGE)),
        Ok(_) => Ok(()),
        Err(_) => {
            let message = format!("`max_age` is at most {} seconds", u32::MAX);
            Err(Error::new(seconds.span(), message))
        }
    }
}

/// The value inside the invisible parentheses around a `macro_rules!` fragment.
fn ungrouped(mut value: Expr) -> Expr {
    while let Expr::Group(group) = value {
        value = *group.expr;
    }
    value
}

/// The known name that was probably meant.
fn nearest(written: &str, is_for_keys: bool) -> Option<&'static str> {
    let written = written.to_lowercase();
    match written.as_str() {
        "and" => return Some("all"),
        "or" => return Some("any"),
        _ => {}
    }
    let names = TERMS
        .iter()
        .filter(|(_, term, _)| !is_for_keys || term.suits_keys())
        .map(|(known, ..)| *known);
    let close = names
        .clone()
        .map(|known| (distance(&written, known), known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min();
    if let Some((_, known)) = close {
        return Some(known);
    }
    let begins = |known: &&str| known.starts_with(&written) || written.starts_with(known);
    names.filter(|_| written.len() > 2).find(begins)
}

/// How many characters one must insert, delete or replace (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// Said of a literal here, and of a constant by the compiler.
pub(crate) const NO_AGE: &str = "`max_age = 0` would never let anyone in: \
     write how many seconds a sign-in stays recent, as in `max_age = 300`";

const TERMS: [(&str, Term, &str); 11] = [
    ("role", Term::Right(Right::Role), "role = \"admin\""),
    (
        "permission",
        Term::Right(Right::Permission),
        "permission = \"posts:write\"",
    ),
    (
        "entitlement",
        Term::Right(Right::Entitlement),
        "entitlement = \"audit-log\"",
    ),
    (
        "feature_flag",
        Term::Right(Right::FeatureFlag),
        "feature_flag = \"beta\"",
    ),
    (
        "organization",
        Term::Right(Right::Organization),
        "organization = \"org_…\"",
    ),
    (
        "no_impersonation",
        Term::NoImpersonation,
        "no_impersonation",
    ),
    ("max_age", Term::MaxAge, "max_age = 300"),
    (
        "any",
        Term::Any,
        "any(role = \"admin\", permission = \"posts:write\")",
    ),
    (
        "all",
        Term::All,
        "all(role = \"admin\", permission = \"posts:write\")",
    ),
    ("not", Term::Not, "not(role = \"guest\")"),
    ("accept", Term::Accept, "accept(session, bearer, api_key)"),
];
