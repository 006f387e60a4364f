#!/usr/bin/env bash
# Tests the Python package lambdabox as its users get it: the wheel is built, installed into an
# empty environment and tested from there. Takes what scripts/setup.sh test installs.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
TOOLS=$PWD/.lambda/python/bin
VENV=$PWD/target/python-venv
WHEELS=$PWD/target/wheels
export PYTHONDONTWRITEBYTECODE=1
export NODE_PATH="$PWD/.lambda/node/node_modules${NODE_PATH:+:$NODE_PATH}"
LAMBDA_TEST_BROWSER=${LAMBDA_TEST_BROWSER:-$(scripts/find-browser.sh || true)}
export LAMBDA_TEST_BROWSER

echo "the synchronous half is made of the asynchronous one"
"$TOOLS/python" bindings-python/unasync.py --check

echo "building the wheel, with the fake runtime for the tests"
rm -rf "$WHEELS" "$VENV"
PATH="$TOOLS:$PATH" scripts/build-wheel.sh "$WHEELS" --features fake-runtime

echo "installing it into an empty environment"
"$TOOLS/python" -m venv "$VENV"
"$VENV/bin/pip" install --quiet --disable-pip-version-check "$WHEELS"/lambdabox-*.whl
# The tests' own tools stay in theirs: from the package, only what the wheel brings is seen.
site=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$TOOLS/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/tools.pth"

echo "in an environment that holds nothing else"
RUNTIMES=(fake)
case ",${LAMBDA_TEST_REQUIRE-}," in *,docker,*) RUNTIMES+=(docker) ;; esac
PYTHONS=python3 scripts/test-release.sh wheel "$WHEELS"/lambdabox-*.whl "${RUNTIMES[@]}"

echo "comparing the stubs with the native module, and checking types"
cd bindings-python
(cd tests && "$VENV/bin/python" -m mypy.stubtest lambdabox._native)
"$VENV/bin/python" -m mypy --strict -p lambdabox
"$VENV/bin/python" -m mypy --strict tests/typed.py
"$VENV/bin/python" -m pyright --pythonpath "$VENV/bin/python" -p tests/pyrightconfig.json

echo "running the tests"
cd tests
../../scripts/with-docker.sh "$VENV/bin/python" -m pytest -q -p no:cacheprovider -c ../pyproject.toml . ../../examples/python
