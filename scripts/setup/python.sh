# shellcheck shell=bash
# What the Python package is built and tested with, in an environment of its own.

PYTHON_TOOLS="$ROOT/.lambda/python"

setup_python() {
    version_at_least "$(python3 -c 'import platform; print(platform.python_version())')" 3.10 ||
        die "python: $(python3 --version) is too old for the Python package, 3.10 or later is needed" "Install one."
    python_tools "$PYTHON_TOOLS" python ||
        die "python: pip could not install what the Python package is tested with" "See $LOG_DIR/pip-python.log"
    # The wheel's command line is stripped of what only debuggers read.
    need_command python strip binutils
    # Pyright brings itself at its first run.
    "$PYTHON_TOOLS/bin/pyright" --version >/dev/null 2>&1 || true
    say "python: ok ($(python3 --version 2>&1), $("$PYTHON_TOOLS/bin/maturin" --version))"
}
