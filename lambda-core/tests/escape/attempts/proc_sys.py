"""/proc, /sys and control groups."""

import os

from kit import DENIED, Refused, attempt, by_design, denied, each, harmless, read, refuse_if_masked, write


def named(paths):
    return [(path.strip("/").replace("/", "_").replace(".", "_"), (path,)) for path in paths]


@each(
    named([
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/domainname", "/proc/sys/kernel/sysrq", "/proc/sys/kernel/panic",
        "/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/pid_max",
        "/proc/sys/kernel/yama/ptrace_scope", "/proc/sys/kernel/unprivileged_bpf_disabled",
        "/proc/sys/kernel/perf_event_paranoid", "/proc/sys/kernel/poweroff_cmd",
        "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/drop_caches", "/proc/sys/vm/panic_on_oom",
        "/proc/sys/fs/binfmt_misc/register", "/proc/sys/fs/file-max", "/proc/sys/fs/suid_dumpable",
        "/proc/sys/fs/protected_symlinks", "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/user/max_user_namespaces",
        "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/mtrr", "/proc/latency_stats",
        "/proc/scsi/scsi", "/proc/acpi/wakeup", "/proc/bus/pci/00/00.0", "/proc/timer_list",
        "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/power/disk",
        "/sys/kernel/mm/ksm/run", "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/devices/system/cpu/cpu1/online", "/sys/module/kernel/parameters/consoleblank",
        "/sys/kernel/security/apparmor/.remove", "/sys/fs/selinux/enforce",
        "/sys/class/net/lo/mtu", "/sys/bus/pci/rescan", "/sys/kernel/debug/sched/features",
        "/sys/kernel/tracing/trace_marker", "/sys/kernel/kexec_crash_size",
    ]),
    denied("EINVAL"),
)
def write_to(world, path):
    refuse_if_masked(path)
    # What is there already, or what does no harm where it is let through; the host compares.
    write(path, b"|/tmp/lambda-escape" if path.endswith(("pattern", "modprobe", "helper")) else b"1")


@each(
    named([
        "/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_stats",
        "/proc/sched_debug", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/kpagecount",
        "/proc/kpageflags", "/proc/vmcore", "/sys/kernel/debug/tracing/trace",
        "/sys/firmware/dmi/tables/DMI", "/sys/kernel/vmcoreinfo", "/sys/kernel/notes",
        "/sys/kernel/btf/vmlinux",
    ]),
    DENIED,
)
def read_from(world, path):
    if path in ("/sys/kernel/notes", "/sys/kernel/btf/vmlinux", "/sys/kernel/vmcoreinfo"):
        # Open to all users of a machine: it describes the kernel, as its version does.
        raise Refused("the same for all users") if os.path.exists(path) else FileNotFoundError(2, "")
    if not read(path):
        raise Refused("it is empty")


@attempt(DENIED)
def addresses_of_the_kernel(world):
    with open("/proc/kallsyms") as symbols:
        first = symbols.readline().split()
    if not first or int(first[0], 16) == 0:
        raise Refused("they are hidden")
    return first[0]


@attempt(by_design("figures of the whole machine (load, memory, CPU) are shown by /proc; gVisor shows its own"))
def figures_of_the_machine(world):
    return read("/proc/loadavg").decode().split()[0]


@attempt(
    by_design("the mount table names the data directory's path under runc; not what is in it"),
    gvisor=harmless("gVisor shows mounts of its own"),
)
def mount_table_names_the_hosts_paths(world):
    table = read("/proc/self/mountinfo", 1 << 16).decode()
    if world["data_dir"].rsplit("/", 1)[-1] not in table:
        raise Refused("it does not")


@each(
    [("proc_1_root", ("/proc/1/root",)), ("proc_self_root", ("/proc/self/root/../../..",)),
     ("cwd", ("/proc/1/cwd/../../../../..",)), ("plain", ("",)), ("run", ("/run/lambda/../../..",)),
     ("runtime", ("/var/runtime/../../..",)), ("thread_self", ("/proc/thread-self/root",))],
    DENIED,
)
def read_a_file_of_the_host_through(world, prefix):
    return read(prefix + world["canary_readable"]).decode()


@each(
    [("proc_1_root", ("/proc/1/root",)), ("plain", ("",)), ("run", ("/run/lambda/../../..",))],
    DENIED,
)
def write_a_file_of_the_host_through(world, prefix):
    write(prefix + world["canary_writable"], b"escape")


@attempt(DENIED)
def enter_the_data_directory(world):
    return os.listdir(world["data_dir"])


@attempt(DENIED)
def climb_out_of_open_descriptors(world):
    """A directory that leaked into the sandbox leads to the host's files (CVE-2024-21626)."""
    for fd in range(3, 64):
        for way in ("/proc/self/fd/%d", "/proc/1/fd/%d", "/proc/%d/fd/%%d" % os.getppid()):
            path = way % fd
            try:
                if os.path.isdir(path):
                    return read(path + "/../../../../../.." + world["canary_readable"]).decode()
            except OSError:
                pass
    raise Refused("no descriptor is a directory of the host's")


@each([("mem", ("mem",)), ("maps", ("maps",)), ("stack", ("stack",)), ("auxv", ("auxv",)), ("io", ("io",)), ("syscall", ("syscall",))],
      harmless("init is a process of the sandbox's own user, confined as the function is"))
def read_init(world, what):
    read("/proc/1/" + what)


@attempt(
    by_design("numbers of keys by user id, of the whole machine under runc; no key"),
    gvisor=DENIED,
)
def read_numbers_of_keys(world):
    read("/proc/key-users")


@attempt(DENIED)
def overwrite_the_runtime_through_init(world):
    """CVE-2019-5736: the program behind /proc/1/exe is the host's."""
    write("/proc/1/exe", b"escape")


@attempt(DENIED)
def overwrite_the_runtime_through_an_own_process(world):
    write("/proc/self/exe", b"escape")


CONTROLLERS = ["memory", "pids", "cpu", "cpuset", "devices", "freezer", "blkio", "systemd", "unified", ""]


def find(name):
    found = ["/sys/fs/cgroup/%s/%s" % (c, name) for c in CONTROLLERS]
    return [path for path in found if os.path.exists(path)]


@each(
    [(name.replace(".", "_"), (name, value)) for name, value in [
        ("release_agent", b"/tmp/lambda-escape"), ("notify_on_release", b"1"),
        ("memory.limit_in_bytes", b"-1"), ("memory.max", b"max"), ("memory.oom_control", b"1"),
        ("pids.max", b"max"), ("cpu.cfs_quota_us", b"-1"), ("cpu.max", b"max"),
        ("devices.allow", b"a"), ("freezer.state", b"FROZEN"), ("cgroup.freeze", b"1"),
        ("cgroup.procs", b"0"), ("tasks", b"0"), ("cgroup.subtree_control", b"+memory"),
        ("cgroup.event_control", b"1 1"), ("cgroup.kill", b"1"),
    ]],
    denied("EINVAL"),
    gvisor=denied("EINVAL"),
)
def control_group(world, name, value):
    paths = find(name)
    if not paths:
        raise FileNotFoundError(2, name)
    errors = []
    for path in paths:
        try:
            write(path, value)
            return path
        except OSError as error:
            errors.append(error)
    raise errors[0]


@attempt(DENIED)
def make_a_control_group(world):
    for controller in CONTROLLERS:
        base = "/sys/fs/cgroup/" + controller
        if os.path.isdir(base):
            os.mkdir(base + "/lambda-escape")
            return base
    raise FileNotFoundError(2, "")
