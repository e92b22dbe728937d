//! From the meaning to the code that carries it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, FnArg, Pat, PatType, Token, Type, ext::IdentExt as _, spanned::Spanned as _};

use crate::{
    model::{Credential, Requirement, Right, Rule, Screen},
    parse::{Handler, Mark, PLACED},
    validate::NO_AGE,
};

/// The function as written, with this attribute below all others.
pub(crate) fn place_last(mark: &Mark, handler: &Handler) -> TokenStream {
    let Handler {
        attrs,
        vis,
        sig,
        body,
    } = handler;
    let name = Ident::new(mark.kind.name(), Span::call_site());
    let placed = Ident::new(PLACED, Span::call_site());
    let args = &mark.args;
    quote! {
        #(#attrs)*
        #[::authkit_actix::__private::#name(#placed, #args)]
        #vis #sig #body
    }
}

/// The function with its parameters bundled behind a guard of its own.
pub(crate) fn guard(rule: &Rule, handler: &Handler) -> TokenStream {
    let Handler {
        attrs,
        vis,
        sig,
        body,
    } = handler;
    let attrs = attrs
        .iter()
        .filter(|attribute| Mark::of(attribute).is_none());
    let guard = Ident::new(&format!("__Guard_{}", sig.ident.unraw()), Span::call_site());
    let assertion = rule.max_age.as_ref().map(assert_some_age);
    let rule = rule_value(rule);

    let mut sig = sig.clone();
    let (mut lints, mut patterns, mut types) = (Vec::new(), Vec::new(), Vec::new());
    for parameter in std::mem::take(&mut sig.inputs) {
        // `validate` refused receivers.
        if let FnArg::Typed(parameter) = parameter {
            // `#[allow(…)]` and the like hold for the bundle, the only parameter left.
            lints.extend(parameter.attrs);
            patterns.push(parameter.pat);
            types.push(parameter.ty);
        }
    }
    sig.inputs.push(FnArg::Typed(PatType {
        attrs: lints,
        pat: Box::new(Pat::Verbatim(quote! {
            ::authkit_actix::__private::Guarded((#(#patterns,)*), ..)
        })),
        colon_token: Token![:](Span::call_site()),
        ty: Box::new(Type::Verbatim(quote! {
            ::authkit_actix::__private::Guarded<#guard, (#(#types,)*)>
        })),
    }));

    quote! {
        #[doc(hidden)]
        pub enum #guard {}

        impl ::authkit_actix::__private::Guard for #guard {
            const RULE: ::authkit_actix::__private::Rule = #rule;
        }

        #assertion

        #(#attrs)*
        #vis #sig #body
    }
}

fn rule_value(rule: &Rule) -> TokenStream {
    let accept = rule.accept.iter().map(|credential| match credential {
        Credential::Session => quote!(::authkit_actix::__private::Credential::Session),
        Credential::Bearer => quote!(::authkit_actix::__private::Credential::Bearer),
        Credential::ApiKey => quote!(::authkit_actix::__private::Credential::ApiKey),
    });
    let requirement = match rule.requirements.as_slice() {
        [] => quote!(::authkit_actix::__private::Requirement::SignedIn),
        [only] => requirement_value(only),
        several => group_value("All", several),
    };
    let max_age = match &rule.max_age {
        Some(seconds) => quote!(::core::option::Option::Some(#seconds)),
        None => quote!(::core::option::Option::None),
    };
    let screen = match rule.screen {
        Screen::SignIn => quote!(SignIn),
        Screen::SignUp => quote!(SignUp),
    };
    quote! {
        ::authkit_actix::__private::Rule {
            accept: &[#(#accept),*],
            requirement: #requirement,
            max_age: #max_age,
            screen: ::authkit_actix::__private::Screen::#screen,
        }
    }
}

fn requirement_value(requirement: &Requirement) -> TokenStream {
    let value = match requirement {
        Requirement::Right(right, value) => match right {
            Right::Role => quote!(Role(#value)),
            Right::Permission => quote!(Permission(#value)),
            Right::Entitlement => quote!(Entitlement(#value)),
            Right::FeatureFlag => quote!(FeatureFlag(#value)),
            Right::Organization => quote!(Organization(#value)),
        },
        Requirement::AnyOrganization => quote!(AnyOrganization),
        Requirement::NoImpersonation => quote!(NoImpersonation),
        Requirement::All(inner) => return group_value("All", inner),
        Requirement::Any(inner) => return group_value("Any", inner),
        Requirement::Not(inner) => {
            let inner = requirement_value(inner);
            quote!(Not(&#inner))
        }
    };
    quote!(::authkit_actix::__private::Requirement::#value)
}

fn group_value(variant: &str, inner: &[Requirement]) -> TokenStream {
    let variant = Ident::new(variant, Span::call_site());
    let inner = inner.iter().map(requirement_value);
    quote!(::authkit_actix::__private::Requirement::#variant(&[#(#inner),*]))
}

/// A constant's value is known to the compiler only.
fn assert_some_age(seconds: &Expr) -> Option<TokenStream> {
    let assertion = quote_spanned! {seconds.span()=>
        const _: () = ::core::assert!(#seconds > 0, #NO_AGE);
    };
    (!matches!(seconds, Expr::Lit(_))).then_some(assertion)
}
