"""The synchronous side: the calling thread waits, and other threads of Python run meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from typing_extensions import Self

from . import _errors, _native, _requests
from ._link import Link


class SyncLink(Link):
    def __enter__(self) -> Self:
        if self._opened is not None:
            raise _errors.InvalidParameter("The platform is open already.")
        native = _native.Platform()
        try:
            native.open(None, 0, self._options)
        except BaseException:
            native.release()
            raise
        self._set_opened(native)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Waits for running invocations up to `drain_timeout_ms`, then removes every sandbox."""
        native = self._take_opened()
        if native is None:
            return
        try:
            native.close(None, 0)
        finally:
            native.release()

    def _call(self, method: Callable[..., Any], *args: object) -> Any:
        return method(None, 0, *args)

    def map(
        self,
        function: str,
        events: Iterable[object],
        *,
        concurrency: int = 16,
        return_exceptions: bool = False,
        progress: Callable[[int], object] | None = None,
        qualifier: str | int | None = None,
        runtime: str | None = None,
        timeout_ms: int | None = None,
        trace_id: str | None = None,
        traceparent: str | None = None,
    ) -> Iterator[Any]:
        """The results of a handler function for many events, in their order, with at most
        `concurrency` runs at once. `progress` is called with the number of finished ones. A failure
        is raised, or with `return_exceptions` yielded; leaving the loop kills what still runs."""
        if concurrency < 1:
            raise _errors.InvalidParameter("`concurrency` is at least 1.")
        running: deque[_native.Invocation] = deque()
        finished = 0
        how = (_requests.text(qualifier), runtime, timeout_ms, trace_id, traceparent)

        def next_result() -> Any:
            nonlocal finished
            try:
                result = self._call(running[0].result)
            except _errors.Error as error:
                if not return_exceptions:
                    raise
                result = error
            running.popleft()
            finished += 1
            if progress is not None:
                progress(finished)
            return result

        try:
            for event in events:
                run: _requests.Run = (None, (event,), *how)
                running.append(self._call(self._native.start, function, run))
                if len(running) == concurrency:
                    yield next_result()
            while running:
                yield next_result()
        finally:
            for invocation in running:
                invocation.cancel()
