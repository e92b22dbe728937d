#!/usr/bin/env bash
# The storms and kills of tests/machines in full: some minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
AUTHKIT_STORMS=200 AUTHKIT_KILLS=100 \
    cargo test --locked --package authkit-examples --test machines -- --nocapture "$@"
