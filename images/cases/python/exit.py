"""Ends the process with event.code."""

import sys


def handler(event, context):
    print("exiting")
    sys.exit(event["code"])
