#!/usr/bin/env bash
# A million malformed cookies and ten thousand forged tokens against a running application.
set -euo pipefail
cd "$(dirname "$0")/.."
export AUTHKIT_TESTS_COOKIES="${1:-1000000}" AUTHKIT_TESTS_TOKENS="${2:-10000}"
exec cargo test --locked --release --package authkit-tests --test blackbox forgeries -- --nocapture
