# shellcheck shell=bash
# The base images lambda-python and lambda-javascript.

setup_images() {
    setup_image python python3 python3 python:3.13-slim
    setup_image javascript nodejs node node:22-slim
}

# setup_image LANGUAGE DEBIAN-PACKAGE COMMAND REGISTRY-IMAGE
setup_image() {
    local language=$1 package=$2 command=$3 base=$4 tag="lambda-$1:latest" old
    if ! image_is_good "$language" "$tag"; then
        old=$(docker_ image inspect --format '{{.Id}}' "$tag" 2>/dev/null || true)
        if registry_has "$base"; then
            build_image "$language" "$tag" "$base"
        else
            say "image $tag: no registry answers for $base; making it from Debian packages instead"
            bootstrap_image "$language" "$tag" "$package" "$command"
        fi
        image_runs "$tag" runc ||
            die "image $tag was made and does not run: $(tail -n 1 "$LOG_DIR/run-runc.log")"
        # An image that a container still uses stays.
        [ -z "$old" ] || docker_ image rm "$old" >/dev/null 2>&1 || true
    fi
    say "image $tag: ok ($(image_label "$tag" lambda.image.made-by))"
}

# Everything that decides what is in an image: when it changes, the image is made again.
image_recipe() {
    cat "$ROOT/images/$1/Dockerfile" "$ROOT/scripts/setup/rootfs.sh" | sha256sum | cut -c1-16
}

image_label() { docker_ image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }

# An image under our tag that carries no label of ours was put there by somebody for a reason.
image_is_good() {
    local language=$1 tag=$2 recipe
    docker_ image inspect "$tag" >/dev/null 2>&1 || return 1
    if [ "$(image_label "$tag" lambda.image)" != "$language" ]; then
        say "image $tag: it was not made by this script and is left as it is"
        return
    fi
    recipe=$(image_label "$tag" lambda.image.recipe)
    [ "$recipe" = "$(image_recipe "$language")" ] && return
    say "image $tag: its recipe has changed"
    return 1
}

# Asks the engine rather than the network from here: the engine may have proxies or mirrors of its own.
registry_has() {
    local status
    status=$(with_socket curl -s -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$DOCKER_SOCKET" \
        "http://docker/distribution/$1/json" || true)
    [ "$status" = 200 ]
}

build_image() {
    local language=$1 tag=$2 base=$3
    run_logged "image $tag: building from $base" "image-$language" docker_ build --pull \
        --label "lambda.image.made-by=docker build from $base" \
        --label "lambda.image.recipe=$(image_recipe "$language")" \
        -t "$tag" -f "$ROOT/images/$language/Dockerfile" "$ROOT/images/$language" ||
        die "image $tag: docker build failed" "See $LOG_DIR/image-$language.log"
}

# bootstrap_image LANGUAGE TAG PACKAGE COMMAND: much the same image, without a registry.
bootstrap_image() {
    local language=$1 tag=$2 package=$3 command=$4 work suite
    need_mmdebstrap "image $tag"
    work=$(mktemp -d)
    # Where Debian's mirrors cannot be reached, this machine's own release may do as well.
    for suite in $(printf '%s\n' "$DEBIAN_SUITE" "$(os_field VERSION_CODENAME)" | uniq); do
        make_rootfs "image $tag: putting Debian packages together ($suite, $package)" "image-$language" \
            "$suite" "$package" "$work/rootfs.tar" || continue
        import_rootfs "$work/rootfs.tar" "$tag" "$command" "lambda.image=$language" \
            "lambda.image.made-by=\"Debian packages: $suite, $package\"" \
            "lambda.image.recipe=$(image_recipe "$language")"
        as_root rm -rf "$work"
        return
    done
    as_root rm -rf "$work"
    die "image $tag: neither a registry nor a mirror of Debian provides it" "See $LOG_DIR/image-$language.log" \
        "Make an image with sh and $command yourself, tag it $tag and run this script again."
}

# image_runs TAG RUNTIME: whether the image's language really runs.
image_runs() {
    local program=(node -e 'console.log(6*7)')
    case "$1" in lambda-python:*) program=(python3 -c 'print(6*7)') ;; esac
    [ "$(docker_ run --rm --runtime="$2" --network=none "$1" "${program[@]}" 2>"$LOG_DIR/run-$2.log" </dev/null)" = 42 ]
}
