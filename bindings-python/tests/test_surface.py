"""The names are those of docs/embedding-surface.txt, whose list every surface is compared with."""

import inspect
from pathlib import Path

import lambdabox
import pytest

LIST = Path(__file__).parents[2] / "docs" / "embedding-surface.txt"
# Python's alone: the decorator.
OWN = {"function"}


@pytest.mark.parametrize("kind", [lambdabox.Platform, lambdabox.AsyncPlatform])
def test_the_operations_are_those_of_every_surface(kind: type) -> None:
    names = {n for n, _ in inspect.getmembers(kind, callable) if not n.startswith("_")}
    assert names - OWN == set(LIST.read_text().split())


def test_everything_exported_is_there_and_documented() -> None:
    for name in lambdabox.__all__:
        assert getattr(lambdabox, name).__doc__, name
