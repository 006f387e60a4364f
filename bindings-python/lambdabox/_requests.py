"""What both platforms send to the native half."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, TypedDict

from . import _types


class PoolOptions(TypedDict, total=False):
    """Bounds of the warm-container manager; each has a default."""

    sandboxes_max: int
    """Most sandboxes at once (256)."""
    memory_mib_max: int
    """Most memory of all sandboxes together, by their limits (16384)."""
    function_concurrency: int
    """Most sandboxes of a function that names no `concurrency` (16)."""
    cores: int
    """Sandboxes of a function whose work burns CPU (the machine's cores)."""
    creating_max: int
    """Most sandboxes that are created at once (the cores, at least 2)."""
    queue_max: int
    """Most invocations that wait for a sandbox (1000)."""
    queue_timeout_ms: int
    """Longest wait before an invocation is refused (10000)."""
    idle_timeout_ms: int
    """How long a sandbox stays warm without work (600000)."""
    freeze_after_ms: int
    """How long it idles before it is frozen (10000); 0: never."""
    prewarmed: int
    """Sandboxes without code kept ready of each class in use (1)."""


class ContainerOptions(TypedDict, total=False):
    """How Docker and gVisor use this machine."""

    docker_socket: str
    python_image: str
    javascript_image: str
    allowed_images: Sequence[str]
    """Images that functions may name."""
    allowed_networks: Sequence[str]
    """Docker networks that functions may name."""
    clear_tmp: bool
    """Empty /tmp after each invocation (`False`)."""
    cgroup_freezer: bool
    """Freeze what idles by its own cgroup, where this process may (`True`)."""
    busy_poll_us: int
    """How long a sandbox's answer is looked for before it is waited for (250); 0: never."""
    runc: str
    """Under which name Docker knows runc (`runc`)."""
    runsc: str
    """Under which name Docker knows gVisor (`runsc`)."""


class Retention(TypedDict, total=False):
    """How long the store keeps what is recorded, in milliseconds; `None`: for ever."""

    invocations_ms: int | None
    """Records of invocations (30 days)."""
    outputs_ms: int | None
    """What invocations wrote (7 days)."""
    minutes_ms: int | None
    """Figures per minute (2 days)."""
    hours_ms: int | None
    """Figures per hour (90 days)."""
    days_ms: int | None
    """Figures per day (for ever)."""


class FunctionConfig(TypedDict, total=False):
    """Everything about a function but its code. What a caller leaves out keeps its value or
    gets the platform's default."""

    description: str
    language: str
    """`python` or `javascript`."""
    handler: str | None
    """`module.function`; none: a script."""
    runtime: str
    timeout_ms: int
    memory_mib: int
    cpus: float
    tmp_mib: int | None
    env: Mapping[str, str]
    concurrency: int | None
    image: str | None
    network: str
    fresh_process: bool
    """Each invocation of a handler in a process of its own."""
    min_warm: int
    """Sandboxes that are kept warm, code loaded, also while nobody calls (0)."""
    keep_processes: bool
    """What a handler leaves running when it has answered is not killed."""


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode_event(value: object) -> bytes:
    """Called by the native half for an event that it does not convert itself."""
    return _encode(value).encode()


def options(
    data_dir: str | os.PathLike[str],
    store: str | None,
    runtimes: Sequence[str],
    namespace: str | None,
    drain_timeout_ms: int | None,
    recording: bool,
    retention: Retention | None,
    journal_bytes_max: int | None,
    live_log_bytes: int | None,
    pool: PoolOptions | None,
    containers: ContainerOptions | None,
) -> str:
    if isinstance(runtimes, str):
        runtimes = [runtimes]
    return _encode(
        {
            "data_dir": os.path.abspath(data_dir),
            "store": store,
            "runtimes": list(runtimes),
            "namespace": namespace,
            "drain_timeout_ms": drain_timeout_ms,
            "recording": recording,
            "retention": dict(retention or {}),
            "journal_bytes_max": journal_bytes_max,
            "live_log_bytes": live_log_bytes,
            "pool": dict(pool or {}),
            "containers": dict(containers or {}),
        }
    )


def fields(config: Mapping[str, Any], **more: str | None) -> str:
    return _encode({**config, **{name: value for name, value in more.items() if value}})


def records(
    function: str | None,
    from_: datetime | None,
    to: datetime | None,
    statuses: Sequence[str],
    runtime: str | None,
    limit: int,
    cursor: str | None,
) -> str:
    return _encode(
        {
            "function": function,
            "since": _time(from_),
            "until": _time(to),
            "statuses": list(statuses),
            "runtime": runtime,
            "limit": limit,
            "cursor": cursor,
        }
    )


def summary(
    function: str | None,
    from_: datetime | None,
    to: datetime | None,
    runtime: str | None,
    bucket: str | None,
) -> str:
    return _encode(
        {
            "function": function,
            "since": _time(from_),
            "until": _time(to),
            "runtime": runtime,
            "bucket": bucket,
        }
    )


def _time(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a time needs a time zone; use datetime.now(timezone.utc)")
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def text(qualifier: str | int | None) -> str | None:
    return None if qualifier is None else str(qualifier)


Run = tuple[
    "list[str] | None",
    "tuple[Any] | None",
    "str | None",
    "str | None",
    "int | None",
    "str | None",
    "str | None",
]


def run(
    args: Sequence[str] | None,
    event: object,
    qualifier: str | int | None,
    runtime: str | None,
    timeout_ms: int | None,
    trace_id: str | None,
    traceparent: str | None,
) -> Run:
    """How something is run: a script with args, or a handler with an event."""
    if isinstance(args, str):
        raise TypeError("args is a sequence of strings, not one string")
    if args is not None and event is not None:
        raise TypeError("a script takes args, a handler an event; nothing takes both")
    return (
        None if args is None else list(args),
        None if event is None else (event,),
        text(qualifier),
        runtime,
        timeout_ms,
        trace_id,
        traceparent,
    )


class Lines:
    """Chunks of output as lines: a chunk may end inside of a line, or of a character."""

    def __init__(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")
        self._streams = {name: (decoder("replace"), [""]) for name in ("stdout", "stderr")}

    def feed(self, stream: str, chunk: bytes) -> Iterator[_types.LogLine]:
        decoder, kept = self._streams[stream]
        *lines, kept[0] = (kept[0] + decoder.decode(chunk)).split("\n")
        return (_types.LogLine(stream, line) for line in lines)

    def rest(self) -> Iterator[_types.LogLine]:
        for stream, (decoder, kept) in self._streams.items():
            if last := kept[0] + decoder.decode(b"", final=True):
                yield _types.LogLine(stream, last)
