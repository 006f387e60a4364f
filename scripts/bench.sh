#!/usr/bin/env bash
# Measures, and prints the tables of docs/BENCHMARKS.md; the criterion report is in
# target/criterion/. A back end that is missing is skipped, unless LAMBDA_TEST_REQUIRE lists it.
#
#   BENCH_QUICK=1   less than 2 minutes, and rougher, instead of less than 15
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "${BENCH_IN_GROUP:-}" ] && [ -x scripts/with-docker.sh ]; then
    BENCH_IN_GROUP=1 exec scripts/with-docker.sh "$PWD/scripts/bench.sh" "$@"
fi

END_TO_END=(--callers "1,8" --rounds 30 --round-ms 500)
if [ "${BENCH_QUICK:-0}" = 1 ]; then
    END_TO_END=(--callers 1 --rounds 6 --round-ms 250)
else
    unset BENCH_QUICK
fi

echo "[bench] building ..."
cargo build --release -p lambda-http -p lambda-baseline -p lambda-benches
cargo bench -p lambda-benches --bench warm --no-run

echo "[bench] criterion: a warm call through the platform, beside the bare socket"
cargo bench -p lambda-benches --bench warm

echo "[bench] end to end: every way of calling a function, side by side"
target/release/end_to_end "${END_TO_END[@]}"

if [ -z "${BENCH_QUICK:-}" ]; then
    echo "[bench] nothing prewarmed, beside Docker's own create and start"
    target/release/cold

    # Without wrk (Debian's and Ubuntu's package `wrk`) it measures overload alone, and says so.
    echo "[bench] load over HTTP: many connections, idle followers, overload"
    peer=$(scripts/bench-peer.sh)
    target/release/http_load --peer "$peer"

    echo "[bench] 50 functions with four callers each, for half a minute"
    target/release/sustained --seconds 30 --warm-up 10
fi
