"""What the attempts share: how they are declared, run in processes of their own, and judged.

An attempt is a function. That it returns means that the sandbox's kernel let it happen; an
OSError says why not. What is expected of it is declared beside it:

- DENIED: refused, by an error that means refusal. Any other error is a fault of the attempt.
- harmless(why): may succeed; it changes nothing outside, which the host verifies afterwards.
- by_design(why): does succeed, and is listed in docs/SECURITY.md with the reason.
"""

import ctypes
import errno
import os
import platform
import select
import signal
import stat
import sys

# Refused by a rule, or there is no such thing in here.
REFUSALS = frozenset(
    "EPERM EACCES EROFS ENOSYS ENOENT ENODEV ENXIO ESRCH EAFNOSUPPORT EPROTONOSUPPORT "
    "ESOCKTNOSUPPORT EOPNOTSUPP ENOTSUP ENETUNREACH EHOSTUNREACH ECONNREFUSED ENOTDIR ENOPROTOOPT".split()
)

# A process that is killed for it was refused too.
REFUSING_SIGNALS = frozenset([signal.SIGSYS])

PATIENCE_SECONDS = 8

ATTEMPTS = {}


class Expectation:
    def __init__(self, kind, why="", errors=()):
        self.kind, self.why, self.errors = kind, why, tuple(errors)


def denied(*errors):
    """Refused; these errors mean it too, because the arguments were right."""
    return Expectation("denied", "", errors)


DENIED = denied()


def harmless(why):
    return Expectation("harmless", why)


def by_design(why):
    return Expectation("by design", why)


def attempt(expected, gvisor=None, name=None):
    """Declares an attempt, with what is expected in Docker and in gVisor."""

    def declare(action):
        group = action.__module__
        own = "%s.%s" % (group, name or action.__name__)
        assert own not in ATTEMPTS, own
        ATTEMPTS[own] = (action, {"docker": expected, "gvisor": gvisor or expected})
        return action

    return declare


# gVisor answers as Linux does to root in a namespace; what answers is in the sandbox.
EMULATED = harmless("happens in gVisor's own kernel, which is this sandbox's alone")


def each(values, expected, gvisor=None, emulated=()):
    """Declares one attempt for each (name, arguments). Those named in `emulated` succeed in
    gVisor, in its own kernel."""

    def declare(action):
        for name, arguments in values:
            run = lambda world, arguments=arguments: action(world, *arguments)
            run.__module__ = action.__module__
            own = EMULATED if name in emulated else gvisor
            attempt(expected, own, "%s_%s" % (action.__name__, name))(run)
        return action

    return declare


class Refused(Exception):
    """Nothing was refused by an error, but nothing was obtained either."""


def run(name, world):
    """Runs an attempt in a process of its own, and says what came of it."""
    action, _ = ATTEMPTS[name]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, outcome(action, world).encode(errors="replace")[:4000])
        os._exit(0)
    os.close(writing)
    try:
        return collect(reading, child)
    finally:
        os.close(reading)


def outcome(action, world):
    try:
        found = action(world)
        return "done" if found is None else "done: %s" % (found,)
    except OSError as error:
        return errno.errorcode.get(error.errno, "errno %s" % error.errno)
    except Refused as error:
        return "refused: %s" % error
    except BaseException as error:
        return "fault: %s: %s" % (type(error).__name__, error)


def collect(reading, child):
    # What the child leaves running may hold the pipe open: its own end is what counts.
    if not select.select([reading], [], [], PATIENCE_SECONDS)[0]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timeout"
    said = os.read(reading, 4096)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and not said:
        return "killed by " + signal.Signals(os.WTERMSIG(status)).name
    return said.decode(errors="replace") or "fault: no answer"


def is_right(expected, result):
    if result.startswith("fault") or result == "timeout":
        return False
    if expected.kind == "denied":
        refused = result in REFUSALS or result in expected.errors or result.startswith("refused")
        return refused or result in ["killed by " + s.name for s in REFUSING_SIGNALS]
    if expected.kind == "by design":
        return result.startswith("done")
    return True


def report(names, world):
    """What was tried: name, expectation, result, and whether that is right."""
    rows = []
    for name in names:
        expected = ATTEMPTS[name][1][world["runtime"]]
        result = run(name, world)
        rows.append([name, expected.kind, expected.why, result, is_right(expected, result)])
    return rows


# System calls by number, for what Python has no function for: (x86-64, others).
NUMBERS = {
    "io_setup": (206, 0), "setxattr": (188, 5), "umount2": (166, 39), "mount": (165, 40),
    "pivot_root": (155, 41), "mknodat": (259, 33), "fallocate": (285, 47), "chroot": (161, 51),
    "vhangup": (153, 58), "quotactl": (179, 60), "splice": (275, 76), "vmsplice": (278, 75),
    "tee": (276, 77), "acct": (163, 89), "capset": (126, 91), "personality": (135, 92),
    "unshare": (272, 97), "kexec_load": (246, 104), "init_module": (175, 105),
    "delete_module": (176, 106), "clock_settime": (227, 112), "syslog": (103, 116),
    "ptrace": (101, 117), "sched_setscheduler": (144, 119), "tgkill": (234, 131),
    "reboot": (169, 142), "setfsuid": (122, 151), "sethostname": (170, 161),
    "setdomainname": (171, 162), "settimeofday": (164, 170), "adjtimex": (159, 171),
    "mq_open": (240, 180), "msgget": (68, 186), "semget": (64, 190), "shmget": (29, 194),
    "shmat": (30, 196), "shmctl": (31, 195), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "clone": (56, 220), "swapon": (167, 224), "swapoff": (168, 225),
    "mbind": (237, 235), "set_mempolicy": (238, 237), "migrate_pages": (256, 238),
    "move_pages": (279, 239), "perf_event_open": (298, 241), "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "setns": (308, 268), "renameat2": (316, 276),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "finit_module": (313, 273), "seccomp": (317, 277), "bpf": (321, 280),
    "userfaultfd": (323, 282), "kexec_file_load": (320, 294), "ioprio_set": (251, 30),
    "pidfd_send_signal": (424, 424), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "pidfd_open": (434, 434), "clone3": (435, 435), "openat2": (437, 437),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "mount_setattr": (442, 442),
    "quotactl_fd": (443, 443), "memfd_secret": (447, 447), "process_mrelease": (448, 448),
    "set_mempolicy_home_node": (450, 450), "statmount": (457, 457), "listmount": (458, 458),
    "lsm_set_self_attr": (460, 460), "open_tree_attr": (467, 467), "file_setattr": (469, 469),
    # Only there on x86-64.
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None),
    "_sysctl": (156, None), "lookup_dcookie": (212, None), "ustat": (136, None),
    "sysfs": (139, None), "nfsservctl": (180, None), "create_module": (174, None),
}  # fmt: skip

IS_X86 = platform.machine() == "x86_64"
LIBC = ctypes.CDLL(None, use_errno=True)


def syscall(name, *arguments):
    """A system call, by name or by number. Addresses are buffers, bytes or integers."""
    number = name if isinstance(name, int) else NUMBERS[name][0 if IS_X86 else 1]
    if number is None:
        raise Refused("not a system call of this processor")
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = LIBC.syscall(ctypes.c_long(number), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), str(name))
    return result


def read(path, most=4096):
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(file, most)
    finally:
        os.close(file)


def write(path, data=b"1"):
    file = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def refuse_if_masked(path):
    """Docker puts /dev/null over files that it hides."""
    try:
        found = os.stat(path)
    except OSError:
        return
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3):
        raise Refused("masked by /dev/null")


def runtime_name():
    """What it looks like from in here."""
    try:
        return "gvisor" if b"gVisor" in read("/proc/version") else "docker"
    except OSError:
        return sys.platform
