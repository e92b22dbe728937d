#!/usr/bin/env bash
# What a reviewer of dependencies and releases asks for: licences, bans, sources, every set of
# features, and both packages as they would be published.
set -euo pipefail
cd "$(dirname "$0")/.."

has() { cargo "$1" --version >/dev/null 2>&1; }
has deny || cargo install --locked cargo-deny
has hack || cargo install --locked cargo-hack

cargo deny check bans licenses sources

# As an application builds the library: nothing else in the workspace lends it a feature.
cargo hack check --locked --package authkit-actix --feature-powerset --exclude-features default

# Each is unpacked and built by itself, the library against the macros beside it.
packages=$(mktemp)
trap 'rm -f "$packages"' EXIT
cargo package --locked --target-dir target \
    --package authkit-macros --package authkit-actix 2>&1 | tee "$packages"
if grep -q "^warning" "$packages"; then
    echo "tests/trust.sh: cargo package warns." >&2
    exit 1
fi
