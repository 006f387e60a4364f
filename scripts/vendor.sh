#!/usr/bin/env bash
# Fetches the libraries of the dashboard anew; see lambda-http/src/dashboard/vendor/README.md.
# To change a version, change it here and there, and look at the difference.
set -euo pipefail

PREACT=11.2.0 HTM=3.1.1 UPLOT=1.6.32 SPEED_HIGHLIGHT=2.1.0

target=$(cd "$(dirname "${BASH_SOURCE[0]}")/../lambda-http/src/dashboard/vendor" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# package NAME VERSION: unpacks it, and prints where.
package() {
    local archive
    archive=$(cd "$work" && npm pack --silent "$1@$2")
    mkdir "$work/${archive%.tgz}"
    tar -xzf "$work/$archive" -C "$work/${archive%.tgz}"
    echo "$work/${archive%.tgz}/package"
}

put() {
    mkdir -p "$(dirname "$target/$2")"
    sed -e '/^\/\/# sourceMappingURL/d' -e "${3:-}" "$1" >"$target/$2"
}

from=$(package preact "$PREACT")
put "$from/LICENSE" preact/LICENSE
put "$from/dist/preact.mjs" preact/preact.js
put "$from/hooks/dist/hooks.mjs" preact/hooks.js 's|from"preact"|from"./preact.js"|'

from=$(package htm "$HTM")
put "$from/LICENSE" htm/LICENSE
put "$from/dist/htm.mjs" htm/htm.js

from=$(package uplot "$UPLOT")
put "$from/LICENSE" uplot/LICENSE
put "$from/dist/uPlot.esm.js" uplot/uplot.js
put "$from/dist/uPlot.min.css" uplot/uplot.css

from=$(package @speed-highlight/core "$SPEED_HIGHLIGHT")
put "$from/LICENSE" speed-highlight/LICENSE
put "$from/src/tokenize.js" speed-highlight/tokenize.js
for language in js json py; do
    put "$from/src/languages/$language.js" "speed-highlight/languages/$language.js"
done
