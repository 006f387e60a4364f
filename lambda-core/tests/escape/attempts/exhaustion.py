"""Taking all there is of something. Each ends at a limit of the sandbox's own."""

import ctypes
import errno
import fcntl
import os
import select
import socket
import threading

from kit import attempt, harmless, syscall

OWN = "a limit of the sandbox's own ends it"


def until_refused(take, most):
    """How many there were, and why no more. The process that took them ends after it."""
    held = []
    for _ in range(most):
        try:
            held.append(take())
        except OSError as error:
            return "%d, then %s" % (len(held), errno.errorcode.get(error.errno, error.errno))
        except (MemoryError, RuntimeError) as error:
            return "%d, then %s" % (len(held), type(error).__name__)
    return "%d, and no more were tried" % len(held)


@attempt(harmless(OWN))
def descriptors(world):
    result = until_refused(lambda: os.open("/dev/null", os.O_RDONLY), 2_000)
    assert "EMFILE" in result, result
    return result


@attempt(harmless(OWN))
def threads(world):
    done = threading.Event()
    threading.stack_size(64 * 1024)

    def start():
        thread = threading.Thread(target=done.wait, daemon=True)
        thread.start()
        return thread

    result = until_refused(start, 600)
    assert "no more" not in result, result
    return result


@attempt(harmless(OWN))
def bytes_in_tmp(world):
    block = bytes(1 << 20)
    try:
        with open("/tmp/fill", "wb", buffering=0) as file:
            result = until_refused(lambda: file.write(block), 1_000)
    finally:
        os.unlink("/tmp/fill")
    assert "ENOSPC" in result, result
    return result


@attempt(harmless(OWN))
def bytes_in_shared_memory(world):
    block = bytes(1 << 20)
    try:
        with open("/dev/shm/fill", "wb", buffering=0) as file:
            result = until_refused(lambda: file.write(block), 1_000)
    finally:
        os.unlink("/dev/shm/fill")
    assert "ENOSPC" in result, result
    return result


@attempt(harmless(OWN))
def bytes_in_the_task_directory(world):
    block = bytes(1 << 20)
    try:
        with open("/var/task/fill", "wb", buffering=0) as file:
            result = until_refused(lambda: file.write(block), 1_000)
    finally:
        os.unlink("/var/task/fill")
    assert "ENOSPC" in result, result
    return result


@attempt(harmless("inodes count as the sandbox's memory"))
def inodes_in_tmp(world):
    os.makedirs("/tmp/inodes", exist_ok=True)
    numbers = iter(range(10**9))
    result = until_refused(
        lambda: os.close(os.open("/tmp/inodes/%d" % next(numbers), os.O_CREAT | os.O_WRONLY)), 5_000
    )
    for entry in os.scandir("/tmp/inodes"):
        os.unlink(entry.path)
    return result


@attempt(harmless(OWN))
def inotify_instances(world):
    libc = ctypes.CDLL(None, use_errno=True)

    def make():
        fd = libc.inotify_init()
        if fd < 0:
            raise OSError(ctypes.get_errno(), "")

    result = until_refused(make, 2_000)
    assert "EMFILE" in result, result
    return result


@attempt(harmless(OWN))
def pipes_of_a_megabyte(world):
    def make():
        reading, writing = os.pipe()
        fcntl.fcntl(writing, 1031, 1 << 20)

    return until_refused(make, 400)


@attempt(harmless(OWN))
def sockets_on_loopback(world):
    result = until_refused(lambda: socket.create_server(("127.0.0.1", 0)), 2_000)
    assert "EMFILE" in result, result
    return result


@attempt(harmless("counted as the sandbox's memory when it is touched"))
def system_v_memory(world):
    made = []
    result = until_refused(lambda: made.append(syscall("shmget", 0, 1 << 30, 0o1600)), 64)
    for segment in made:
        # It would outlive the process.
        syscall("shmctl", segment, 0, 0)
    return result


@attempt(harmless("its own namespace has limits of its own"))
def system_v_semaphores(world):
    return until_refused(lambda: syscall("semget", 0, 250, 0o1600), 2_000)


@attempt(harmless("its own namespace has limits of its own"))
def system_v_queues(world):
    return until_refused(lambda: syscall("msgget", 0, 0o1600), 2_000)


@attempt(harmless("the kernel keeps a reserve of terminals for the host"))
def pseudo_terminals(world):
    return until_refused(os.openpty, 2_000)


@attempt(harmless(OWN))
def event_polls(world):
    return until_refused(select.epoll, 2_000)


@attempt(harmless("address space is not memory"))
def address_space(world):
    import mmap

    return until_refused(lambda: mmap.mmap(-1, 1 << 36, flags=mmap.MAP_PRIVATE | 0x4000), 64)


@attempt(harmless("pending signals have a limit for each user, and each sandbox has its own"))
def queued_signals(world):
    import signal

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
    libc = ctypes.CDLL(None, use_errno=True)

    def queue():
        if libc.sigqueue(os.getpid(), signal.SIGRTMIN, 0) < 0:
            raise OSError(ctypes.get_errno(), "")

    return until_refused(queue, 200_000)


@attempt(harmless(OWN))
def files_in_flight(world):
    """Descriptors that are sent and not received are held by nobody's table."""
    left, right = socket.socketpair()
    left.setblocking(False)
    null = os.open("/dev/null", os.O_RDONLY)
    return until_refused(lambda: socket.send_fds(left, [b"x"], [null] * 200), 200)


@attempt(harmless(OWN))
def memory_files(world):
    def make():
        fd = os.memfd_create("fill")
        os.posix_fallocate(fd, 0, 4 << 20)
        if len(os.listdir("/proc/self/fd")) > 16:
            raise MemoryError("enough of the sandbox's memory")

    return until_refused(make, 2_000)
