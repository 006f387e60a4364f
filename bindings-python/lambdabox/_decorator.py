"""A live Python function, packaged: its module's source, to run in a sandbox."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ._code import zip_files
from ._errors import InvalidParameter

STUB = Path(__file__).with_name("_sandbox.py")


def check(function: Callable[..., Any]) -> None:
    """Refuses what has no source of its own at the top level of a module."""
    name = getattr(function, "__name__", repr(function))
    if not inspect.isfunction(function):
        raise _refused(name, "it is no plain function", "Decorate a function made by `def`.")
    if name == "<lambda>":
        raise _refused(name, "it is a lambda, which has no name to call it by", "Use `def`.")
    if function.__closure__ or "<locals>" in function.__qualname__:
        raise _refused(
            name,
            "it is defined inside of another function, whose variables the sandbox does not have",
            "Move it to the top level of its module, and hand values over in the event.",
        )
    if function.__qualname__ != name:
        raise _refused(name, "it is a method", "Move it to the top level of its module.")


def package(function: Callable[..., Any], include: Sequence[PathLike[str]]) -> tuple[bytes, str]:
    """A zip archive with the function's module, and its handler."""
    name = function.__name__
    source, stem = _module(function)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level > 0:
            raise _refused(
                name,
                f"its module imports relatively (line {node.lineno}), and is packaged alone",
                "Import absolutely, and add what it needs by `include`.",
            )
    files = {f"{stem}.py": source.encode(), "lambdabox/__init__.py": STUB.read_bytes()}
    for item in include:
        path = Path(item)
        if path.is_dir():
            found = [p for p in sorted(path.rglob("*.py")) if p.is_file() and not p.is_symlink()]
            files.update({p.relative_to(path.parent).as_posix(): p.read_bytes() for p in found})
        else:
            files[path.name] = path.read_bytes()
    return zip_files(files), f"{stem}.{name}"


def _module(function: Callable[..., Any]) -> tuple[str, str]:
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        raise _refused(
            function.__name__,
            "its module has no source file, as in a REPL or a notebook",
            "Put it into a .py file, or deploy source code by `deploy`.",
        )
    stem = Path(file).stem
    return inspect.getsource(module), stem if re.fullmatch(r"[A-Za-z_]\w*", stem) else "app"


def _refused(name: str, why: str, hint: str) -> InvalidParameter:
    return InvalidParameter(f"{name} cannot run in a sandbox: {why}.", hint)
