#!/usr/bin/env python3
"""Bills of materials (CycloneDX 1.5): scripts/supply-chain/bom.py DIRECTORY

One for each ecosystem, made from lock files alone, and so the same each time.
"""

import base64
import json
import re
import sys
from pathlib import Path
from urllib.parse import quote

import sources
from sources import Dependency


def python():
    """What the wheel asks for; what it is built and tested with is no part of it."""
    project = (sources.ROOT / "bindings-python/pyproject.toml").read_text()
    asked = json.loads(re.search(r"^dependencies = (\[.*\])$", project, flags=re.MULTILINE)[1])
    names = {sources.normal(re.match(r"[\w.-]+", it)[0]) for it in asked}
    licences = {name: licence for name, _, licence in sources.python_installed(sources.PYTHON["python"])}
    lock = (sources.LOCKS / "python.txt").read_text()
    for _, name, version, hashes in sources.python_locked(lock):
        if name in names:
            yield Dependency("pypi", name, version, licences.get(name, ""), hashes)


def npm():
    """What the package brings along, and what the dashboard has in it."""
    directory = sources.NODE["bindings-node"]
    asked = json.loads((directory / "package.json").read_text())["dependencies"]
    for path, entry in sources.node_locked(directory):
        if not entry.get("dev") and not entry.get("devOptional"):
            digest = base64.b64decode(entry["integrity"].removeprefix("sha512-")).hex()
            name = sources.node_name(path)
            yield Dependency("npm", name, entry["version"], entry["license"], (digest,))
            asked.pop(name, None)
    if asked:
        sys.exit("not in the lock: %s" % ", ".join(asked))
    yield from sources.vendored()


def component(it):
    name = quote(it.name, safe="/")
    purl = "pkg:%s/%s@%s" % (it.ecosystem, name, quote(it.version, safe=""))
    own = {"type": "library", "bom-ref": purl, "name": it.name, "version": it.version, "purl": purl}
    # A wheel of each platform has a hash of its own.
    if it.hashes and it.ecosystem != "pypi":
        kind = "SHA-512" if it.ecosystem == "npm" else "SHA-256"
        own["hashes"] = [{"alg": kind, "content": digest} for digest in it.hashes]
    if it.licence:
        own["licenses"] = [{"expression": it.licence.replace("/", " OR ")}]
    return own


def bom(name, dependencies):
    workspace = (sources.ROOT / "Cargo.toml").read_text()
    version = re.search(r'^version = "(.*)"$', workspace, flags=re.MULTILINE)[1]
    components = sorted((component(it) for it in dependencies), key=lambda it: it["bom-ref"])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "library", "name": name, "version": version}},
        "components": components,
    }


def main(directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, dependencies in [("rust", sources.rust()), ("python", python()), ("npm", npm())]:
        found = bom("lambda-" + name, dependencies)
        if not found["components"]:
            sys.exit("the bill of materials of %s is empty" % name)
        (directory / (name + ".cdx.json")).write_text(json.dumps(found, indent=2) + "\n")
        print("[supply chain] bill of materials, %s: %d components" % (name, len(found["components"])))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
