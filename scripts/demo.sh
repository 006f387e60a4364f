#!/usr/bin/env bash
# Starts the release server, runs the example functions in Docker and in gVisor, prints a table of
# the results and keeps serving until Ctrl-C.
#
#   LAMBDA_LISTEN     where to listen (default 127.0.0.1:8080, or a free port where that is taken)
#   LAMBDA_DATA_DIR   where the server keeps its data (default .lambda/demo)
#   DEMO_EXIT=1       stop after the table; the exit status tells whether every row was right
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -z "${DEMO_IN_GROUP:-}" ]; then
    DEMO_IN_GROUP=1 exec "$ROOT/scripts/with-docker.sh" "$0" "$@"
fi

LISTEN=${LAMBDA_LISTEN:-127.0.0.1:8080}
DATA_DIR=$(realpath -m "${LAMBDA_DATA_DIR:-$ROOT/.lambda/demo}")
SERVER=${LAMBDA_BINARY:-$ROOT/target/release/lambda}
SERVER_LOG=$DATA_DIR/server.log
SERVER_PID=
CLIENT_PID=

say() { printf '[demo] %s\n' "$*"; }

main() {
    [ -x "$SERVER" ] || fail "$SERVER is missing: cargo build --release -p lambda-http"
    choose_address
    trap 'stop_server; exit 0' INT TERM HUP
    trap stop_server EXIT
    start_server
    wait_for_server
    local status=0
    run_examples || status=$?
    print_addresses
    if [ "${DEMO_EXIT:-0}" = 0 ] || [ -z "${DEMO_EXIT:-}" ]; then
        serve_until_stopped
    fi
    exit "$status"
}

fail() {
    say "FAILED: $*" >&2
    exit 1
}

# The port that was asked for, or a free one.
choose_address() {
    local host=${LISTEN%:*} port=${LISTEN##*:} chosen
    chosen=$(python3 "$ROOT/scripts/demo.py" port "$host" "$port")
    if [ "$chosen" != "$port" ] && [ "$port" != 0 ]; then
        say "port $port is taken, using $chosen"
    fi
    LISTEN=$host:$chosen
}

# In a session of its own, so that Ctrl-C reaches the server once, through this script; and
# told to end by the kernel should this script be killed.
start_server() {
    say "starting the server on $LISTEN (data: $DATA_DIR, log: $SERVER_LOG) ..."
    mkdir -p "$DATA_DIR"
    # The server shows a new token once, and here that is in its log.
    (umask 077 && : >"$SERVER_LOG")
    setsid setpriv --pdeathsig TERM -- "$SERVER" serve --listen "$LISTEN" --data-dir "$DATA_DIR" \
        >"$SERVER_LOG" 2>&1 </dev/null &
    SERVER_PID=$!
}

server_runs() { kill -0 "$SERVER_PID" 2>/dev/null; }

wait_for_server() {
    local deadline=$((SECONDS + 120))
    until curl -fsS -m 5 -o /dev/null "http://$LISTEN/health" 2>/dev/null; do
        server_runs || fail_with_log "the server ended while starting"
        [ "$SECONDS" -lt "$deadline" ] || fail_with_log "the server did not answer GET /health within 120 s"
        sleep 0.2
    done
}

fail_with_log() {
    say "the end of $SERVER_LOG:" >&2
    tail -n 20 "$SERVER_LOG" | sed 's/^/    /' >&2
    fail "$1"
}

# In the background, because bash handles a signal only when it is not waiting for a foreground program.
run_examples() {
    local status=0
    python3 "$ROOT/scripts/demo.py" run "http://$LISTEN" "$ROOT/examples/functions" &
    CLIENT_PID=$!
    wait "$CLIENT_PID" || status=$?
    CLIENT_PID=
    server_runs || fail_with_log "the server ended while it ran the examples"
    return "$status"
}

print_addresses() {
    say "dashboard: http://$LISTEN/"
    say "its token: $(token_file)"
}

token_file() {
    if [ -n "${LAMBDA_METRICS_TOKEN:-}" ]; then
        echo "the value of LAMBDA_METRICS_TOKEN"
    else
        echo "in the file $DATA_DIR/token"
    fi
}

serve_until_stopped() {
    say "serving; Ctrl-C stops"
    wait "$SERVER_PID" || true
    fail_with_log "the server ended by itself"
}

# Asks the server to drain and waits for it; one that hangs is killed.
# shellcheck disable=SC2317 # called by the traps
stop_server() {
    trap '' INT TERM HUP
    trap - EXIT
    [ -z "$CLIENT_PID" ] || kill "$CLIENT_PID" 2>/dev/null || true
    if [ -z "$SERVER_PID" ] || ! server_runs; then return; fi
    say "stopping the server ..."
    kill -TERM "$SERVER_PID" 2>/dev/null || true
    local deadline=$((SECONDS + 45))
    while server_runs; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            say "the server did not stop within 45 s; killing it"
            kill -KILL "$SERVER_PID" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    wait "$SERVER_PID" 2>/dev/null || true
    say "stopped"
}

main "$@"
