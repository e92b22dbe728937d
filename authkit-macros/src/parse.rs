//! From tokens to what was written: the attributes, their arguments and the function.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::{
    Attribute, Error, Expr, Ident, Meta, Result, Signature, Token, Visibility,
    ext::IdentExt as _,
    parenthesized,
    parse::{ParseStream, Parser as _},
    token::Paren,
};

use crate::model::Kind;

/// One of this crate's attributes on a function, its arguments still unread.
pub(crate) struct Mark {
    pub(crate) kind: Kind,
    /// Whether it was run before and stands below everything that had to run first.
    pub(crate) placed: bool,
    pub(crate) args: TokenStream,
    pub(crate) span: Span,
}

impl Mark {
    /// The attribute that is being run.
    pub(crate) fn new(kind: Kind, args: TokenStream) -> Self {
        let mut tokens = args.clone().into_iter();
        let placed = match (tokens.next(), tokens.next()) {
            (Some(TokenTree::Ident(first)), None) => first == PLACED,
            (Some(TokenTree::Ident(first)), Some(TokenTree::Punct(second))) => {
                first == PLACED && second.as_char() == ','
            }
            _ => false,
        };
        let args = if placed { tokens.collect() } else { args };
        Self {
            kind,
            placed,
            args,
            span: Span::call_site(),
        }
    }

    /// An attribute still on the function, told by the last segment of its path.
    pub(crate) fn of(attribute: &Attribute) -> Option<Self> {
        let name = &attribute.path().segments.last()?.ident;
        let kind = Kind::named(&name.to_string())?;
        let args = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
        };
        Some(Self {
            span: name.span(),
            ..Self::new(kind, args)
        })
    }

    pub(crate) fn is_placed(attribute: &Attribute) -> bool {
        Self::of(attribute).is_some_and(|mark| mark.placed)
    }
}

/// A function whose body stays as unread as it came: an unfinished one must not cost the user
/// the rest.
pub(crate) struct Handler {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
}

impl Handler {
    pub(crate) fn parse(kind: Kind, item: TokenStream) -> Result<Self> {
        let function = |input: ParseStream<'_>| {
            Ok(Self {
                attrs: input.call(Attribute::parse_outer)?,
                vis: input.parse()?,
                sig: input.parse()?,
                body: input.parse()?,
            })
        };
        function.parse2(item.clone()).map_err(|problem| {
            let Ok(other) = syn::parse2::<syn::Item>(item) else {
                return problem;
            };
            let message = format!(
                "`#[{}]` goes on a handler, an `async fn`; \
                 to guard a whole scope, wrap it in the middleware with `protect()`",
                kind.name()
            );
            Error::new_spanned(other, message)
        })
    }

    /// Whether there is one, in braces.
    pub(crate) fn has_body(&self) -> bool {
        let first = self.body.clone().into_iter().next();
        matches!(first, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace)
    }

    /// The attributes of this crate that are still on the function.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        self.attrs.iter().filter_map(Mark::of).collect()
    }
}

/// One argument: a name, and what was written after it.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// `name`
    Absent,
    /// `name = value`
    Assigned(Expr),
    /// `name(…)`
    List(TokenStream),
}

/// Reads a comma-separated list, going on behind each mistake.
pub(crate) fn arguments(tokens: TokenStream, problems: &mut Vec<Error>) -> Vec<Argument> {
    let mut list = Vec::new();
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match argument(input) {
                Ok(argument) => list.push(argument),
                Err(problem) => {
                    problems.push(problem);
                    while !input.is_empty() && !input.peek(Token![,]) {
                        input.parse::<TokenTree>()?;
                    }
                }
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    if let Err(problem) = read.parse2(tokens) {
        problems.push(problem);
    }
    list
}

fn argument(input: ParseStream<'_>) -> Result<Argument> {
    if input.peek(Token![!]) {
        return Err(input.error("write `not(…)`, as in `not(role = \"guest\")`"));
    }
    if !input.peek(Ident::peek_any) {
        return Err(input.error("expected an argument such as `role = \"admin\"`"));
    }
    let name = input.call(Ident::parse_any)?;
    let value = if input.peek(Paren) {
        let content;
        parenthesized!(content in input);
        Value::List(content.parse()?)
    } else if input.peek(Token![=]) && !input.peek(Token![==]) {
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            Value::Absent
        } else {
            Value::Assigned(input.parse()?)
        }
    } else if input.is_empty() || input.peek(Token![,]) || input.peek(Ident::peek_any) {
        Value::Absent
    } else {
        return Err(input.error(format!("expected `=` after `{name}`")));
    };
    if input.is_empty() || input.peek(Token![,]) {
        Ok(Argument { name, value })
    } else {
        Err(input.error("expected `,` between arguments"))
    }
}

/// First argument of an attribute that has run once and waits for the others.
pub(crate) const PLACED: &str = "__placed";
