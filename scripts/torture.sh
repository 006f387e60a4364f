#!/usr/bin/env bash
# Kills the platform, its database and its Docker daemon under load, and counts what was lost,
# doubled or left behind (lambda-http/tests/torture). The Docker daemon is one of its own, beside
# the machine's, from which it takes the images. Needs root, dockerd, MariaDB and gVisor.
#
#   scripts/torture.sh          some 90 s
#
# It may set:
#   LAMBDA_TORTURE_PLATFORM_KILLS  how often the platform is killed (default 4; on record 300)
#   LAMBDA_TORTURE_DATABASE_KILLS  the database (default 1; on record 100)
#   LAMBDA_TORTURE_DOCKER_KILLS    the Docker daemon (default 1; on record 30)
#   LAMBDA_TORTURE_KEEP            not empty: the logs are kept
# shellcheck disable=SC2317 # some functions are called by the traps
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
PLATFORM=${LAMBDA_TORTURE_PLATFORM_KILLS:-4}
DATABASE=${LAMBDA_TORTURE_DATABASE_KILLS:-1}
DOCKER=${LAMBDA_TORTURE_DOCKER_KILLS:-1}
# Everything below waits with a deadline of its own; this is for what nobody has thought of.
LIMIT=$((180 + 10 * PLATFORM + 15 * DATABASE + 60 * DOCKER))
WORK=

say() { printf '[torture] %s\n' "$*" >&2; }

fail() {
    say "FAILED: $*"
    exit 1
}

main() {
    # Built first: the limit is for running; and by the user, who owns what is built.
    if [ -z "${LAMBDA_TORTURE_PROGRAM:-}" ]; then
        LAMBDA_TORTURE_PROGRAM=$(build)
        export LAMBDA_TORTURE_PROGRAM
    fi
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "a Docker daemon of its own needs root: run it as root, or with passwordless sudo"
        exec sudo -n --preserve-env="$(compgen -e LAMBDA_T | paste -sd ,)" "$PWD/scripts/torture.sh"
    fi
    local program mariadbd
    for program in dockerd docker unshare mariadb-install-db; do
        command -v "$program" >/dev/null || fail "$program is missing; scripts/setup.sh test installs it"
    done
    mariadbd=${LAMBDA_TEST_MARIADBD:-$(PATH="$PATH:/usr/sbin" command -v mariadbd)} ||
        fail "mariadbd is missing; scripts/setup.sh test installs it"
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap clean_up EXIT
    prepare
    local status=0
    # As cargo says it: scripts/security-table.py reads that.
    echo "     Running tests/torture/main.rs ($LAMBDA_TORTURE_PROGRAM)"
    # In a process group of its own, so that nothing of it survives the limit.
    DOCKER_HOST=unix://$WORK/docker.sock LAMBDA_TORTURE_DOCKER=$WORK LAMBDA_TEST_MARIADBD=$mariadbd \
        LAMBDA_LOG=${LAMBDA_LOG:-warn} LAMBDA_TEST_SERVER_LOG=$WORK/platform.log LAMBDA_TEST_REQUIRE=mariadb \
        timeout --kill-after=10 "$LIMIT" \
        "$LAMBDA_TORTURE_PROGRAM" --ignored --nocapture --test-threads=1 || status=$?
    case $status in
    0) say "ok ($SECONDS s)" ;;
    124 | 137) fail "it did not end within $LIMIT s" ;;
    *)
        say "the end of the platforms' log:"
        tail -n 20 "$WORK/platform.log" >&2 || true
        say "the end of the Docker daemon's log:"
        tail -n 20 "$WORK/log" >&2 || true
        fail "see above"
        ;;
    esac
}

# The path of the test program.
build() {
    local output
    output=$(cargo test -p lambda-http --test torture --no-run 2>&1) || fail "it does not build: $output"
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p' <<<"$output" | xargs realpath
}

prepare() {
    WORK=$(mktemp -d /var/tmp/lambda-torture.XXXXXX)
    local runsc
    runsc=$(docker_runtime_path) || fail "gVisor is not registered with Docker; scripts/setup.sh test does it"
    local arguments='"--network=none", "--host-uds=open", "--host-fifo=open"'
    cat >"$WORK/daemon.json" <<JSON
{"runtimes": {
  "runsc": {"path": "$runsc", "runtimeArgs": [$arguments]},
  "runsc-unbounded": {"path": "$runsc", "runtimeArgs": [$arguments, "--ignore-cgroups"]}
}}
JSON
    docker save lambda-python lambda-javascript -o "$WORK/images.tar" ||
        fail "the default images are missing; scripts/setup.sh test builds them"
}

docker_runtime_path() {
    docker info --format '{{with index .Runtimes "runsc"}}{{.Path}}{{end}}' | grep .
}

# Of the daemon's processes those are left that a killed test has not ended: they name its directory.
clean_up() {
    trap '' INT TERM
    local pid round freezer
    for round in 1 2 3; do
        for freezer in /sys/fs/cgroup/freezer/"${WORK##*/}"/*/freezer.state; do
            [ ! -e "$freezer" ] || echo THAWED >"$freezer" || true
        done
        for pid in $(pgrep -f -- "$WORK/" || true) \
            $(cat /sys/fs/cgroup/pids/"${WORK##*/}"/*/cgroup.procs /sys/fs/cgroup/"${WORK##*/}"/*/cgroup.procs 2>/dev/null || true); do
            [ "$pid" -eq $$ ] || kill -KILL "$pid" 2>/dev/null || true
        done
        [ "$round" -eq 3 ] || sleep 0.2
    done
    cut -d ' ' -f 5 /proc/self/mountinfo | grep "^$WORK/" | sort -r | xargs -r -n 1 umount -l || true
    find /sys/fs/cgroup -mindepth 1 -depth -type d -path "*/${WORK##*/}*" -exec rmdir {} + 2>/dev/null || true
    if [ -n "${LAMBDA_TORTURE_KEEP:-}" ]; then
        rm -rf "$WORK"/{data,exec,images.tar}
        say "logs: $WORK"
    else
        rm -rf "$WORK"
    fi
}

main
