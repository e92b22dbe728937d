use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use authkit_tests::{Program, free_port};
use serde_json::json;
use thirtyfour::{
    ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, prelude::*,
};

/// Somebody in front of a Chromium of their own, and an application to visit.
pub(crate) struct Person {
    pub(crate) browser: WebDriver,
    pub(crate) origin: String,
    driver_address: String,
    _driver: Program,
    _application: Program,
}

/// What the browser runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Desk,
    PhoneInTheDark,
}

impl Person {
    /// At a quickstart of their own; `name` is the test's own: the browser's profile has it.
    pub(crate) async fn at(name: &str, screen: Screen) -> Self {
        let mut quickstart = Program::alone(env!("CARGO_BIN_EXE_quickstart"));
        quickstart.env("PORT", free_port().to_string());
        Self::visiting(&mut quickstart, name, screen).await
    }

    /// At an application that says where it is open.
    pub(crate) async fn visiting(application: &mut Command, name: &str, screen: Screen) -> Self {
        let (application, origin) = Program::start(application, "Open ");
        // It takes a free port for IPv4, which another may have for IPv6.
        let (driver, port) = (0..10)
            .find_map(|_| {
                Program::try_start(
                    Command::new("chromedriver").arg("--port=0"),
                    "ChromeDriver was started successfully on port ",
                )
            })
            .expect("chromedriver finds a port");
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if profile.exists() {
            fs::remove_dir_all(&profile).expect("the last run's browser has ended");
        }
        let driver_address = format!("127.0.0.1:{}", port.trim_end_matches('.'));
        let browser = WebDriver::new(
            format!("http://{driver_address}"),
            capabilities(&profile, screen),
        )
        .await
        .expect("a browser");
        Self {
            browser,
            driver_address,
            origin,
            _driver: driver,
            _application: application,
        }
    }

    pub(crate) async fn open(&self, path: &str) {
        let address = format!("{}{path}", self.origin);
        self.browser.goto(address).await.expect("a page");
    }

    pub(crate) async fn go_back(&self) {
        self.browser.back().await.expect("a page");
    }

    /// Clicks the link or button of this text.
    pub(crate) async fn click(&self, text: &str) {
        let link_or_button =
            format!("//*[self::a or self::button][normalize-space()='{text}' or b='{text}']");
        let element = self.find(link_or_button).await;
        element.click().await.expect("it can be clicked");
    }

    /// Types into the field of this label.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self
            .find(format!("//input[@id=//label[.='{label}']/@for]"))
            .await;
        field.clear().await.expect("a field can be emptied");
        field.send_keys(text).await.expect("a field can be filled");
    }

    /// Waits for this headline.
    pub(crate) async fn reads(&self, headline: &str) {
        self.find(format!("//h1[.='{headline}']")).await;
    }

    /// Waits for this message.
    pub(crate) async fn is_told(&self, message: &str) {
        self.find(format!("//*[@role='alert'][.='{message}']"))
            .await;
    }

    pub(crate) async fn does_not_read(&self, text: &str) {
        let source = self.browser.source().await.expect("a page");
        assert!(!source.contains(text), "{text} is on the page: {source}");
    }

    pub(crate) async fn is_at(&self, path: &str) {
        let address = self.browser.current_url().await.expect("an address");
        assert_eq!(address.as_str(), format!("{}{path}", self.origin));
    }

    pub(crate) async fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(name).with_extension("png");
        self.browser
            .screenshot(&file)
            .await
            .expect("a screenshot is written");
    }

    /// The page is as wide as the screen, so that nobody scrolls sideways.
    pub(crate) async fn fits(&self, screenshot: &str) {
        self.screenshot(screenshot).await;
        let widths = self
            .browser
            .execute(
                "return [document.documentElement.scrollWidth, screen.width]",
                Vec::new(),
            )
            .await
            .expect("a script runs");
        let [page, screen]: [u32; 2] = widths.convert().expect("two numbers");
        assert_eq!(page, screen, "{screenshot}");
    }

    pub(crate) async fn find(&self, xpath: String) -> WebElement {
        let query = self.browser.query(By::XPath(xpath.as_str()));
        match query.wait(PATIENCE, PATIENCE / 200).first().await {
            Ok(element) => element,
            Err(error) => {
                let source = self.browser.source().await.unwrap_or_default();
                panic!("{error}\n{source}");
            }
        }
    }
}

impl Drop for Person {
    /// Has the driver end its browser and itself: without the runtime, which waits for this test to end.
    fn drop(&mut self) {
        let _ = self.browser.clone().leak();
        if let Ok(mut driver) = TcpStream::connect(&self.driver_address) {
            let request = format!(
                "GET /shutdown HTTP/1.1\r\nHost: {}\r\n\r\n",
                self.driver_address
            );
            let _ = driver.set_read_timeout(Some(PATIENCE));
            let _ = driver.write_all(request.as_bytes());
            let _ = driver.read_to_end(&mut Vec::new());
        }
    }
}

/// Chromium without a window, and without calls to its maker.
fn capabilities(profile: &Path, screen: Screen) -> impl Into<thirtyfour::Capabilities> {
    let mut chromium = DesiredCapabilities::chrome();
    let profile = format!("--user-data-dir={}", profile.display());
    let mut arguments = vec![
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,1000",
        &profile,
    ];
    if screen == Screen::PhoneInTheDark {
        arguments.push("--blink-settings=preferredColorScheme=0");
        let phone = json!({ "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 2 } });
        chromium
            .add_experimental_option("mobileEmulation", phone)
            .expect("an object");
    }
    chromium
        .set_browser_log_level(LoggingPrefsLogLevel::Severe)
        .expect("an object");
    for argument in arguments {
        chromium.add_arg(argument).expect("a text");
    }
    chromium
}

/// How long a page may take, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
