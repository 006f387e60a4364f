#!/usr/bin/env bash
# Turns a fresh Linux machine into one where the platform works. Safe to run again: what is
# already there is checked and left alone.
#
#   scripts/setup.sh demo   the Docker engine, the base images, gVisor, the Rust toolchain
#   scripts/setup.sh test   these, and what the tests need besides
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for topic in common tools rust docker rootfs images gvisor databases python; do
    # shellcheck source=/dev/null
    . "$ROOT/scripts/setup/$topic.sh"
done

main() {
    local goal=${1:-}
    case "$goal" in
    demo | test) ;;
    *) usage ;;
    esac
    check_system
    mkdir -p "$LOG_DIR"
    take_lock
    # What may need the user's hand comes first, so that nobody waits for a failure.
    setup_tools
    setup_rust
    setup_docker
    setup_images
    setup_gvisor
    if [ "$goal" = test ]; then
        setup_test_tools
        setup_databases
        setup_python
    fi
}

usage() {
    sed -n '/^# Turns/,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit 2
}

check_system() {
    [ "$(uname -s)" = Linux ] || die "this is $(uname -s): sandboxes need Linux" \
        "Use Linux, for example Debian 12 or 13 or Ubuntu 22.04 or 24.04 in a virtual machine."
    case "$(uname -m)" in
    x86_64 | aarch64) ;;
    *) die "this processor ($(uname -m)) is not supported: gVisor needs x86_64 or aarch64" ;;
    esac
}

# Two setups at once would fight over the packages and Docker's configuration. Any user can lock
# this directory, and nothing else does.
take_lock() {
    exec 9</var/lib
    flock -n 9 && return
    say "another setup is running on this machine, waiting for it ..."
    flock 9
}

main "$@"
