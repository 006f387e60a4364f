#!/usr/bin/env bash
# Tests what is published as strangers get it: installed into an empty environment outside of the
# repository, which the program that is run there cannot see.
#
#   scripts/test-release.sh                            builds the wheel and the npm tarball for a release,
#                                                      and tests them in every CPython and Node
#   scripts/test-release.sh wheel FILE RUNTIME...      tests a wheel that there is
#   scripts/test-release.sh tarball FILE RUNTIME...    tests a tarball that there is
#
# A runtime is docker or fake. The wheel has to be built with fake; a tarball is run with the library
# that FAKE_LIBRARY names.
#
#   PYTHONS   interpreters (default: those of CPython 3.10 and later on the PATH and in pyenv)
#   NODES     `here`, the node on the PATH, or majors, which npm brings (default: here 18 20 22 24)
#
# The release's own tests take what scripts/setup.sh test installs, and some minutes for building.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
# Longest that installing, or one run, takes: seconds.
PATIENCE=180

main() {
    case "${1-}" in
    wheel) test_wheel "${@:2}" ;;
    tarball) test_tarball "${@:2}" ;;
    "") release ;;
    *) die "wheel, tarball, or nothing" ;;
    esac
}

release() {
    say "building the wheel"
    export PATH="$ROOT/.lambda/python/bin:$PATH"
    scripts/build-wheel.sh "$WORK/wheel" --release
    scripts/build-wheel.sh "$WORK/fake-wheel" --release --features fake-runtime
    # So that no interpreter is the one that maturin is installed for.
    PATH=${PATH#"$ROOT/.lambda/python/bin:"}
    test_wheel "$WORK"/wheel/lambdabox-*.whl docker
    test_wheel "$WORK"/fake-wheel/lambdabox-*.whl fake
    say "building the tarball"
    [ -d bindings-node/node_modules ] || npm --prefix bindings-node ci --no-audit --no-fund
    (cd bindings-node && node scripts/build.mjs --fake --release && node scripts/build.mjs --release)
    mkdir "$WORK/tarball"
    (cd bindings-node && npm pack --silent --pack-destination "$WORK/tarball" >/dev/null)
    FAKE_LIBRARY=$(echo bindings-node/target-fake/*.node)
    test_tarball "$WORK"/tarball/lambdabox-*.tgz docker fake
    say "all passed"
}

# test_wheel FILE RUNTIME...
test_wheel() {
    local wheel=$1 python version
    shift
    case "$wheel" in
    *-cp310-abi3-*) ;;
    *) die "$wheel is not for CPython 3.10 and all later ones" ;;
    esac
    say "$(basename "$wheel"), $(du -h "$wheel" | cut -f1)"
    [ -n "${PYTHONS-}" ] || PYTHONS=$(pythons)
    for python in $PYTHONS; do
        version=$("$python" -c 'import platform; print(platform.python_version())')
        rm -rf "$WORK/python"
        "$python" -m venv "$WORK/python"
        timeout "$PATIENCE" "$WORK/python/bin/pip" install --quiet --disable-pip-version-check "$wheel"
        cp scripts/release/check.py "$WORK/python/"
        run "$version" "$WORK/python/bin/python" "$WORK/python/check.py" "$@"
    done
}

# test_tarball FILE RUNTIME...
test_tarball() {
    local tarball=$1 node name
    shift
    say "$(basename "$tarball"), $(du -h "$tarball" | cut -f1)"
    mkdir "$WORK/node"
    (
        cd "$WORK/node"
        echo '{ "private": true }' >package.json
        # Offline: what it depends on is in it.
        timeout "$PATIENCE" npm install --silent --no-audit --no-fund --offline "$tarball"
    )
    cp scripts/release/check.cjs "$WORK/node/"
    [ -z "${FAKE_LIBRARY-}" ] || cp "$FAKE_LIBRARY" "$WORK/fake.node"
    for name in ${NODES:-here 18 20 22 24}; do
        node=$(command -v node)
        if [ "$name" != here ]; then
            (
                mkdir "$WORK/node-$name"
                cd "$WORK/node-$name"
                timeout "$PATIENCE" npm install --silent --no-audit --no-fund --prefix . "node@$name"
            )
            node=$WORK/node-$name/node_modules/node/bin/node
        fi
        run "$name" "$node" "$WORK/node/check.cjs" "$@"
    done
}

# run NAME PROGRAM SCRIPT RUNTIME...: with nothing of this environment, and without the repository
# where this user may hide it.
run() {
    local name=$1 program=$2 script=$3 runtime
    shift 3
    for runtime in "$@"; do
        scripts/with-docker.sh "${HIDING[@]}" timeout "$PATIENCE" env -i PATH=/usr/local/bin:/usr/bin:/bin \
            HOME="$WORK" LANG=C.UTF-8 ${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} \
            ${LIBRARY[$runtime]:+LAMBDABOX_NATIVE_LIBRARY="${LIBRARY[$runtime]}"} \
            "$program" "$script" "$runtime" "$WORK/data-$name-$runtime" || die "$name, $runtime: failed"
    done
}

declare -A LIBRARY=([fake]="$WORK/fake.node" [docker]="")
HIDING=()
if unshare --mount true 2>/dev/null; then
    # shellcheck disable=SC2016 # expanded there
    HIDING=(unshare --mount sh -c 'cd / && mount -t tmpfs none "$0" && exec "$@"' "$ROOT")
else
    echo "[test-release] the repository stays visible: hiding it takes root"
fi

# One of each version, of those that work.
pythons() {
    local python
    for python in $(compgen -c python3. | grep -E '^python3\.[0-9]+$' | sort -u) ~/.pyenv/versions/3.*/bin/python; do
        "$python" -c 'import sys, venv, ensurepip, platform
assert sys.version_info >= (3, 10) and platform.python_implementation() == "CPython"
print("%d.%d" % sys.version_info[:2], sys.executable)' 2>/dev/null || true
    done | sort -V -u -k1,1 | cut -d' ' -f2-
}

say() { printf '[test-release] %s\n' "$*"; }
die() {
    say "$*" >&2
    exit 1
}

main "$@"
