"""Attempts that may end their own sandbox, which a function may do: each has one of its own."""

import os
import signal
import time

from kit import attempt, harmless, read

OWN_END = "a function may end its own sandbox, and no other"


def lines(pid):
    """The first mapping that can be written, of a process of the sandbox's."""
    for line in read("/proc/%d/maps" % pid, 1 << 16).decode().splitlines():
        if " rw-p " in line:
            return int(line.split("-")[0], 16)
    raise LookupError("nothing can be written")


def overwrite(pid):
    with open("/proc/%d/mem" % pid, "r+b", buffering=0) as memory:
        memory.seek(lines(pid))
        memory.write(b"escape" * 100)


@attempt(harmless(OWN_END))
def kill_init(world):
    os.kill(1, signal.SIGKILL)


@attempt(harmless(OWN_END))
def stop_init(world):
    os.kill(1, signal.SIGSTOP)


@attempt(harmless(OWN_END))
def terminate_init(world):
    """Docker's init hands it on to the bootstrap."""
    os.kill(1, signal.SIGTERM)


@attempt(harmless(OWN_END))
def overwrite_init(world):
    """It has the sandbox's user and is confined as the function is."""
    overwrite(1)


@attempt(harmless(OWN_END))
def overwrite_the_bootstrap(world):
    overwrite(os.getppid())


@attempt(harmless(OWN_END))
def kill_the_bootstrap(world):
    os.kill(os.getppid(), signal.SIGKILL)


@attempt(harmless(OWN_END))
def stop_the_bootstrap(world):
    """Then only the deadline, which is the host's, ends it."""
    os.kill(os.getppid(), signal.SIGSTOP)


@attempt(harmless(OWN_END))
def kill_everybody(world):
    os.kill(-1, signal.SIGKILL)


@attempt(harmless(OWN_END))
def take_all_memory(world):
    held = []
    while True:
        held.append(bytearray(b"x") * (16 << 20))


@attempt(harmless(OWN_END))
def start_processes_until_it_is_refused(world):
    children = 0
    while children < 600:
        try:
            if os.fork() == 0:
                time.sleep(5)
                os._exit(0)
        except OSError as error:
            return "%d, then %s" % (children, error.strerror)
        children += 1
    raise AssertionError("600 processes were started")


@attempt(harmless(OWN_END))
def fork_without_end(world):
    first, end = os.getpid(), time.monotonic() + 3
    while time.monotonic() < end:
        try:
            os.fork()
        except OSError:
            pass
    if os.getpid() != first:
        os._exit(0)


@attempt(harmless(OWN_END))
def close_the_connection(world):
    """By replacing the bootstrap's descriptor: it belongs to another process."""
    for fd in os.listdir("/proc/%d/fd" % os.getppid()):
        path = "/proc/%d/fd/%s" % (os.getppid(), fd)
        if os.readlink(path).startswith("socket:"):
            os.open(path, os.O_RDWR)
