# shellcheck shell=bash
# What the Python package is built and tested with, in an environment of its own.

PYTHON_TOOLS="$ROOT/.lambda/python"
PYTHON_PACKAGES=("maturin>=1.9,<2" mypy pyright "pytest>=8" pytest-asyncio typing-extensions fastapi httpx streamlit)

setup_python() {
    local list="$PYTHON_TOOLS/packages.txt"
    version_at_least "$(python3 -c 'import platform; print(platform.python_version())')" 3.10 ||
        die "python: $(python3 --version) is too old for the Python package, 3.10 or later is needed" "Install one."
    # Debian keeps `venv` in a package of its own.
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python python3-venv
    if [ "$(cat "$list" 2>/dev/null)" != "${PYTHON_PACKAGES[*]}" ]; then
        python3 -m venv "$PYTHON_TOOLS"
        run_logged "python: installing what the Python package is tested with" pip-python \
            "$PYTHON_TOOLS/bin/pip" install --disable-pip-version-check "${PYTHON_PACKAGES[@]}" ||
            die "python: pip could not install: ${PYTHON_PACKAGES[*]}" "See $LOG_DIR/pip-python.log"
        echo "${PYTHON_PACKAGES[*]}" >"$list"
    fi
    # The wheel's command line is stripped of what only debuggers read.
    need_command python strip binutils
    # Pyright brings itself at its first run.
    "$PYTHON_TOOLS/bin/pyright" --version >/dev/null 2>&1 || true
    say "python: ok ($(python3 --version 2>&1), $("$PYTHON_TOOLS/bin/maturin" --version))"
}
