#!/usr/bin/env python3
"""Holds the Python and npm dependencies to what deny.toml holds the Rust ones to, without a network:
each is locked by version and hash, what is installed is what is locked, and every licence is allowed.
"""

import json
import re
import sys

import sources

# What is shipped: as in deny.toml, and what is written for Python alone.
ALLOWED = {
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT", "PSF-2.0", "Unicode-3.0", "Zlib",
    "0BSD", "BlueOak-1.0.0", "CC0-1.0", "MIT-0", "MIT-CMU", "HPND",
}
# Of tools that nobody is given; each file stays under it.
ALLOWED_OF_TOOLS = ALLOWED | {"MPL-2.0"}

# What packages say that say it in words.
IN_WORDS = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "https://www.apache.org/licenses/license-2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "dual license": "Apache-2.0",
    "python software foundation license": "PSF-2.0",
}


def is_allowed(licence, allowed):
    """Any of what is offered by OR, all of what is asked by AND."""
    if not licence:
        return False
    either = re.sub(r"[()]", " ", licence) if licence.lower() not in IN_WORDS else licence
    return any(
        all(IN_WORDS.get(part.strip().lower(), part.strip()) in allowed for part in option.split(" AND "))
        for option in re.split(r" OR ", either)
    )


def python_problems(lock, environment):
    locked = {}
    for line, name, version, hashes in sources.python_locked((sources.LOCKS / (lock + ".txt")).read_text()):
        if not version:
            yield "%s is not pinned: %s" % (name, line[:60])
        if not hashes:
            yield "%s has no hash" % name
        locked.setdefault(name, set()).add(version)
    if not locked:
        yield "it names nothing"
    installed = list(sources.python_installed(environment))
    if not installed and environment.exists():
        yield "%s has no packages" % environment.name
    for name, version, licence in installed:
        if version not in locked.get(name, ()):
            yield "%s %s is installed and not locked" % (name, version)
        if not is_allowed(licence, ALLOWED_OF_TOOLS):
            yield "%s: the licence %r is not allowed" % (name, licence)


def node_problems(directory):
    asked = json.loads((directory / "package.json").read_text())
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        for name, version in asked.get(kind, {}).items():
            if not re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", version):
                yield "%s is not pinned: %s" % (name, version)
    shipped = set(asked.get("dependencies", ())) if not asked.get("private") else set()
    for path, entry in sources.node_locked(directory):
        name = sources.node_name(path)
        if not re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", entry.get("integrity", "")):
            yield "%s has no hash" % path
        # Whichever registry it is: the hash says what it is.
        source = entry.get("resolved", "https://")
        if not source.startswith("https://"):
            yield "%s comes from elsewhere: %s" % (path, source)
        if not is_allowed(entry.get("license", ""), ALLOWED if name in shipped else ALLOWED_OF_TOOLS):
            yield "%s: the licence %r is not allowed" % (path, entry.get("license"))


def pinned_problems(directory):
    asked = json.loads((directory / "package.json").read_text()).get("dependencies", {})
    for name, version in asked.items():
        if not re.fullmatch(r"\d+\.\d+\.\d+", version):
            yield "%s is not pinned: %s" % (name, version)


def duplicates(directory):
    """Several versions of one package: told, and decided about when one is updated."""
    versions = {}
    for path, entry in sources.node_locked(directory):
        versions.setdefault(sources.node_name(path), set()).add(entry["version"])
    return several(versions)


def duplicates_of_rust():
    versions = {}
    for name, version in sources.rust_locked():
        versions.setdefault(name, set()).add(version)
    return several(versions)


def several(versions):
    return {name: sorted(all_) for name, all_ in versions.items() if len(all_) > 1}


def main():
    failed = False

    def tell(what, problems):
        nonlocal failed
        problems = list(problems)
        failed |= bool(problems)
        print("[supply chain] %s: %s" % (what, "FAILED" if problems else "ok"))
        for problem in problems:
            print("[supply chain]   " + problem)

    def tell_duplicates(what, found):
        if found:
            packages = ", ".join("%s %s" % (name, "/".join(all_)) for name, all_ in sorted(found.items()))
            print("[supply chain] in more than one version, %s: %s" % (what, packages))

    tell_duplicates("Rust", duplicates_of_rust())
    for lock, environment in sources.PYTHON.items():
        tell("pins, hashes and licences of Python, %s" % lock, python_problems(lock, environment))
        if not environment.exists():
            print("[supply chain]   licences not checked: %s is not set up" % lock)
    for name, directory in sources.NODE.items():
        tell("pins, hashes and licences of npm, %s" % name, node_problems(directory))
        tell_duplicates("npm, " + name, duplicates(directory))
    for directory in sources.NODE_EXAMPLES:
        tell("pins of npm, example %s" % directory.name, pinned_problems(directory))
    return failed


if __name__ == "__main__":
    sys.exit(main())
