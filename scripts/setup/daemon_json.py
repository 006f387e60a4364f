"""Merges the gVisor runtime into Docker's daemon.json, keeping everything else that is there.

Usage: daemon_json.py FILE RUNSC-PATH RUNTIME-ARGUMENT...
"""

import json
import os
import shutil
import sys
import time


def read(path):
    """The configuration in `path`; an absent or empty file is an empty one."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return {}
    config = json.loads(text) if text.strip() else {}
    if not isinstance(config, dict) or not isinstance(config.get("runtimes", {}), dict):
        raise ValueError("it is not an object with an object of runtimes")
    return config


def write(path, config):
    """Replaces `path` in one step, after keeping what it held in a backup beside it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    new = path + ".lambda-new"
    with open(new, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=4)
        file.write("\n")
    if os.path.exists(path):
        backup = time.strftime(path + ".backup-%Y%m%d-%H%M%S")
        shutil.copy2(path, backup)
        shutil.copymode(path, new)
        print(f"[setup] gvisor: the old {path} is kept as {backup}")
    os.replace(new, path)


def main():
    path, runsc, *arguments = sys.argv[1:]
    try:
        config = read(path)
    except ValueError as error:
        sys.exit(f"[setup] gvisor: {path} is not valid: {error}")
    wanted = {"path": runsc, "runtimeArgs": arguments}
    if config.get("runtimes", {}).get("runsc") != wanted:
        config.setdefault("runtimes", {})["runsc"] = wanted
        write(path, config)


if __name__ == "__main__":
    main()
