"""The run directory, its FIFOs and its socket; the bootstrap; the code."""

import ctypes
import fcntl
import os
import socket

from kit import DENIED, attempt, by_design, denied, each, harmless, syscall, write

RUN = "/run/lambda"


@each(
    [
        ("file", (lambda: os.close(os.open(RUN + "/escape", os.O_CREAT | os.O_WRONLY)),)),
        ("directory", (lambda: os.mkdir(RUN + "/escape"),)),
        ("fifo", (lambda: os.mkfifo(RUN + "/escape"),)),
        ("link_to_the_host", (lambda: os.symlink("/etc/shadow", RUN + "/escape"),)),
        ("unnamed_file", (lambda: os.open(RUN, os.O_TMPFILE | os.O_RDWR),)),
        ("socket", (lambda: socket.socket(socket.AF_UNIX).bind(RUN + "/api.sock"),)),
        ("hard_link", (lambda: os.link(RUN + "/stdout", RUN + "/escape"),)),
    ],
    denied("EOPNOTSUPP"),
)
def make(world, action):
    action()


@each(
    [(name.replace(".", "_"), (RUN + "/" + name,)) for name in ("stdout", "stderr")] + [("directory", (RUN,))],
    DENIED,
    gvisor=denied("EBUSY"),
)
def remove(world, path):
    os.rmdir(path) if path == RUN else os.unlink(path)


@each([("stdout", (RUN + "/stdout", RUN + "/x")), ("over_stderr", (RUN + "/stdout", RUN + "/stderr")),
       ("directory", (RUN, "/run/x"))], denied("EBUSY", "EXDEV"))
def rename(world, old, new):
    os.rename(old, new)


@attempt(denied("EXDEV"))
def hard_link_into_tmp(world):
    os.link(RUN + "/stdout", "/tmp/stdout-link")


@attempt(denied("EXDEV"))
def hard_link_of_the_bootstrap_into_tmp(world):
    os.link("/var/runtime/bootstrap.py", "/tmp/bootstrap-link")


@attempt(denied("EXDEV", "EINVAL"))
def swap_a_fifo_for_a_link(world):
    """renameat2 with RENAME_EXCHANGE."""
    os.symlink(world["canary_readable"], "/tmp/link")
    try:
        syscall("renameat2", -100, b"/tmp/link", -100, b"/run/lambda/stdout", 2)
    finally:
        os.unlink("/tmp/link")


@each(
    [
        ("mode", (lambda path: os.chmod(path, 0o777),)),
        ("owner", (lambda path: os.chown(path, os.getuid(), os.getgid()),)),
        ("times", (lambda path: os.utime(path, (0, 0)),)),
        ("attribute", (lambda path: os.setxattr(path, "user.escape", b"x"),)),
    ],
    denied("EOPNOTSUPP"),
)
def change_a_fifo(world, action):
    action(RUN + "/stdout")


@each(
    [
        ("mode", (lambda path: os.chmod(path, 0o777),)),
        ("owner", (lambda path: os.chown(path, os.getuid(), os.getgid()),)),
        ("attribute", (lambda path: os.setxattr(path, "user.escape", b"x"),)),
    ],
    denied("EOPNOTSUPP"),
)
def change_the_directory(world, action):
    action(RUN)


@each(
    [(kind, (path, flags)) for kind, path, flags in [
        ("fifo", RUN + "/stdout", os.O_RDONLY | os.O_NONBLOCK),
        ("fifo_both_ways", RUN + "/stderr", os.O_RDWR | os.O_NONBLOCK),
        ("descriptor", "/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK),
        ("descriptor_of_the_bootstrap", "/proc/%d/fd/1", os.O_RDONLY | os.O_NONBLOCK),
    ]],
    DENIED,
)
def read_back_the_output_by(world, path, flags):
    """Output of an earlier invocation that the host has not fetched."""
    path = path % os.getppid() if "%" in path else path
    fd = os.open(path, flags)
    return os.read(fd, 100)


@attempt(harmless("the FIFO is its own; the host reads on whatever its size is"), gvisor=harmless("as above"))
def shrink_the_fifo(world):
    fcntl.fcntl(1, 1031, 4096)


@attempt(harmless("bounded by the host's limit for pipes of one user"))
def grow_the_fifo(world):
    fcntl.fcntl(1, 1031, 1 << 20)


@attempt(harmless("its own end only: the host's end was opened by itself"))
def make_the_fifo_non_blocking(world):
    flags = fcntl.fcntl(1, fcntl.F_GETFL)
    fcntl.fcntl(1, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    fcntl.fcntl(1, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)


@attempt(harmless("the host keeps 1 MiB of a stream and reads on"))
def flood_the_output(world):
    block = bytes(65536)
    for _ in range(64):
        os.write(2, block)


@attempt(harmless("refused or its own; pipes have no seals"))
def splice_memory_into_the_output(world):
    data = ctypes.create_string_buffer(b"spliced\n")
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(data), 8)
    syscall("vmsplice", 2, vector, 1, 0)


@each(
    [
        ("write", (lambda path: write(path, b"escape"),)),
        ("append", (lambda path: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)),)),
        ("truncate", (lambda path: os.truncate(path, 0),)),
        ("mode", (lambda path: os.chmod(path, 0o777),)),
        ("remove", (lambda path: os.unlink(path),)),
        ("rename", (lambda path: os.rename(path, path + ".old"),)),
        ("times", (lambda path: os.utime(path, (0, 0)),)),
        ("attribute", (lambda path: os.setxattr(path, "user.escape", b"x"),)),
    ],
    denied("EOPNOTSUPP"),
)
def bootstrap(world, action):
    action("/var/runtime/bootstrap.py")


@attempt(DENIED)
def file_beside_the_bootstrap(world):
    os.close(os.open("/var/runtime/sitecustomize.py", os.O_CREAT | os.O_WRONLY))


@attempt(DENIED)
def bytecode_beside_the_bootstrap(world):
    os.mkdir("/var/runtime/__pycache__")


@attempt(denied("EAGAIN"), gvisor=harmless("a lease of gVisor's own"))
def lease_on_the_bootstrap(world):
    """A lease holds up whoever opens the file next: another sandbox's start."""
    fcntl.fcntl(os.open("/var/runtime/bootstrap.py", os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK)


@attempt(
    by_design("an advisory lock on a bootstrap's file, which nobody asks for: two sandboxes under runc could signal each other with it"),
    gvisor=harmless("locks of gVisor's own"),
)
def lock_on_the_bootstrap(world):
    fcntl.flock(os.open("/var/runtime/bootstrap.py", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)


@attempt(
    by_design("under runc a sandbox can watch the bootstrap's files, and so see when others start"),
    gvisor=harmless("gVisor tells of what happens inside"),
)
def watch_the_bootstrap(world):
    fd = ctypes.CDLL(None, use_errno=True).inotify_init()
    if fd < 0 or ctypes.CDLL(None, use_errno=True).inotify_add_watch(fd, b"/var/runtime", 0xFFF) < 0:
        raise OSError(ctypes.get_errno(), "")


@each(
    [(path.strip("/").replace("/", "_") or "the_top", (path,)) for path in
     ["/", "/etc", "/usr/bin", "/usr/lib", "/var", "/run", "/home", "/root", "/opt", "/proc", "/sys", "/boot"]],
    DENIED,
)
def make_a_file_in(world, path):
    os.close(os.open(path + "/lambda-escape", os.O_CREAT | os.O_WRONLY))


@each([("hosts", ("/etc/hosts",)), ("resolv", ("/etc/resolv.conf",)), ("hostname", ("/etc/hostname",)), ("passwd", ("/etc/passwd",))],
      DENIED)
def write_to_etc(world, path):
    """Docker makes these files on the host and mounts them."""
    write(path, b"escape")


@attempt(by_design("a function may change its own code in a warm sandbox: only later invocations of the same version see it"))
def change_its_own_code(world):
    with open("/var/task/forged.py", "a") as code:
        code.write("\n")
