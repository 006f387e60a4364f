"""Sleeps for event.ms milliseconds."""

import time


def handler(event, context):
    time.sleep(event["ms"] / 1000)
    return {"ms": event["ms"]}
