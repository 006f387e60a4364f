# shellcheck shell=bash
# What every step of setup.sh needs: messages, progress, root, packages.

LOG_DIR="$ROOT/.lambda/log"
APT_UPDATED=no

say() { printf '[setup] %s\n' "$*"; }

# Ends the setup: the first argument is what is wrong, each further one a line of how to mend it.
die() {
    printf '[setup] FAILED: %s\n' "$1" >&2
    shift
    local line
    for line in "$@"; do printf '[setup]   %s\n' "$line" >&2; done
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANTED: compares dotted versions.
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Waits until a command succeeds: wait_until SECONDS COMMAND...
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

# The processes of this name that are visible here; fails where there is none.
pids_named() {
    local file found=1
    for file in /proc/[0-9]*/comm; do
        [ "$(cat "$file" 2>/dev/null)" = "$1" ] || continue
        basename "$(dirname "$file")"
        found=0
    done
    return "$found"
}

is_root() { [ "$(id -u)" -eq 0 ]; }

can_be_root() { is_root || sudo -n true 2>/dev/null; }

as_root() {
    if is_root; then "$@"; else sudo -n -- "$@"; fi
}

# require_root WHAT [HINT...]: WHAT completes "root is needed to ...".
require_root() {
    can_be_root && return
    local what=$1
    shift
    die "root is needed to $what, and this user is neither root nor allowed to use sudo without a password" \
        "$@" "Run this script again as root, or with passwordless sudo."
}

# Runs a command with its output in a log file, showing that time passes, and the log's end
# when it fails: run_logged LABEL LOGNAME COMMAND...
run_logged() {
    local label=$1 log="$LOG_DIR/$2.log"
    shift 2
    say "$label ..."
    mkdir -p "$LOG_DIR"
    "$@" >"$log" 2>&1 </dev/null &
    local pid=$! status=0
    show_progress "$pid" "$label" "$log"
    wait "$pid" || status=$?
    [ "$status" -eq 0 ] && return
    say "$label: failed (exit code $status); the last lines of $log:"
    tail -n 15 "$log" | sed 's/^/    /'
    return "$status"
}

# On a terminal one line that counts seconds; elsewhere a line every 15 s, so that a log of a
# slow run shows life without growing long.
show_progress() {
    local pid=$1 label=$2 log=$3 started=$SECONDS printed=$SECONDS
    while [ -d "/proc/$pid" ]; do
        sleep 0.2
        if [ -t 1 ]; then
            printf '\r[setup] %s ... %ds ' "$label" $((SECONDS - started))
        elif [ $((SECONDS - printed)) -ge 15 ]; then
            printed=$SECONDS
            say "$label ... $((SECONDS - started))s: $(tail -n 1 "$log" | tr -d '\r' | cut -c1-90)"
        fi
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}

# apt_install LABEL PACKAGE...: installs from the machine's own package sources, and removes nothing
# that is in the way.
apt_install() {
    local label=$1
    shift
    have apt-get || die "$label: this script installs packages with apt only (Debian 12 or 13, Ubuntu 22.04 or 24.04)" \
        "Install these yourself, by the names your system gives them: $*" "Then run this script again."
    require_root "install packages" "Packages wanted: $*"
    apt_update "$label"
    run_logged "$label: installing $*" "apt-install-$1" as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -y -q -o DPkg::Lock::Timeout=300 --no-install-recommends --no-remove install "$@" ||
        die "$label: apt could not install: $*" "See $LOG_DIR/apt-install-$1.log"
}

# A fresh machine has no package lists, an old one stale ones: refresh once per run.
apt_update() {
    [ "$APT_UPDATED" = no ] || return 0
    run_logged "$1: refreshing the package lists" apt-update \
        as_root apt-get -q -o DPkg::Lock::Timeout=300 update ||
        die "apt-get update failed" "See $LOG_DIR/apt-update.log; mend the package sources and run this script again."
    APT_UPDATED=yes
}

# The version apt would install, or nothing.
apt_candidate() {
    have apt-cache || return 0
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | grep -v '(none)' || true
}

os_field() { (. /etc/os-release && eval "printf '%s' \"\${$1:-}\"") 2>/dev/null || true; }

# A command that is wanted, and the package that brings it: need_command LABEL COMMAND PACKAGE...
need_command() {
    local label=$1 command=$2
    shift 2
    have "$command" || apt_install "$label" "$@"
    have "$command" || die "$label: $command is still missing after installing: $*"
}
