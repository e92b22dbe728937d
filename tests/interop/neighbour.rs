//! The neighbour's process.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use authkit_tests::{Browser, PASSWORD, TestApp};
use url::Url;

/// An application on Node beside ours, with the same WorkOS, cookie name and password.
pub struct Neighbour {
    process: Child,
    origin: String,
}

impl Neighbour {
    pub fn beside(app: &TestApp) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
        let api: Url = app.emulator.api_url().parse().expect("an address");
        let mut process = Command::new(node(&folder))
            .arg(folder.join("neighbour.mjs"))
            .env("WORKOS_CLIENT_ID", app.emulator.client_id())
            .env("WORKOS_API_KEY", app.emulator.api_key())
            .env("WORKOS_API_HOSTNAME", api.host_str().expect("a host"))
            .env("WORKOS_API_HTTPS", "false")
            .env("WORKOS_API_PORT", api.port().expect("a port").to_string())
            .env("WORKOS_COOKIE_PASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node 22 starts");
        let output = process.stdout.take().expect("piped");
        let mut origin = String::new();
        BufReader::new(output)
            .read_line(&mut origin)
            .expect("the neighbour says where it is");
        Self {
            process,
            origin: origin.trim().to_owned(),
        }
    }

    pub fn browser(&self) -> Browser {
        Browser::at(&self.origin)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Node of the package `node`, which `npm ci` installs beside the libraries.
fn node(folder: &Path) -> PathBuf {
    let node = folder.join("node_modules/.bin/node");
    assert!(
        node.exists(),
        "the neighbour's packages are missing: npm ci --prefix tests/interop"
    );
    node
}
