"""Writes event.mib MiB of lines of 64 bytes to stdout."""


def handler(event, context):
    lines = event["mib"] << 14
    for _ in range(lines):
        print("x" * 63)
    return {"bytes": lines * 64}
