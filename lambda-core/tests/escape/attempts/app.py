"""The hostile function: runs a group of attempts, or says what it sees."""

import os
import sys

import devices, ends, exhaustion, files, ipc, mounts, namespaces, privileges, proc_sys, processes
import rundir, sockets, syscalls  # noqa: each registers its attempts
import kit
import forged

def handler(event, context):
    if "forge" in event:
        return forged.forge(event["forge"], context)
    if "alone" in event:
        return kit.report([event["alone"]], event["world"])
    if "names" in event:
        return [name for name in kit.ATTEMPTS if name.split(".")[0] == event["names"]]
    if "group" in event:
        names = [name for name in kit.ATTEMPTS if name.split(".")[0] == event["group"]]
        return kit.report(names, event["world"])
    if "list" in event:
        return sorted({name.split(".")[0] for name in kit.ATTEMPTS})
    return see()


def see():
    """What the next invocation finds: everything that an earlier one could have changed."""
    status = dict(
        line.split(":\t", 1)
        for line in kit.read("/proc/self/status").decode().splitlines()
        if ":\t" in line
    )
    return {
        "pids": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],
        "cwd": os.getcwd(),
        "uid": os.getuid(),
        "caps": status.get("CapEff", "").strip(),
        "no_new_privs": status.get("NoNewPrivs", "1").strip(),
        "mounts": mounts_seen(),
        "hostname": os.uname().nodename,
        "run": sorted(os.listdir("/run/lambda")),
        "runtime": sorted(os.listdir("/var/runtime")),
        "limits": [kit.runtime_name(), os.sysconf("SC_OPEN_MAX")],
        "modules": sorted(name for name in sys.modules if name.startswith("escape")),
    }


def mounts_seen():
    lines = kit.read("/proc/self/mountinfo", 1 << 16).decode().splitlines()
    return sorted(" ".join(line.split()[3:6]) for line in lines)
