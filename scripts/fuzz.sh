#!/usr/bin/env bash
# Fuzzes what reads bytes from strangers: scripts/fuzz.sh [SECONDS [TARGET...]]
# Each target runs for SECONDS (default 60) from the committed corpus. What it finds is in
# fuzz/artifacts, what it learns in fuzz/work (not committed). Needs a nightly compiler and
# cargo-fuzz (cargo install --locked cargo-fuzz). Ends with the number of executions.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../fuzz" || exit 1
seconds=${1:-60}
shift || true
targets=("$@")
[ $# -gt 0 ] || targets=(protocol session archive journal ids bodies rest)

# No sanitizer: there is no unsafe code to watch, and without it a target runs several times as
# often. Overflows and assertions are checked (Cargo.toml). 512 MiB stand for unbounded memory.
cargo +nightly fuzz build --sanitizer none || exit 1
binaries=target/$(rustc +nightly -vV | sed -n 's/^host: //p')/release
failed=0
total=0
for target in "${targets[@]}"; do
    mkdir -p "work/$target" "artifacts/$target"
    log=work/$target.log
    "$binaries/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=512 \
        -print_final_stats=1 -artifact_prefix="artifacts/$target/" \
        "work/$target" "corpus/$target" >"$log" 2>&1 || {
        failed=1
        echo "[fuzz] $target: FAILED, see fuzz/$log"
        tail -n 20 "$log"
    }
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rss=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
    total=$((total + ${count:-0}))
    echo "[fuzz] $target: ${count:-0} executions, ${rss:-?} MiB at most"
done
echo "[fuzz] $total executions"
exit "$failed"
