#!/usr/bin/env bash
# Builds the wheel of the Python package lambdabox: scripts/build-wheel.sh OUT_DIR [MATURIN_ARG...]
# Wants maturin on the PATH. The command line `lambda` is put into it, for `python -m lambdabox`.
# For a release: scripts/build-wheel.sh dist --release
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
profile=debug cargo_args=()
case " $* " in
*" --release "*) profile=release cargo_args=(--release) ;;
esac
target=${CARGO_TARGET_DIR:-target}

cargo build --quiet -p lambda-http --bin lambda "${cargo_args[@]}"
install -D -m 755 "$target/$profile/lambda" bindings-python/lambdabox/_bin/lambda
strip bindings-python/lambdabox/_bin/lambda
maturin build --quiet --manifest-path bindings-python/Cargo.toml --out "$out" "$@"
