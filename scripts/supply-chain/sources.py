"""What the project depends on, read from its lock files and from what is installed: no network."""

import json
import re
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = ROOT / "scripts/setup/locks"

# A lock, and where scripts/setup.sh installs what it names.
PYTHON = {
    "python": ROOT / ".lambda/python",
    "schemathesis": ROOT / ".lambda/schemathesis",
    "supply-chain": ROOT / ".lambda/supply-chain",
    "peer": ROOT / ".lambda/peer",
}
NODE = {
    "bindings-node": ROOT / "bindings-node",
    "playwright": LOCKS / "playwright",
}
# Not locked: it is what others write for themselves.
NODE_EXAMPLES = [ROOT / "examples/node/express"]

VENDORED = ROOT / "scripts/vendor.sh"

# pip comes with the environment.
OF_VENV = {"pip", "setuptools", "wheel"}


@dataclass(frozen=True)
class Dependency:
    ecosystem: str
    name: str
    version: str
    licence: str = ""
    hashes: tuple = field(default=())


def normal(name):
    """As PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python_locked(text):
    """The entries of a pip lock: (line, name, version, hashes). What is no such entry has no version."""
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        pinned = re.match(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)(?=[ ;]|$)", line)
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})(?= |$)", line))
        name, version = pinned.groups() if pinned else (line.split(" ")[0], "")
        yield line, normal(name), version, hashes


def python_licence(metadata):
    """The shortest thing that names it: an expression, a name, else its classifiers."""
    own = metadata.get("License-Expression") or (metadata.get("License") or "").strip()
    if own and "\n" not in own and len(own) < 60:
        return own
    classifiers = [it for it in metadata.get_all("Classifier") or [] if it.startswith("License ::")]
    return " OR ".join(it.rsplit(" :: ", 1)[1] for it in classifiers)


def python_installed(environment):
    """Name, version and licence of each package of an environment; none: it was not set up."""
    for packages in sorted(environment.glob("lib/python3*/site-packages")):
        for found in distributions(path=[str(packages)]):
            name = normal(found.metadata["Name"])
            if name not in OF_VENV:
                yield name, found.version, python_licence(found.metadata)


def node_locked(directory):
    """The packages of a package-lock.json, each as (path, entry)."""
    lock = json.loads((directory / "package-lock.json").read_text())
    return [(path, entry) for path, entry in lock["packages"].items() if path]


def node_name(path):
    return path.rsplit("node_modules/", 1)[1]


def vendored():
    """The dashboard's libraries: their sources are in the repository."""
    names = {"PREACT": "preact", "HTM": "htm", "UPLOT": "uplot", "SPEED_HIGHLIGHT": "@speed-highlight/core"}
    found = dict(re.findall(r"\b([A-Z_]+)=(\d[\w.]*)", VENDORED.read_text()))
    return [Dependency("npm", names[key], version) for key, version in found.items()]


def rust_locked():
    """The checksum of each crate of Cargo.lock, by name and version; the workspace's own have none."""
    sums = {}
    for entry in (ROOT / "Cargo.lock").read_text().split("[[package]]")[1:]:
        pairs = dict(re.findall(r'^(\w+) = "([^"]*)"$', entry, flags=re.MULTILINE))
        sums[pairs["name"], pairs["version"]] = pairs.get("checksum")
    return sums


def rust():
    """What the workspace's crates are built from; what only tests need is left out."""
    asked = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline", "--all-features"]
    told = json.loads(subprocess.run(asked, cwd=ROOT, check=True, capture_output=True).stdout)
    sums = rust_locked()
    edges = {node["id"]: node["deps"] for node in told["resolve"]["nodes"]}
    todo, reached = list(told["workspace_members"]), set()
    while todo:
        own = todo.pop()
        if own in reached:
            continue
        reached.add(own)
        for edge in edges[own]:
            if any(kind["kind"] != "dev" for kind in edge["dep_kinds"]):
                todo.append(edge["pkg"])
    for package in told["packages"]:
        if package["id"] in reached and package["source"]:
            checksum = sums[package["name"], package["version"]]
            yield Dependency(
                "cargo", package["name"], package["version"], package["license"] or "", (checksum,)
            )
