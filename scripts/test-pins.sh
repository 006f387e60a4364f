#!/usr/bin/env bash
# Images that are pinned by digest: what a reference is, that a base image that is pinned is that image
# or none, and that functions run in an image that is named by its digest. The registry is one of its
# own, on loopback, which Docker takes without TLS.
# shellcheck disable=SC2317 # some functions are called by the trap
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for topic in common tools docker images; do
    # shellcheck source=/dev/null
    . "$ROOT/scripts/setup/$topic.sh"
done
LAMBDA=("$ROOT/scripts/with-docker.sh" "${LAMBDA_BINARY:-$ROOT/target/debug/lambda}")
WORK=$(mktemp -d)
LOG_DIR=$WORK
ZEROS=$(printf '0%.0s' {1..64})
REGISTRY_PID=
PINNED=
BUILT=lambda-test-pinned:latest

fail() {
    echo "[pins] FAILED: $*" >&2
    exit 1
}

clean_up() {
    [ -z "$REGISTRY_PID" ] || kill "$REGISTRY_PID" 2>/dev/null || true
    [ -z "$PINNED" ] || docker_ image rm "$PINNED" >/dev/null 2>&1 || true
    docker_ image rm "$BUILT" >/dev/null 2>&1 || true
    rm -rf "$WORK"
}
trap clean_up EXIT

references() {
    local it
    for it in python python:3.13-slim a/b/c:1 127.0.0.1:5000/x:y "ghcr.io/a/b@sha256:$ZEROS" "python:3@sha256:$ZEROS"; do
        is_image_reference "$it" || fail "$it is a reference"
    done
    for it in "" Python "python@sha256:12" "python@sha256:${ZEROS/0/A}" "python@md5:$ZEROS" "python;x" "python 3" \
        :tag a/ python: -x "python@sha256:${ZEROS}0"; do
        ! is_image_reference "$it" || fail "$it is no reference"
    done
    ! is_pinned python:3.13-slim || fail "a tag is no pin"
    is_pinned "python@sha256:$ZEROS" || fail "a digest is a pin"
}

serve() {
    local port digest
    docker_ save lambda-python:latest -o "$WORK/image.tar" || fail "lambda-python is missing; scripts/setup.sh demo makes it"
    python3 "$ROOT/scripts/setup/registry.py" "$WORK/image.tar" >"$WORK/registry" &
    REGISTRY_PID=$!
    wait_until 30 test -s "$WORK/registry" || fail "the registry does not serve"
    read -r port digest <"$WORK/registry"
    NAME=127.0.0.1:$port/base
    PINNED=$NAME:1@$digest
}

base_images() {
    (pull_pinned "$BUILT" "$PINNED") || fail "$PINNED is pulled"
    if (pull_pinned "$BUILT" "$NAME:1@sha256:$ZEROS") >"$WORK/cheated" 2>&1; then
        fail "another image was taken for sha256:$ZEROS"
    fi
    grep -q "FAILED" "$WORK/cheated" || fail "it does not say why: $(cat "$WORK/cheated")"
    build_image python "$BUILT" recipe "$PINNED"
    [ "$(image_label "$BUILT" lambda.image.made-by)" = "docker build from $PINNED" ] || fail "the image does not say what it is from"
}

functions() {
    local said
    printf '[containers]\npython_image = "%s"\n' "$PINNED" >"$WORK/lambda.toml"
    printf 'def handler(event, context):\n    return event["n"] + 1\n' >"$WORK/app.py"
    "${LAMBDA[@]}" --data-dir "$WORK" deploy "$WORK/app.py" --name pinned --handler app.handler >"$WORK/deployed" 2>&1 ||
        fail "$(cat "$WORK/deployed")"
    said=$("${LAMBDA[@]}" --data-dir "$WORK" invoke pinned --event '{"n": 41}' 2>"$WORK/invoked") ||
        fail "$said $(cat "$WORK/invoked")"
    [ "$(tail -n 1 <<<"$said")" = 42 ] || fail "it answered: $said"
}

choose_docker_socket
references
serve
base_images
functions
echo "[pins] ok ($SECONDS s)"
