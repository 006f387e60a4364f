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

PAGE_DEFAULT = 50
"""Items of a page, where nobody says how many; lambda-core's `PAGE_DEFAULT`."""


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
    min_warm: int = field(repr=False)
    keep_processes: bool = field(repr=False)
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
class LogItem:
    """Something that one invocation, which is followed, did."""

    kind: str
    """`output`, `skipped` (lines came faster than they were read) or `end`."""
    stream: str | None = None
    """Of `output`: `stdout` or `stderr`."""
    text: str = ""
    """Of `output`: it may end inside of a line."""
    lines: int | None = None
    """Of `skipped`: how many, where that is known."""
    status: str | None = None
    """Of `end`: how the invocation ended, or `not_run`."""
    position: str | None = field(default=None, repr=False)
    """Of `output`: where following goes on after it."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that one of many invocations did. After `skipped`, nothing but `lines` is set."""

    kind: str
    """`output`, `skipped` (lines came faster than they were read) or `end`."""
    function_name: str | None = None
    function_id: str | None = field(default=None, repr=False)
    request_id: str | None = None
    stream: str | None = None
    """Of `output`: `stdout` or `stderr`."""
    text: str = ""
    """Of `output`: it may end inside of a line."""
    lines: int | None = None
    """Of `skipped`: how many, where that is known."""
    status: str | None = None
    """Of `end`: how the invocation ended, or `not_run`."""
    seen_at: datetime | None = field(default=None, repr=False)
    """When the platform read it."""
    id: str | None = field(default=None, repr=False)
    """What `after` takes, to go on after it."""


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
class ProvisionedStats:
    """A function that is always to have warm sandboxes."""

    function_id: str
    version: int
    runtime: str
    min_warm: int
    """How many it is to have at least."""
    warm: int
    """How many it has with its code loaded, idle or serving."""
    coming: int
    """How many are being created, or load the code."""
    failures: int
    """How often making one has failed since it last succeeded."""


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
    provisioned: tuple[ProvisionedStats, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token for a server on the same store, without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    """Of `functions:read`, `functions:write`, `invoke`, `metrics:read` and `admin`."""
    created_at: datetime = field(repr=False)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What works at the moment."""

    store: bool
    runtimes: Mapping[str, bool] = field(hash=False)
    is_ready: bool
    """Functions can be deployed, and run in at least one runtime."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that does not work for the time being."""

    since: datetime
    message: str


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How records of invocations stand on their way into the store. Counts are since the start."""

    pending_records: int
    """Those that the store has not taken yet."""
    pending_bytes: int = field(repr=False)
    oldest_pending_at: datetime | None = field(repr=False)
    journal_bytes: int = field(repr=False)
    journal_bytes_max: int = field(repr=False)
    shed: int
    """Lost, because the journal or its disk was full."""
    shedding_since: datetime | None = field(repr=False)
    rejected: int
    """Refused by the store for good."""
    damaged: int = field(repr=False)
    files_set_aside: int = field(repr=False)
    store: Trouble | None
    """What keeps the store from taking records."""
    disk: Trouble | None
    """What keeps the disk from syncing the journal."""


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
        if name.endswith(("_at", "since")) and isinstance(value, str):
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
    data = json.loads(text)
    data["provisioned"] = tuple(build(ProvisionedStats, item) for item in data["provisioned"])
    return build(PoolStats, data)


def log_item(text: str) -> LogItem:
    return build(LogItem, json.loads(text))


def log_event(text: str) -> LogEvent:
    return build(LogEvent, json.loads(text))


def token(data: Mapping[str, Any]) -> Token:
    return build(Token, {**data, "scopes": tuple(data["scopes"])})


def tokens(text: str) -> tuple[Token, ...]:
    return tuple(token(item) for item in json.loads(text))


def found_token(text: str) -> Token | None:
    data = json.loads(text)
    return None if data is None else token(data)


def new_token(text: str) -> tuple[Token, str]:
    data = json.loads(text)
    return token(data["token"]), data["secret"]


def readiness(text: str) -> Readiness:
    return build(Readiness, json.loads(text))


def recorder_status(text: str) -> RecorderStatus | None:
    data = json.loads(text)
    if data is None:
        return None
    for part in ("store", "disk"):
        data[part] = data[part] and build(Trouble, data[part])
    return build(RecorderStatus, data)


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
        output,
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
