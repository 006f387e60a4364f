#!/usr/bin/env bash
# Runs every test there is, one section after the other, and fails if any of them failed. What the
# tests need is installed by scripts/setup.sh test. The Rust tests come last, so that the output
# ends with their totals; they have database servers of their own (scripts/databases.sh).
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
FAILED=()
# No section takes a fifth of it, where everything has to be built first.
SECTION_SECONDS=1500
RUST_TESTS_SECONDS=2700
BOUNDED=
trap interrupted INT TERM
# What the Rust tests print: the table of threats is checked against it.
RUN=.lambda/log/tests.txt
TORTURE=.lambda/log/torture.txt

# Tests read this: a back end that is named here and missing is a failure, not a skip.
export LAMBDA_TEST_REQUIRE=${LAMBDA_TEST_REQUIRE-docker,gvisor,python,node,browser,mariadb,mysql}
# Where the browser tests find their browser and playwright-core.
LAMBDA_TEST_BROWSER=${LAMBDA_TEST_BROWSER:-$(scripts/find-browser.sh || true)}
export LAMBDA_TEST_BROWSER
export NODE_PATH="$PWD/.lambda/node/node_modules${NODE_PATH:+:$NODE_PATH}"
export PYTHONDONTWRITEBYTECODE=1

main() {
    mkdir -p .lambda/log
    section "formatting" cargo fmt --all --check
    section "clippy" cargo clippy --workspace --all-targets --all-features -- -D warnings
    section "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps
    section "Python bootstrap" python_tests
    section "JavaScript bootstrap" node_tests
    section "build" cargo build --workspace --all-features
    section "an application outside of this workspace" scripts/test-outside.sh
    section "Python package" scripts/test-python.sh
    section "Node package" scripts/test-node.sh
    section "example: an embedding application" example
    section "example: the demo" demo
    section "supply chain" scripts/supply-chain.sh
    section "pinned images" scripts/test-pins.sh
    section "fuzzing the HTTP API" scripts/fuzz-api.sh 60
    section "torture" torture
    summary
    heading "Rust tests"
    bounded "$RUST_TESTS_SECONDS" rust_tests || FAILED+=("Rust tests")
    # There those tests are listed as ignored.
    cat "$TORTURE" >>"$RUN"
    # Says something only where something is wrong: the output ends with the tests' totals.
    local threats
    if ! threats=$(scripts/security-table.py check "$RUN" 2>&1); then
        FAILED+=("threats")
        heading "threats"
        echo "$threats"
    fi
    [ "${#FAILED[@]}" -eq 0 ]
}

heading() { printf '\n[test] ===== %s =====\n' "$1"; }

section() {
    local name=$1 started=$SECONDS
    shift
    heading "$name"
    if bounded "$SECTION_SECONDS" "$@"; then
        echo "[test] $name: ok ($((SECONDS - started))s)"
    else
        echo "[test] $name: FAILED ($((SECONDS - started))s)"
        FAILED+=("$name")
    fi
}

# Ends what takes too long, with everything that it started: a test that hangs must fail, and say
# what has come before. A process group of its own, so an interrupt has to be passed on.
bounded() {
    local seconds=$1 status=0
    shift
    timeout --kill-after=20 "$seconds" bash -c '"$@"' bounded "$@" &
    BOUNDED=$!
    wait "$BOUNDED" || status=$?
    BOUNDED=
    [ "$status" -ne 124 ] || echo "[test] ended after $seconds s: it takes seconds to minutes"
    return "$status"
}

interrupted() {
    [ -z "$BOUNDED" ] || kill -TERM "$BOUNDED"
    exit 130
}

summary() {
    if [ "${#FAILED[@]}" -eq 0 ]; then
        printf '\n[test] all sections before the Rust tests passed\n'
    else
        printf '\n[test] FAILED before the Rust tests:\n'
        printf '[test]   %s\n' "${FAILED[@]}"
    fi
}

rust_tests() {
    set -o pipefail
    scripts/databases.sh run cargo test --workspace --all-features --no-fail-fast 2>&1 | tee "$RUN"
}

python_tests() { python3 -m unittest discover -s images/python/tests; }

torture() {
    set -o pipefail
    scripts/torture.sh 2>&1 | tee "$TORTURE"
}

example() {
    local output
    output=$(scripts/with-docker.sh target/debug/lambda-example-rust) || return 1
    echo "$output"
    grep -q '^docker: Hello, Alice!' <<<"$output" && grep -q '^gvisor: Hello, Alice!' <<<"$output"
}

# With the binary that the tests use: what `make demo` does besides is to build another one.
demo() {
    local data_dir status=0
    data_dir=$(mktemp -d)
    LAMBDA_BINARY=$PWD/target/debug/lambda LAMBDA_DATA_DIR=$data_dir LAMBDA_LISTEN=127.0.0.1:0 \
        DEMO_EXIT=1 scripts/demo.sh || status=$?
    rm -rf "$data_dir"
    return "$status"
}

# The files are named one by one, by the patterns that are Node's own, because releases differ in
# what they make of a directory.
node_tests() {
    local files=()
    mapfile -t files < <(find images/javascript/tests -regextype posix-extended \
        -regex '.*/((test-[^/]*)|([^/]*[._-]test))\.[cm]?js' | sort)
    if [ "${#files[@]}" -eq 0 ]; then
        echo "no tests in images/javascript/tests"
        return 1
    fi
    node --test "${files[@]}"
}

export RUN TORTURE
export -f rust_tests torture python_tests node_tests example demo
main
