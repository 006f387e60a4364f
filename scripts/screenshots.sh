#!/usr/bin/env bash
# Makes the pictures in docs/images/: a server on a new data directory, calls to it for some minutes
# (SCREENSHOT_MINUTES, 10), so that the charts have something to show, and a browser that looks at it.
# Needs what scripts/setup.sh test installs, and the binary (cargo build).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=${LAMBDA_BINARY:-target/debug/lambda}
listen=${LAMBDA_LISTEN:-127.0.0.1:8099}
BROWSER=${LAMBDA_TEST_BROWSER:-$(scripts/find-browser.sh)}
data_dir=$(mktemp -d)
server=

finish() {
    if [ -n "$server" ]; then
        kill "$server" && wait "$server" || true
    fi
    rm -rf "$data_dir"
}
trap finish EXIT

env -u LAMBDA_METRICS_TOKEN "$binary" serve --listen "$listen" --data-dir "$data_dir" >/dev/null &
server=$!
until [ -s "$data_dir/token" ] && "$binary" list --url "http://$listen" --data-dir "$data_dir" >/dev/null 2>&1; do
    kill -0 "$server" || exit 1
    sleep 0.2
done

export BROWSER URL="http://$listen" OUT=docs/images
TOKEN=$(cat "$data_dir/token")
export TOKEN
export NODE_PATH="$PWD/.lambda/node/node_modules${NODE_PATH:+:$NODE_PATH}"
mkdir -p "$OUT"
node scripts/screenshots.cjs
