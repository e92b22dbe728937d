//! The neighbour's process.

use std::{path::Path, process::Command};

use authkit_tests::{Browser, Program, TestApp, workos_variables};

/// An application on Node beside ours, with the same WorkOS, cookie name and password.
pub struct Neighbour {
    _program: Program,
    origin: String,
}

impl Neighbour {
    pub fn beside(app: &TestApp) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
        // The Node of the package `node`, which `npm ci` installs beside the libraries.
        let node = folder.join("node_modules/.bin/node");
        assert!(
            node.exists(),
            "the neighbour's packages are missing: npm ci --prefix tests/interop"
        );
        let mut neighbour = Command::new(node);
        neighbour
            .arg(folder.join("neighbour.mjs"))
            .envs(workos_variables(&app.emulator));
        let (program, origin) = Program::start(&mut neighbour, "Open ");
        Self {
            _program: program,
            origin,
        }
    }

    pub fn browser(&self) -> Browser {
        Browser::at(&self.origin)
    }
}
