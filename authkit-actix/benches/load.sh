#!/usr/bin/env bash
# Requests per second and latency under wrk, each application on a fresh release server:
#
#     authkit-actix/benches/load.sh [SECONDS] [CONNECTIONS]
#
# Prints JSON, an application to a line.
# Every request carries a Cookie header of the same length, and each answer that is not 200 fails the run.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-10} connections=${2:-32} port=3999 header_length=2500

give_up() { echo "load.sh: $1" >&2; exit 1; }
command -v wrk >/dev/null || give_up "wrk is missing: apt-get install wrk."

compare=$(cargo bench --package authkit-actix --bench compare --no-run 2>&1 |
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[ -x "$compare" ] || give_up "cargo bench --bench compare --no-run failed."

work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true; server=; }
trap 'stop; rm -rf "$work"' EXIT

measure() { # NAME FRONT PATH WORKERS
    rm -f "$work/cookie"
    "$compare" --serve "$2" "$port" "$4" "$work/cookie" >/dev/null & server=$!
    for _ in $(seq 100); do [ -s "$work/cookie" ] && break; sleep 0.1; done
    [ -s "$work/cookie" ] || give_up "$1 does not start."
    cookies=$(cat "$work/cookie")
    room=$((header_length - ${#cookies} - 6))
    [ "$room" -ge 0 ] || give_up "$1: its cookies are longer than $header_length bytes."
    cookies="$cookies; pad=$(head -c "$room" /dev/zero | tr '\0' x)"
    url="http://127.0.0.1:$port$3"
    wrk -t1 -c"$connections" -d1 -H "Cookie: $cookies" "$url" >/dev/null
    wrk -t1 -c"$connections" -d"$seconds" --latency -H "Cookie: $cookies" "$url" >"$work/wrk"
    ! grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2 || give_up "$1: not every answer was 200."
    stop
    awk -v name="$1" -v workers="$4" -v comma="$comma" '
        $1 == "50%" { p50 = $2 } $1 == "99%" { p99 = $2 } $1 == "Requests/sec:" { rate = $2 }
        END {
            form = "%s{\"name\": \"%s\", \"workers\": %d, \"rate\": %.0f, \"p50\": \"%s\", \"p99\": \"%s\"}"
            printf form, comma, name, workers, rate, p50, p99
        }' "$work/wrk"
    comma=$',\n'
}

comma=
echo "["
for workers in 1 2; do
    measure "bare handler" bare / "$workers"
    measure "no-op middleware" noop / "$workers"
    measure "AuthKit, public route" authkit / "$workers"
    measure "AuthKit, signed in" authkit /account "$workers"
    measure "actix-session, signed in" actix-session /account "$workers"
    measure "actix-identity, signed in" actix-identity /account "$workers"
done
echo
echo "]"
