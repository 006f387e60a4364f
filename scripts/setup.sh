#!/usr/bin/env bash
# Turns a fresh Linux machine into one where the platform works. Safe to run again: what is
# already there is checked and left alone.
#
#   scripts/setup.sh demo   Docker engine, base images, gVisor, Rust toolchain
#   scripts/setup.sh test   these, and what the tests need besides
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for topic in common docker debian images gvisor; do
    # shellcheck source=/dev/null
    . "$ROOT/scripts/setup/$topic.sh"
done

main() {
    case "${1:-}" in
    demo | test) ;;
    *)
        sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
        exit 2
        ;;
    esac
    mkdir -p "$LOG_DIR"
    setup_docker
    setup_images
    setup_gvisor
}

main "$@"
