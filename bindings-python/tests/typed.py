"""How the package is used, for type checkers; it is not run."""

from pathlib import Path
from typing import Any

from lambdabox import AsyncPlatform, Function, FunctionError, Outcome, Platform

platform = AsyncPlatform("/var/lib/app", runtimes=["gvisor"], pool={"prewarmed": 2})


@platform.function(memory_mib=256)
def hello(event: dict[str, str]) -> str:
    return f"Hello, {event['name']}!"


async def use() -> None:
    async with platform:
        function: Function = await platform.deploy("f", Path("f.py"), timeout_ms=1000)
        outcome: Outcome = await platform.execute(function.name, ["a"])
        print(outcome.output, outcome.timings.run_ms)
        result: Any = await hello.invoke({"name": "Alice"})
        here: str = hello({"name": "Alice"})
        print(result, here)
        run = await platform.start("f")
        async for line in run.logs():
            print(line.stream, line.text)
        async for value in platform.map("f", [1, 2], concurrency=2, progress=print, traceparent="00"):
            print(value)


async def follow() -> None:
    async with platform:
        tested: Outcome = await platform.test("print(1)", language="python")
        await platform.cancel(tested.request_id)
        async for event in await platform.follow_function("f"):
            print(event.kind, event.text, event.seen_at)
        token, secret = await platform.token_create("ci", ["invoke"])
        print(token.scopes, secret.upper())


def use_synchronously() -> None:
    with Platform("/var/lib/app") as platform:
        for function in platform.function_list():
            print(function.name.upper())
        try:
            platform.invoke("f", {"a": 1})
        except FunctionError as error:
            print(error.type, error.message, error.trace, error.outcome.status)
        for line in platform.start("f").logs():
            print(line.text)
