# shellcheck shell=bash
# Small things that the scripts, the build and the tests need.

PLAYWRIGHT_VERSION=1.65.1
NODE_TOOLS="$ROOT/.lambda/node"
SCHEMATHESIS_VERSION=4.32.5
SCHEMATHESIS="$ROOT/.lambda/schemathesis"

setup_tools() {
    need_command tools curl curl ca-certificates
    need_command tools python3 python3
    # Rust links with it, and SQLite is compiled from source.
    need_command tools cc gcc libc6-dev
    say "tools: ok (curl, $(python3 --version 2>&1), $(cc --version | head -n 1))"
}

setup_test_tools() {
    setup_rust_components
    setup_node
    setup_browser
    setup_playwright
    setup_schemathesis
    setup_node_package
}

# The JavaScript bootstrap is tested outside of a sandbox too.
setup_node() {
    if ! have node; then
        apt_update node
        version_at_least "$(apt_candidate nodejs | sed 's/^[0-9]*://')" 18 ||
            die "node: this release has no Node.js 18 or later" "Install one, see https://nodejs.org, and run this script again."
        apt_install node nodejs npm
    fi
    version_at_least "$(node --version | tr -d v)" 18 ||
        die "node: $(node --version) is too old, 18 or later is needed" "Install one, see https://nodejs.org."
    need_command node npm npm
    say "node: ok ($(node --version), npm $(npm --version 2>/dev/null))"
}

# The dashboard is tested in a browser.
setup_browser() {
    local browser
    if ! browser=$("$ROOT/scripts/find-browser.sh"); then
        if [ "$(os_field ID)" = ubuntu ]; then
            install_browser_on_ubuntu
        else
            # Without a font a page is blank.
            apt_install browser chromium fonts-dejavu-core
        fi
        browser=$("$ROOT/scripts/find-browser.sh") || die "browser: none works after installing one" "Install Chromium or Google Chrome."
    fi
    say "browser: ok ($("$browser" --version 2>/dev/null | head -n 1), $browser)"
}

# Ubuntu ships Chromium as a snap only.
install_browser_on_ubuntu() {
    require_root "install a browser"
    if ! have snap || ! run_logged "browser: installing the snap chromium" snap-chromium as_root snap install chromium; then
        die "browser: Ubuntu packages Chromium as a snap only, and snaps do not work here" \
            "Install Google Chrome or a Chromium that is no snap, and run this script again."
    fi
}

# Drives the browser. The package brings no browser of its own.
setup_playwright() {
    local installed
    installed=$(sed -n 's/^  "version": "\(.*\)",/\1/p' "$NODE_TOOLS/node_modules/playwright-core/package.json" 2>/dev/null || true)
    if [ "$installed" != "$PLAYWRIGHT_VERSION" ]; then
        mkdir -p "$NODE_TOOLS"
        run_logged "playwright: installing playwright-core $PLAYWRIGHT_VERSION" npm-playwright \
            npm install --prefix "$NODE_TOOLS" --no-audit --no-fund "playwright-core@$PLAYWRIGHT_VERSION" ||
            die "playwright: npm could not install playwright-core" "See $LOG_DIR/npm-playwright.log"
    fi
    say "playwright: ok ($PLAYWRIGHT_VERSION)"
}

# Fuzzes the HTTP API (scripts/fuzz-api.sh), from an environment of its own.
setup_schemathesis() {
    local installed
    installed=$("$SCHEMATHESIS/bin/python" -c \
        'from importlib.metadata import version; print(version("schemathesis"))' 2>/dev/null || true)
    if [ "$installed" != "$SCHEMATHESIS_VERSION" ]; then
        rm -rf "$SCHEMATHESIS"
        # Debian has the part of venv that installs pip in a package of its own.
        if ! python3 -m venv "$SCHEMATHESIS" >/dev/null 2>&1; then
            apt_install schemathesis python3-venv
            rm -rf "$SCHEMATHESIS"
            python3 -m venv "$SCHEMATHESIS" || die "schemathesis: python3 -m venv does not work"
        fi
        run_logged "schemathesis: installing $SCHEMATHESIS_VERSION" pip-schemathesis \
            "$SCHEMATHESIS/bin/pip" install --disable-pip-version-check "schemathesis==$SCHEMATHESIS_VERSION" ||
            die "schemathesis: pip could not install it" "See $LOG_DIR/pip-schemathesis.log"
    fi
    say "schemathesis: ok ($SCHEMATHESIS_VERSION)"
}

# The compiler and the libraries that the Node package is built and tested with.
setup_node_package() {
    local package="$ROOT/bindings-node"
    if ! cmp -s "$package/package-lock.json" "$package/node_modules/.installed-lock.json"; then
        run_logged "node package: installing what it is built with" npm-lambdabox \
            npm ci --prefix "$package" --no-audit --no-fund ||
            die "node package: npm could not install its dependencies" "See $LOG_DIR/npm-lambdabox.log"
        cp "$package/package-lock.json" "$package/node_modules/.installed-lock.json"
    fi
    # Its library is made smaller with it.
    need_command "node package" strip binutils
    say "node package: ok"
}
