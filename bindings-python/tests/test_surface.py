"""The names are those of docs/embedding-surface.txt, whose list every surface is compared with."""

import inspect
from pathlib import Path

import lambdabox
import pytest

LIST = Path(__file__).parents[2] / "docs" / "embedding-surface.txt"


def listed(language: str) -> set[str]:
    """The names of the list that `language` is to have."""
    lines = (line.split() for line in LIST.read_text().splitlines() if not line.startswith("#"))
    return {name for name, *languages in lines if not languages or language in languages}


@pytest.mark.parametrize("kind", [lambdabox.Platform, lambdabox.AsyncPlatform])
def test_the_operations_are_those_of_every_surface(kind: type) -> None:
    names = {n for n, _ in inspect.getmembers(kind, callable) if not n.startswith("_")}
    assert names == listed("python")


@pytest.mark.parametrize("kind", [lambdabox.Platform, lambdabox.AsyncPlatform])
def test_every_operation_says_what_it_does(kind: type) -> None:
    for name in listed("python"):
        assert getattr(kind, name).__doc__, name


def test_everything_exported_is_there_and_documented() -> None:
    for name in lambdabox.__all__:
        assert getattr(lambdabox, name).__doc__, name
