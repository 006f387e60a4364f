#!/usr/bin/env bash
# Runs a command as a member of Docker's group: scripts/with-docker.sh COMMAND...
# A login that is older than its membership does not have it yet, and could not open the socket.
set -euo pipefail

socket=/var/run/docker.sock
case "${DOCKER_HOST:-}" in
unix://*) socket=${DOCKER_HOST#unix://} ;;
esac

if [ -S "$socket" ] && [ ! -w "$socket" ]; then
    group=$(stat -L -c %G "$socket")
    if command -v sg >/dev/null && grep -Eq "[:,]$(id -un)(,|\$)" <<<"$(getent group "$group")"; then
        # Quoted for any shell that may be the user's; bash's own %q writes what others cannot read.
        exec sg "$group" -c "$(for word in "$@"; do printf "'%s' " "${word//\'/\'\\\'\'}"; done)"
    fi
    echo "$0: $socket is not open to $(id -un); see scripts/setup.sh" >&2
fi
exec "$@"
