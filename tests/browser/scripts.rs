//! What a person sees of scripts: tabs, consoles, and what a page knows.

use std::time::Instant;

use serde::de::DeserializeOwned;
use thirtyfour::{Cookie, WindowHandle};
use tokio::time::sleep;

use crate::person::{PATIENCE, Person};

impl Person {
    pub(crate) async fn here(&self) -> WindowHandle {
        self.browser.window().await.expect("a tab")
    }

    /// Opens another tab, and looks at it.
    pub(crate) async fn open_tab(&self, path: &str) -> WindowHandle {
        let tab = self.browser.new_tab().await.expect("a tab");
        self.look_at(&tab).await;
        self.open(path).await;
        tab
    }

    pub(crate) async fn look_at(&self, tab: &WindowHandle) {
        let tab = self.browser.switch_to_window(tab.clone());
        tab.await.expect("the tab is there");
    }

    /// Comes back to the application with a session that was made without a sign-in.
    pub(crate) async fn has_session(&self, sealed: &str) {
        self.open("/").await;
        let mut cookie = Cookie::new("wos-session", sealed);
        cookie.set_path("/");
        cookie.http_only = Some(true);
        let added = self.browser.add_cookie(cookie);
        added.await.expect("a cookie");
    }

    /// What a script of the page gives.
    pub(crate) async fn script<T: DeserializeOwned>(&self, script: &str) -> T {
        let given = self.browser.execute(script, Vec::new());
        let given = given.await.expect("the script runs");
        given.convert().expect("what was asked for")
    }

    /// What a script of the page gives at last, that is: passes to `done`.
    pub(crate) async fn patient_script<T: DeserializeOwned>(&self, script: &str) -> T {
        let script = format!("const done = arguments[0]; {script}");
        let given = self.browser.execute_async(script, Vec::new());
        let given = given.await.expect("the script runs");
        given.convert().expect("what was asked for")
    }

    /// Waits for a script of the page to give `true`.
    pub(crate) async fn waits_for(&self, script: &str) {
        let start = Instant::now();
        while !self.script::<bool>(script).await {
            assert!(start.elapsed() < PATIENCE, "{script}");
            sleep(PATIENCE / 200).await;
        }
    }

    /// Waits for a text in the description of a fact.
    pub(crate) async fn reads_fact(&self, name: &str, text: &str) {
        self.find(format!(
            "//div[dt='{name}']/dd[contains(normalize-space(), '{text}')]"
        ))
        .await;
    }

    pub(crate) async fn fact(&self, name: &str) -> String {
        let fact = self.find(format!("//div[dt='{name}']/dd")).await;
        fact.text().await.expect("a text")
    }

    /// The console has stayed empty since it was last looked at, but for what browsers say of a `401`:
    /// a stranger's page that gets the focus asks who is signed in by now.
    pub(crate) async fn finds_the_console_empty(&self) {
        let log = self.browser.browser_log().await.expect("a log");
        let is_signed_out = |message: &&String| {
            message.contains("/authkit/session - ") && message.contains("status of 401")
        };
        let messages = log.iter().map(|entry| &entry.message);
        let said: Vec<_> = messages.filter(|said| !is_signed_out(said)).collect();
        assert_eq!(said, [""; 0]);
    }
}
