"""What the platform returns: frozen objects."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")

EMPTY_EVENT: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Function:
    """A function at one of its versions."""

    name: str
    version: int
    language: str
    handler: str | None
    runtime: str
    id: str = field(repr=False)
    revision: str = field(repr=False)
    created_at: datetime = field(repr=False)
    updated_at: datetime = field(repr=False)
    description: str = field(repr=False)
    timeout_ms: int = field(repr=False)
    memory_mib: int = field(repr=False)
    cpus: float = field(repr=False)
    tmp_mib: int = field(repr=False)
    env: Mapping[str, str] = field(repr=False, hash=False)
    concurrency: int | None = field(repr=False)
    image: str | None = field(repr=False)
    network: str = field(repr=False)
    fresh_process: bool = field(repr=False)
    code_sha256: str | None = field(repr=False)
    code_bytes: int = field(repr=False)
    code_format: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that points at a version."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a listing. `next` is the cursor of the following page, none at the end."""

    items: tuple[T, ...]
    next: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> T:
        return self.items[index]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a function failed, in AWS's terms."""

    type: str
    message: str
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of an invocation went, in milliseconds."""

    queue_ms: float
    boot_ms: float
    init_ms: float
    run_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an invocation."""

    request_id: str
    function_id: str = field(repr=False)
    function_name: str
    version: int
    status: str
    """`success`, `function_error`, `timeout`, `out_of_memory`, `crashed` or `cancelled`."""
    output: Any
    """The handler's result, or a script's stdout less one final newline."""
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)
    stdout_truncated: bool = field(repr=False)
    stderr_truncated: bool = field(repr=False)
    exit_code: int | None
    error: Failure | None
    start: str
    """`cold`, `prewarmed` or `warm`."""
    runtime: str
    termination: str | None = field(repr=False)
    """Where the sandbox was killed: whether its death is `confirmed` or `pending`."""
    timings: Timings = field(repr=False)
    max_memory_mib: int | None = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the function did what it should."""
        return self.status == "success"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a function wrote, without its newline."""

    stream: str
    """`stdout` or `stderr`."""
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class InvocationRecord:
    """The end of an invocation, as it is kept. `_us` are microseconds."""

    request_id: str
    function_id: str = field(repr=False)
    function_name: str
    version: int
    runtime: str
    start: str
    status: str
    error_type: str | None
    started_at: datetime
    queue_us: int = field(repr=False)
    boot_us: int = field(repr=False)
    init_us: int = field(repr=False)
    run_us: int = field(repr=False)
    total_us: int
    max_memory_mib: int | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class InvocationEntry:
    """A record, with the end of what the invocation wrote."""

    record: InvocationRecord
    stdout: str
    stderr: str
    error_message: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts and durations over many invocations."""

    calls: int
    errors: int
    function_errors: int = field(repr=False)
    timeouts: int = field(repr=False)
    out_of_memory: int = field(repr=False)
    crashed: int = field(repr=False)
    cancelled: int = field(repr=False)
    cold: int = field(repr=False)
    prewarmed: int = field(repr=False)
    warm: int = field(repr=False)
    avg_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    avg_queue_ms: float = field(repr=False)
    avg_boot_ms: float = field(repr=False)
    avg_init_ms: float = field(repr=False)
    avg_run_ms: float = field(repr=False)
    max_memory_mib: int | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class FunctionSummary:
    """The figures of one function."""

    function_id: str
    name: str
    summary: Summary


@dataclass(frozen=True, slots=True)
class SummaryPoint:
    """The figures of one stretch of time."""

    start: datetime
    summary: Summary


@dataclass(frozen=True, slots=True)
class InvocationSummary:
    """Figures over a range of time."""

    from_: datetime | None
    to: datetime | None
    totals: Summary
    functions: tuple[FunctionSummary, ...]
    runtimes: Mapping[str, Summary]
    series: tuple[SummaryPoint, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The platform's sandboxes, in numbers."""

    sandboxes: int
    creating: int
    prewarmed: int
    idle: int
    busy: int
    removing: int
    frozen: int
    memory_mib: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at, and how it stands."""

    subject: str
    severity: str
    """`ok`, `warning` or `error`."""
    detail: str
    mend: str | None = None


def build(kind: type[T], data: Mapping[str, Any]) -> T:
    """An object of plain fields; a field that this version does not know is left out."""
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    values = {name: data[name] for name in names if name in data}
    for name, value in values.items():
        if name.endswith("_at") and isinstance(value, str):
            values[name] = timestamp(value)
    return kind(**values)


def timestamp(text: str) -> datetime:
    """RFC 3339 with any number of digits, which Python 3.10 does not read by itself."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")


def function(text: str) -> Function:
    return build(Function, json.loads(text))


def functions(text: str) -> Page[Function]:
    return page(text, Function)


def page(text: str, kind: type[T]) -> Page[T]:
    data = json.loads(text)
    return Page(tuple(build(kind, item) for item in data["items"]), data["next"])


def records(text: str) -> Page[InvocationRecord]:
    return page(text, InvocationRecord)


def aliases(text: str) -> tuple[Alias, ...]:
    return tuple(build(Alias, item) for item in json.loads(text))


def findings(text: str) -> tuple[Finding, ...]:
    return tuple(build(Finding, item) for item in json.loads(text))


def pool_stats(text: str) -> PoolStats:
    return build(PoolStats, json.loads(text))


def entry(text: str) -> InvocationEntry:
    data = json.loads(text)
    output = data["output"]
    return InvocationEntry(
        build(InvocationRecord, data["record"]),
        output.get("stdout", ""),
        output.get("stderr", ""),
        output.get("error_message"),
    )


def summary(text: str) -> InvocationSummary:
    data = json.loads(text)
    return InvocationSummary(
        timestamp(data["from"]) if data["from"] else None,
        timestamp(data["to"]) if data["to"] else None,
        build(Summary, data["totals"]),
        tuple(
            FunctionSummary(item["function_id"], item["name"], build(Summary, item))
            for item in data["functions"]
        ),
        {name: build(Summary, item) for name, item in data["runtimes"].items()},
        tuple(
            SummaryPoint(timestamp(item["start"]), build(Summary, item))
            for item in data["series"]
        ),
    )


def outcome(native: tuple[Any, ...]) -> Outcome:
    """Of the tuple that the native half makes."""
    (
        request_id,
        function_id,
        function_name,
        version,
        status,
        output,
        (stdout, stdout_truncated),
        (stderr, stderr_truncated),
        exit_code,
        error,
        start,
        runtime,
        termination,
        timings,
        max_memory_mib,
    ) = native
    return Outcome(
        request_id,
        function_id,
        function_name,
        version,
        status,
        None if output is None else json.loads(output),
        stdout,
        stderr,
        stdout_truncated,
        stderr_truncated,
        exit_code,
        None if error is None else Failure(error[0], error[1], tuple(error[2])),
        start,
        runtime,
        termination,
        Timings(*timings),
        max_memory_mib,
    )
