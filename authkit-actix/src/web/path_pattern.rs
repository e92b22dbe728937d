//! Patterns for lists of paths, such as the public ones under middleware auth.

use actix_web::dev::ResourceDef;
use regex_lite::Regex;

use crate::config::ConfigProblem;

/// A list of path patterns.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathPatterns(Vec<PathPattern>);

/// One pattern, matched against the whole path as the router sees it, case included.
///
/// It is written as a route of Actix (`/docs/{page}`, `/docs/{tail:.*}`), or as in AuthKit's
/// documentation: a segment `:name` is any one segment, `:name?` none or one, `:name+` one or
/// more, `:name*` any number.
#[derive(Clone, Debug)]
pub(crate) struct PathPattern(ResourceDef);

impl PathPatterns {
    /// Reads the patterns that the builder's method `field` was given, or lists what is wrong
    /// with them.
    pub(crate) fn parse<P: AsRef<str>>(
        field: &'static str,
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut parsed = Vec::new();
        let mut problems = Vec::new();
        for pattern in patterns {
            match PathPattern::parse(pattern.as_ref()) {
                Ok(pattern) => parsed.push(pattern),
                Err(message) => problems.push(ConfigProblem::new(field, None, message)),
            }
        }
        if problems.is_empty() {
            Ok(Self(parsed))
        } else {
            Err(problems)
        }
    }

    /// Whether a pattern matches: `raw_path` is the path of the request line, `decoded_path` what
    /// the router makes of it (`ServiceRequest::match_info().as_str()`). An ambiguous path
    /// matches nothing.
    pub(crate) fn matches(&self, raw_path: &str, decoded_path: &str) -> bool {
        !is_ambiguous(raw_path)
            && !is_ambiguous(decoded_path)
            && self.0.iter().any(|pattern| pattern.matches(decoded_path))
    }
}

impl PathPattern {
    /// Reads a pattern, or says what is wrong with it and what to write instead.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        parse(pattern).map_err(|fault| format!("`{}`: {fault}", pattern.escape_debug()))
    }

    pub(crate) fn matches(&self, decoded_path: &str) -> bool {
        self.0.is_match(decoded_path)
    }
}

/// Whether servers, proxies and applications read `path` in different ways, so that what looks
/// public to one may be something else to the next.
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let encoded = |escape: &[u8; 2]| {
        path.as_bytes()
            .windows(3)
            .any(|window| window[0] == b'%' && window[1..].eq_ignore_ascii_case(escape))
    };
    // `%25` hides a second layer of encoding.
    [b"2f", b"5c", b"2e", b"00", b"3b", b"25"].into_iter().any(encoded)
        || path.contains("//")
        || path.contains([';', '\\'])
        // U+FFFD is what the router puts in the place of bytes that are no UTF-8.
        || path.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER)
        || path.split('/').any(|segment| matches!(segment, "." | ".."))
}

fn parse(pattern: &str) -> Result<PathPattern, String> {
    if !pattern.starts_with('/') {
        return Err("does not begin with `/`; write the whole path".to_owned());
    }
    let actix = if pattern.contains('{') {
        pattern.to_owned()
    } else {
        from_authkit(pattern)?
    };
    check(&actix)?;

    let path = ResourceDef::new(actix.as_str());
    // `/:name*` without any segment is the path `/`, which is not written as the empty one.
    if path.is_match("") {
        return Ok(PathPattern(ResourceDef::new([actix.as_str(), "/"])));
    }
    Ok(PathPattern(path))
}

/// Rewrites `/docs/:path*` in Actix's syntax.
fn from_authkit(pattern: &str) -> Result<String, String> {
    let mut actix = String::new();
    for segment in pattern.split('/').skip(1) {
        let Some(param) = segment.strip_prefix(':') else {
            if segment.contains(':') {
                return Err(format!(
                    "`:name` stands for a whole segment; for a part of one write `{{name}}`, \
                     for a colon {}",
                    literally(':')
                ));
            }
            actix.push('/');
            actix.push_str(segment);
            continue;
        };
        let name = param.trim_end_matches(['?', '+', '*']);
        actix.push_str(&match &param[name.len()..] {
            _ if !is_name(name) => {
                return Err(format!(
                    "`:{param}` is not `:name`, `:name?`, `:name+` or `:name*`; for anything else \
                     write `{{name}}` or `{{name:regular expression}}`"
                ));
            }
            "" => format!("/{{{name}}}"),
            "?" => format!("{{{name}:(?:/[^/]+)?}}"),
            "+" => format!("{{{name}:(?:/[^/]+)+}}"),
            "*" => format!("{{{name}:(?:/[^/]+)*}}"),
            _ => return Err(format!("`:{param}` ends in more than one of `?`, `+`, `*`")),
        });
    }
    Ok(actix)
}

/// Refuses what [`ResourceDef::new`] would panic at, and what it would take in another sense
/// than the one meant.
fn check(pattern: &str) -> Result<(), String> {
    let mut groups = String::new();
    let mut parameters = 0;
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, from_brace)) = rest.split_once('{') {
        text.push_str(before);
        text.push(PARAMETER);
        let (parameter, after) = closed(from_brace).ok_or("a `{` is never closed")?;
        let is_tail = after == "*";

        let (name, expression) = match parameter.split_once(':') {
            Some(_) if is_tail => {
                return Err(format!(
                    "`{{{parameter}}}*` has both an expression and a `*`; leave the `*` away"
                ));
            }
            Some((name, expression)) => (name, expression),
            None => (parameter, "[^/]+"),
        };
        if !is_name(name) {
            return Err(format!("`{{{parameter}}}` has no name; write `{{name}}`"));
        }
        if expression.replace("(?:", "").contains("(?") {
            return Err(format!(
                "`{expression}` looks around or sets flags, which patterns cannot; list the paths \
                 that are meant, each as a pattern"
            ));
        }
        // Alone first: a stray parenthesis would reach out of its group.
        Regex::new(expression)
            .map_err(|error| format!("`{expression}` is not a regular expression: {error}"))?;
        groups.push_str(&format!("(?P<{name}>{expression})"));
        parameters += 1;
        rest = if is_tail { "" } else { after };
    }
    text.push_str(rest);

    check_text(&text)?;
    if parameters > MAX_PARAMETERS {
        return Err(format!("has more than {MAX_PARAMETERS} parameters"));
    }
    // Together: names are not to be repeated, and the whole has a size limit.
    Regex::new(&groups).map_err(|error| {
        format!("its parameters do not go together: {error}; give each a name of its own")
    })?;
    Ok(())
}

/// Checks what stands outside of parameters, each of which is one [`PARAMETER`].
fn check_text(text: &str) -> Result<(), String> {
    for character in text.chars() {
        match character {
            '(' | ')' | '*' | '[' | ']' | '^' | '$' | '|' | '+' => {
                return Err(format!(
                    "`{character}` has no meaning here; for any one segment write `:name`, for \
                     the rest of the path `:name*`, for an expression `{{name:…}}`, for the \
                     character itself {}",
                    literally(character)
                ));
            }
            '?' | '#' => {
                return Err(format!(
                    "`{character}` begins a query or a fragment, which patterns do not see; end \
                     the pattern before it, and write an optional segment as `:name?`"
                ));
            }
            '}' => return Err("a `}` closes nothing".to_owned()),
            '%' => {
                return Err(
                    "`%` encodes a character; write the character itself, since patterns match \
                     the decoded path"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    if text.contains("/:") {
        return Err("mixes `:name` and `{name}`; write all parameters as `{name}`".to_owned());
    }
    if is_ambiguous(text) {
        return Err(
            "contains `//`, `.` or `..` as a segment, `;`, `\\` or a control character, and paths \
             with these match nothing; write the path without"
                .to_owned(),
        );
    }
    Ok(())
}

/// Splits after the brace that closes what `text` is inside of.
fn closed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    for (index, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[..index], &text[index + 1..]));
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// How Actix's syntax says a character that means something else.
fn literally(character: char) -> String {
    format!("`{{_:[{character}]}}`")
}

/// Actix's own limit.
const MAX_PARAMETERS: usize = 16;

/// Stands for a parameter while the text around it is checked; no text itself.
const PARAMETER: char = 'x';

#[cfg(test)]
mod tests;
