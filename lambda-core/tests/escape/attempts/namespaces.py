"""New namespaces, and other processes' ones."""

import os

from kit import DENIED, Refused, attempt, denied, each, harmless, read, syscall, write

FLAGS = {
    "user": 0x10000000, "mount": 0x00020000, "pid": 0x20000000, "network": 0x40000000,
    "ipc": 0x08000000, "uts": 0x04000000, "cgroup": 0x02000000, "time": 0x00000080,
}  # fmt: skip
INSIDE = "namespaces of gVisor's own kernel: root in one of them is nobody outside"


@each(
    [(name, (flag,)) for name, flag in FLAGS.items() if name != "user"],
    DENIED,
    gvisor=denied("EINVAL"),
    emulated=("cgroup", "time"),
)
def unshare(world, flag):
    syscall("unshare", flag)


@attempt(DENIED, gvisor=harmless(INSIDE))
def unshare_user(world):
    syscall("unshare", FLAGS["user"])


@each(
    [(name, (flag,)) for name, flag in FLAGS.items() if name not in ("user", "time")],
    DENIED,
    gvisor=denied("EINVAL"),
    emulated=("mount", "cgroup"),
)
def clone(world, flag):
    if syscall("clone", flag | 17, 0, 0, 0, 0) == 0:
        os._exit(0)


@attempt(DENIED, gvisor=harmless(INSIDE))
def become_root_in_a_user_namespace_and_mount(world):
    uid = os.getuid()
    syscall("unshare", FLAGS["user"] | FLAGS["mount"])
    write("/proc/self/setgroups", b"deny")
    write("/proc/self/uid_map", b"0 %d 1" % uid)
    syscall("mount", b"none", b"/tmp", b"tmpfs", 0, 0)
    # Root in here is the same nobody to the host's files.
    try:
        with open("/var/runtime/bootstrap.py", "r+b"):
            raise AssertionError("the bootstrap can be written")
    except OSError:
        pass


@each(
    [(kind, (kind,)) for kind in ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup")],
    DENIED,
    gvisor=denied("EINVAL"),
)
def join_of_init(world, kind):
    syscall("setns", os.open("/proc/1/ns/" + kind, os.O_RDONLY), 0)


@attempt(DENIED, gvisor=denied("EINVAL"))
def join_by_pidfd(world):
    syscall("setns", syscall("pidfd_open", 1, 0), FLAGS["mount"] | FLAGS["pid"])


@attempt(DENIED)
def write_the_user_map_of_init(world):
    write("/proc/1/uid_map", b"0 0 4294967295")


@attempt(denied("EINVAL"), gvisor=harmless(INSIDE))
def write_an_own_user_map(world):
    write("/proc/self/uid_map", b"0 0 1")


@attempt(DENIED)
def see_more_processes_than_its_own(world):
    """Its own are init, the bootstrap, and this one with its children."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    strangers = [pid for pid in pids if os.stat("/proc/%d" % pid).st_uid != os.getuid()]
    if len(pids) > 16 or strangers:
        return "%s, of others %s" % (pids, strangers)
    raise Refused("%d processes" % len(pids))


@attempt(DENIED)
def find_the_hosts_pid_through_its_command_line(world):
    pid = world["host_pid"]
    command = read("/proc/%d/cmdline" % pid)
    if world["nonce"].encode() not in command and b"escape" not in command:
        raise Refused("another process of that number")
