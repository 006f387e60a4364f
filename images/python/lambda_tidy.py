"""Makes a sandbox quiet between two invocations: ends what a handler has left running, and
empties /tmp where that is asked for."""

import os
import time

import lambda_births

SIGKILL = 9

# A process that is killed takes its time to die. What lives after all of these seconds is
# killed again after the next invocation.
PAUSES = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)

# It comes with the output of the next invocation, which may be the one to miss them.
KILLED = (
    b"lambda: processes that the previous invocation left running were killed. To keep a pool of "
    b"processes, start it when the module is loaded, or set keep_processes.\n"
)


class Tidier:
    """Made when the function is initialised: what runs by then is kept."""

    def __init__(self, may_kill_all, clears_tmp, tells=True):
        self._may_kill_all = may_kill_all
        self._clears_tmp = clears_tmp
        self._kept = others() if may_kill_all and not is_alone() else None
        self._births = None
        if may_kill_all:
            self._births = lambda_births.Births(others=self._kept is not None)
        self._has_said = not tells

    def tidy(self):
        if self._may_kill_all and self._births.may_have_been():
            has_killed = kill_all() if self._kept is None else self._kill_new()
            if has_killed:
                # Whoever was killed may have given birth meanwhile.
                self._births.forget()
                if not self._has_said:
                    self._has_said = True
                    say(KILLED)
        if self._clears_tmp:
            clear_tmp()

    def _kill_new(self):
        """Whether there was somebody to kill."""
        has_killed = False
        for pause in PAUSES:
            time.sleep(pause)
            new = others() - self._kept
            if not new:
                break
            for pid in new:
                has_killed = kill_one(pid) or has_killed
        return has_killed


def kill_one(pid):
    """Whether it was alive; one that was dead already is taken away."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
    except OSError:
        # Not a child, but a child's child.
        pass
    try:
        os.kill(pid, SIGKILL)
        os.waitpid(pid, os.WNOHANG)
    except OSError:
        pass
    return True


def say(text):
    try:
        os.write(2, text)
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
    """Whether there was somebody to kill. One system call where there is nobody: the usual
    case."""
    if is_alone():
        return False
    reap()
    for number, pause in enumerate(PAUSES):
        time.sleep(pause)
        try:
            os.kill(-1, SIGKILL)
        except OSError:
            return number > 0
        reap()
    return True


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except OSError:
        # No child; but a child's child may be left.
        pass


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
