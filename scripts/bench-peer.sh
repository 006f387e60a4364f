#!/usr/bin/env bash
# Installs the unsandboxed peer of the load over HTTP, functions-framework and gunicorn, in
# .lambda/peer, and prints that directory: target/release/http_load --peer "$(scripts/bench-peer.sh)"
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LOG_DIR=${LOG_DIR:-$ROOT/.lambda/log}
mkdir -p "$LOG_DIR"
# shellcheck source=scripts/setup/common.sh
. "$ROOT/scripts/setup/common.sh"
# shellcheck source=scripts/setup/tools.sh
. "$ROOT/scripts/setup/tools.sh"

python_tools "$ROOT/.lambda/peer" peer >&2 ||
    die "peer: pip could not install functions-framework and gunicorn" "See $LOG_DIR/pip-peer.log"
echo "$ROOT/.lambda/peer"
