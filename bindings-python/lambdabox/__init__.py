"""Your own AWS Lambda, as a library: Python and JavaScript functions in warm, locked-down
sandboxes, in Docker or in gVisor.

    with lambdabox.Platform("/var/lib/my-app") as platform:
        platform.deploy("hello", "import sys; print(f'Hello, {sys.argv[1]}!')")
        print(platform.execute("hello", ["Alice"]).output)

`AsyncPlatform` is the same for asyncio.
"""

from ._async import AsyncInvocation, AsyncPlatform, AsyncRemoteFunction
from ._errors import (
    Closed,
    Conflict,
    Error,
    Forked,
    FunctionCancelled,
    FunctionCrashed,
    FunctionError,
    FunctionOutOfMemory,
    FunctionTimeout,
    Internal,
    InvalidParameter,
    InvalidRequestContent,
    InvalidZipFile,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    PreconditionFailed,
    RuntimeUnavailable,
    StoreUnavailable,
    Throttled,
    Unauthenticated,
    UnsupportedMediaType,
)
from ._requests import ContainerOptions, FunctionConfig, PoolOptions
from ._sync import Invocation, Platform, RemoteFunction
from ._types import (
    Alias,
    Failure,
    Finding,
    Function,
    FunctionSummary,
    InvocationEntry,
    InvocationRecord,
    InvocationSummary,
    LogLine,
    Outcome,
    Page,
    PoolStats,
    Summary,
    SummaryPoint,
    Timings,
)

__all__ = [
    "Alias",
    "AsyncInvocation",
    "AsyncPlatform",
    "AsyncRemoteFunction",
    "Closed",
    "Conflict",
    "ContainerOptions",
    "Error",
    "Failure",
    "Finding",
    "Forked",
    "Function",
    "FunctionCancelled",
    "FunctionConfig",
    "FunctionCrashed",
    "FunctionError",
    "FunctionOutOfMemory",
    "FunctionSummary",
    "FunctionTimeout",
    "Internal",
    "InvalidParameter",
    "InvalidRequestContent",
    "InvalidZipFile",
    "Invocation",
    "InvocationEntry",
    "InvocationRecord",
    "InvocationSummary",
    "LogLine",
    "NotFound",
    "Outcome",
    "Page",
    "PayloadTooLarge",
    "PermissionDenied",
    "Platform",
    "PoolOptions",
    "PoolStats",
    "PreconditionFailed",
    "RemoteFunction",
    "RuntimeUnavailable",
    "StoreUnavailable",
    "Summary",
    "SummaryPoint",
    "Throttled",
    "Timings",
    "Unauthenticated",
    "UnsupportedMediaType",
]
