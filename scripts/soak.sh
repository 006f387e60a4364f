#!/usr/bin/env bash
# Runs the released server under a mixed load at 70 % of the peak that it measures first, prints
# what it takes over time, and fails on drift (benches/src/bin/soak).
#
#   SOAK_SECONDS    how long (default 3600; 60 shows what it does)
#   SOAK_RATE_MAX   most calls per second, where others use the machine too
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "${SOAK_IN_GROUP:-}" ] && [ -x scripts/with-docker.sh ]; then
    SOAK_IN_GROUP=1 exec scripts/with-docker.sh "$PWD/scripts/soak.sh" "$@"
fi
SECONDS_MAX=${SOAK_SECONDS:-3600}
ARGUMENTS=(--seconds "$SECONDS_MAX")
[ -z "${SOAK_RATE_MAX:-}" ] || ARGUMENTS+=(--rate-max "$SOAK_RATE_MAX")

cargo build --release -p lambda-http -p lambda-benches --bin lambda --bin soak
# With what warming up, measuring the peak and stopping take.
exec timeout --kill-after=60 $((SECONDS_MAX + 180)) target/release/soak "${ARGUMENTS[@]}"
