#!/usr/bin/env bash
# Measures everything that docs/performance.md shows, and writes it there: in about ten minutes, on a
# machine that does nothing else.
#
#     authkit-actix/benches/all.sh
#
# `all.sh --build` only builds what it takes, so that nothing is compiled while the machine is kept quiet.
set -euo pipefail
cd "$(dirname "$0")/../.."
benches=authkit-actix/benches results=$PWD/docs/performance

bench() { cargo bench --locked --quiet --package authkit-actix --bench "$@"; }
bench compare --no-run
bench check --no-run
(cd $benches/node && npm ci --silent --no-audit --no-fund)
[ "${1:-}" != --build ] || exit 0

load=$(cut -d' ' -f1 /proc/loadavg)
bench compare -- --rounds 41 --json "$results/compare.json"
rm -rf target/criterion
bench check -- --warm-up-time 1 --measurement-time 3
$benches/load.sh 4 >"$results/load.json"
(cd $benches/node && npm run --silent check) >"$results/node.json"

python3 $benches/collect.py "$load"
python3 $benches/report.py
