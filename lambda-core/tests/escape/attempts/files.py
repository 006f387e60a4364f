"""Links that lead elsewhere."""

import os
import threading

from kit import DENIED, attempt, denied, each, harmless, read, syscall

SWAPS = 10_000


@each([("tmp", ("/tmp",)), ("task", ("/var/task",)), ("shm", ("/dev/shm",))], DENIED)
def link_to_a_file_of_the_host_in(world, directory):
    link = directory + "/lambda-escape-link"
    os.symlink(world["canary_readable"], link)
    try:
        return read(link)
    finally:
        os.unlink(link)


@attempt(harmless("the host opens nothing that a sandbox can write"))
def swap_links_10000_times(world):
    """While the host goes on: a directory becomes a link to the host's canary, and back."""
    os.makedirs("/tmp/swap/real", exist_ok=True)
    directory = os.path.dirname(world["canary_readable"])
    os.symlink(directory, "/tmp/swap/link")
    name = os.path.basename(world["canary_readable"])
    seen = []

    def look():
        while not seen:
            try:
                seen.append(read("/tmp/swap/real/" + name))
            except OSError:
                pass

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    for _ in range(SWAPS // 2):
        os.rename("/tmp/swap/real", "/tmp/swap/spare")
        os.rename("/tmp/swap/link", "/tmp/swap/real")
        os.rename("/tmp/swap/real", "/tmp/swap/link")
        os.rename("/tmp/swap/spare", "/tmp/swap/real")
    if seen:
        raise AssertionError("the host's file was seen")


@attempt(denied("EXDEV", "ELOOP"))
def magic_links_below_a_directory(world):
    """openat2 with RESOLVE_IN_ROOT takes /proc's links where they are."""
    how = (__import__("ctypes").c_uint64 * 3)(os.O_RDONLY, 0, 0x10)
    root = os.open("/proc/1", os.O_RDONLY | os.O_DIRECTORY)
    fd = syscall("openat2", root, b"root" + world["canary_readable"].encode(), how, 24)
    return os.read(fd, 100)


@attempt(harmless("a file name is bytes: the host reads none of them"))
def names_with_control_characters(world):
    for name in (b"\n", b"\x1b[2J", b"a" * 255, "\u202e".encode(), b"..."):
        os.close(os.open(b"/tmp/" + name, os.O_CREAT | os.O_WRONLY))
        os.unlink(b"/tmp/" + name)


@attempt(harmless("a path that is too deep to be named is still only the sandbox's"))
def a_deep_directory(world):
    os.chdir("/tmp")
    for _ in range(3_000):
        os.mkdir("d")
        os.chdir("d")
