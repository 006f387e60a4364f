# shellcheck shell=bash
# gVisor: a runsc that works on this kernel, registered with Docker under the name runsc.

RUNSC_OWN=/usr/local/lib/lambda/runsc
# Sandboxes have no network, talk to the platform over a Unix socket that it shares with them, and
# write their output to shared FIFOs. --ignore-cgroups must never be there: it would silently
# switch every limit off.
RUNSC_ARGS="--network=none --host-uds=open --host-fifo=open"
# Older releases lack --host-fifo, and do not start on kernels from 6.14 on.
RUNSC_OLDEST=0.0~20240101

setup_gvisor() {
    local source
    for source in registered path own package debian; do
        RUNSC=
        find_runsc_"$source" || continue
        register_runsc
        if gvisor_works; then
            say "gvisor: ok ($("$RUNSC" --version | awk 'NR==1 { print $NF }'), $RUNSC $RUNSC_ARGS)"
            return
        fi
        say "gvisor: $RUNSC does not run a container on this kernel ($(uname -r)): $(tail -n 1 "$LOG_DIR/run-runsc.log" | cut -c1-200)"
    done
    die "gvisor: no runsc that works here could be found or installed" \
        "Put a runsc of 2024 or later on the PATH and run this script again."
}

gvisor_works() { image_runs lambda-python:latest runsc && image_runs lambda-javascript:latest runsc; }

# Each of these sets RUNSC, or fails where it has none to offer.

find_runsc_registered() {
    local path
    path=$(docker_ info --format '{{with index .Runtimes "runsc"}}{{.Path}}{{end}}' 2>/dev/null) || return
    [ -n "$path" ] && RUNSC=$(command -v "$path") && runsc_is_recent
}

find_runsc_path() { RUNSC=$(command -v runsc) && runsc_is_recent; }

# What an earlier setup fetched.
find_runsc_own() { RUNSC=$RUNSC_OWN && [ -x "$RUNSC" ] && runsc_is_recent; }

find_runsc_package() {
    local candidate
    candidate=$(apt_candidate runsc)
    [ -n "$candidate" ] && dpkg --compare-versions "$candidate" ge "$RUNSC_OLDEST" || return
    apt_install gvisor runsc
    find_runsc_path
}

find_runsc_debian() {
    local work status=0
    need_mmdebstrap gvisor
    work=$(mktemp -d)
    unpack_debian "gvisor: fetching runsc from Debian's $DEBIAN_SUITE" runsc "$DEBIAN_SUITE" extract runsc "$work/runsc.tar" &&
        as_root tar -C "$work" -xf "$work/runsc.tar" ./usr/bin/runsc &&
        as_root install -D -m 0755 "$work/usr/bin/runsc" "$RUNSC_OWN" || status=$?
    as_root rm -rf "$work"
    RUNSC=$RUNSC_OWN
    return "$status"
}

# Not as a pipe: grep would leave at its first match, and runsc die of a broken pipe.
runsc_is_recent() { grep -q -- '-host-fifo' <<<"$("$RUNSC" flags 2>&1)"; }

runsc_is_registered() {
    [ "$(docker_ info --format '{{with index .Runtimes "runsc"}}{{.Path}} {{join .Args " "}}{{end}}' 2>/dev/null)" = "$RUNSC $RUNSC_ARGS" ]
}

# Merges the runtime into Docker's configuration. A running engine is never restarted, because
# other people's containers live in it; it reads its runtimes anew on SIGHUP.
register_runsc() {
    ! runsc_is_registered || return 0
    local pid config by_hand
    by_hand="\"runsc\": {\"path\": \"$RUNSC\", \"runtimeArgs\": [\"${RUNSC_ARGS// /\", \"}\"]}"
    require_root "register gVisor with Docker" "Or add this to the \"runtimes\" of Docker's daemon.json, and send dockerd a SIGHUP:" "$by_hand"
    pid=$(dockerd_pid) || die "gvisor: the process of the Docker engine behind $DOCKER_SOCKET is not visible here" \
        "Add this to the \"runtimes\" of its daemon.json where it runs:" "$by_hand"
    config=$(dockerd_config "$pid")
    say "gvisor: registering $RUNSC $RUNSC_ARGS in $config ..."
    # shellcheck disable=SC2086 # the arguments are words
    as_root python3 "$ROOT/scripts/setup/daemon_json.py" "$config" "$RUNSC" $RUNSC_ARGS ||
        die "gvisor: could not add the runtime to $config" "Mend it and run this script again."
    as_root kill -HUP "$pid"
    wait_until 20 runsc_is_registered || die "gvisor: Docker did not take the runtime over from $config" \
        "See the engine's log (journalctl -u docker, or $DOCKERD_LOG)." \
        "A runtime that was given on dockerd's command line (--add-runtime) has to be changed there."
}
