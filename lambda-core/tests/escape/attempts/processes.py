"""Other processes: their signals, their memory, their descriptors."""

import ctypes
import fcntl
import os
import signal

from kit import DENIED, Refused, attempt, by_design, denied, harmless, syscall

ATTACH, SEIZE, TRACEME = 16, 0x4206, 0
OWN_KERNEL = "processes of the sandbox itself, in gVisor's own kernel"


@attempt(DENIED)
def trace_init(world):
    syscall("ptrace", ATTACH, 1, 0, 0)


@attempt(DENIED)
def seize_init(world):
    syscall("ptrace", SEIZE, 1, 0, 0)


@attempt(DENIED, gvisor=harmless(OWN_KERNEL))
def trace_me(world):
    syscall("ptrace", TRACEME, 0, 0, 0)


@attempt(DENIED)
def trace_the_bootstrap(world):
    syscall("ptrace", SEIZE, os.getppid(), 0, 0)


@attempt(DENIED, gvisor=denied("EBADF", "EINVAL"))
def take_a_descriptor_of_init(world):
    syscall("pidfd_getfd", syscall("pidfd_open", 1, 0), 0, 0)


@attempt(DENIED, gvisor=denied("EBADF", "EINVAL"))
def take_the_connection_of_the_bootstrap(world):
    pidfd = syscall("pidfd_open", os.getppid(), 0)
    for fd in range(3, 16):
        try:
            return syscall("pidfd_getfd", pidfd, fd, 0)
        except OSError as error:
            last = error
    raise last


@attempt(DENIED)
def signal_the_host(world):
    """Every number that a process of the host's could have, but those seen in here."""
    own = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    hit = []
    for pid in {*range(2, 4096), world["host_pid"], *world["host_pids"]} - own:
        try:
            os.kill(pid, 0)
            hit.append(pid)
        except OSError:
            pass
    # A process that began meanwhile is an own one too.
    own |= {int(name) for name in os.listdir("/proc") if name.isdigit()}
    hit = [pid for pid in hit if pid not in own and os.path.exists("/proc/%d" % pid)]
    if hit:
        return hit
    raise Refused("nobody was there")


@attempt(DENIED)
def kill_the_host_by_number(world):
    os.kill(world["host_pid"], signal.SIGKILL)


@attempt(DENIED)
def kill_a_process_group_of_the_host(world):
    os.killpg(world["host_pid"], signal.SIGKILL)


@attempt(DENIED)
def open_the_host_by_number(world):
    syscall("pidfd_open", world["host_pid"], 0)


@attempt(DENIED)
def signal_a_thread_of_the_host(world):
    syscall("tgkill", world["host_pid"], world["host_pid"], 9)


@attempt(DENIED, gvisor=denied("EINVAL"))
def signals_by_descriptor_owner(world):
    """F_SETOWN makes the kernel send SIGIO to any process."""
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, world["host_pid"])
    if fcntl.fcntl(reading, fcntl.F_GETOWN) != world["host_pid"]:
        raise Refused("no such process")


@attempt(denied("EINVAL"))
def reap_the_memory_of_init(world):
    syscall("process_mrelease", syscall("pidfd_open", 1, 0), 0)


@attempt(DENIED, gvisor=denied("EINVAL"))
def set_the_process_group_of_init(world):
    os.setpgid(1, 0)


@attempt(by_design("a function may run programs and use its processors as it likes, within its limits"))
def run_a_program(world):
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@attempt(by_design("mappings may be writable and executable: just-in-time compilers need it"))
def writable_and_executable_memory(world):
    import mmap

    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


@attempt(harmless("what is left running is killed before the next invocation"))
def leave_a_daemon(world):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            ctypes.CDLL(None).prctl(15, b"lambda-escape")
            while True:
                signal.pause()
        os._exit(0)
    os.wait()
