# shellcheck shell=bash
# The base images lambda-python and lambda-javascript.

# Everything that decides what is in an image: when it changes, the images are made again.
images_recipe() {
    cat "$ROOT/images/$1/Dockerfile" "$ROOT/scripts/setup/images.sh" "$ROOT/scripts/setup/debian.sh" |
        sha256sum | cut -c1-16
}

setup_images() {
    setup_image python python3 python:3.13-slim
    setup_image javascript nodejs node:22-slim
}

# setup_image LANGUAGE DEBIAN-PACKAGE REGISTRY-IMAGE
setup_image() {
    local language=$1 package=$2 base=$3 tag="lambda-$1:latest"
    if image_is_good "$language" "$tag"; then
        say "image $tag: ok ($(image_label "$tag" lambda.image.made-by))"
        return
    fi
    if registry_has "$base"; then
        build_image "$language" "$tag" "$base"
    else
        say "image $tag: no registry answers for $base; making it from Debian packages instead"
        bootstrap_image "$language" "$tag" "$package"
    fi
    image_runs "$tag" runc || die "image $tag was made and does not run" "See: docker run --rm --network=none $tag"
    say "image $tag: ok ($(image_label "$tag" lambda.image.made-by))"
}

image_label() { docker_ image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }

# An image under our tag that carries no label of ours was put there by somebody for a reason.
image_is_good() {
    local language=$1 tag=$2 recipe
    docker_ image inspect "$tag" >/dev/null 2>&1 || return 1
    if [ "$(image_label "$tag" lambda.image)" != "$language" ]; then
        say "image $tag: exists and was not made by this script, left as it is"
        return 0
    fi
    recipe=$(image_label "$tag" lambda.image.recipe)
    [ "$recipe" = "$(images_recipe "$language")" ] && return
    say "image $tag: its recipe has changed (${recipe:-none})"
    return 1
}

# Asks the engine rather than the network from here: the engine may have proxies or mirrors of its own.
registry_has() {
    need_command "images" curl curl ca-certificates
    local reply
    reply=$(as_socket_user curl -s -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$DOCKER_SOCKET" \
        "http://docker/distribution/$1/json" || true)
    [ "$reply" = 200 ]
}

as_socket_user() {
    if [ -w "$DOCKER_SOCKET" ]; then "$@"; else as_root "$@"; fi
}

build_image() {
    local language=$1 tag=$2 base=$3
    run_logged "image $tag: building from $base" "image-$language" docker_ build --pull \
        --label "lambda.image.made-by=docker build from $base" \
        --label "lambda.image.recipe=$(images_recipe "$language")" \
        -t "$tag" "$ROOT/images/$language" ||
        die "image $tag: docker build failed" "See $LOG_DIR/image-$language.log"
}

# bootstrap_image LANGUAGE TAG PACKAGE: the same image from Debian's packages, without a registry.
bootstrap_image() {
    local language=$1 tag=$2 package=$3 suite=$DEBIAN_SUITE work tarfile
    need_mmdebstrap "image $tag"
    work=$(mktemp -d)
    tarfile=$work/rootfs.tar
    if ! make_rootfs "$tag" "$language" "$suite" "$package" "$tarfile"; then
        # Where Debian's mirrors cannot be reached, an Ubuntu's own suite does as well.
        suite=$(os_field VERSION_CODENAME)
        [ "$(os_field ID)" = ubuntu ] && make_rootfs "$tag" "$language" "$suite" "$package" "$tarfile" ||
            die "image $tag: neither a registry nor a Debian mirror gives it" "See $LOG_DIR/image-$language.log"
    fi
    import_rootfs "$language" "$tag" "$suite" "$package" "$tarfile"
    as_root rm -rf "$work"
}

make_rootfs() {
    local tag=$1 language=$2 suite=$3 package=$4 tarfile=$5
    # mmdebstrap byte-compiles Python's library; the package manager is of no use in a read-only root.
    debian_rootfs "image $tag: assembling Debian packages ($suite, $package)" "image-$language" \
        "$suite" essential "$package" "$tarfile" \
        --customize-hook="rm -rf \"\$1\"/var/cache/* \"\$1\"/var/log/* \"\$1\"/var/lib/apt \"\$1\"/usr/share/locale" \
        --customize-hook="rm -f \"\$1\"/etc/hostname \"\$1\"/etc/resolv.conf"
}

import_rootfs() {
    local language=$1 tag=$2 suite=$3 package=$4 tarfile=$5 command=node environment=NODE_ENV=production
    if [ "$language" = python ]; then command=python3 environment=PYTHONHASHSEED=random; fi
    as_root cat "$tarfile" | docker_ import \
        --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' --change 'ENV LANG=C.UTF-8' --change 'ENV HOME=/tmp' \
        --change "ENV $environment" --change 'WORKDIR /tmp' --change 'USER 65534:65534' \
        --change "CMD [\"$command\"]" --change "LABEL lambda.image=$language" \
        --change "LABEL lambda.image.made-by=\"Debian packages ($suite, $package)\"" \
        --change "LABEL lambda.image.recipe=$(images_recipe "$language")" \
        - "$tag" >/dev/null
}

# image_runs TAG RUNTIME: whether the image's language really runs.
image_runs() {
    local program=(node -e 'console.log(6*7)')
    case "$1" in *python*) program=(python3 -c 'print(6*7)') ;; esac
    [ "$(docker_ run --rm --runtime="$2" --network=none "$1" "${program[@]}" 2>"$LOG_DIR/run-$2.log" </dev/null)" = 42 ]
}
