#!/usr/bin/env bash
# What the dependencies are held to: scripts/supply-chain.sh [DIRECTORY]
# Checks licences, sources and banned crates (deny.toml), and where there is a network the
# advisories, of Rust, Python and Node. With DIRECTORY, a bill of materials (CycloneDX) of each
# crate is written there.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
failed=0

# The tools are not part of the set-up: each takes minutes to build.
has() {
    if cargo "$1" --version >/dev/null 2>&1; then return 0; fi
    echo "[supply chain] skipped: cargo-$1 is missing (cargo install --locked cargo-$1)"
    if [[ ",${LAMBDA_TEST_REQUIRE:-}," == *",cargo-$1,"* ]]; then failed=1; fi
    return 1
}

# What has to be fetched, and may be out of reach, fails only where it is required.
online() {
    local name=$1
    shift
    if "$@"; then
        echo "[supply chain] $name: ok"
    elif [[ ",${LAMBDA_TEST_REQUIRE:-}," == *",advisories,"* ]]; then
        echo "[supply chain] $name: FAILED"
        failed=1
    else
        echo "[supply chain] $name: not ok, or out of reach; LAMBDA_TEST_REQUIRE=advisories makes this fail"
    fi
}

if has deny; then
    cargo deny --offline --log-level error check licenses bans sources || failed=1
    online "advisories of Rust" cargo deny --log-level error check advisories
fi
online "advisories of Node" npm --prefix bindings-node audit --omit=dev --audit-level=high

if [ $# -gt 0 ] && has cyclonedx; then
    mkdir -p "$1"
    directory=$(cd "$1" && pwd)
    # It writes beside each Cargo.toml.
    cargo cyclonedx --quiet --format json --spec-version 1.5 --override-filename bom.cdx || failed=1
    for bom in */bom.cdx.json */*/bom.cdx.json; do
        [ -e "$bom" ] || continue
        crate=$(dirname "$bom")
        mv "$bom" "$directory/${crate//\//-}.cdx.json"
    done
    echo "[supply chain] bills of materials: $directory"
fi
exit "$failed"
