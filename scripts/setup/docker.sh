# shellcheck shell=bash
# The Docker engine: found, or installed and started.

DOCKERD_LOG=/var/log/dockerd.log

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

# A user who may not open the socket (yet) goes through sudo.
docker_() {
    if [ -w "$DOCKER_SOCKET" ] || [ ! -S "$DOCKER_SOCKET" ]; then
        docker "$@"
    else
        as_root env DOCKER_HOST="$DOCKER_HOST" docker "$@"
    fi
}

docker_answers() { docker_ version --format '{{.Server.Version}}' >/dev/null 2>&1; }

setup_docker() {
    choose_docker_socket
    if ! { have docker && docker_answers; }; then
        install_docker
        start_docker
    fi
    check_docker_kind
    allow_user_docker
    say "docker engine: ok ($(docker_ version --format '{{.Server.Version}}'), $DOCKER_SOCKET)"
}

install_docker() {
    local packages=()
    # A docker command may be there without an engine: it only controls one.
    if ! have dockerd && ! [ -x /usr/sbin/dockerd ]; then packages+=(docker.io); fi
    if ! have docker; then
        # Debian 13 packages the command line apart.
        if [ -n "$(apt_candidate docker-cli)" ]; then packages+=(docker-cli); else packages+=(docker.io); fi
    fi
    # Where the kernel enforces AppArmor, Docker needs its parser to load a profile.
    if grep -qs Y /sys/module/apparmor/parameters/enabled && ! [ -x /sbin/apparmor_parser ]; then
        packages+=(apparmor)
    fi
    [ "${#packages[@]}" -eq 0 ] || apt_install "docker engine" "${packages[@]}"
}

start_docker() {
    docker_answers && return
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
    if dockerd_pids >/dev/null; then
        say "docker engine: dockerd runs and does not answer yet, waiting ..."
        wait_until 60 docker_answers || die "docker engine: dockerd runs and does not answer at $DOCKER_SOCKET"
        return
    fi
    launch_dockerd && return
    if tail -n 20 "$DOCKERD_LOG" | grep -Eqi 'iptables|netfilter|nf_tables'; then
        say "docker engine: this kernel refuses Docker's firewall rules; starting without them (--iptables=false: no network from inside containers)"
        launch_dockerd --iptables=false --ip6tables=false --ip-masq=false && return
        launch_dockerd --iptables=false --ip6tables=false --ip-masq=false --bridge=none && return
    elif tail -n 20 "$DOCKERD_LOG" | grep -Eqi 'bridge'; then
        say "docker engine: this kernel refuses a network bridge; starting without one (--bridge=none)"
        launch_dockerd --bridge=none && return
    fi
    explain_dockerd_failure
}

dockerd_pids() { pgrep -x dockerd; }

launch_dockerd() {
    say "docker engine: starting dockerd${*:+ $*} (log: $DOCKERD_LOG) ..."
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_root sh -c 'cd / && log=$1 && shift && exec setsid dockerd "$@" >>"$log" 2>&1 </dev/null' \
        sh "$DOCKERD_LOG" "$@" 9<&- &
    local pid=$! deadline=$((SECONDS + 60))
    until docker_answers; do
        kill -0 "$pid" 2>/dev/null || return 1
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
    disown "$pid" 2>/dev/null || true
}

# A machine that lost power, or a container that was stopped, leaves pid files behind; their
# numbers may by now belong to other processes, and dockerd would then refuse to start.
clear_stale_docker() {
    local file pid
    for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        [ -f "$file" ] || continue
        pid=$(cat "$file" 2>/dev/null || true)
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
    if mountpoint -q /sys/fs/cgroup || [ -e /sys/fs/cgroup/cgroup.controllers ]; then return; fi
    say "docker engine: mounting /sys/fs/cgroup (cgroup v2) ..."
    as_root mount -t cgroup2 cgroup2 /sys/fs/cgroup ||
        die "docker engine: no cgroups are mounted and they cannot be mounted here" \
            "In a container, start it with --privileged; on a machine, mount cgroup2 at /sys/fs/cgroup."
}

explain_dockerd_failure() {
    tail -n 15 "$DOCKERD_LOG" | sed 's/^/    /'
    local hint="Mend what the lines above name and run this script again."
    if ! grep -qw overlay /proc/filesystems; then
        hint="This kernel has no overlay file system: load it (modprobe overlay), or set \"storage-driver\": \"vfs\" in /etc/docker/daemon.json."
    elif tail -n 20 "$DOCKERD_LOG" | grep -Eqi 'operation not permitted|permission denied'; then
        hint="This looks like a container without the rights to run Docker: start it with --privileged, or use a virtual machine."
    elif tail -n 20 "$DOCKERD_LOG" | grep -qi 'driver not supported'; then
        hint="The storage driver of an earlier Docker cannot work here: see \"storage-driver\" in /etc/docker/daemon.json and $DOCKERD_LOG."
    fi
    die "docker engine: dockerd did not start" "$hint" "The whole log: $DOCKERD_LOG"
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
    *rootless*) die "docker engine: $DOCKER_SOCKET is a rootless Docker, which cannot enforce the sandboxes' limits" \
        "Unset DOCKER_HOST to use the system's engine." ;;
    esac
}

# Membership of the group docker is what lets a user open the socket. It is as good as root.
allow_user_docker() {
    is_root && return
    [ -w "$DOCKER_SOCKET" ] && return
    local user group
    user=$(id -un)
    group=$(stat -c %G "$DOCKER_SOCKET")
    if ! getent group "$group" | cut -d: -f4 | tr ',' '\n' | grep -qx "$user"; then
        require_root "add $user to the group $group"
        say "docker engine: adding $user to the group $group (this gives the user root's power over this machine)"
        as_root usermod -aG "$group" "$user"
    fi
}
