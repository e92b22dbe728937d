use std::fmt;

use actix_http::Request;
use actix_web::{
    Error, HttpRequest,
    dev::{Service, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{ACCEPT, LOCATION},
    },
    test::TestRequest,
};

use crate::web::request_session::RequestSession;

/// The routes of an application, each asked for as a stranger would: who forgot a guard?
///
/// ```
/// use actix_web::{App, Responder, get, test};
/// use authkit_actix::{AuthKit, AuthUser, testing::RouteInventory};
///
/// #[get("/")]
/// async fn home() -> impl Responder {
///     "Welcome"
/// }
///
/// #[get("/orders/{id}")]
/// async fn order(_: AuthUser) -> impl Responder {
///     "Yours"
/// }
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authkit = AuthKit::builder().testing().build()?;
/// let app = App::new().wrap(authkit.middleware()).service(home).service(order);
/// let app = test::init_service(app).await;
///
/// let inventory = RouteInventory::of(&app, [("GET", "/"), ("GET", "/orders/{id}")]).await;
/// println!("{inventory}");
/// inventory.assert_public(&["/"]);
/// # Ok(()) }
/// ```
///
/// With the feature `introspection` the application names its routes itself: `RouteInventory::introspect`.
#[derive(Clone, Debug)]
pub struct RouteInventory {
    routes: Vec<ProbedRoute>,
}

/// A route, and what a stranger sees of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbedRoute {
    /// The method that it was asked for with.
    pub method: Method,
    /// The path as it was given, which may be a pattern.
    pub path: String,
    /// What strangers see.
    pub seen: SeenByStrangers,
}

/// What a route shows to somebody who is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeenByStrangers {
    /// Nothing: pages are redirected, and programs get `401`.
    Nothing,
    /// An answer, with this status.
    Answer(StatusCode),
    /// It is one of the library's own routes, or the login page, which must be open.
    OwnRoute,
    /// No route was reached: the path does not fit its pattern, or nothing takes the method.
    Unreached,
}

impl RouteInventory {
    /// Asks for each route, given by method and path, without a session: as a program and, with `GET`,
    /// as a page.
    ///
    /// A path may be a pattern: each `{name}` is filled with `1`. A pattern with a regular expression
    /// that `1` does not fit is given as a path.
    ///
    /// # Panics
    ///
    /// When a method is none.
    pub async fn of<S, B>(
        app: &S,
        routes: impl IntoIterator<Item = (&str, impl Into<String>)>,
    ) -> Self
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    {
        let mut probed = Vec::new();
        for (method, path) in routes {
            let method: Method = method
                .parse()
                .expect("the method of a route is an HTTP method");
            let path = path.into();
            let seen = SeenByStrangers::probe(app, &method, &filled(&path)).await;
            probed.push(ProbedRoute { method, path, seen });
        }
        Self { routes: probed }
    }

    /// Asks for each route that the application has, as [`of`](Self::of) does.
    ///
    /// Actix tells them by its feature `experimental-introspection`. A route without a method guard is
    /// asked for with `GET`.
    ///
    /// # Panics
    ///
    /// When `app` is not a whole `App`.
    #[cfg(feature = "introspection")]
    pub async fn introspect<S, B>(app: &S) -> Self
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    {
        use actix_web::{
            introspection::{IntrospectionReportItem, IntrospectionTree},
            web::Data,
        };

        let answer = app.call(TestRequest::default().to_request()).await;
        let answer = answer.expect("an App answers whatever happens");
        let tree = answer.request().app_data::<Data<IntrospectionTree>>();
        let tree = tree.expect("an App has its introspection tree");
        let items = Vec::<IntrospectionReportItem>::from(&tree.root);
        let mut routes = Vec::new();
        for item in items.iter().filter(|item| item.resource_type == "resource") {
            let methods = item.methods.iter().map(String::as_str);
            let any = item.methods.is_empty().then_some("GET");
            routes.extend(
                methods
                    .chain(any)
                    .map(|method| (method, item.full_path.as_str())),
            );
        }
        Self::of(app, routes).await
    }

    /// The routes in the order in which they were asked for.
    pub fn routes(&self) -> &[ProbedRoute] {
        &self.routes
    }

    /// Fails the test for every route that shows strangers something and is not named here by its path
    /// as given, and for every one that could not be reached.
    ///
    /// # Panics
    ///
    /// That is how it fails; the message lists the routes.
    #[track_caller]
    pub fn assert_public(&self, public: &[&str]) {
        let is_wrong = |route: &&ProbedRoute| match route.seen {
            SeenByStrangers::Nothing | SeenByStrangers::OwnRoute => false,
            SeenByStrangers::Answer(_) | SeenByStrangers::Unreached => {
                !public.contains(&route.path.as_str())
            }
        };
        let wrong: Vec<_> = self
            .routes
            .iter()
            .filter(is_wrong)
            .map(ToString::to_string)
            .collect();
        assert!(
            wrong.is_empty(),
            "not guarded, and not named as public:\n{}",
            wrong.join("\n")
        );
    }
}

impl SeenByStrangers {
    async fn probe<S, B>(app: &S, method: &Method, path: &str) -> Self
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    {
        let as_program = Self::of(app, TestRequest::with_uri(path).method(method.clone())).await;
        if as_program != Self::Nothing || method != Method::GET {
            return as_program;
        }
        Self::of(
            app,
            TestRequest::with_uri(path).insert_header((ACCEPT, "text/html")),
        )
        .await
    }

    async fn of<S, B>(app: &S, request: TestRequest) -> Self
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    {
        match app.call(request.to_request()).await {
            Ok(answer) => Self::in_answer(
                answer.status(),
                answer.headers().contains_key(LOCATION),
                answer.request(),
            ),
            Err(error) => Self::Answer(error.error_response().status()),
        }
    }

    fn in_answer(status: StatusCode, is_redirect: bool, request: &HttpRequest) -> Self {
        let is_document = request.headers().contains_key(ACCEPT);
        let is_own = RequestSession::of(request)
            .is_some_and(|session| session.authkit().owns_path(request.path()));
        match status {
            _ if is_own => Self::OwnRoute,
            StatusCode::UNAUTHORIZED => Self::Nothing,
            StatusCode::FOUND | StatusCode::SEE_OTHER if is_document && is_redirect => {
                Self::Nothing
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Self::Unreached,
            status => Self::Answer(status),
        }
    }
}

/// A path that fits the pattern, unless it has regular expressions.
fn filled(pattern: &str) -> String {
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, inside)) = rest.split_once('{') {
        path.push_str(before);
        path.push('1');
        // The braces of a regular expression nest.
        let mut depth = 1;
        let end = inside.find(|c| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        rest = end.map_or("", |end| &inside[end + 1..]);
    }
    path.push_str(rest);
    path
}

impl fmt::Display for RouteInventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.routes
            .iter()
            .try_for_each(|route| writeln!(f, "{route}"))
    }
}

impl fmt::Display for ProbedRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:7} {:40} {}",
            self.method.as_str(),
            self.path,
            self.seen
        )
    }
}

impl fmt::Display for SeenByStrangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("guarded"),
            Self::Answer(status) => write!(f, "open: {status}"),
            Self::OwnRoute => f.write_str("AuthKit's own"),
            Self::Unreached => f.write_str("not reached: give it as a path and with its method"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_paths() {
        for (pattern, path) in [
            ("/", "/"),
            ("/a/{b}/c", "/a/1/c"),
            ("/{a}/{b:[0-9]{1,3}}", "/1/1"),
            ("/files/{tail:.*}", "/files/1"),
            ("/{", "/1"),
        ] {
            assert_eq!(filled(pattern), path);
        }
    }
}
