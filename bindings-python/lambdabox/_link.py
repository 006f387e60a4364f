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
        self._runtime = runtimes if isinstance(runtimes, str) else next(iter(runtimes), "docker")
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


def _close_all() -> None:
    """At the interpreter's end: no sandbox outlives the program that forgot to close."""
    for link in list(_open):
        _close(link)
