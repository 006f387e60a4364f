"""Looks for the next invocation for some microseconds before this process sleeps until it comes.

One that comes at once, as from a caller that calls in a loop, then need not wake it, which takes
longer than a small handler runs.
"""

import select
import time

# After as many misses, it is looked for only once in 2 ** misses times. No more: a miss may come of
# a moment in which something else needed the core, and the calls after it come at once again.
MISSES_MAX = 5


class Linger:
    """Looks at a descriptor for at most `seconds`, and ever more rarely while nothing comes of it:
    other processes may have a better use for the core."""

    def __init__(self, fd, seconds):
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        self._poll = poller.poll
        self._seconds = seconds
        self._misses = 0
        self._pause = 0

    def look(self):
        if self._pause:
            self._pause -= 1
            return
        now = time.monotonic
        end = now() + self._seconds
        while now() < end:
            if self._poll(0):
                # One at a time: where half of the looks are in vain, they are not worth it.
                self._misses = max(self._misses - 1, 0)
                return
        self._misses = min(self._misses + 1, MISSES_MAX)
        self._pause = (1 << self._misses) - 1
