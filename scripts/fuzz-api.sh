#!/usr/bin/env bash
# Fuzzes the HTTP API: starts a server with Docker, has schemathesis ask it all that
# GET /openapi.json describes, rightly and wrongly, and fails on any answer of 500 to 599 that is not
# described, and on any that does not fit its description.
#
#   scripts/fuzz-api.sh [SECONDS]   how long (default 60)
#
#   LAMBDA_BINARY      the server (default target/debug/lambda)
#   FUZZ_SEED          of the generator (default: a new one, which is printed)
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -z "${FUZZ_IN_GROUP:-}" ]; then
    FUZZ_IN_GROUP=1 exec "$ROOT/scripts/with-docker.sh" "$0" "$@"
fi

SECONDS_MAX=${1:-60}
SERVER=${LAMBDA_BINARY:-$ROOT/target/debug/lambda}
TOOL=$ROOT/.lambda/schemathesis/bin/schemathesis
DATA_DIR=$(mktemp -d)
TOKEN=fuzz-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
SERVER_PID=

main() {
    [ -x "$SERVER" ] || fail "$SERVER is missing: cargo build -p lambda-http"
    [ -x "$TOOL" ] || fail "schemathesis is missing: scripts/setup.sh test"
    trap stop EXIT
    start
    deploy
    local status=0
    # It keeps what it found in the current directory.
    cd "$DATA_DIR"
    # No proxy of the environment's stands between: this is this machine.
    NO_PROXY='*' no_proxy='*' "$TOOL" --config-file "$ROOT/scripts/fuzz/schemathesis.toml" \
        run "$URL/openapi.json" --url "$URL" \
        --header "Authorization: Bearer $TOKEN" --max-time "$SECONDS_MAX" \
        --workers 2 --request-timeout 60 --continue-on-failure --warnings off \
        --suppress-health-check all ${FUZZ_SEED:+--seed "$FUZZ_SEED"} || status=$?
    kill -0 "$SERVER_PID" 2>/dev/null || fail_with_log "the server ended"
    # A defect that was caught is logged as one.
    if grep -qE '"level":"ERROR"|panicked at' "$DATA_DIR/server.log"; then
        grep -E '"level":"ERROR"|panicked at' "$DATA_DIR/server.log" | head -n 5 >&2
        fail "the server logged errors"
    fi
    [ "$status" -eq 0 ] || fail "the API does not answer as it is described"
}

fail() {
    echo "[fuzz] FAILED: $*" >&2
    exit 1
}

fail_with_log() {
    tail -n 20 "$DATA_DIR/server.log" >&2
    fail "$1"
}

# Few sandboxes, short waits: it is the API that is tried.
start() {
    cat >"$DATA_DIR/lambda.toml" <<'TOML'
listen = "127.0.0.1:0"
require_token = true
log_format = "json"
[pool]
sandboxes_max = 6
memory_mib_max = 1024
queue_max = 4
queue_timeout_ms = 500
idle_timeout_ms = 20000
prewarmed = 1
TOML
    LAMBDA_METRICS_TOKEN=$TOKEN setpriv --pdeathsig TERM -- "$SERVER" --json --data-dir "$DATA_DIR" serve \
        >"$DATA_DIR/started.json" 2>"$DATA_DIR/server.log" </dev/null &
    SERVER_PID=$!
    local deadline=$((SECONDS + 60))
    until [ -s "$DATA_DIR/started.json" ]; do
        kill -0 "$SERVER_PID" 2>/dev/null || fail_with_log "the server ended while starting"
        [ "$SECONDS" -lt "$deadline" ] || fail_with_log "the server did not start within 60 s"
        sleep 0.1
    done
    URL=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["url"].rstrip("/"))' <"$DATA_DIR/started.json")
}

# Something to run that costs little, by names that the generator finds in no other way.
deploy() {
    printf 'def handler(event, context):\n    return event\n' >"$DATA_DIR/echo.py"
    LAMBDA_TOKEN=$TOKEN "$SERVER" deploy "$DATA_DIR/echo.py" --name 0 --handler echo.handler --url "$URL"
    printf 'print("hello")\n' >"$DATA_DIR/hello.py"
    LAMBDA_TOKEN=$TOKEN "$SERVER" deploy "$DATA_DIR/hello.py" --name A --url "$URL"
}

# shellcheck disable=SC2317 # called by the trap
stop() {
    if [ -n "$SERVER_PID" ] && kill -TERM "$SERVER_PID" 2>/dev/null; then
        wait "$SERVER_PID" || true
    fi
    rm -rf "$DATA_DIR"
}

main "$@"
