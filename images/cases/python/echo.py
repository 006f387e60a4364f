"""Returns the event and writes one line to each stream."""

import sys


def handler(event, context):
    print("echo to stdout")
    print("echo to stderr", file=sys.stderr)
    return event
