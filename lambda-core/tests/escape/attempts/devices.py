"""Devices: made, opened, and spoken to."""

import fcntl
import os
import stat

from kit import DENIED, Refused, attempt, denied, each, harmless


@each(
    [
        ("memory", (stat.S_IFCHR, 1, 1)),
        ("kernel_log", (stat.S_IFCHR, 1, 11)),
        ("first_disk", (stat.S_IFBLK, 8, 0)),
        ("virtual_disk", (stat.S_IFBLK, 254, 0)),
        ("loop", (stat.S_IFBLK, 7, 0)),
        ("kvm", (stat.S_IFCHR, 10, 232)),
        ("fuse", (stat.S_IFCHR, 10, 229)),
        ("tun", (stat.S_IFCHR, 10, 200)),
    ],
    DENIED,
    emulated=("fuse", "tun"),
)
def make_and_open(world, kind, major, minor):
    path = "/tmp/node-%d-%d" % (major, minor)
    os.mknod(path, kind | 0o666, os.makedev(major, minor))
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    finally:
        os.unlink(path)


@each(
    [(path[5:].replace("/", "_").lower(), (path,)) for path in [
        "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1",
        "/dev/loop-control", "/dev/loop0", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/vsock",
        "/dev/vhost-vsock", "/dev/vhost-net", "/dev/mapper/control", "/dev/dri/card0", "/dev/uinput",
        "/dev/cpu/0/msr", "/dev/ttyS0", "/dev/vcs", "/dev/userfaultfd", "/dev/binder",
        "/dev/snapshot", "/dev/rtc0", "/dev/watchdog",
    ]],
    DENIED,
    emulated=("fuse", "net_tun"),
)
def open_device(world, path):
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))


@each([("tty", ("/dev/tty",)), ("console", ("/dev/console",))], DENIED, gvisor=denied("EINVAL", "EIO"))
def push_input(world, path):
    """TIOCSTI puts keys into a terminal's input, which may be an operator's."""
    file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    fcntl.ioctl(file, 0x5412, b"x")


@attempt(harmless("the pseudo-terminals are the sandbox's own instance"))
def push_input_into_an_own_terminal(world):
    master, slave = os.openpty()
    fcntl.ioctl(slave, 0x5412, b"x")


@attempt(DENIED, gvisor=DENIED)
def change_the_mode_of_a_device(world):
    os.chmod("/dev/null", 0o600)


@attempt(DENIED)
def remove_a_device(world):
    os.unlink("/dev/null")


@attempt(DENIED, gvisor=denied("EEXIST"))
def make_a_link_in_dev(world):
    os.symlink("/tmp", "/dev/lambda-escape")


@attempt(harmless("reads of /dev/urandom; the pool's state is the kernel's"))
def add_entropy(world):
    try:
        file = os.open("/dev/urandom", os.O_RDWR)
        # RNDADDENTROPY credits entropy that is none.
        fcntl.ioctl(file, 0x40085203, bytes([8, 0, 0, 0, 1, 0, 0, 0]) + bytes(8))
    except OSError as error:
        raise Refused(str(error)) from error
    raise AssertionError("entropy was credited")
