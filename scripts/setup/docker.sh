# shellcheck shell=bash
# The Docker engine: found, or installed and started.

DOCKERD_LOG=/var/log/dockerd.log

setup_docker() {
    choose_docker_socket
    if ! { have docker && docker_answers; }; then
        install_docker
        start_docker
        check_docker_networks
    fi
    check_docker_kind
    allow_user_docker
    say "docker engine: ok ($(docker_ version --format '{{.Server.Version}}'), $DOCKER_SOCKET)"
}

# The platform shares Unix sockets and FIFOs with its containers, so only an engine on this
# machine will do, whatever DOCKER_HOST says.
choose_docker_socket() {
    case "${DOCKER_HOST:-}" in
    unix://*) ;;
    "") DOCKER_HOST=unix:///var/run/docker.sock ;;
    *)
        say "docker engine: DOCKER_HOST=$DOCKER_HOST is not on this machine; using the local socket"
        DOCKER_HOST=unix:///var/run/docker.sock
        ;;
    esac
    export DOCKER_HOST
    unset DOCKER_CONTEXT
    DOCKER_SOCKET=${DOCKER_HOST#unix://}
}

# Runs a command that talks to the engine. A user who may not open the socket (yet) goes through sudo.
with_socket() {
    if [ -w "$DOCKER_SOCKET" ] || [ ! -S "$DOCKER_SOCKET" ] || ! can_be_root; then
        "$@"
    else
        as_root env DOCKER_HOST="$DOCKER_HOST" "$@"
    fi
}

docker_() { with_socket docker "$@"; }

docker_answers() { with_socket timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install_docker() {
    local packages=()
    # A docker command may be there without an engine, and the other way round.
    if ! have dockerd && ! [ -x /usr/sbin/dockerd ]; then packages+=(docker.io); fi
    if ! have docker; then
        # Some releases package the command line apart.
        apt_update "docker engine"
        if [ -n "$(apt_candidate docker-cli)" ]; then packages+=(docker-cli); else packages+=(docker.io); fi
    fi
    # Where the kernel enforces AppArmor, Docker needs its parser to load a profile.
    if grep -qs Y /sys/module/apparmor/parameters/enabled && ! [ -x /sbin/apparmor_parser ]; then
        packages+=(apparmor)
    fi
    [ "${#packages[@]}" -eq 0 ] || apt_install "docker engine" "${packages[@]}"
}

start_docker() {
    ! docker_answers || return 0
    if [ -S "$DOCKER_SOCKET" ] && [ ! -w "$DOCKER_SOCKET" ] && ! can_be_root; then
        die "docker engine: $(id -un) may not open $DOCKER_SOCKET" \
            "Have root run: usermod -aG $(stat -L -c %G "$DOCKER_SOCKET") $(id -un)" "Then log in anew, and run this script again."
    fi
    require_root "start the Docker engine"
    if [ -d /run/systemd/system ]; then
        start_docker_by_systemd
    else
        start_docker_by_hand
    fi
}

start_docker_by_systemd() {
    say "docker engine: starting it (systemctl enable --now docker) ..."
    if ! as_root systemctl enable --now docker >/dev/null 2>&1 || ! wait_until 60 docker_answers; then
        as_root journalctl -u docker -n 15 --no-pager | sed 's/^/    /' || true
        die "docker engine: systemd could not start it" "See: journalctl -u docker"
    fi
}

# Without systemd (containers, small virtual machines) the engine runs in a session of its own,
# and so outlives this script.
start_docker_by_hand() {
    mount_cgroups
    clear_stale_docker
    if pids_named dockerd >/dev/null; then
        say "docker engine: dockerd runs and does not answer yet, waiting ..."
        wait_until 60 docker_answers ||
            die "docker engine: dockerd runs and does not answer at $DOCKER_SOCKET" "See its log, or stop it and run this script again."
        return
    fi
    launch_dockerd && return
    if dockerd_complained 'iptables|netfilter|nf_tables|nftables'; then
        say "docker engine: this system refuses Docker's firewall rules; trying without them (no network from inside containers)"
        launch_dockerd --iptables=false --ip6tables=false --ip-masq=false && return
    fi
    if dockerd_complained 'bridge'; then
        say "docker engine: this system refuses a network bridge; trying without one (containers without network)"
        launch_dockerd --iptables=false --ip6tables=false --ip-masq=false --bridge=none && return
    fi
    explain_dockerd_failure
}

# launch_dockerd [FLAG...]: succeeds once the engine answers.
launch_dockerd() {
    say "docker engine: starting dockerd${*:+ $*} (log: $DOCKERD_LOG) ..."
    # The lock of this script (descriptor 9) must not live on in the engine.
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_root sh -c 'cd / && log=$1 && shift && setsid --fork dockerd "$@" >"$log" 2>&1 </dev/null' \
        sh "$DOCKERD_LOG" "$@" 9<&-
    wait_until 60 dockerd_settled
    docker_answers
}

# The engine answers, or it has given up. A process only just forked may not bear its name yet.
dockerd_settled() {
    docker_answers && return
    ! pids_named dockerd >/dev/null && sleep 0.5 && ! pids_named dockerd >/dev/null
}

dockerd_complained() { grep -Eqi "$1" <<<"$(as_root tail -n 20 "$DOCKERD_LOG")"; }

# A machine that lost power, or a container that was stopped, leaves pid files behind; their
# numbers may by now belong to other processes, and dockerd would then refuse to start.
clear_stale_docker() {
    local file pid
    for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        [ -e "$file" ] || continue
        pid=$(as_root cat "$file" 2>/dev/null || true)
        case "$(cat "/proc/$pid/comm" 2>/dev/null || true)" in
        dockerd | containerd) ;;
        *)
            say "docker engine: removing the stale $file"
            as_root rm -f "$file"
            ;;
        esac
    done
}

mount_cgroups() {
    if mountpoint -q /sys/fs/cgroup; then return; fi
    say "docker engine: mounting /sys/fs/cgroup (cgroup v2) ..."
    as_root mount -t cgroup2 cgroup2 /sys/fs/cgroup ||
        die "docker engine: no cgroups are mounted, and they cannot be mounted here" \
            "In a container, start it with --privileged; on a machine, mount cgroup2 at /sys/fs/cgroup."
}

explain_dockerd_failure() {
    local hint="Mend what the lines above name and run this script again."
    as_root grep -v 'level=info' "$DOCKERD_LOG" | tail -n 15 | sed 's/^/    /' || true
    if ! grep -qw overlay /proc/filesystems && ! as_root modprobe overlay 2>/dev/null; then
        hint="This kernel has no overlay file system: load its module, or set \"storage-driver\": \"vfs\" in /etc/docker/daemon.json."
    elif dockerd_complained 'operation not permitted|permission denied'; then
        hint="This looks like a container without the rights to run Docker: start it with --privileged, or use a virtual machine."
    elif dockerd_complained 'driver not supported|graphdriver'; then
        hint="The storage driver that Docker is set to, or used before, cannot work here: see \"storage-driver\" in /etc/docker/daemon.json."
    fi
    die "docker engine: dockerd did not start" "$hint" "The whole log: $DOCKERD_LOG"
}

# Functions run without a network unless the operator lists one, so this is worth a word, not a failure.
check_docker_networks() {
    local name=lambda-setup-$$
    if docker_ network create "$name" >/dev/null 2>&1; then
        docker_ network rm "$name" >/dev/null
    else
        say "docker engine: it cannot create networks here; functions can only use network none"
    fi
}

check_docker_kind() {
    local system options
    system=$(docker_ info --format '{{.OperatingSystem}}')
    options=$(docker_ info --format '{{.SecurityOptions}}')
    case "$system" in
    "Docker Desktop"*) die "docker engine: Docker Desktop runs containers in a virtual machine, which cannot share Unix sockets with this system" \
        "Install Docker Engine (the package docker.io) on Linux itself." ;;
    esac
    case "$options" in
    *rootless*) die "docker engine: $DOCKER_SOCKET is a rootless Docker, which cannot enforce every limit of a sandbox" \
        "Unset DOCKER_HOST to use the system's engine." ;;
    esac
}

# Membership of the socket's group is what lets a user open it. It is as good as root.
allow_user_docker() {
    ! is_root && [ ! -w "$DOCKER_SOCKET" ] || return 0
    local user group
    user=$(id -un)
    group=$(stat -L -c %G "$DOCKER_SOCKET")
    if ! grep -Eq "[:,]$user(,|\$)" <<<"$(getent group "$group")"; then
        require_root "add $user to the group $group"
        say "docker engine: adding $user to the group $group (this gives the user root's power over this machine)"
        as_root usermod -aG "$group" "$user"
    fi
}

# The engine behind our socket; there may be others on the machine.
dockerd_pid() {
    local pid
    for pid in $(pids_named dockerd); do
        case "$(tr '\0' ' ' <"/proc/$pid/cmdline")" in
        *"unix://$DOCKER_SOCKET "*) echo "$pid" && return ;;
        *-H\ unix:* | *--host\ unix:* | *--host=unix:*) ;;
        *) [ "$(readlink -f "$DOCKER_SOCKET")" = "$(readlink -f /var/run/docker.sock)" ] && echo "$pid" && return ;;
        esac
    done
    return 1
}

# dockerd_config PID: its configuration file. Snap's Docker and others keep it elsewhere and say
# so on the command line.
dockerd_config() {
    tr '\0' '\n' <"/proc/$1/cmdline" | awk '
        /^--config-file=/ { sub("^--config-file=", ""); path = $0 }
        previous == "--config-file" { path = $0 }
        { previous = $0 }
        END { print path ? path : "/etc/docker/daemon.json" }'
}
