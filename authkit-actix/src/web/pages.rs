//! The few pages that the library shows by itself.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
};

/// A short page: a title, a sentence, and perhaps a way on.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) sentence: &'a str,
    /// The text and address of a link.
    pub(super) link: Option<(&'a str, &'a str)>,
}

impl Page<'_> {
    pub(super) fn response(&self, status: StatusCode) -> HttpResponse {
        self.render(status, "")
    }

    /// A page that goes on to its link by itself.
    pub(super) fn continuing(&self) -> HttpResponse {
        let refresh = self.link.map_or(String::new(), |(_, address)| {
            format!(
                r#"<meta http-equiv="refresh" content="0;url={}">"#,
                escape(address)
            )
        });
        self.render(StatusCode::OK, &refresh)
    }

    fn render(&self, status: StatusCode, head: &str) -> HttpResponse {
        let link = self.link.map_or(String::new(), |(text, address)| {
            format!(
                r#"<p><a href="{}">{}</a></p>"#,
                escape(address),
                escape(text)
            )
        });
        let (title, sentence) = (escape(self.title), escape(self.sentence));
        document(
            status,
            &title,
            head,
            &format!("<h1>{title}</h1><p>{sentence}</p>{link}"),
        )
    }
}

fn document(status: StatusCode, title: &str, head: &str, main: &str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title>{head}<style>{STYLE}</style></head>\
             <body><main>{main}</main></body></html>"
        ))
}

/// A page with a form of one button for each value, named by its text.
pub(super) fn choice<'a>(
    status: StatusCode,
    title: &str,
    sentence: &str,
    action: &str,
    field: &str,
    choices: impl Iterator<Item = (&'a str, &'a str)>,
) -> HttpResponse {
    let buttons: String = choices
        .map(|(value, text)| {
            format!(
                r#"<button name="{}" value="{}">{}</button>"#,
                escape(field),
                escape(value),
                escape(text)
            )
        })
        .collect();
    let (title, sentence, action) = (escape(title), escape(sentence), escape(action));
    document(
        status,
        &title,
        "",
        &format!(
            r#"<h1>{title}</h1><p>{sentence}</p><form method="post" action="{action}">{buttons}</form>"#
        ),
    )
}

/// Text for an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;min-height:100vh;display:grid;place-items:center;font:16px/1.5 system-ui,sans-serif;\
background:light-dark(#f4f4f8,#111119);color:light-dark(#1b1b27,#f0f0f6)}\
main{max-width:20rem;margin:1rem;padding:2.25rem 2rem;border:1px solid light-dark(#dcdce6,#34344a);border-radius:1rem;\
text-align:center;text-wrap:pretty;background:light-dark(#fff,#1a1a25);box-shadow:0 12px 32px #14143214}\
h1{margin:0 0 .5rem;font-size:1.45rem;line-height:1.25;letter-spacing:-.01em}\
p{margin:0 0 1.5rem;color:light-dark(#62627a,#a2a2b8)}p:last-child{margin:0}\
a{display:inline-block;padding:.65rem 1.5rem;border-radius:.625rem;font-weight:600;text-decoration:none;\
background:light-dark(#5b52e8,#8b84ff);color:light-dark(#fff,#12121c)}\
form{display:grid;gap:.5rem}\
button{font:inherit;padding:.75rem 1rem;border:1px solid light-dark(#dcdce6,#34344a);border-radius:.625rem;\
background:none;color:inherit;font-weight:600;cursor:pointer}\
button:hover{border-color:light-dark(#5b52e8,#8b84ff)}\
a:focus-visible,button:focus-visible{outline:3px solid #8b84ff;outline-offset:2px}";
