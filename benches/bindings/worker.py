"""The Python side of run.py: measures warm calls when it is told to.

    worker.py sync|async DATA_DIR RUNTIME SOURCE
"""

import asyncio
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import lambdabox

EVENT = {"name": "Alice", "numbers": [1, 2, 3]}
KIND, DATA_DIR, RUNTIME, SOURCE = sys.argv[1:]
CONFIG = {"language": "python", "handler": "case.handler"}


def say(**figures: float) -> None:
    print(json.dumps(figures), flush=True)


def measure_synchronously() -> None:
    with lambdabox.Platform(DATA_DIR, runtimes=[RUNTIME]) as platform:
        platform.deploy("echo", SOURCE, **CONFIG)
        with ThreadPoolExecutor(64) as threads:
            for line in sys.stdin:
                what, count = line.split()
                if what == "burst":
                    began = time.perf_counter()
                    list(threads.map(lambda _: platform.invoke("echo", EVENT), range(int(count))))
                    say(call=(time.perf_counter() - began) * 1e6)
                    continue
                times = []
                for _ in range(int(count)):
                    began = time.perf_counter()
                    platform.invoke("echo", EVENT)
                    times.append(time.perf_counter() - began)
                say(call=statistics.median(times) * 1e6)


async def measure_asynchronously() -> None:
    async with lambdabox.AsyncPlatform(DATA_DIR, runtimes=[RUNTIME]) as platform:
        await platform.deploy("echo", SOURCE, **CONFIG)
        # Back from another thread, with nothing besides.
        crossing = platform._native.crossing
        while line := sys.stdin.readline():
            what, count = line.split()
            if what == "burst":
                began = time.perf_counter()
                await asyncio.gather(*(platform.invoke("echo", EVENT) for _ in range(int(count))))
                say(call=(time.perf_counter() - began) * 1e6)
                continue
            calls, wakes = [], []
            for _ in range(int(count)):
                began = time.perf_counter()
                await platform.invoke("echo", EVENT)
                calls.append(time.perf_counter() - began)
            for _ in range(int(count)):
                began = time.perf_counter()
                await platform._call(crossing)
                wakes.append(time.perf_counter() - began)
            say(call=statistics.median(calls) * 1e6, wake=statistics.median(wakes) * 1e6)


if KIND == "sync":
    measure_synchronously()
else:
    asyncio.run(measure_asynchronously())
