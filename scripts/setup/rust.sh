# shellcheck shell=bash
# The Rust toolchain: used as it is where it is new enough, never changed behind the user's back.

setup_rust() {
    local wanted version
    wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    # rustup installs here, and not every shell has it on its PATH.
    PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
    have cargo || install_rust "$wanted"
    version=$(cargo --version 2>/dev/null | cut -d' ' -f2 || true)
    version_at_least "${version:-0}" "$wanted" ||
        die "rust: cargo ${version:-without a toolchain} is too old, $wanted or later is needed" \
            "With rustup: rustup update stable && rustup default stable" \
            "Without: install rustup, see https://rustup.rs"
    say "rust: ok ($version)"
}

install_rust() {
    if ! have rustup; then
        [ -n "$(apt_candidate rustup)" ] || apt_update rust
        [ -n "$(apt_candidate rustup)" ] || die "rust: no cargo here, and this release does not package rustup" \
            "Install Rust $1 or later with rustup, see https://rustup.rs, and run this script again."
        apt_install rust rustup
    fi
    run_logged "rust: installing the stable toolchain" rustup rustup default stable ||
        die "rust: rustup could not install a toolchain" "See $LOG_DIR/rustup.log" \
            "Mend that, or install Rust $1 or later in another way, and run this script again."
}

# The linter and the formatter are parts that a minimal toolchain lacks.
setup_rust_components() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    have rustup || die "rust: cargo fmt or cargo clippy is missing" "Install the components rustfmt and clippy of your Rust."
    run_logged "rust: adding rustfmt and clippy" rustup-components rustup component add rustfmt clippy ||
        die "rust: rustup could not add rustfmt and clippy" "See $LOG_DIR/rustup-components.log"
}
