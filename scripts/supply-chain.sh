#!/usr/bin/env bash
# What the dependencies are held to: scripts/supply-chain.sh [DIRECTORY]
#
# Without a network: licences, sources, duplicates and banned crates of Rust (deny.toml); pins, hashes,
# licences and duplicates of Python and npm (scripts/supply-chain/check.py); bills of materials (CycloneDX),
# which are left in DIRECTORY.
# Advisories need a database that is fetched. Where it is out of reach that is said, and fails only if
# LAMBDA_TEST_REQUIRE names `advisories`; an advisory that applies always fails.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# rustup and scripts/setup.sh install here, and not every shell has it on its PATH.
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:$PWD/.lambda/supply-chain/bin"
export PYTHONDONTWRITEBYTECODE=1
FETCH_SECONDS=60
failed=0
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

say() { echo "[supply chain] $*"; }

is_required() { [[ ",${LAMBDA_TEST_REQUIRE:-}," == *",$1,"* ]]; }

# not_checked WHAT WHY NAME: fails where NAME is required.
not_checked() {
    say "not checked: $1: $2"
    if is_required "$3"; then failed=1; fi
}

# judged WHAT COMMAND...
judged() {
    local what=$1
    shift
    if "$@"; then
        say "$what: ok"
    else
        say "$what: FAILED"
        failed=1
    fi
}

has_deny() { cargo deny --version >/dev/null 2>&1; }

rust() {
    if has_deny; then
        judged "licences, duplicates and sources of Rust" \
            cargo deny --offline --log-level error check licenses bans sources
    else
        not_checked "licences, duplicates and sources of Rust" \
            "cargo-deny is missing (scripts/setup.sh test, or cargo install --locked cargo-deny)" cargo-deny
    fi
}

advisories_of_rust() {
    local what="advisories of Rust"
    if ! has_deny; then
        not_checked "$what" "cargo-deny is missing" advisories
    elif ! timeout "$FETCH_SECONDS" cargo deny --log-level off fetch db >/dev/null 2>&1 </dev/null; then
        not_checked "$what" "the database cannot be fetched" advisories
    else
        judged "$what" cargo deny --offline --log-level error check advisories
    fi
}

advisories_of_node() {
    local what="advisories of npm" said=$WORK/npm.json
    timeout "$FETCH_SECONDS" npm --prefix bindings-node audit --omit=dev --audit-level=high --json >"$said" 2>/dev/null </dev/null
    # It answers with counts; or with an error, or nothing at all.
    case $(python3 -c '
import json, sys
counts = json.load(open(sys.argv[1]))["metadata"]["vulnerabilities"]
print(counts["high"] + counts["critical"])' "$said" 2>/dev/null) in
    '') not_checked "$what" "the registry does not answer questions about them" advisories ;;
    0) say "$what: ok" ;;
    *)
        cat "$said"
        judged "$what" false
        ;;
    esac
}

advisories_of_python() {
    local what="advisories of Python" said=$WORK/pip-audit.txt status=0
    if ! command -v pip-audit >/dev/null; then
        not_checked "$what" "pip-audit is missing (pipx install pip-audit)" advisories
        return
    fi
    timeout "$FETCH_SECONDS" pip-audit --progress-spinner=off --disable-pip --require-hashes \
        -r scripts/setup/locks/python.txt >"$said" 2>&1 </dev/null || status=$?
    if [ "$status" -eq 0 ]; then
        say "$what: ok"
    elif grep -q '^Found [0-9]* known vulnerabilit' "$said"; then
        cat "$said"
        judged "$what" false
    else
        not_checked "$what" "$(tail -n 1 "$said")" advisories
    fi
}

rust
judged "the checks of Python and npm find what they look for" \
    python3 scripts/supply-chain/test_check.py --quiet
scripts/supply-chain/check.py || failed=1
judged "bills of materials" scripts/supply-chain/bom.py "${1:-$WORK/bom}"
advisories_of_rust
advisories_of_node
advisories_of_python
exit "$failed"
