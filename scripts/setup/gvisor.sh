# shellcheck shell=bash
# gVisor: a runsc that works on this kernel, registered with Docker under the name runsc.

RUNSC_OWN=/usr/local/lib/lambda/runsc
# Sandboxes have no network, talk to the platform over a Unix socket that it shares with them and
# write their output to shared FIFOs. --ignore-cgroups must never be there: it would silently
# switch every limit off.
RUNSC_ARGS="--network=none --host-uds=open --host-fifo=open"
# Earlier releases lack --host-fifo, and do not start on kernels from 6.14 on.
RUNSC_OLDEST=0.0~20240101

setup_gvisor() {
    local wanted
    for wanted in registered path package debian; do
        local binary
        binary=$(runsc_from_"$wanted") || continue
        register_runsc "$binary"
        if gvisor_works; then
            say "gvisor: ok ($("$binary" --version | awk 'NR==1 { print $NF }'), $binary, $RUNSC_ARGS)"
            return
        fi
        say "gvisor: $binary does not run a container on this kernel ($(uname -r)): $(tail -n 1 "$LOG_DIR/run-runsc.log" | cut -c1-200)"
    done
    die "gvisor: no runsc that works could be found or installed" \
        "Put a recent runsc (2024 or later) on the PATH and run this script again."
}

gvisor_works() { image_runs lambda-python:latest runsc && image_runs lambda-javascript:latest runsc; }

# Each of these prints the path of a runsc, or fails where it has none to offer.

runsc_from_registered() {
    local binary
    binary=$(docker_ info --format '{{with index .Runtimes "runsc"}}{{.Path}}{{end}}' 2>/dev/null)
    [ -n "$binary" ] && binary=$(command -v "$binary") && runsc_is_recent "$binary" && echo "$binary"
}

runsc_from_path() {
    local binary
    binary=$(command -v runsc) && runsc_is_recent "$binary" && echo "$binary"
}

runsc_from_package() {
    local candidate
    candidate=$(apt_candidate runsc)
    [ -n "$candidate" ] && dpkg --compare-versions "$candidate" ge "$RUNSC_OLDEST" || return
    apt_install gvisor runsc >&2
    command -v runsc
}

runsc_from_debian() {
    local work
    need_mmdebstrap gvisor >&2
    work=$(mktemp -d)
    debian_rootfs "gvisor: fetching runsc from Debian $DEBIAN_SUITE" runsc "$DEBIAN_SUITE" extract runsc "$work/runsc.tar" >&2 || return
    as_root tar -C "$work" -xf "$work/runsc.tar" ./usr/bin/runsc
    as_root install -D -m 0755 "$work/usr/bin/runsc" "$RUNSC_OWN"
    as_root rm -rf "$work"
    echo "$RUNSC_OWN"
}

runsc_is_recent() { "$1" flags 2>&1 | grep -q -- '-host-fifo'; }

runsc_is_registered() {
    [ "$(docker_ info --format '{{with index .Runtimes "runsc"}}{{.Path}} {{join .Args " "}}{{end}}' 2>/dev/null)" = "$1 $RUNSC_ARGS" ]
}

# register_runsc BINARY: merges the runtime into Docker's configuration. A running engine is never
# restarted, because other people's containers live in it; it reads its runtimes anew on SIGHUP.
register_runsc() {
    local binary=$1 pid config
    runsc_is_registered "$binary" && return
    require_root "register gVisor with Docker" \
        "Add to the \"runtimes\" of /etc/docker/daemon.json: \"runsc\": {\"path\": \"$binary\", \"runtimeArgs\": [\"${RUNSC_ARGS// /\", \"}\"]}" \
        "and have Docker read it: systemctl reload docker"
    need_command gvisor python3 python3-minimal
    pid=$(dockerd_pid) || die "gvisor: the process of the Docker engine behind $DOCKER_SOCKET is not visible here" \
        "Register runsc where that engine runs."
    config=$(dockerd_config "$pid")
    say "gvisor: registering $binary in $config ..."
    # shellcheck disable=SC2086 # the arguments are words
    as_root python3 "$ROOT/scripts/setup/daemon_json.py" "$config" "$binary" $RUNSC_ARGS || die \
        "gvisor: $config was left as it is" "Mend it (see the line above) and run this script again."
    as_root kill -HUP "$pid"
    wait_until 20 runsc_is_registered "$binary" || die "gvisor: Docker did not take the runtime from $config" \
        "See the engine's log (journalctl -u docker, or $DOCKERD_LOG)." \
        "A runtime that was given on dockerd's command line (--add-runtime) has to be changed there."
}

# The engine behind our socket; there may be others on the machine.
dockerd_pid() {
    local pid
    for pid in $(dockerd_pids); do
        case "$(tr '\0' ' ' <"/proc/$pid/cmdline")" in
        *"unix://$DOCKER_SOCKET "*) echo "$pid" && return ;;
        *-H\ unix:* | *--host=unix:*) ;;
        *) [ "$(readlink -f "$DOCKER_SOCKET")" = "$(readlink -f /var/run/docker.sock)" ] && echo "$pid" && return ;;
        esac
    done
    return 1
}

# Snap's Docker and others keep the file elsewhere and say so on the command line.
dockerd_config() {
    tr '\0' '\n' <"/proc/$1/cmdline" | awk '
        /^--config-file=/ { sub("^--config-file=", ""); path = $0 }
        previous == "--config-file" { path = $0 }
        { previous = $0 }
        END { print path ? path : "/etc/docker/daemon.json" }'
}
