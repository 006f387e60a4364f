# shellcheck shell=bash
# The base images lambda-python and lambda-javascript, and how an image is made.

# What they are built from where a registry answers. A base may be pinned, as NAME[:TAG]@sha256:DIGEST:
# then it is that very image, or none.
PYTHON_BASE=${LAMBDA_PYTHON_BASE:-python:3.13-slim}
JAVASCRIPT_BASE=${LAMBDA_JAVASCRIPT_BASE:-node:22-slim}

setup_images() {
    local suites base
    for base in "$PYTHON_BASE" "$JAVASCRIPT_BASE"; do
        is_image_reference "$base" || die "images: $base is no name of an image" \
            "LAMBDA_PYTHON_BASE and LAMBDA_JAVASCRIPT_BASE are NAME[:TAG] or, pinned, NAME[:TAG]@sha256: and 64 digits."
    done
    # Where Debian's mirrors cannot be reached, this machine's own release may do as well.
    suites="$DEBIAN_SUITE $(os_field VERSION_CODENAME)"
    setup_image python "$suites" python3 python3 "$PYTHON_BASE"
    setup_image javascript "$suites" nodejs node "$JAVASCRIPT_BASE"
}

# setup_image NAME DEBIAN-SUITES DEBIAN-PACKAGE COMMAND REGISTRY-IMAGE
setup_image() {
    local name=$1 tag="lambda-$1:latest" base=$5 recipe old
    recipe=$(image_recipe "$@")
    if ! image_is_good "$name" "$tag" "$recipe"; then
        old=$(docker_ image inspect --format '{{.Id}}' "$tag" 2>/dev/null || true)
        if is_pinned "$base"; then
            pull_pinned "$tag" "$base"
            build_image "$name" "$tag" "$recipe" "$base"
        elif registry_has "$base"; then
            build_image "$name" "$tag" "$recipe" "$base"
        else
            say "image $tag: no registry answers for $base; making it from Debian packages instead"
            bootstrap_image "$name" "$tag" "$recipe" "$2" "$3" "$4"
        fi
        image_runs "$tag" runc ||
            die "image $tag was made and does not run: $(tail -n 1 "$LOG_DIR/run-runc.log")"
        # An image that a container still uses stays.
        [ -z "$old" ] || docker_ image rm "$old" >/dev/null 2>&1 || true
    fi
    say "image $tag: ok ($(image_label "$tag" lambda.image.made-by))"
}

# [REGISTRY[:PORT]/]NAME[:TAG][@sha256:DIGEST], as Docker reads it.
is_image_reference() {
    local host='([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]+)?/)?' part='[a-z0-9]+([._-]+[a-z0-9]+)*'
    local tag='(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?' digest='(@sha256:[0-9a-f]{64})?'
    [[ $1 =~ ^$host$part(/$part)*$tag$digest$ ]]
}

is_pinned() { [[ $1 == *@* ]]; }

# Nothing takes the place of a base that is pinned. Docker compares the digest; what it has then is
# compared once more, because a reference with a tag and a digest is new to some engines.
pull_pinned() {
    local tag=$1 base=$2 found
    run_logged "image $tag: pulling $base" "pull-${tag%%:*}" docker_ pull "$base" ||
        die "image $tag: $base cannot be pulled" "It is pinned, so nothing else takes its place. See $LOG_DIR/pull-${tag%%:*}.log"
    found=$(docker_ image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$base" 2>/dev/null || true)
    grep -q "@${base##*@}\$" <<<"$found" ||
        die "image $tag: what was pulled is not $base" "It is: ${found:-without a digest}"
}

# What only the tests use is kept away from what the platform needs.
image_dockerfile() {
    case "$1" in
    test-*) echo "$ROOT/scripts/setup/$1.Dockerfile" ;;
    *) echo "$ROOT/images/$1/Dockerfile" ;;
    esac
}

# image_recipe NAME HOW...: everything that decides what is in an image. When it changes, the image
# is made again.
image_recipe() {
    { printf '%s\n' "$@" && cat "$(image_dockerfile "$1")" "$ROOT/scripts/setup/rootfs.sh"; } | sha256sum | cut -c1-16
}

image_label() { docker_ image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }

# An image under our tag that carries no label of ours was put there by somebody for a reason.
image_is_good() {
    local name=$1 tag=$2 recipe=$3
    docker_ image inspect "$tag" >/dev/null 2>&1 || return 1
    if [ "$(image_label "$tag" lambda.image)" != "$name" ]; then
        say "image $tag: it was not made by this script and is left as it is"
        return
    fi
    [ "$(image_label "$tag" lambda.image.recipe)" = "$recipe" ] && return
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
    local name=$1 tag=$2 recipe=$3 base=$4 dockerfile
    dockerfile=$(image_dockerfile "$name")
    sed "s|^FROM .*|FROM $base|" "$dockerfile" >"$LOG_DIR/$name.Dockerfile"
    run_logged "image $tag: building from $base" "image-$name" docker_ build --pull \
        --label "lambda.image.made-by=docker build from $base" \
        --label "lambda.image.recipe=$recipe" \
        -t "$tag" -f "$LOG_DIR/$name.Dockerfile" "$(dirname "$dockerfile")" ||
        die "image $tag: docker build failed" "See $LOG_DIR/image-$name.log"
}

# bootstrap_image NAME TAG RECIPE SUITES PACKAGE COMMAND: much the same image, without a registry.
bootstrap_image() {
    local name=$1 tag=$2 recipe=$3 suites=$4 package=$5 command=$6 work suite
    need_mmdebstrap "image $tag"
    work=$(mktemp -d)
    for suite in $(tr ' ' '\n' <<<"$suites" | uniq); do
        make_rootfs "image $tag: putting Debian packages together ($suite, $package)" "image-$name" \
            "$suite" "$package" "$work/rootfs.tar" || continue
        import_rootfs "$work/rootfs.tar" "$tag" "$command" "lambda.image=$name" \
            "lambda.image.made-by=\"Debian packages: $suite, $package\"" \
            "lambda.image.recipe=$recipe"
        as_root rm -rf "$work"
        return
    done
    as_root rm -rf "$work"
    die "image $tag: neither a registry nor a mirror of Debian provides it" "See $LOG_DIR/image-$name.log" \
        "Make an image with sh and $command yourself, tag it $tag and run this script again."
}

# image_runs TAG RUNTIME: whether the image's language, or its program, really runs.
image_runs() {
    local program=(node -e 'console.log(6*7)')
    case "$1" in
    lambda-python:*) program=(python3 -c 'print(6*7)') ;;
    lambda-test-mysql:*) program=(sh -c '/usr/sbin/mysqld --version >&2 && echo 42') ;;
    esac
    [ "$(docker_ run --rm --runtime="$2" --network=none "$1" "${program[@]}" 2>"$LOG_DIR/run-$2.log" </dev/null)" = 42 ]
}
