"""The asyncio side: results arrive on the event loop through one file descriptor."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

from typing_extensions import Self

from . import _errors, _native
from ._link import Link

S = TypeVar("S")


class _Loop:
    """The calls that one event loop waits for."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.completions = _native.Completions()
        self.pending: dict[int, asyncio.Future[Any]] = {}
        self.next_token = 0
        self.loop.add_reader(self.completions.fileno(), self._drain)

    def detach(self) -> None:
        self.loop.remove_reader(self.completions.fileno())

    def _drain(self) -> None:
        for token, worked, value in self.completions.drain():
            future = self.pending.pop(token, None)
            if future is None or future.done():
                continue
            if worked:
                future.set_result(value)
            else:
                future.set_exception(value)

    async def call(self, method: Callable[..., Any], *args: object) -> Any:
        if asyncio.get_running_loop() is not self.loop:
            raise _errors.InvalidParameter(
                "This platform was opened in another event loop.",
                "Open one in each loop, or use `lambdabox.Platform` from threads.",
            )
        future = self.loop.create_future()
        self.next_token += 1
        token = self.next_token
        self.pending[token] = future
        try:
            call: _native.Call = method(self.completions, token, *args)
            try:
                return await future
            except asyncio.CancelledError:
                call.cancel()
                raise
        finally:
            self.pending.pop(token, None)


class AsyncLink(Link):
    _loop: _Loop | None = None

    async def __aenter__(self) -> Self:
        if self._opened is not None:
            raise _errors.InvalidParameter("The platform is open already.")
        loop = _Loop()
        native = _native.Platform()
        try:
            await loop.call(native.open, self._options)
        except BaseException:
            native.release()
            loop.detach()
            raise
        self._loop = loop
        self._set_opened(native)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits for running invocations up to `drain_timeout_ms`, then removes every sandbox."""
        native, loop = self._take_opened(), self._loop
        if native is None or loop is None:
            return
        try:
            await loop.call(native.close)
        finally:
            self._loop = None
            native.release()
            loop.detach()

    async def _call(self, method: Callable[..., Any], *args: object) -> Any:
        loop = self._loop
        if loop is None:
            raise _errors.Closed("The platform is not open.", "Use it inside of `async with`.")
        return await loop.call(method, *args)

    async def map(
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
    ) -> AsyncIterator[Any]:
        """The results of a handler function for many events, in their order, with at most
        `concurrency` runs at once. `progress` is called with the number of finished ones. A failure
        is raised, or with `return_exceptions` yielded; leaving the loop kills what still runs."""
        if concurrency < 1:
            raise _errors.InvalidParameter("`concurrency` is at least 1.")
        finished = 0

        async def run(event: object) -> Any:
            nonlocal finished
            try:
                result = await self.invoke(
                    function,
                    event,
                    qualifier=qualifier,
                    runtime=runtime,
                    timeout_ms=timeout_ms,
                    trace_id=trace_id,
                    traceparent=traceparent,
                )
            except _errors.Error as error:
                if not return_exceptions:
                    raise
                result = error
            finished += 1
            if progress is not None:
                progress(finished)
            return result

        running: deque[asyncio.Task[Any]] = deque()
        try:
            for event in events:
                running.append(asyncio.ensure_future(run(event)))
                if len(running) == concurrency:
                    yield await _next(running)
            while running:
                yield await _next(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def invoke(
        self,
        function: str,
        event: object,
        *,
        qualifier: str | int | None,
        runtime: str | None,
        timeout_ms: int | None,
        trace_id: str | None,
        traceparent: str | None,
    ) -> Any:
        raise NotImplementedError


async def _next(running: deque[asyncio.Task[Any]]) -> Any:
    # Whoever gives up here cancels this one with the others.
    result = await running[0]
    running.popleft()
    return result
