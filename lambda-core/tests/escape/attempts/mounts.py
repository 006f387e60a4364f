"""Mounting, unmounting and other ways to another file system."""

import os

from kit import DENIED, attempt, denied, each, harmless, syscall

BIND, REC, REMOUNT, RDONLY, MOVE, SHARED, PRIVATE = 4096, 16384, 32, 1, 8192, 1 << 20, 1 << 18


@each(
    [
        ("tmpfs_on_tmp", (b"none", b"/tmp", b"tmpfs", 0)),
        ("tmpfs_on_runtime", (b"none", b"/var/runtime", b"tmpfs", 0)),
        ("proc_on_tmp", (b"proc", b"/tmp", b"proc", 0)),
        ("sysfs_on_tmp", (b"sysfs", b"/tmp", b"sysfs", 0)),
        ("cgroup_on_tmp", (b"cgroup", b"/tmp", b"cgroup", 0)),
        ("cgroup2_on_tmp", (b"cgroup2", b"/tmp", b"cgroup2", 0)),
        ("devtmpfs_on_tmp", (b"devtmpfs", b"/tmp", b"devtmpfs", 0)),
        ("devpts_on_tmp", (b"devpts", b"/tmp", b"devpts", 0)),
        ("debugfs_on_tmp", (b"debugfs", b"/tmp", b"debugfs", 0)),
        ("tracefs_on_tmp", (b"tracefs", b"/tmp", b"tracefs", 0)),
        ("securityfs_on_tmp", (b"securityfs", b"/tmp", b"securityfs", 0)),
        ("bpf_on_tmp", (b"bpf", b"/tmp", b"bpf", 0)),
        ("mqueue_on_tmp", (b"mqueue", b"/tmp", b"mqueue", 0)),
        ("overlay_on_tmp", (b"overlay", b"/tmp", b"overlay", 0)),
        ("disk_on_tmp", (b"/dev/sda1", b"/tmp", b"ext4", 0)),
        ("root_bound_to_tmp", (b"/", b"/tmp", b"", BIND | REC)),
        ("root_remounted_writable", (b"", b"/", b"", REMOUNT)),
        ("runtime_remounted_writable", (b"", b"/var/runtime", b"", REMOUNT | BIND)),
        ("sys_remounted_writable", (b"", b"/sys", b"", REMOUNT)),
        ("proc_sys_remounted_writable", (b"", b"/proc/sys", b"", REMOUNT | BIND)),
        ("root_shared_with_others", (b"", b"/", b"", SHARED | REC)),
        ("run_moved", (b"/run/lambda", b"/tmp", b"", MOVE)),
    ],
    DENIED,
)
def mount(world, source, target, kind, flags):
    syscall("mount", source, target, kind, flags, 0)


@each(
    [(path.strip("/").replace("/", "_") or "the_top", (path,)) for path in [
        "/run/lambda", "/var/runtime", "/var/task", "/tmp", "/proc", "/proc/kcore", "/proc/sys",
        "/sys", "/dev/shm", "/etc/hosts", "/",
    ]],
    DENIED,
    gvisor=denied("EINVAL"),
)
def unmount(world, path):
    syscall("umount2", path.encode(), 2)


@attempt(DENIED)
def pivot_root(world):
    syscall("pivot_root", b"/tmp", b"/tmp")


@attempt(DENIED, gvisor=harmless("gVisor lets a user who is root in a namespace of its own do it"))
def chroot_and_climb_out(world):
    os.chroot("/tmp")
    os.chdir("../../../../../..")
    return os.listdir(".")[:3]


@each(
    [
        ("fsopen", ("fsopen", b"tmpfs", 0)),
        ("fspick", ("fspick", -100, b"/", 0)),
        ("fsmount", ("fsmount", 0, 0, 0)),
        ("fsconfig", ("fsconfig", 0, 6, 0, 0, 0)),
        ("open_tree_clone", ("open_tree", -100, b"/", 1 | 0x8000)),
        ("open_tree_attr", ("open_tree_attr", -100, b"/", 1, bytes(32), 32)),
        ("move_mount", ("move_mount", -100, b"/tmp", -100, b"/var/task", 0)),
        ("mount_setattr", ("mount_setattr", -100, b"/", 0x8000, bytes(32), 32)),
        ("statmount", ("statmount", bytes(32), bytes(512), 512, 0)),
        ("listmount", ("listmount", bytes(32), bytes(512), 64, 0)),
    ],
    DENIED,
)
def new_api(world, name, *arguments):
    syscall(name, *arguments)
