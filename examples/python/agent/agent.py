"""Runs code that a language model wrote, behind a fence of time, memory and network.

    python agent.py snippets/sum.py ...

Each snippet is a program of its own in gVisor (or what `runtime` says): it has no network, no disk
but a bounded /tmp, 64 MiB, one core and two seconds. What it printed, or how it failed, goes
back to the model as text.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from lambdabox import AsyncPlatform, Outcome

# What the model reads is bounded too: a flood of output would fill its context.
ANSWER_CHARS_MAX = 2_000

FENCE = {"timeout_ms": 2_000, "memory_mib": 64, "cpus": 1.0, "network": "none"}


class CodeTool:
    """The tool that an agent calls with code."""

    def __init__(self, platform: AsyncPlatform, runtime: str) -> None:
        self.platform = platform
        self.runtime = runtime
        self.calls = 0

    async def run(self, code: str) -> str:
        self.calls += 1
        # A name of its own for each: no snippet sees what another one left in its sandbox.
        name = f"snippet-{self.calls}"
        await self.platform.deploy(name, code, runtime=self.runtime, **FENCE)  # type: ignore[arg-type]
        try:
            return answer(await self.platform.execute(name))
        finally:
            await self.platform.function_delete(name)


def answer(outcome: Outcome) -> str:
    """What the model is told."""
    if outcome.is_success:
        text = outcome.stdout or "(it printed nothing)"
    elif outcome.status == "function_error":
        text = f"It failed:\n{outcome.stderr}"
    else:
        text = f"It was stopped: {outcome.status}."
    if len(text) > ANSWER_CHARS_MAX:
        # Of a traceback the end says what went wrong, of other output the beginning does.
        half = ANSWER_CHARS_MAX // 2
        text = f"{text[:half]}\n... (cut) ...\n{text[-half:]}"
    return text


async def main(paths: list[str], runtime: str = "gvisor") -> dict[str, str]:
    answers = {}
    with tempfile.TemporaryDirectory() as data_dir:
        async with AsyncPlatform(data_dir, store="sqlite::memory:", runtimes=[runtime]) as platform:
            tool = CodeTool(platform, runtime)
            for path in map(Path, paths):
                answers[path.stem] = await tool.run(path.read_text(encoding="utf-8"))
                print(f"--- {path.stem}\n{answers[path.stem]}")
    return answers


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
