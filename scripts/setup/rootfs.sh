# shellcheck shell=bash
# Packages of Debian 13 (trixie), for the base images and for a gVisor that is new enough, and of
# Debian's unstable for what is in no release, taken with mmdebstrap: it verifies apt's signatures
# and leaves this machine's package sources alone.

DEBIAN_SUITE=trixie
DEBIAN_UNSTABLE=sid

# The mirror this machine's administrator chose, where it is a Debian. Anywhere else nothing is
# printed, and mmdebstrap uses its own default for Debian's suites.
debian_mirror() {
    [ "$(os_field ID)" = debian ] || return 0
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$(os_field VERSION_CODENAME)" '$2 == release && $3 == "main" { print $1; exit }'
}

# need_mmdebstrap LABEL
need_mmdebstrap() {
    local wanted=()
    have mmdebstrap || wanted+=(mmdebstrap)
    [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || wanted+=(debian-archive-keyring)
    [ "${#wanted[@]}" -eq 0 ] || apt_install "$1" "${wanted[@]}"
    require_root "unpack Debian packages"
    # The mirror is read from apt's lists.
    if [ "$(os_field ID)" = debian ] && [ -z "$(debian_mirror)" ]; then apt_update "$1"; fi
}

# unpack_debian LABEL LOGNAME SUITE VARIANT PACKAGE TARFILE [MMDEBSTRAP-OPTION...]
unpack_debian() {
    local label=$1 log=$2 suite=$3 variant=$4 package=$5 tarfile=$6 mirror=() dated=()
    shift 6
    case "$suite" in
    "$DEBIAN_SUITE" | "$DEBIAN_UNSTABLE") mapfile -t mirror < <(debian_mirror) ;;
    esac
    # Unlike a release's, its index is signed for a week only, and a mirror may be behind or stand still.
    [ "$suite" != "$DEBIAN_UNSTABLE" ] || dated=(--aptopt='Acquire::Check-Valid-Until "false"')
    run_logged "$label" "$log" as_root mmdebstrap --variant="$variant" --include="$package" \
        --aptopt='Apt::Install-Recommends "false"' "${dated[@]}" "$@" "$suite" "$tarfile" "${mirror[@]}"
}

# make_rootfs LABEL LOGNAME SUITE PACKAGE TARFILE: a small system that runs one program. The
# package's own installation byte-compiles Python's library. Manuals, translations and the state of
# the package manager are of no use in a read-only root.
make_rootfs() {
    unpack_debian "$1" "$2" "$3" essential "$4" "$5" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook="rm -rf \"\$1\"/var/cache/* \"\$1\"/var/log/* \"\$1\"/var/lib/apt" \
        --customize-hook="rm -f \"\$1\"/etc/hostname \"\$1\"/etc/resolv.conf"
}

# import_rootfs TARFILE TAG COMMAND LABEL...: the image that the Dockerfiles would make of it.
import_rootfs() {
    local tarfile=$1 tag=$2 command=$3 change=() label
    shift 3
    for label in "$@"; do change+=(--change "LABEL $label"); done
    as_root cat "$tarfile" | docker_ import "${change[@]}" \
        --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' --change 'ENV LANG=C.UTF-8' --change 'ENV HOME=/tmp' \
        --change 'WORKDIR /tmp' --change 'USER 65534:65534' --change "CMD [\"$command\"]" - "$tag" >/dev/null
}
