#!/usr/bin/env bash
# Every check and every test of the project, after installing what they need and this machine lacks.
set -euo pipefail
cd "$(dirname "$0")/.."

has() { command -v "$1" >/dev/null; }
give_up() { echo "tests/all.sh: $1" >&2; exit 1; }

has cargo || give_up "cargo is missing: install Rust from https://rustup.rs."
if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    has rustup || give_up "rustfmt or clippy is missing: install both."
    rustup component add rustfmt clippy
fi
missing=()
has chromedriver && { has chromium || has google-chrome; } || missing+=(chromium chromium-driver)
has npm || missing+=(npm)
has redis-server && has redis-cli || missing+=(redis-server)
has openssl || missing+=(openssl)
if [ ${#missing[@]} -gt 0 ]; then
    has apt-get || give_up "these are missing, install them (the browser and its driver of one version): ${missing[*]}"
    as_root=""
    if [ "$EUID" -ne 0 ]; then
        has sudo || give_up "these are missing, as root, apt-get install ${missing[*]}"
        as_root="sudo"
    fi
    $as_root apt-get update
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}"
fi

# The browser's side, with the Node.js that its lock files name: any npm installs it.
(
    cd authkit-actix/client
    [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci
    npm run check
    npm test
    npm run prepack
)
# The libraries that session cookies are shared with.
[ tests/interop/node_modules/.package-lock.json -nt tests/interop/package-lock.json ] || npm ci --prefix tests/interop
(cd examples/react-spa && npm ci && npm run build)

cargo fmt --all --check
cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
# Also the tests that the fault bed runs, which are no target of a plain `cargo test`.
cargo clippy --locked --workspace --all-features --test '*' -- -D warnings
# What the fuzz targets come in by.
cargo rustc --locked --package authkit-actix --all-features --lib --profile check -- --cfg fuzzing
# As an application builds the library, without features and with each alone: nothing else in the
# workspace lends it one.
features=$(cargo metadata --locked --no-deps --format-version 1 | node --print '
    const { packages } = JSON.parse(require("fs").readFileSync(0));
    const { features } = packages.find(({ name }) => name === "authkit-actix");
    Object.keys(features).filter((name) => name !== "default").join(" ")')
for feature in "" $features; do
    cargo clippy --locked --package authkit-actix --no-default-features --features "$feature" -- -D warnings
done
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps
cargo test --locked --workspace --all-features --no-fail-fast
