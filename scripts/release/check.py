"""A stranger's first program, with what the wheel brings: check.py fake|docker DATA_DIR

Run by scripts/test-release.sh in an environment that holds nothing but the wheel and what it asks for.
"""

import asyncio
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import lambdabox

RUNTIME, DATA_DIR = sys.argv[1:]
ECHO, FAILS = {
    "fake": ("fake:echo", "fake:raise"),
    "docker": (
        "def handler(event, context): return event",
        "def handler(event, context): raise ValueError(event['message'])",
    ),
}[RUNTIME]
EVENT = {"name": "Älice", "numbers": [1, 2.5, None, True]}


def use() -> None:
    with lambdabox.Platform(DATA_DIR, runtimes=[RUNTIME]) as platform:
        platform.deploy("echo", ECHO, handler="case.handler")
        platform.deploy("fails", FAILS, handler="case.handler")
        assert platform.invoke("echo", EVENT) == EVENT
        assert list(platform.map("echo", range(5), concurrency=2)) == list(range(5))
        try:
            platform.invoke("fails", {"message": "no such order"})
        except lambdabox.FunctionError as error:
            assert error.message == "no such order", error
        else:
            raise AssertionError("a failure was no exception")


async def use_from_asyncio() -> None:
    async with lambdabox.AsyncPlatform(DATA_DIR, runtimes=[RUNTIME]) as platform:
        # Deployed by the platform before, which is closed.
        assert await platform.invoke("echo", EVENT) == EVENT
        run = await platform.start("echo", event=1)
        assert await run.result() == 1


def command_line() -> str:
    command = [sys.executable, "-m", "lambdabox", "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


# From the environment, and not from the sources.
assert Path(lambdabox.__file__).is_relative_to(sys.prefix), lambdabox.__file__
assert version("lambdabox") in command_line()
use()
asyncio.run(use_from_asyncio())
print(f"CPython {platform.python_version()}, {RUNTIME}: works")
