#!/usr/bin/env bash
# Prints the path of a Chromium (or a Chrome) that starts, or fails.
set -euo pipefail

for name in chromium google-chrome google-chrome-stable chromium-browser; do
    path=$(command -v "$name") || continue
    # Ubuntu's chromium-browser is a stub where snaps do not work.
    "$path" --version >/dev/null 2>&1 || continue
    echo "$path"
    exit 0
done
exit 1
