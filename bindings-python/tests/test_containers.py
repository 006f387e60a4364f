"""Against real Docker and gVisor."""

import asyncio
import importlib
import os
import subprocess
import time

import lambdabox
import pytest
from lambdabox import AsyncPlatform, Platform

import decorated


def test_the_original_log(data_dir: str, container_runtime: str) -> None:
    with Platform(data_dir, runtimes=[container_runtime]) as platform:
        code = "import sys\nprint(f'Hello, {sys.argv[1]}!')"
        platform.deploy("hello", code, runtime=container_runtime)
        outcome = platform.execute("hello", ["Alice"])
        assert (outcome.output, outcome.runtime) == ("Hello, Alice!", container_runtime)
        platform.deploy("infinite", "while True: pass", runtime=container_runtime, timeout_ms=1000)
        outcome = platform.execute("infinite")
        assert (outcome.status, outcome.termination) == ("timeout", "confirmed")
        js = "export const handler = async (e) => e.n * 2"
        config = {"language": "javascript", "handler": "js.handler", "runtime": container_runtime}
        platform.deploy("js", js, **config)  # type: ignore[arg-type]
        assert platform.invoke("js", {"n": 21}) == 42


def test_decorated_functions_run_in_sandboxes(
    data_dir: str, container_runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECORATED_RUNTIME", container_runtime)
    importlib.reload(decorated)
    decorated.platform.__init__(data_dir, runtimes=[container_runtime])  # type: ignore[misc]
    with decorated.platform:
        assert decorated.hello.invoke({"name": "Alice"}) == "Hello, Alice!"
        assert decorated.hello({"name": "Bob"}) == "Hello, Bob!"
        assert decorated.hello.deploy().memory_mib == 256
        assert decorated.slowly.invoke("x") == ["x", "128"]
        with pytest.raises(lambdabox.FunctionError) as caught:
            decorated.fails.invoke("luck")
        assert (caught.value.type, caught.value.message) == ("ValueError", "no luck")
        assert any("decorated.py" in line for line in caught.value.trace)


async def test_output_is_live(data_dir: str, container_runtime: str) -> None:
    code = "import time\nprint('first', flush=True)\ntime.sleep(60)"
    async with AsyncPlatform(data_dir, runtimes=[container_runtime]) as platform:
        await platform.deploy("slow", code, runtime=container_runtime, timeout_ms=100_000)
        run = await platform.start("slow")
        async for line in run.logs():
            assert (line.stream, line.text) == ("stdout", "first")
            run.cancel()
        outcome = await run.outcome()
        assert (outcome.status, outcome.termination) == ("cancelled", "confirmed")


async def test_whoever_calls_in_a_loop_lets_others_run(data_dir: str, container_runtime: str) -> None:
    """A warm sandbox often answers before the call returns to the event loop."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with AsyncPlatform(data_dir, runtimes=[container_runtime]) as platform:
        code = "def handler(event, context): return event"
        await platform.deploy("echo", code, handler="echo.handler", runtime=container_runtime)
        await platform.invoke("echo", 0)
        counting = asyncio.create_task(count())
        for number in range(100):
            before = turns
            assert await platform.invoke("echo", number) == number
            assert turns > before
        counting.cancel()


async def test_a_cancelled_task_leaves_no_container(data_dir: str, container_runtime: str) -> None:
    async with AsyncPlatform(data_dir, runtimes=[container_runtime], pool={"prewarmed": 0}) as platform:
        config = {"runtime": container_runtime, "timeout_ms": 100_000}
        await platform.deploy("spin", "while True: pass", **config)  # type: ignore[arg-type]
        task = asyncio.create_task(platform.execute("spin"))
        while platform.pool_stats().busy != 1:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        deadline = time.monotonic() + 10
        while platform.pool_stats().sandboxes:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
