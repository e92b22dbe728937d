//! The library's own routes.

mod browser;
mod callback;
mod sign_in;
mod sign_out;
mod webhooks;

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder,
    dev::{AppService, HttpServiceFactory, Url},
    guard,
    http::{
        StatusCode,
        header::{ALLOW, HeaderValue},
    },
    web,
};

pub use self::{
    callback::{CallbackError, CallbackService, HookOutcome, SignIn},
    webhooks::{Webhooks, WebhooksBuilder},
};
use super::{
    client_script::MODULE,
    rejection::{Problem, refusal},
};
use crate::authkit::AuthKit;

/// The ready-made routes, to be passed to `App::service`; see [`AuthKit::routes`].
#[derive(Clone, Debug)]
#[must_use = "routes do nothing until they are passed to .service()"]
pub struct AuthKitRoutes {
    authkit: AuthKit,
}

impl AuthKit {
    /// The ready-made routes: `/sign-in`, `/sign-up` and `/sign-out`, and under `/authkit` those that
    /// the scripts of your pages call; or the paths of [`AuthKitBuilder`](crate::AuthKitBuilder).
    ///
    /// Their paths are the whole ones, seen from outside: in a scope named `/auth` the routes answer
    /// if the configured paths begin with `/auth`.
    ///
    /// `/sign-in` always starts a sign-in, so it is what the WorkOS dashboard calls the sign-in
    /// endpoint. It and `/sign-up` take the query parameters `return_to`, `organization_id`,
    /// `login_hint`, `invitation_token` and `screen_hint`; `/sign-out` takes `return_to`.
    ///
    /// Under the prefix are `GET session` (a [`BrowserSession`](crate::BrowserSession)), `GET token`,
    /// `POST refresh`, `GET` and `POST organization`, `POST sign-out`, and the module that calls them,
    /// `GET client.js` (see [`client_script`](AuthKit::client_script)). All but the module refuse
    /// requests of other sites, and what changes something takes JSON only.
    ///
    /// ```
    /// use actix_web::web;
    /// use authkit_actix::{AuthKit, ConfigError};
    ///
    /// fn configured() -> Result<AuthKit, ConfigError> {
    ///     AuthKit::builder()
    ///         .redirect_uri("https://app.example.com/auth/callback")
    ///         .sign_in_path("/auth/sign-in")
    ///         .sign_up_path("/auth/sign-up")
    ///         .sign_out_path("/auth/sign-out")
    ///         .build()
    /// }
    ///
    /// fn routes(authkit: &AuthKit, app: &mut web::ServiceConfig) {
    ///     let auth = web::scope("/auth")
    ///         .service(authkit.handle_auth())
    ///         .service(authkit.routes());
    ///     app.service(auth);
    /// }
    /// ```
    pub fn routes(&self) -> AuthKitRoutes {
        AuthKitRoutes {
            authkit: self.clone(),
        }
    }
}

impl HttpServiceFactory for AuthKitRoutes {
    fn register(self, service: &mut AppService) {
        let paths = self.authkit.inner.config.paths.clone();
        register(service, &self.authkit, &paths.sign_in, sign_in::sign_in);
        register(service, &self.authkit, &paths.sign_up, sign_in::sign_up);
        register(service, &self.authkit, &paths.sign_out, sign_out::sign_out);
        self.register_browser(service);
    }
}

impl AuthKitRoutes {
    fn register_browser(&self, service: &mut AppService) {
        let authkit = &self.authkit;
        let path = |name| authkit.inner.config.paths.under_prefix(name);
        register(service, authkit, &path("session"), browser::session);
        register(service, authkit, &path("token"), browser::token);
        register(service, authkit, &path("refresh"), browser::refresh);
        register(
            service,
            authkit,
            &path("organization"),
            browser::organization,
        );
        register(service, authkit, &path("sign-out"), browser::sign_out);
        register(service, authkit, &path("client.js"), browser::client);
        register(service, authkit, &path(&MODULE.name), browser::client);
    }
}

/// Registers a handler for a path that is seen from outside, at the root or in any scope.
///
/// A scope does not tell its prefix to what is inside, so there the whole path is compared. The
/// middleware around it steps aside where the application's is outside.
fn register<F, Args>(service: &mut AppService, authkit: &AuthKit, path: &str, handler: F)
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder<Body: 'static> + 'static,
{
    let resource = if service.is_root() {
        Resource::new(path)
    } else {
        let path = path.to_owned();
        // A scope may be the whole path by itself.
        Resource::new(["", "/{_:.*}"]).guard(guard::fn_guard(move |context| {
            Url::new(context.head().uri.clone()).path() == path
        }))
    };
    resource
        .app_data(web::Data::new(authkit.clone()))
        .route(web::route().to(handler))
        .wrap(authkit.middleware())
        .register(service);
}

/// `405` with what would be allowed.
fn method_not_allowed(request: &HttpRequest, allowed: &'static str) -> HttpResponse {
    let mut response = refusal(
        request,
        &Problem {
            code: "method_not_allowed",
            title: "Not this way",
            detail: "This address does not take requests of that kind.",
            ..Problem::new(StatusCode::METHOD_NOT_ALLOWED)
        },
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
