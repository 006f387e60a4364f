#!/usr/bin/env bash
# Measures what a warm call costs from Python and Node, beside the same call from Rust, and prints the
# table of docs/BENCHMARKS.md: scripts/bench-bindings.sh fake|docker. Takes what scripts/setup.sh test
# installs. What is built has acted sandboxes as well, so that it serves both runs.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
RUNTIME=${1:?fake or docker}
WORK=target/bench-bindings
PYTHON=${LAMBDA_PYTHON:-$PWD/.lambda/python/bin/python}

if [ -z "${BENCH_BUILT:-}" ]; then
    cargo build --release -p lambda-benches -p lambda-python -p lambda-node --lib --bin bindings \
        --features lambda-benches/fake,lambda-python/fake-runtime,lambda-node/fake
    mkdir -p "$WORK/python"
    cp -r bindings-python/lambdabox "$WORK/python/"
    cp target/release/lib_native.so "$WORK/python/lambdabox/_native.abi3.so"
    cp target/release/liblambda_node.so "$WORK/lambdabox.node"
    [ -d bindings-node/node_modules ] || npm --prefix bindings-node ci --no-audit --no-fund
    (cd bindings-node && node_modules/.bin/tsc -p tsconfig.json)
fi
run=()
[ "$RUNTIME" = fake ] || run=(scripts/with-docker.sh)
export PYTHONPATH=$PWD/$WORK/python LAMBDABOX_NATIVE_LIBRARY=$PWD/$WORK/lambdabox.node PYTHONDONTWRITEBYTECODE=1
exec "${run[@]}" "$PYTHON" benches/bindings/run.py target/release/bindings "$PYTHON" "$RUNTIME"
