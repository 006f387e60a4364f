"""A module whose functions run in sandboxes; tests/test_containers.py invokes them."""

import asyncio

from lambdabox import Platform

platform = Platform("/tmp/unused", runtimes=["docker"])


@platform.function(memory_mib=256)
def hello(event):
    return f"Hello, {name_of(event)}!"


@platform.function()
async def slowly(event, context):
    await asyncio.sleep(0)
    return [event, context.memory_limit_in_mb]


@platform.function()
def fails(event):
    raise ValueError("no " + event)


def name_of(event):
    return event["name"]
