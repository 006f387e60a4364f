"""Tells whether processes may have been started, so that they need not be looked for where none was.

To ask the kernel for every process, as `kill` does, takes longer the more the host runs; and in
gVisor on a busy machine each system call takes tens of microseconds. So Python's own ways to start
one are counted. Only where something else may have, the kernel is asked, for the last process
number that the namespace has given away where it tells.
"""

import functools
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES

# Extension modules of Python itself: none of them starts a process but in the ways that are counted.
OWN_MODULES = os.path.join(os.path.dirname(os.__file__), "lib-dynload", "")

# With these a process can be started past what is counted: by any C function, or by an interpreter
# with modules of its own.
UNCOUNTED_MODULES = {"_ctypes", "_interpreters", "_xxsubinterpreters"}

_started = 0


def _note():
    global _started
    _started += 1


def _counted(start):
    @functools.wraps(start)
    def counted(*args, **kwargs):
        # Also afterwards: who looks meanwhile finds nobody yet.
        _note()
        try:
            return start(*args, **kwargs)
        finally:
            _note()

    return counted


def watch():
    """Counts from now on. To be called once, before a function can take hold of what is counted."""
    import _posixsubprocess
    import posix

    os.register_at_fork(before=_note, after_in_parent=_note)
    fork_exec = _posixsubprocess.fork_exec = _counted(_posixsubprocess.fork_exec)
    # Where the image's own start-up has loaded it.
    if hasattr(sys.modules.get("subprocess"), "_fork_exec"):
        sys.modules["subprocess"]._fork_exec = fork_exec
    for name in ("system", "posix_spawn", "posix_spawnp"):
        counted = _counted(getattr(posix, name))
        setattr(posix, name, counted)
        setattr(os, name, counted)


class Births:
    """`others`: whether there are other processes, which start some unnoticed."""

    def __init__(self, others=False):
        self._others = others
        self._started = None
        self._modules = None
        self._has_native_code = False
        self._last_pid = None
        try:
            self._fd = os.open("/proc/loadavg", os.O_RDONLY)
        except OSError:
            self._fd = -1
        # gVisor says nothing but zeros.
        if self._fd >= 0 and int(self._read_last_pid() or 0) < os.getpid():
            os.close(self._fd)
            self._fd = -1

    def may_have_been(self):
        """Since the last time."""
        before, self._started = self._started, _started
        if before == self._started and not self._others and not self._is_native_code_there():
            return False
        if self._fd < 0:
            return True
        last_pid, self._last_pid = self._last_pid, self._read_last_pid()
        return self._last_pid is None or self._last_pid != last_pid

    def forget(self):
        """The next answer is yes."""
        self._started = self._last_pid = None

    def _is_native_code_there(self):
        """Whether code has been loaded that starts processes in ways of its own."""
        if not self._has_native_code and len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            self._has_native_code = not UNCOUNTED_MODULES.isdisjoint(sys.modules) or any(
                map(is_foreign, list(sys.modules.values()))
            )
        return self._has_native_code

    def _read_last_pid(self):
        try:
            number = os.pread(self._fd, 128, 0).rpartition(b" ")[2]
        except OSError:
            # The function has closed all descriptors.
            return None
        return number if number.strip().isdigit() else None


def is_foreign(module):
    """Whether it is an extension module that does not come with Python."""
    try:
        file = module.__file__
        return file.endswith(tuple(EXTENSION_SUFFIXES)) and not file.startswith(OWN_MODULES)
    except AttributeError:
        # Built in, or no module at all: anything may be put there.
        return False
