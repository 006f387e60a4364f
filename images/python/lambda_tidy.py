"""Makes a sandbox quiet between two invocations: ends what a handler has left running, and
empties /tmp where that is asked for."""

import os
import time

SIGKILL = 9

# A process that is killed takes its time to die. What lives after all of these seconds is
# killed again after the next invocation.
PAUSES = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


class Tidier:
    """Made when the function is initialised: what runs by then is kept."""

    def __init__(self, may_kill_all, clears_tmp):
        self._may_kill_all = may_kill_all
        self._clears_tmp = clears_tmp
        self._kept = others() if may_kill_all and not is_alone() else None

    def tidy(self):
        if self._may_kill_all:
            if self._kept is None:
                kill_all()
            else:
                self._kill_new()
        if self._clears_tmp:
            clear_tmp()

    def _kill_new(self):
        for pause in PAUSES:
            time.sleep(pause)
            new = others() - self._kept
            if not new:
                return
            for pid in new:
                try:
                    os.kill(pid, SIGKILL)
                    os.waitpid(pid, os.WNOHANG)
                except OSError:
                    pass


def is_alone():
    try:
        os.kill(-1, 0)
    except OSError:
        return True
    return False


def others():
    """All processes but this one and init."""
    pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    return pids - {1, os.getpid()}


def kill_all():
    """One system call, which fails where there is nobody: the usual case."""
    try:
        os.kill(-1, SIGKILL)
    except OSError:
        return
    for pause in PAUSES:
        time.sleep(pause)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except OSError:
            # No child; but a child's child may be left.
            pass
        try:
            os.kill(-1, SIGKILL)
        except OSError:
            return


def clear_tmp():
    import shutil

    for entry in os.scandir("/tmp"):
        try:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
        except OSError:
            pass
