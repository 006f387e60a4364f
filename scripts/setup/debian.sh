# shellcheck shell=bash
# Packages of Debian 13 (trixie), for the base images and for a gVisor that is new enough, taken
# with mmdebstrap: it verifies apt's signatures and leaves this machine's package sources alone.

DEBIAN_SUITE=trixie

# The mirror this machine's administrator chose, where it is a Debian. Anywhere else nothing is
# printed, and mmdebstrap uses its own default for Debian's suites.
debian_mirror() {
    [ "$(os_field ID)" = debian ] || return 0
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$(os_field VERSION_CODENAME)" '$2 == release && $3 == "main" { print $1; exit }'
}

need_mmdebstrap() {
    local packages=()
    have mmdebstrap || packages+=(mmdebstrap)
    [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || packages+=(debian-archive-keyring)
    [ "${#packages[@]}" -eq 0 ] || apt_install "$1" "${packages[@]}"
    # The mirror is read from apt's lists.
    [ -n "$(debian_mirror)" ] || [ "$(os_field ID)" != debian ] || apt_update "$1"
}

# debian_rootfs LABEL LOGNAME SUITE VARIANT PACKAGES TARFILE [OPTION...]
debian_rootfs() {
    local label=$1 log=$2 suite=$3 variant=$4 packages=$5 tarfile=$6 mirror=()
    shift 6
    if [ "$suite" = "$DEBIAN_SUITE" ]; then
        mapfile -t mirror < <(debian_mirror)
    fi
    run_logged "$label" "$log" as_root mmdebstrap --variant="$variant" --include="$packages" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --aptopt='Apt::Install-Recommends "false"' "$@" "$suite" "$tarfile" "${mirror[@]}"
}
