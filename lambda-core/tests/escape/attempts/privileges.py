"""Becoming somebody else, and taking more than is due."""

import ctypes
import os
import resource
import subprocess

from kit import LIBC, DENIED, EMULATED, Refused, attempt, denied, each, harmless, read, syscall, write


def prctl(*arguments):
    if LIBC.prctl(*[ctypes.c_ulong(a) for a in arguments]) < 0:
        raise OSError(ctypes.get_errno(), "")


@each(
    [
        ("uid_0", (os.setuid, 0)),
        ("gid_0", (os.setgid, 0)),
        ("resuid_0", (os.setresuid, 0, 0, 0)),
        ("reuid_of_a_neighbour", (os.setreuid, 0x78000001, 0x78000001)),
        ("groups_of_docker", (os.setgroups, [0, 999])),
    ],
    denied("EINVAL"),
)
def become(world, call, *arguments):
    call(*arguments)


@attempt(DENIED)
def become_a_file_system_user(world):
    syscall("setfsuid", 0)
    # It reports no error; asking again tells whether it was done.
    if syscall("setfsuid", -1) != 0:
        raise Refused("still who it was")


@attempt(DENIED)
def take_capabilities(world):
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    everything = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
    syscall("capset", header, everything)


@each(
    [
        ("ambient_capability", (47, 2, 21, 0, 0)),
        ("keep_capabilities_with_secure_bits", (28, 0x2F, 0, 0, 0)),
        ("no_new_privileges_off", (38, 0, 0, 0, 0)),
        ("seccomp_off", (22, 0, 0, 0, 0)),
        ("bounding_set_dropped", (24, 0, 0, 0, 0)),
        ("memory_map_moved", (35, 8, 0, 0, 0)),
    ],
    denied("EINVAL"),
)
def set_by_prctl(world, *arguments):
    prctl(*arguments)


@attempt(DENIED)
def run_programs_that_are_set_uid(world):
    """no-new-privileges makes them ordinary programs."""
    for path in ("/bin/su", "/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/newgrp"):
        if not os.path.exists(path) or not os.stat(path).st_mode & 0o4000:
            continue
        script = "import os; os.execv(%r, ['x', '-c', 'id -u'])" % path
        done = subprocess.run(
            ["python3", "-c", script], capture_output=True, stdin=subprocess.DEVNULL, timeout=5
        )
        if done.stdout.strip() == b"0":
            return path
    raise Refused("none of them is root")


@attempt(DENIED)
def make_a_program_set_uid(world):
    """It belongs to the sandbox's user, and stands on a nosuid file system."""
    with open("/bin/sh", "rb") as shell, open("/tmp/setuid-shell", "wb") as copy:
        copy.write(shell.read())
    os.chmod("/tmp/setuid-shell", 0o6777)
    done = subprocess.run(["/tmp/setuid-shell", "-pc", "id -u"], capture_output=True, timeout=5)
    os.unlink("/tmp/setuid-shell")
    if done.stdout.strip() != b"0":
        raise Refused("its user is %s" % done.stdout.decode().strip())


@attempt(DENIED)
def give_a_file_to_root(world):
    with open("/tmp/for-root", "wb"):
        pass
    try:
        os.chown("/tmp/for-root", 0, 0)
    finally:
        os.unlink("/tmp/for-root")


@attempt(DENIED)
def file_capabilities(world):
    with open("/tmp/capable", "wb"):
        pass
    value = bytes.fromhex("0100000200002000000000000000000000000000")
    try:
        os.setxattr("/tmp/capable", "security.capability", value)
    finally:
        os.unlink("/tmp/capable")


@each(
    [
        ("open_files", (resource.RLIMIT_NOFILE, 1 << 20)),
        ("processes", (resource.RLIMIT_NPROC, 1 << 20)),
        ("core_dumps", (resource.RLIMIT_CORE, resource.RLIM_INFINITY)),
    ],
    DENIED,
)
def raise_the_limit_of(world, limit, value):
    try:
        resource.setrlimit(limit, (value, value))
    except ValueError as error:
        raise PermissionError(1, str(error)) from error


@attempt(DENIED)
def raise_the_limit_of_init(world):
    try:
        resource.prlimit(1, resource.RLIMIT_NOFILE, (1 << 20, 1 << 20))
    except ValueError as error:
        raise PermissionError(1, str(error)) from error


@attempt(DENIED, gvisor=EMULATED)
def run_before_all_others(world):
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    if os.getpriority(os.PRIO_PROCESS, 0) > -20:
        raise Refused("not done")


@attempt(DENIED, gvisor=denied("EINVAL"))
def run_in_real_time(world):
    syscall("sched_setscheduler", 0, 1, (ctypes.c_int * 1)(99))


@attempt(DENIED, gvisor=DENIED)
def use_the_disk_before_all_others(world):
    syscall("ioprio_set", 1, 0, (1 << 13) | 0)


@attempt(DENIED, gvisor=harmless("gVisor's own kernel: the host's figure is the sandbox's as a whole"))
def be_killed_last_for_want_of_memory(world):
    write("/proc/self/oom_score_adj", b"-1000")
    if read("/proc/self/oom_score_adj").strip() != b"-1000":
        raise Refused("not done")


@attempt(harmless("counts as the sandbox's memory, which is bounded"))
def lock_all_memory(world):
    if LIBC.mlockall(3) < 0:
        raise OSError(ctypes.get_errno(), "")


@attempt(denied("EINVAL"))
def change_the_security_label(world):
    write("/proc/self/attr/current", b"unconfined")
