"""A module whose functions run in sandboxes; tests/test_containers.py invokes them."""

import asyncio
import os

from lambdabox import Platform

platform = Platform("/tmp/unused", runtimes=["docker"])
RUNTIME = os.environ.get("DECORATED_RUNTIME", "docker")


@platform.function(memory_mib=256, runtime=RUNTIME)
def hello(event):
    return f"Hello, {name_of(event)}!"


@platform.function(runtime=RUNTIME)
async def slowly(event, context):
    await asyncio.sleep(0)
    return [event, context.memory_limit_in_mb]


@platform.function(runtime=RUNTIME)
def fails(event):
    raise ValueError("no " + event)


def name_of(event):
    return event["name"]
