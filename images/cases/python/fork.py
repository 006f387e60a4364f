"""Starts a process that outlives the call: it sleeps, or, with event.spin, burns CPU."""

import subprocess


def handler(event, context):
    command = "while :; do :; done" if event.get("spin") else "sleep 3600"
    child = subprocess.Popen(["sh", "-c", command], start_new_session=True)
    return {"pid": child.pid}
