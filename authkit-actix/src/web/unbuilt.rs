//! What the compiler says to whoever wraps an application in a [`ProtectBuilder`].
//!
//! Without this it proposes to take `.protect()` away, which would compile, and protect nothing.

use std::marker::PhantomData;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};

use super::middleware::{AuthKitMiddleware, ProtectBuilder};

/// Implemented by nothing: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "`ProtectBuilder` is no middleware yet",
    label = "`.build()?` is missing",
    note = "build it outside the closure of `HttpServer::new`, so that a bad pattern stops the start, \
            and `.wrap(protected.clone())` inside"
)]
pub(crate) trait Built {
    /// Cannot be called.
    fn never<T>() -> T;
}

/// The compiler gives the message for a type other than the one that was passed.
#[derive(Debug)]
pub(crate) struct Protected<S>(PhantomData<S>);

#[doc(hidden)]
impl<S, B> Transform<S, ServiceRequest> for ProtectBuilder
where
    Protected<S>: Built,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = <AuthKitMiddleware as Transform<S, ServiceRequest>>::Response;
    type Error = Error;
    type Transform = <AuthKitMiddleware as Transform<S, ServiceRequest>>::Transform;
    type InitError = ();
    type Future = <AuthKitMiddleware as Transform<S, ServiceRequest>>::Future;

    fn new_transform(&self, _: S) -> Self::Future {
        Protected::<S>::never()
    }
}
