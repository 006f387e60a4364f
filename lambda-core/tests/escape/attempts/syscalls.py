"""System calls that reach deep into a kernel, or change the whole machine."""

import ctypes
import mmap
import os

from kit import DENIED, EMULATED, IS_X86, Refused, attempt, by_design, denied, each, harmless, read, syscall


def zeros(size=256):
    return ctypes.create_string_buffer(size)


@each(
    [
        ("bpf_map", ("bpf", 0, bytes([2, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0]) + bytes(112), 128)),
        ("bpf_program", ("bpf", 5, bytes([1, 0, 0, 0, 2, 0, 0, 0]) + bytes(120), 128)),
        ("bpf_next_id", ("bpf", 11, bytes(128), 128)),
        ("perf_event_software", ("perf_event_open", bytes([1, 0, 0, 0, 112, 0, 0, 0]) + bytes(104), 0, -1, -1, 0)),
        ("perf_event_whole_machine", ("perf_event_open", bytes([0, 0, 0, 0, 112, 0, 0, 0]) + bytes(104), -1, 0, -1, 0)),
        ("io_uring_setup", ("io_uring_setup", 1, bytes(120))),
        ("io_uring_enter", ("io_uring_enter", 0, 1, 0, 0, 0, 0)),
        ("io_uring_register", ("io_uring_register", -1, 0, 0, 0)),
        ("userfaultfd", ("userfaultfd", 0)),
        ("userfaultfd_user_mode", ("userfaultfd", 1)),
        ("process_vm_readv_init", ("process_vm_readv", 1, zeros(16), 1, zeros(16), 1, 0)),
        ("process_vm_writev_init", ("process_vm_writev", 1, zeros(16), 1, zeros(16), 1, 0)),
        ("kcmp", ("kcmp", 1, 1, 0, 0, 0)),
        ("name_to_handle", ("name_to_handle_at", -100, b"/", bytes([128]) + bytes(159), zeros(8), 0)),
        ("open_handle_of_root_inode", ("open_by_handle_at", 3, bytes([8, 0, 0, 0, 1, 0, 0, 0, 2]) + bytes(15), 0)),
        ("kexec_load", ("kexec_load", 0, 0, 0, 0)),
        ("kexec_file_load", ("kexec_file_load", -1, -1, 0, 0, 0)),
        ("init_module", ("init_module", b"\x7fELF", 4, b"")),
        ("finit_module", ("finit_module", 0, b"", 0)),
        ("delete_module", ("delete_module", b"lambda_escape", 0x800)),
        ("reboot_with_ctrl_alt_del", ("reboot", 0xFEE1DEAD, 672274793, 0x89ABCDEF, 0)),
        ("swapon", ("swapon", b"/tmp/swap", 0)),
        ("swapoff", ("swapoff", b"/tmp/swap")),
        ("acct", ("acct", b"/tmp/acct")),
        ("quotactl", ("quotactl", 0x80000700, b"/dev/sda", 0, zeros())),
        ("quotactl_fd", ("quotactl_fd", 0, 0x80000700, 0, zeros())),
        ("settimeofday", ("settimeofday", bytes(16), 0)),
        ("clock_settime", ("clock_settime", 0, bytes(16))),
        ("sethostname", ("sethostname", b"escape", 6)),
        ("setdomainname", ("setdomainname", b"escape", 6)),
        ("iopl", ("iopl", 3)),
        ("ioperm", ("ioperm", 0x80, 1, 1)),
        ("vhangup", ("vhangup",)),
        ("syslog_read", ("syslog", 3, zeros(256), 256)),
        ("syslog_clear", ("syslog", 5, 0, 0)),
        ("lookup_dcookie", ("lookup_dcookie", 0, zeros(), 256)),
        ("nfsservctl", ("nfsservctl", 0, 0, 0)),
        ("create_module", ("create_module", b"escape", 4096)),
        ("uselib", ("uselib", b"/lib/libc.so.6")),
        ("old_sysctl", ("_sysctl", zeros())),
        ("sysfs", ("sysfs", 3)),
        ("fanotify", ("fanotify_init", 0, 0)),
        ("move_pages_of_init", ("move_pages", 1, 0, 0, 0, 0, 0)),
        ("migrate_pages_of_init", ("migrate_pages", 1, 64, bytes(8), bytes(8))),
        ("process_madvise", ("process_madvise", -1, zeros(16), 1, 20, 0)),
        ("memfd_secret", ("memfd_secret", 0)),
        ("lsm_set_self", ("lsm_set_self_attr", 100, zeros(), zeros(8), 0)),
        ("file_setattr", ("file_setattr", -100, b"/tmp", zeros(24), 24, 0)),
    ],
    # The kernel looks at arguments before rights in some; a filter looks first. EINVAL and the
    # like are accepted nowhere: here the filter is what is tested.
    DENIED,
    gvisor=denied("EINVAL", "EBADF", "EFAULT"),
    emulated=("syslog_read",),
)
def call(world, name, *arguments):
    syscall(name, *arguments)


# In gVisor these exist, and concern its own kernel.
for _name, _arguments in [
    ("session", ("keyctl", 0, -3, 1)),
    ("join_session", ("keyctl", 1, b"lambda-escape")),
    ("add_key", ("add_key", b"user", b"lambda-escape", b"x", 1, -3)),
    ("request_key", ("request_key", b"user", b"lambda-escape", 0, 0)),
]:

    def _keys(world, arguments=_arguments):
        syscall(*arguments)

    _keys.__module__ = __name__
    attempt(DENIED, gvisor=EMULATED, name="keys_" + _name)(_keys)


@attempt(denied("EINVAL"), gvisor=EMULATED)
def modify_ldt(world):
    syscall("modify_ldt", 1, zeros(16), 16)


@attempt(DENIED, gvisor=denied("EINVAL"))
def adjtimex_sets_the_frequency(world):
    timex = ctypes.create_string_buffer(208)
    timex[0] = 2  # ADJ_FREQUENCY
    syscall("adjtimex", timex)


@attempt(DENIED, gvisor=EMULATED)
def personality_without_address_randomisation(world):
    syscall("personality", 0x0040000)


@attempt(DENIED, gvisor=EMULATED)
def set_mempolicy(world):
    syscall("set_mempolicy", 0, 0, 0)


@attempt(DENIED, gvisor=EMULATED)
def mbind(world):
    page = mmap.mmap(-1, 4096)
    syscall("mbind", ctypes.addressof(ctypes.c_char.from_buffer(page)), 4096, 0, 0, 0, 0)


@attempt(DENIED, gvisor=EMULATED)
def clone3_with_new_namespaces(world):
    arguments = (ctypes.c_uint64 * 11)(0x10000000 | 0x20000, 0, 0, 0, 17)
    if syscall("clone3", arguments, 88) == 0:
        os._exit(0)


def machine_code(code):
    """Calls a function of raw machine code."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


def refused_call(result):
    if result < 0:
        raise OSError(-result, "")


@each(
    [("mount", (21,)), ("ptrace", (26,)), ("unshare", (310,)), ("bpf", (357,)), ("keyctl", (288,)), ("socketcall", (102,))],
    denied("EFAULT", "killed by SIGSEGV"),
    gvisor=denied("EFAULT", "EINVAL", "killed by SIGSEGV"),
)
def int80(world, number):
    """32-bit system calls have other numbers, which a filter could have forgotten."""
    if not IS_X86:
        raise Refused("another processor")
    move = b"\xb8" + number.to_bytes(4, "little")
    # ebx and ecx are 0; rbx is the caller's.
    refused_call(machine_code(b"\x53\x31\xdb\x31\xc9\x31\xd2" + move + b"\xcd\x80\x5b\xc3"))


@each([("mount", (165,)), ("ptrace", (521,)), ("unshare", (272,)), ("bpf", (321,))], DENIED)
def x32(world, number):
    """The x32 calls of x86-64 share the numbers, with a bit set."""
    if not IS_X86:
        raise Refused("another processor")
    syscall(0x40000000 | number, 0, 0, 0, 0, 0)


@attempt(harmless("a filter only takes rights away, and of this process alone"))
def seccomp_filter_of_its_own(world):
    allow = (ctypes.c_uint16 * 4)(6, 0, 0, 0x7FFF)
    program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(allow))
    syscall("seccomp", 1, 0, program)
    # What the first filter denies stays denied.
    try:
        syscall("bpf", 0, bytes(128), 128)
    except OSError:
        return
    raise AssertionError("a second filter has lifted the first")


@attempt(harmless("a listener sees the calls of this process's own children only"))
def seccomp_listener(world):
    allow = (ctypes.c_uint16 * 4)(6, 0, 0, 0x7FFF)
    program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(allow))
    syscall("seccomp", 1, 8, program)


@attempt(by_design("the kernel's name and version are no secret; they help an attacker a little"))
def uname(world):
    return os.uname().release


@attempt(harmless("asynchronous reads of the sandbox's own files"))
def linux_aio(world):
    syscall("io_setup", 1, zeros(8))


def bootstrap_is_whole(before):
    if read("/var/runtime/bootstrap.py", 1 << 20) != before:
        raise AssertionError("the bootstrap was changed")


@attempt(harmless("a private mapping is a copy: the file stays whole"))
def dirty_cow(world):
    """Writes to a private mapping of a read-only file through /proc/self/mem, while it is
    dropped again and again."""
    before = read("/var/runtime/bootstrap.py", 1 << 20)
    file = os.open("/var/runtime/bootstrap.py", os.O_RDONLY)
    view = mmap.mmap(file, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(view))
    memory = os.open("/proc/self/mem", os.O_RDWR)
    for _ in range(300):
        ctypes.CDLL(None).madvise(ctypes.c_void_p(address), 4096, 4)
        os.pwrite(memory, b"escape", address)
    bootstrap_is_whole(before)


@attempt(harmless("the kernel has mended it: the file stays whole"))
def dirty_pipe(world):
    """Splices a page of a read-only file into a pipe, and writes to the pipe."""
    before = read("/var/runtime/bootstrap.py", 1 << 20)
    reading, writing = os.pipe()
    for _ in range(16):
        os.write(writing, bytes(4096))
    os.read(reading, 65536)
    file = os.open("/var/runtime/bootstrap.py", os.O_RDONLY)
    syscall("splice", file, (ctypes.c_uint64 * 1)(0), writing, 0, 1, 0)
    os.write(writing, b"escape")
    bootstrap_is_whole(before)
