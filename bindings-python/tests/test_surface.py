"""The names are those of docs/embedding-surface.txt, whose list every surface is compared with."""

import inspect
import re
from pathlib import Path
from typing import Any

import lambdabox
import pytest

LIST = Path(__file__).parents[2] / "docs" / "embedding-surface.txt"


def listed(language: str, indent: str = "") -> set[str]:
    """The names of the list that `language` is to have: operations, or what `execute` is told."""
    lines = LIST.read_text().splitlines()
    found = (line.split() for line in lines if re.match(indent + r"\w", line))
    return {name for name, *languages in found if not languages or language in languages}


@pytest.mark.parametrize("kind", [lambdabox.Platform, lambdabox.AsyncPlatform])
def test_the_operations_are_those_of_every_surface(kind: type) -> None:
    names = {n for n, _ in inspect.getmembers(kind, callable) if not n.startswith("_")}
    assert names == listed("python")


@pytest.mark.parametrize("kind", [lambdabox.Platform, lambdabox.AsyncPlatform])
def test_a_run_is_told_what_it_is_on_every_surface(kind: Any) -> None:
    told = listed("python", "  ")
    for run, others in [(kind.execute, set()), (kind.start, set()), (kind.invoke, {"args"})]:
        assert set(inspect.signature(run).parameters) - {"self", "function"} == told - others
    how = {"qualifier", "runtime", "timeout_ms", "trace_id", "traceparent"}
    assert how <= set(inspect.signature(kind.map).parameters)
    assert told - how | {"trace_id", "traceparent"} <= set(inspect.signature(kind.test).parameters)


@pytest.mark.parametrize("kind", [lambdabox.Platform, lambdabox.AsyncPlatform])
def test_every_operation_says_what_it_does(kind: type) -> None:
    for name in listed("python"):
        assert getattr(kind, name).__doc__, name


def test_everything_exported_is_there_and_documented() -> None:
    for name in lambdabox.__all__:
        assert getattr(lambdabox, name).__doc__, name
