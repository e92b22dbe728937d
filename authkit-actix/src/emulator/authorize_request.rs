use std::collections::HashMap;

use url::{Host, Url, form_urlencoded};

use super::authorize::AUTHORIZE;
use super::state::{Settings, SignIn};

/// An authorization request whose parameters are in order.
pub(super) struct AuthorizeRequest {
    /// The query as it came, encoded afresh, for the forms' addresses.
    pub(super) query: String,
    pub(super) redirect_uri: Url,
    pub(super) login_hint: Option<String>,
    pub(super) state: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) sign_up: bool,
    pub(super) organization_id: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) max_age: Option<i64>,
    pub(super) authentication_method: &'static str,
}

/// A request that leads to no code.
pub(super) enum Refusal {
    /// Told to the person, since the application's address cannot be trusted.
    Page(String),
    /// Told to the application, RFC 6749 section 4.1.2.1.
    Redirect(Box<Url>),
}

impl AuthorizeRequest {
    /// Checks the parameters; trust in the address to go back to comes first.
    pub(super) fn parse(settings: &Settings, query: &str) -> Result<Self, Refusal> {
        let mut parameters = HashMap::new();
        let mut repeated = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters
                .insert(name.to_string(), value.to_string())
                .is_some()
            {
                repeated = Some(name.to_string());
            }
        }
        if let Some(name) = repeated.filter(|name| ONCE.contains(&name.as_str())) {
            return Err(Refusal::Page(format!(
                "The parameter {name} is there more than once."
            )));
        }
        let mut take = |name: &str| parameters.remove(name).filter(|value| !value.is_empty());

        if take("client_id").as_deref() != Some(&settings.client_id) {
            return Err(refused_page(
                "The parameter client_id is missing or not this emulator's.",
            ));
        }
        let redirect_uri = take("redirect_uri")
            .and_then(|uri| Url::parse(&uri).ok())
            .filter(|uri| settings.may_return_to(uri) && uri.fragment().is_none());
        let Some(redirect_uri) = redirect_uri else {
            return Err(refused_page(
                "The parameter redirect_uri is missing, or no http(s) address on this machine. \
                 Other origins must be allowed when the emulator is built.",
            ));
        };
        let mut request = Self {
            query: form_urlencoded::Serializer::new(String::new())
                .extend_pairs(form_urlencoded::parse(query.as_bytes()))
                .finish(),
            redirect_uri,
            state: take("state"),
            challenge: take("code_challenge"),
            sign_up: take("screen_hint").as_deref() == Some("sign-up"),
            login_hint: take("login_hint"),
            organization_id: take("organization_id"),
            prompt: take("prompt"),
            max_age: None,
            authentication_method: "Password",
        };

        let invalid = |text: &str| Err(request.refusal("invalid_request", text));
        if take("response_type").as_deref() != Some("code") {
            return Err(request.refusal("unsupported_response_type", "response_type must be code."));
        }
        let method = take("code_challenge_method");
        let well_formed = |challenge: &String| {
            challenge.len() == 43
                && challenge
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        match (&request.challenge, method.as_deref()) {
            (None, None) => {}
            (Some(challenge), Some("S256")) if well_formed(challenge) => {}
            _ => {
                return invalid(
                    "code_challenge needs code_challenge_method=S256 and 43 characters.",
                );
            }
        }
        let provider = take("provider");
        let connection = take("connection_id").or_else(|| take("connection"));
        if provider.is_none() && connection.is_none() && request.organization_id.is_none() {
            return invalid("One of provider, connection_id and organization_id is needed.");
        }
        let max_age = take("max_age").map(|seconds| seconds.parse::<u32>());
        match max_age.transpose() {
            Ok(max_age) => request.max_age = max_age.map(i64::from),
            Err(_) => return invalid("max_age must be a number of seconds."),
        }
        request.authentication_method = match provider.as_deref() {
            _ if connection.is_some() => "SSO",
            Some(name) => PROVIDERS
                .into_iter()
                .find(|known| *known == name)
                .unwrap_or("Password"),
            None => "Password",
        };
        Ok(request)
    }

    /// Whether a browser's sign-in will do, or the page must be shown.
    pub(super) fn accepts(&self, browser: &SignIn, now: i64) -> bool {
        let asked_again = matches!(self.prompt.as_deref(), Some("login" | "select_account"));
        let recent = self
            .max_age
            .is_none_or(|max_age| max_age > 0 && now.saturating_sub(browser.auth_time) <= max_age);
        !asked_again && recent
    }

    /// An error for the application.
    pub(super) fn refusal(&self, error: &str, description: &str) -> Refusal {
        let parameters = [("error", error), ("error_description", description)];
        Refusal::Redirect(Box::new(self.back(&parameters)))
    }

    /// Where "Cancel" leads.
    pub(super) fn cancel(&self) -> Url {
        self.back(&[
            ("error", "access_denied"),
            ("error_description", "The user cancelled."),
        ])
    }

    /// The address of the same request with some parameters set otherwise.
    pub(super) fn again_with(&self, name: &str, value: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(
                form_urlencoded::parse(self.query.as_bytes()).filter(|(key, _)| key != name),
            )
            .append_pair(name, value)
            .finish();
        format!("{AUTHORIZE}?{query}")
    }

    /// The application's address with these parameters, and the state.
    pub(super) fn back(&self, parameters: &[(&str, &str)]) -> Url {
        let mut uri = self.redirect_uri.clone();
        uri.query_pairs_mut()
            .extend_pairs(parameters)
            .extend_pairs(self.state.as_ref().map(|state| ("state", state)));
        uri
    }
}

impl Settings {
    /// Whether a browser may be sent there: this machine, or an origin that the builder allowed.
    pub(super) fn may_return_to(&self, uri: &Url) -> bool {
        let loopback = match uri.host() {
            Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let origin = uri.origin().ascii_serialization();
        matches!(uri.scheme(), "http" | "https")
            && (loopback || self.allowed_origins.contains(&origin))
    }
}

fn refused_page(text: &str) -> Refusal {
    Refusal::Page(text.to_owned())
}

/// Parameters that must not come twice, RFC 6749 section 3.1.
const ONCE: [&str; 8] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "state",
    "code_challenge",
    "code_challenge_method",
    "provider",
    "organization_id",
];
const PROVIDERS: [&str; 4] = ["AppleOAuth", "GitHubOAuth", "GoogleOAuth", "MicrosoftOAuth"];
