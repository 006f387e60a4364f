"""The exceptions: `Error` at the root, one class for each kind of the platform's errors, and
`FunctionError` for a function that failed."""

from __future__ import annotations

from typing import Any

from . import _types
from ._types import Outcome


class Error(Exception):
    """Anything the platform refuses or fails at. `str()` of it says what to do next."""

    message: str
    """What went wrong."""
    hint: str | None
    """What to do next."""
    operation: str | None
    """The operation that failed."""
    retry_after: float | None
    """Seconds after which a retry is worth it, where that is known."""
    retryable: bool
    """Whether the same call may succeed later without being changed."""

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        operation: str | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(f"{message} {hint}" if hint else message)
        self.message = message
        self.hint = hint
        self.operation = operation
        self.retry_after = retry_after
        self.retryable = retryable


class InvalidParameter(Error, ValueError):
    """A parameter is missing, unknown or out of range."""


class InvalidRequestContent(InvalidParameter):
    """The event is not what the function reads."""


class UnsupportedMediaType(Error):
    """The media type is not the expected one."""


class InvalidZipFile(InvalidParameter):
    """The zip archive is damaged, hostile or too large once unpacked."""


class Unauthenticated(Error):
    """No credentials, or wrong ones."""


class PermissionDenied(Error):
    """The credentials are right but do not allow the operation."""


class NotFound(Error, LookupError):
    """The function, version, alias or invocation does not exist."""


class Conflict(Error):
    """The name is taken."""


class PreconditionFailed(Error):
    """Somebody else changed it meanwhile."""


class PayloadTooLarge(Error):
    """The event or the code is over its limit."""


class Throttled(Error):
    """Concurrency, queue or memory bounds are reached; try again later."""


class RuntimeUnavailable(Error):
    """A sandbox back end cannot be used on this machine as it is now."""


class StoreUnavailable(Error):
    """The store cannot be reached, or refused to work."""


class Closed(Error):
    """The platform is not open, or shutting down."""


class Internal(Error):
    """The platform broke a promise of its own."""


class Forked(Error):
    """The platform was opened by the parent process, which alone has its threads."""


class FunctionError(Error):
    """A function failed: it raised, was killed, or gave no result."""

    type: str
    """The exception's class in the sandbox, or a name of AWS's such as `Runtime.ExitError`."""
    trace: tuple[str, ...]
    """The remote traceback, one line or frame each."""
    outcome: Outcome
    """Everything else that is known of the run."""

    def __init__(self, outcome: Outcome) -> None:
        failure = outcome.error
        kind = failure.type if failure else outcome.status
        message = failure.message if failure else ""
        trace = failure.trace if failure else ()
        text = f"{kind}: {message}" if message else kind
        if trace:
            text += "\n\nRemote traceback:\n" + "\n".join(line.rstrip("\n") for line in trace)
        super().__init__(text, operation="invoke")
        self.message = message
        self.type = kind
        self.trace = trace
        self.outcome = outcome


class FunctionTimeout(FunctionError, TimeoutError):
    """It ran into its timeout; its sandbox is dead."""


class FunctionOutOfMemory(FunctionError):
    """The kernel killed it for want of memory."""


class FunctionCrashed(FunctionError):
    """It died by a signal, or ended its process."""


class FunctionCancelled(FunctionError):
    """Somebody cancelled it."""


_BY_STATUS: dict[str, type[FunctionError]] = {
    "timeout": FunctionTimeout,
    "out_of_memory": FunctionOutOfMemory,
    "crashed": FunctionCrashed,
    "cancelled": FunctionCancelled,
}

KINDS: dict[str, type[Error]] = {
    kind.__name__: kind
    for kind in (
        InvalidParameter,
        InvalidRequestContent,
        UnsupportedMediaType,
        InvalidZipFile,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        Conflict,
        PreconditionFailed,
        PayloadTooLarge,
        Throttled,
        RuntimeUnavailable,
        StoreUnavailable,
        Closed,
        Internal,
    )
}


def of_outcome(native: tuple[Any, ...]) -> FunctionError:
    """The exception of a run that did not succeed. Called by the native half."""
    outcome = _types.outcome(native)
    return _BY_STATUS.get(outcome.status, FunctionError)(outcome)


def from_native(
    kind: str,
    operation: str,
    message: str,
    hint: str | None,
    retry_after: float | None,
    retryable: bool,
) -> Error:
    """Called by the native half."""
    return KINDS.get(kind, Error)(
        message, hint, operation=operation, retry_after=retry_after, retryable=retryable
    )


def forked() -> Error:
    """Called by the native half."""
    return Forked(
        "This platform was opened by the parent process, and its threads stayed there.",
        "Open a platform of its own in each process, after the fork; or start processes with "
        "the `spawn` method.",
    )
