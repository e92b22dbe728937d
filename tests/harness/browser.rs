use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use serde_json::Value;
use url::Url;

use crate::{log::TRY, promises};

/// A browser without scripts: it keeps cookies by host and path, and follows no redirect by itself.
#[derive(Clone)]
pub struct Browser {
    client: reqwest::Client,
    origin: Url,
    /// By host (with port), then by name.
    jar: BTreeMap<String, BTreeMap<String, Cookie>>,
    is_watchful: bool,
}

/// A `Set-Cookie` as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    /// The attributes as they were written, in their order: `Path=/`, `HttpOnly`, ….
    pub attributes: Vec<String>,
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Browser {
    /// A browser that has been nowhere yet; paths are taken on this origin.
    ///
    /// Names under `localhost` are this machine, as browsers have it.
    pub fn at(origin: &str) -> Self {
        let origin: Url = origin.parse().expect("an origin");
        let mut client = reqwest::Client::builder();
        if let Some(host) = origin
            .host_str()
            .filter(|host| host.ends_with(".localhost"))
        {
            let port = origin.port().unwrap_or_default();
            client = client.resolve(host, (Ipv4Addr::LOCALHOST, port).into());
        }
        let client = client
            .redirect(Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(30))
            // Sooner than Actix closes an idle connection: a request might cross that.
            .pool_idle_timeout(Duration::from_secs(4))
            .build()
            .expect("a client without TLS");
        Self {
            client,
            origin,
            jar: BTreeMap::new(),
            is_watchful: false,
        }
    }

    /// Panics where an answer of its origin breaks what all of an application keep to.
    pub(crate) fn watchful(self) -> Self {
        Self {
            is_watchful: true,
            ..self
        }
    }

    /// Opens a page.
    pub async fn get(&mut self, address: &str) -> Answer {
        self.send(Method::GET, address, &NAVIGATION, "").await
    }

    /// Calls as a script does.
    pub async fn api(&mut self, address: &str) -> Answer {
        self.send(Method::GET, address, &[("accept", "application/json")], "")
            .await
    }

    /// Calls as a script does, with these cookies in place of the jar's, which stays as it is.
    pub async fn api_with(&self, address: &str, cookies: &str) -> Answer {
        let mut once = self.clone();
        once.jar.clear();
        let headers = [("accept", "application/json"), ("cookie", cookies)];
        once.send(Method::GET, address, &headers, "").await
    }

    /// Submits a form of the same origin.
    pub async fn submit(&mut self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut headers = NAVIGATION.to_vec();
        headers.push(("sec-fetch-site", "same-origin"));
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        self.send(Method::POST, address, &headers, &body).await
    }

    /// Sends a request with these headers and the cookies of the jar.
    pub async fn send(
        &mut self,
        method: Method,
        address: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let url = self.origin.join(address).expect("an address");
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header name");
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
            all.append(name, value);
        }
        let cookies = self.cookie_header(&url);
        if !cookies.is_empty() {
            let cookies = HeaderValue::from_str(&cookies).expect("cookies came in headers");
            all.append("cookie", cookies);
        }
        let response = self
            .client
            .request(method, url.clone())
            .headers(all.clone())
            .body(body.to_owned())
            .send()
            .await
            .expect("an answer");
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.expect("a body"),
        };
        if url.origin() == self.origin.origin() {
            tracing::trace!(target: TRY, status = answer.status);
            if self.is_watchful {
                promises::check(url.path(), &all, &answer);
            }
        }
        self.keep(&url, &answer);
        answer
    }

    /// As [`api_with`](Self::api_with), where nobody may answer.
    pub async fn try_api_with(&self, address: &str, cookies: &str) -> Option<Answer> {
        let url = self.origin.join(address).expect("an address");
        let request = self.client.get(url).header("accept", "application/json");
        let response = request.header("cookie", cookies).send().await.ok()?;
        Some(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.ok()?,
        })
    }

    /// Follows redirects, at most ten.
    pub async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            match answer.location() {
                Some(location) if (300..400).contains(&answer.status) => {
                    answer = self.get(&location).await;
                }
                _ => return answer,
            }
        }
        panic!("a redirect loop");
    }

    /// Signs in at the emulator's page that `answer` leads to, and gives the callback's address,
    /// which has not been opened yet.
    pub async fn authenticate(&mut self, answer: &Answer, email: &str) -> String {
        let page_address = answer.location().expect("a redirect to AuthKit");
        let page = self.get(&page_address).await;
        if (300..400).contains(&page.status) {
            return page.location().expect("a callback");
        }
        let action = attribute(&page.body, "<form", "action")
            .unwrap_or_else(|| panic!("no sign-in form, but {} {}", page.status, page.body));
        let form = Url::parse(&page_address)
            .and_then(|page| page.join(&action))
            .expect("the form's address");
        let answer = self
            .submit(form.as_str(), &[("email", email), ("password", "password")])
            .await;
        answer.location().unwrap_or_else(|| {
            panic!(
                "the emulator did not send us back: {} {}",
                answer.status, answer.body
            )
        })
    }

    /// The whole sign-in, from `/sign-in` to the page after it.
    pub async fn sign_in(&mut self, email: &str) -> Answer {
        let start = self.get("/sign-in").await;
        let callback = self.authenticate(&start, email).await;
        self.get(&callback).await
    }

    /// The value of a cookie for the application's host.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookie = self.jar.get(&host(&self.origin))?.get(name)?;
        Some(&cookie.value)
    }

    /// What it sends of its session.
    pub fn session_cookie(&self) -> String {
        let session = self.cookie("wos-session").expect("a session");
        format!("wos-session={session}")
    }

    /// The names of the cookies for the application's host.
    pub fn cookie_names(&self) -> Vec<&str> {
        let jar = self.jar.get(&host(&self.origin));
        jar.into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect()
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        let cookie = Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: Vec::new(),
        };
        let jar = self.jar.entry(host(&self.origin)).or_default();
        jar.insert(name.to_owned(), cookie);
    }

    pub fn forget(&mut self, name: &str) {
        self.jar.entry(host(&self.origin)).or_default().remove(name);
    }

    fn cookie_header(&self, url: &Url) -> String {
        let Some(jar) = self.jar.get(&host(url)) else {
            return String::new();
        };
        jar.values()
            .filter(|cookie| {
                let path = cookie.attribute("path").unwrap_or("/");
                url.path().starts_with(path)
            })
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep(&mut self, url: &Url, answer: &Answer) {
        let jar = self.jar.entry(host(url)).or_default();
        for cookie in answer.set_cookies() {
            if cookie.attribute("max-age") == Some("0") {
                jar.remove(&cookie.name);
            } else {
                jar.insert(cookie.name.clone(), cookie);
            }
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header, joined.
    pub fn headers_joined(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub fn location(&self) -> Option<String> {
        self.header("location").map(str::to_owned)
    }

    pub fn set_cookies(&self) -> Vec<Cookie> {
        let headers = self.headers.get_all("set-cookie").iter();
        headers
            .filter_map(|header| Cookie::parse(header.to_str().ok()?))
            .collect()
    }

    /// The `Set-Cookie` of a name, if there is one.
    pub fn set_cookie(&self, name: &str) -> Option<Cookie> {
        self.set_cookies()
            .into_iter()
            .find(|cookie| cookie.name == name)
    }

    /// Whether a cookie of this name is removed.
    pub fn removes(&self, name: &str) -> bool {
        self.set_cookie(name).is_some_and(|cookie| {
            cookie.value.is_empty() && cookie.attribute("max-age") == Some("0")
        })
    }

    /// Nobody is signed in, and the session's cookie goes.
    pub fn drops_the_session(&self) -> bool {
        self.status == 401 && self.removes("wos-session")
    }

    /// Nothing is known: try again, and keep the cookie.
    pub fn cannot_tell(&self) -> bool {
        let seconds = self.header("retry-after").and_then(|it| it.parse().ok());
        self.status == 503 && seconds.is_some_and(|it: u32| it > 0) && self.set_cookies().is_empty()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.body))
    }

    /// A parameter of the redirect's query.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let location = Url::parse(&self.location()?).ok()?;
        location
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

impl Cookie {
    fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        Some(Self {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: parts.map(str::to_owned).collect(),
        })
    }

    /// An attribute's value; empty for flags such as `Secure`.
    pub fn attribute(&self, wanted: &str) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            name.eq_ignore_ascii_case(wanted).then_some(value)
        })
    }
}

fn host(url: &Url) -> String {
    // Cookies know no ports; the emulator and the application share a host, but no path.
    url.host_str().unwrap_or_default().to_owned()
        + ":"
        + &url.port().unwrap_or_default().to_string()
}

fn attribute(html: &str, tag: &str, name: &str) -> Option<String> {
    let tag = html.split(tag).nth(1)?.split('>').next()?;
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    Some(value.replace("&amp;", "&"))
}

const NAVIGATION: [(&str, &str); 2] = [("accept", "text/html"), ("sec-fetch-mode", "navigate")];
