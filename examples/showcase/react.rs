//! The page that is built with the React bindings, from `react/page.tsx`.

use actix_web::{HttpResponse, Responder, get, web};
use authkit_actix::Auth;
use maud::{PreEscaped, html};

use crate::layout::document;

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service((react, script));
}

/// It carries the session, so that its first paint knows who is there; it never carries a token.
#[get("/react")]
async fn react(auth: Auth) -> impl Responder {
    let session = auth.browser_session();
    let session = session.map_or("null".to_owned(), |session| session.to_string());
    document(
        "React",
        html! {
            div #root {}
            script #session type="application/json" { (PreEscaped(session)) }
            script type="module" src="/react/page.js" {}
        },
    )
}

#[get("/react/page.js")]
async fn script() -> impl Responder {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .body(include_str!("react/page.js"))
}
