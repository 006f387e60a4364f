"""What both platforms have: options, and the native half while it is open."""

from __future__ import annotations

import atexit
import os
import warnings
import weakref
from collections.abc import Sequence

from . import _errors, _requests
from ._native import Platform as Native
from ._requests import ContainerOptions, PoolOptions, Retention

_open: weakref.WeakSet[Link] = weakref.WeakSet()
_is_fork_watched = False


class Link:
    def __init__(
        self,
        data_dir: str | os.PathLike[str],
        *,
        store: str | None = None,
        runtimes: Sequence[str] = ("docker", "gvisor"),
        namespace: str | None = None,
        pool: PoolOptions | None = None,
        containers: ContainerOptions | None = None,
        drain_timeout_ms: int | None = None,
        recording: bool = True,
        retention: Retention | None = None,
        journal_bytes_max: int | None = None,
        live_log_bytes: int | None = None,
    ) -> None:
        self._options = _requests.options(
            data_dir,
            store,
            runtimes,
            namespace,
            drain_timeout_ms,
            recording,
            retention,
            journal_bytes_max,
            live_log_bytes,
            pool,
            containers,
        )
        self._data_dir = os.path.abspath(data_dir)
        self._opened: Native | None = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'open' if self._opened else 'closed'}>"

    @property
    def _native(self) -> Native:
        if self._opened is None:
            raise _errors.Closed("The platform is not open.", "Use it inside of its `with` block.")
        return self._opened

    def _set_opened(self, native: Native) -> None:
        if not _open:
            # Registered by the first platform that opens, not by importing.
            atexit.unregister(_close_all)
            atexit.register(_close_all)
            _watch_forks()
        self._opened = native
        self._pid = os.getpid()
        _open.add(self)

    def _take_opened(self) -> Native | None:
        native, self._opened = self._opened, None
        _open.discard(self)
        if native is not None and self._pid != os.getpid():
            # The parent's, which closes it.
            return None
        return native

    def __del__(self) -> None:
        if getattr(self, "_opened", None) is not None and self._pid == os.getpid():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            _close(self)


def _close(link: Link) -> None:
    native = link._take_opened()  # pyright: ignore[reportPrivateUsage]
    if native is not None:
        native.close(None, 0)
        native.release()


def _watch_forks() -> None:
    global _is_fork_watched
    if not _is_fork_watched:
        _is_fork_watched = True
        os.register_at_fork(after_in_child=_let_go_of_locks)


def _let_go_of_locks() -> None:
    """In a forked child. A platform's lock in the data directory says that its process lives; a
    child that kept it would say so for a parent that is dead, and what that left would stay."""
    roots = tuple(os.path.join(os.path.realpath(link._data_dir), "") for link in _open)  # pyright: ignore[reportPrivateUsage]
    null = os.open(os.devnull, os.O_RDONLY)
    for name in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            # The listing's own, which is closed by now.
            continue
        if os.path.basename(path) == "lock" and path.startswith(roots):
            # Not closed: its number still belongs to the native half.
            os.dup2(null, int(name), inheritable=False)
    os.close(null)


def _close_all() -> None:
    """At the interpreter's end: no sandbox outlives the program that forgot to close."""
    for link in list(_open):
        _close(link)
