use std::{fmt, sync::LazyLock};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sha2::{Digest as _, Sha384};

use super::pages::escape;
use crate::authkit::AuthKit;

/// The browser module as a page refers to it: shows itself as a `script` element with the module's
/// hash. From [`AuthKit::client_script`].
///
/// The element makes the custom elements work (`<authkit-signed-in>`, `<authkit-signed-out>`,
/// `<authkit-impersonation>`). Scripts of your own import from the same address:
///
/// ```
/// use actix_web::{Responder, get, web::{Data, Html}};
/// use authkit_actix::AuthKit;
///
/// #[get("/app")]
/// async fn page(authkit: Data<AuthKit>) -> impl Responder {
///     let client = authkit.client_script().nonce("r4nd0m");
///     Html::new(format!(
///         r#"{client}
///         <script type="module" nonce="r4nd0m">
///           import {{ authkit }} from "{}";
///           authkit.subscribe(() => console.log(authkit.getSnapshot().user?.email));
///         </script>"#,
///         client.path(),
///     ))
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a script does nothing until it is shown on a page"]
pub struct ClientScript {
    path: String,
    nonce: Option<String>,
}

impl AuthKit {
    /// The browser module, for pages: its address, its hash and its `script` element.
    pub fn client_script(&self) -> ClientScript {
        let paths = &self.inner.config.paths;
        ClientScript {
            path: paths.under_prefix(&MODULE.name),
            nonce: None,
        }
    }
}

impl ClientScript {
    /// The nonce of the page's Content-Security-Policy.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// The path that names this very version, such as `/authkit/client.3f0c….js`; it may be cached
    /// for ever.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The module's hash for Subresource Integrity: `sha384-…`.
    pub fn integrity(&self) -> &'static str {
        &MODULE.integrity
    }
}

impl fmt::Display for ClientScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<script type=\"module\" src=\"{}\" integrity=\"{}\"",
            escape(self.path()),
            escape(self.integrity()),
        )?;
        if let Some(nonce) = &self.nonce {
            write!(f, " nonce=\"{}\"", escape(nonce))?;
        }
        f.write_str("></script>")
    }
}

/// The module as it is served.
pub(super) struct Module {
    pub(super) source: &'static str,
    /// With its hash.
    pub(super) name: String,
    pub(super) integrity: String,
}

pub(super) static MODULE: LazyLock<Module> = LazyLock::new(|| {
    let source = include_str!("client.js");
    let hash = Sha384::digest(source);
    Module {
        source,
        name: format!("client.{}.js", URL_SAFE_NO_PAD.encode(&hash[..12])),
        integrity: format!("sha384-{}", STANDARD.encode(hash)),
    }
});
