"""The platform for synchronous code. Made of `_async.py` by `unasync.py`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from typing_extensions import ParamSpec, Unpack

from . import _code, _decorator, _native, _requests, _types
from ._sync_link import SyncLink
from ._requests import FunctionConfig, text
from ._types import (
    EMPTY_EVENT,
    PAGE_DEFAULT,
    Alias,
    Finding,
    Function,
    InvocationEntry,
    InvocationRecord,
    InvocationSummary,
    LogEvent,
    LogItem,
    LogLine,
    Outcome,
    Page,
    PoolStats,
    Readiness,
    RecorderStatus,
    Token,
)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Platform(SyncLink):
    """Runs functions in sandboxes: a context manager.

    `data_dir` is a directory of this machine for sockets, the journal and, unless `store` names
    another, the database: `sqlite:///path` or `mysql://user:password@host/database`. `runtimes` are
    `"docker"`, which functions run in that name none, and `"gvisor"`. `pool` and `containers` are
    bounds and settings, `drain_timeout_ms` is how long closing waits for runs.
    """

    # Functions

    def deploy(
        self,
        name: str,
        code: str | bytes | os.PathLike[str],
        **config: Unpack[FunctionConfig],
    ) -> Function:
        """Creates a function, or appends a version to the one that has its name. `code` is source
        text, the bytes of a zip archive, or a `Path` of a file, a directory or an archive."""
        return _types.function(self._send("deploy", name, code, config))

    def function_create(
        self,
        name: str,
        code: str | bytes | os.PathLike[str],
        **config: Unpack[FunctionConfig],
    ) -> Function:
        """Creates a function; `Conflict` if the name is taken."""
        return _types.function(self._send("function_create", name, code, config))

    def function_update(
        self,
        function: str,
        code: str | bytes | os.PathLike[str] | None = None,
        *,
        name: str | None = None,
        **config: Unpack[FunctionConfig],
    ) -> Function:
        """Changes what is given: a new version."""
        data: str | bytes | None = None
        if code is not None:
            data, language = _code.read(code, config.get("language", "unchanged"))
            if language != "unchanged":
                config["language"] = language
        fields = _requests.fields(config, name=name)
        return _types.function(
            self._call(self._native.function_update, function, fields, data)
        )

    def function_get(self, function: str, qualifier: str | int | None = None) -> Function:
        """A function, by name or id, at its current version or another."""
        return _types.function(
            self._call(self._native.function_get, function, text(qualifier))
        )

    def function_code(
        self, function: str, qualifier: str | int | None = None
    ) -> str | bytes:
        """Its code: source text, or the bytes of a zip archive."""
        code: str | bytes = self._call(
            self._native.function_code, function, text(qualifier)
        )
        return code

    def function_list(self, limit: int = PAGE_DEFAULT, cursor: str | None = None) -> Page[Function]:
        """Functions, newest first."""
        return _types.functions(self._call(self._native.function_list, limit, cursor))

    def function_delete(self, function: str) -> None:
        """Deletes a function and frees its name."""
        self._call(self._native.function_delete, function)

    def version_list(
        self, function: str, limit: int = PAGE_DEFAULT, cursor: str | None = None
    ) -> Page[Function]:
        """The versions of a function, newest first."""
        return _types.functions(
            self._call(self._native.version_list, function, limit, cursor)
        )

    def rollback(
        self, function: str, version: int, *, expected_revision: str | None = None
    ) -> Function:
        """Makes another version the current one; nothing is copied. `PreconditionFailed` if the
        function's revision is not the expected one, where one is."""
        return _types.function(
            self._call(self._native.rollback, function, version, expected_revision)
        )

    def alias_set(
        self, function: str, alias: str, version: int, *, expected_revision: str | None = None
    ) -> Function:
        """Points an alias at a version, and returns the function at it. `PreconditionFailed` if
        the function's revision is not the expected one, where one is."""
        return _types.function(
            self._call(self._native.alias_set, function, alias, version, expected_revision)
        )

    def alias_list(self, function: str) -> tuple[Alias, ...]:
        """The aliases of a function, `current` among them."""
        return _types.aliases(self._call(self._native.alias_list, function))

    def alias_delete(self, function: str, alias: str) -> None:
        """Deletes an alias, not its version."""
        self._call(self._native.alias_delete, function, alias)

    # Running

    def execute(
        self,
        function: str,
        args: Sequence[str] | None = None,
        *,
        event: object = None,
        qualifier: str | int | None = None,
        runtime: str | None = None,
        timeout_ms: int | None = None,
        trace_id: str | None = None,
        traceparent: str | None = None,
    ) -> Outcome:
        """Runs a function, and returns how that ended: a function that fails is an outcome, too.
        It gets `trace_id` (AWS's) and `traceparent` (W3C's). Ctrl-C kills the sandbox."""
        run = _requests.run(args, event, qualifier, runtime, timeout_ms, trace_id, traceparent)
        native: tuple[Any, ...] = self._call(self._native.execute, function, run)
        return _types.outcome(native)

    def invoke(
        self,
        function: str,
        event: object = EMPTY_EVENT,
        *,
        qualifier: str | int | None = None,
        runtime: str | None = None,
        timeout_ms: int | None = None,
        trace_id: str | None = None,
        traceparent: str | None = None,
    ) -> Any:
        """Calls a handler function with an event, and returns its result.

        Raises `FunctionError` where it fails. Ctrl-C kills the sandbox.
        """
        how = (runtime, timeout_ms, trace_id, traceparent)
        run: _requests.Run = (None, (event,), text(qualifier), *how)
        return self._call(self._native.invoke, function, run)

    def start(
        self,
        function: str,
        args: Sequence[str] | None = None,
        *,
        event: object = None,
        qualifier: str | int | None = None,
        runtime: str | None = None,
        timeout_ms: int | None = None,
        trace_id: str | None = None,
        traceparent: str | None = None,
    ) -> Invocation:
        """Starts a run, for its live output or to cancel it. Nobody has to wait for it."""
        run = _requests.run(args, event, qualifier, runtime, timeout_ms, trace_id, traceparent)
        native: _native.Invocation = self._call(self._native.start, function, run)
        return Invocation(self, native)

    def cancel(self, request_id: str) -> None:
        """Kills an invocation of this platform that runs, or waits to run; `NotFound` if there is
        none."""
        self._call(self._native.cancel, request_id)

    def test(
        self,
        code: str | bytes | os.PathLike[str],
        args: Sequence[str] | None = None,
        *,
        event: object = None,
        name: str = "test",
        trace_id: str | None = None,
        traceparent: str | None = None,
        **config: Unpack[FunctionConfig],
    ) -> Outcome:
        """Runs code that is not deployed, once. `name` is what the code sees as its function's.
        An archive has at most 4 MiB. Ctrl-C kills the sandbox."""
        request = self._test(code, args, event, name, trace_id, traceparent, config)
        native: tuple[Any, ...] = self._call(self._native.test, *request)
        return _types.outcome(native)

    def start_test(
        self,
        code: str | bytes | os.PathLike[str],
        args: Sequence[str] | None = None,
        *,
        event: object = None,
        name: str = "test",
        trace_id: str | None = None,
        traceparent: str | None = None,
        **config: Unpack[FunctionConfig],
    ) -> Invocation:
        """Starts code that is not deployed, for its live output or to cancel it; see `test`."""
        request = self._test(code, args, event, name, trace_id, traceparent, config)
        native: _native.Invocation = self._call(self._native.start_test, *request)
        return Invocation(self, native)

    # What functions write

    def follow_invocation(
        self, request_id: str, position: str | None = None
    ) -> Logs[LogItem]:
        """What one invocation writes, from its first byte or from `position` on, until its end.
        Of one that has ended the last 4 KiB of each stream are kept, and for some seconds all."""
        logs: _native.LogSubscription = self._call(
            self._native.follow_invocation, request_id, position
        )
        return Logs(self, logs, _types.log_item)

    def follow_function(
        self, function: str, after: str | None = None
    ) -> Logs[LogEvent]:
        """What all invocations of a function that run on this platform write, from now on, or
        after the event whose id is `after`. Whoever reads too slowly loses the oldest lines."""
        logs: _native.LogSubscription = self._call(
            self._native.follow_function, function, after
        )
        return Logs(self, logs, _types.log_event)

    def follow_all(self, after: str | None = None) -> Logs[LogEvent]:
        """What all invocations on this platform write; see `follow_function`."""
        return Logs(self, self._native.follow_all(after), _types.log_event)

    # What has been run

    def invocation_list(
        self,
        *,
        function: str | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        statuses: Sequence[str] = (),
        runtime: str | None = None,
        limit: int = PAGE_DEFAULT,
        cursor: str | None = None,
    ) -> Page[InvocationRecord]:
        """Records of invocations, newest first; a run is there within a second."""
        if function is not None:
            function = (self.function_get(function)).id
        query = _requests.records(function, from_, to, statuses, runtime, limit, cursor)
        return _types.records(self._call(self._native.invocation_list, query))

    def invocation_get(self, request_id: str) -> InvocationEntry:
        """One record, with the end of what the invocation wrote."""
        return _types.entry(self._call(self._native.invocation_get, request_id))

    def invocation_summary(
        self,
        *,
        function: str | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        runtime: str | None = None,
        bucket: str | None = None,
    ) -> InvocationSummary:
        """Counts and durations; with `bucket` (`minute`, `hour`, `day`) as a series, too."""
        if function is not None:
            function = (self.function_get(function)).id
        query = _requests.summary(function, from_, to, runtime, bucket)
        return _types.summary(self._call(self._native.invocation_summary, query))

    # Access to a server on the same store

    def token_create(self, name: str, scopes: Sequence[str]) -> tuple[Token, str]:
        """Makes a token, and returns its secret with it, which is kept nowhere."""
        return _types.new_token(
            self._call(self._native.token_create, name, list(scopes))
        )

    def token_find(self, secret: str) -> Token | None:
        """The token with this secret, if there is one."""
        return _types.found_token(self._call(self._native.token_find, secret))

    def token_list(self) -> tuple[Token, ...]:
        """All tokens, oldest first."""
        return _types.tokens(self._call(self._native.token_list))

    def token_delete(self, token: str) -> None:
        """Revokes a token, by its id."""
        self._call(self._native.token_delete, token)

    # State

    def readiness(self, patience_ms: int) -> Readiness:
        """Looks at the store and at every runtime, at all of them at once. What has not answered
        after `patience_ms` does not work."""
        return _types.readiness(self._call(self._native.readiness, patience_ms))

    def recorder_status(self) -> RecorderStatus | None:
        """How records stand on their way into the store; none where recording is off."""
        return _types.recorder_status(self._native.recorder_status())

    def check(self, *, thorough: bool = False) -> tuple[Finding, ...]:
        """Looks at the store and every runtime; thoroughly it starts a sandbox in each."""
        return _types.findings(self._call(self._native.check, thorough))

    def pool_stats(self) -> PoolStats:
        """The platform's sandboxes, in numbers."""
        return _types.pool_stats(self._native.pool_stats())

    def runtimes(self) -> tuple[str, ...]:
        """The runtimes that it was opened with."""
        return tuple(self._native.runtimes())

    # Live Python functions

    def function(
        self,
        *,
        name: str | None = None,
        include: Sequence[os.PathLike[str]] = (),
        **config: Unpack[FunctionConfig],
    ) -> Callable[[Callable[P, R]], RemoteFunction[P, R]]:
        """Makes a top-level function one that runs in a sandbox: its module is packaged, with the
        files and directories of `include`, and deployed at its first `invoke`.

        It is called with the event. Calling the decorated function itself runs it here.
        """

        def decorate(function: Callable[P, R]) -> RemoteFunction[P, R]:
            _decorator.check(function)
            return RemoteFunction(self, function, name or function.__name__, include, config)

        return decorate

    def _test(
        self,
        code: str | bytes | os.PathLike[str],
        args: Sequence[str] | None,
        event: object,
        name: str,
        trace_id: str | None,
        traceparent: str | None,
        config: FunctionConfig,
    ) -> tuple[str, str | bytes, _requests.Run]:
        data, fields = self._fields(name, code, config)
        return fields, data, _requests.run(
            args, event, None, None, None, trace_id, traceparent
        )

    def _fields(
        self, name: str, code: str | bytes | os.PathLike[str], config: FunctionConfig
    ) -> tuple[str | bytes, str]:
        data, language = _code.read(code, config.get("language"))
        return data, _requests.fields({**config, "language": language}, name=name)

    def _send(
        self,
        operation: str,
        name: str,
        code: str | bytes | os.PathLike[str],
        config: FunctionConfig,
    ) -> str:
        data, fields = self._fields(name, code, config)
        sent: str = self._call(getattr(self._native, operation), fields, data)
        return sent


class Invocation:
    """A run under way. It goes on, and is recorded, whether or not anybody waits."""

    def __init__(self, platform: SyncLink, native: _native.Invocation) -> None:
        self._platform = platform
        self._invocation = native

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.request_id}>"

    @property
    def request_id(self) -> str:
        return self._invocation.request_id

    def outcome(self) -> Outcome:
        """Waits for the end; once. Giving up waiting kills the run."""
        native: tuple[Any, ...] = self._platform._call(self._invocation.outcome)
        return _types.outcome(native)

    def result(self) -> Any:
        """Waits for a handler's result; once. Raises `FunctionError` where it fails."""
        return self._platform._call(self._invocation.result)

    def logs(self) -> Iterator[LogLine]:
        """The lines that the function writes, live and from the first one on; once."""
        reader = self._invocation.logs()
        lines = _requests.Lines()
        while chunk := self._platform._call(reader.next):
            for line in lines.feed(*chunk):
                yield line
        for line in lines.rest():
            yield line

    def cancel(self) -> None:
        """Kills the run; its outcome's status is then `cancelled`."""
        self._invocation.cancel()


class Logs(Generic[T]):
    """What is followed: an iterator, to be read by one at a time. It ends with the invocation, or
    when the platform or this is closed."""

    def __init__(
        self, platform: SyncLink, native: _native.LogSubscription, convert: Callable[[str], T]
    ) -> None:
        self._platform = platform
        self._logs = native
        self._convert = convert

    def __iter__(self) -> Logs[T]:
        return self

    def __next__(self) -> T:
        item: str | None = self._platform._call(self._logs.next)
        if item is None:
            raise StopIteration
        return self._convert(item)

    def close(self) -> None:
        """Ends it, also for whoever waits for the next item."""
        self._logs.close()


class RemoteFunction(Generic[P, R]):
    """A Python function that runs in a sandbox by `invoke`, and here by being called."""

    def __init__(
        self,
        platform: Platform,
        function: Callable[P, R],
        name: str,
        include: Sequence[os.PathLike[str]],
        config: FunctionConfig,
    ) -> None:
        self._platform = platform
        self._function = function
        self._include = include
        self._config = config
        self._deployed_in: object = None
        self.name = name
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__module__ = function.__module__
        self.__wrapped__ = function

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    def deploy(self) -> Function:
        """Packages and deploys the module as it is now."""
        archive, handler = _decorator.package(self._function, self._include)
        config: FunctionConfig = {**self._config, "language": "python", "handler": handler}
        deployed = self._platform.deploy(self.name, archive, **config)
        self._deployed_in = self._platform._native
        return deployed

    def invoke(self, event: object = EMPTY_EVENT) -> Any:
        """Runs it in a sandbox, and returns its result; see `Platform.invoke`."""
        if self._deployed_in is not self._platform._native:
            self.deploy()
        return self._platform.invoke(self.name, event)
