"""Everything that needs no container, on the fake runtime: it speaks the real protocol."""

import asyncio
import logging
import zipfile
from pathlib import Path

import lambdabox
import pytest
from lambdabox import AsyncPlatform, Platform


def fake(data_dir: str, **options: object) -> Platform:
    return Platform(data_dir, runtimes=["fake"], **options)  # type: ignore[arg-type]


def async_fake(data_dir: str) -> AsyncPlatform:
    return AsyncPlatform(data_dir, runtimes=["fake"])


async def until(condition, seconds: float = 10.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the condition never came true"
        await asyncio.sleep(0.01)


def test_a_function_is_deployed_invoked_versioned_and_deleted(data_dir: str) -> None:
    with fake(data_dir) as platform:
        first = platform.deploy("echo", "fake:echo", handler="echo.handler", memory_mib=256)
        assert (first.version, first.memory_mib, first.runtime) == (1, 256, "docker")
        assert repr(first).startswith("Function(name='echo', version=1")
        with pytest.raises(AttributeError):
            first.version = 2  # type: ignore[misc]
        event = {"name": "Älice", "list": [1, 2.5, None, True]}
        assert platform.invoke("echo", event) == event
        outcome = platform.execute("echo", event=event)
        assert outcome.is_success and outcome.output == event and outcome.start == "warm"
        with pytest.raises(lambdabox.Conflict):
            platform.function_create("echo", "fake:echo")
        second = platform.function_update("echo", description="again", tmp_mib=None)
        assert (second.version, second.description) == (2, "again")
        platform.alias_set("echo", "stable", 1)
        assert platform.function_get("echo", "stable").version == 1
        assert {a.name: a.version for a in platform.alias_list("echo")} == {"current": 2, "stable": 1}
        assert platform.rollback("echo", 1).version == 1
        platform.alias_delete("echo", "stable")
        assert [f.version for f in platform.version_list("echo")] == [2, 1]
        assert platform.function_code("echo") == "fake:echo"
        assert len(platform.function_list()) == 1
        platform.function_delete("echo")
        with pytest.raises(lambdabox.NotFound):
            platform.function_get("echo")


def test_code_is_text_a_file_a_directory_or_a_zip(data_dir: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print(1)")
    (tmp_path / "one.mjs").write_text("console.log(1)")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("main.py", "print(1)")
    with fake(data_dir) as platform:
        assert platform.deploy("file", tmp_path / "one.mjs").language == "javascript"
        directory = platform.deploy("dir", tmp_path / "app")
        assert (directory.code_format, directory.language) == ("zip", "python")
        assert platform.deploy("dir", tmp_path / "app").code_sha256 == directory.code_sha256
        assert platform.deploy("zip", tmp_path / "a.zip").language == "python"
        data = (tmp_path / "a.zip").read_bytes()
        assert platform.deploy("bytes", data).code_bytes == len(data)
        with pytest.raises(lambdabox.InvalidParameter, match="pathlib"):
            platform.deploy("missing", tmp_path / "missing.py")
        with pytest.raises(lambdabox.InvalidZipFile):
            platform.deploy("bad", b"no zip", language="python")


def test_a_failure_carries_type_message_and_remote_traceback(data_dir: str) -> None:
    with fake(data_dir) as platform:
        platform.deploy("raise", "fake:raise", handler="raise.handler")
        with pytest.raises(lambdabox.FunctionError) as caught:
            platform.invoke("raise", {})
        error = caught.value
        assert error.type and error.outcome.status == "function_error"
        assert error.outcome.error is not None and error.message == error.outcome.error.message
        outcome = platform.execute("raise", event={})
        assert not outcome.is_success


def test_records_and_figures_are_kept(data_dir: str) -> None:
    with fake(data_dir) as platform:
        platform.deploy("echo", "fake:echo", handler="echo.handler")
        outcome = platform.execute("echo", event=1)
    with fake(data_dir) as platform:
        (record,) = platform.invocation_list(function="echo", statuses=["success"])
        assert record.request_id == outcome.request_id
        assert record.started_at.tzinfo is not None
        assert platform.invocation_get(outcome.request_id).record == record
        assert not platform.invocation_list(statuses=["timeout"]).items
        summary = platform.invocation_summary(bucket="hour")
        assert (summary.totals.calls, summary.totals.errors) == (1, 0)
        assert [f.name for f in summary.functions] == ["echo"] and len(summary.series) >= 1
        assert {f.severity for f in platform.check()} == {"ok"}


def test_map_keeps_order_and_bounds_and_reports_progress(data_dir: str) -> None:
    progress: list[int] = []
    with fake(data_dir) as platform:
        platform.deploy("echo", "fake:echo", handler="echo.handler")
        results = platform.map("echo", range(50), concurrency=4, progress=progress.append)
        assert list(results) == list(range(50))
        assert progress == list(range(1, 51))
        assert platform.pool_stats().sandboxes <= 6
        platform.deploy("raise", "fake:raise", handler="raise.handler")
        failures = list(platform.map("raise", range(3), return_exceptions=True))
        assert all(isinstance(f, lambdabox.FunctionError) for f in failures)
        with pytest.raises(lambdabox.FunctionError):
            list(platform.map("raise", range(3)))


async def test_a_map_counts_what_has_ended_whenever_it_does(data_dir: str) -> None:
    progress: list[int] = []
    async with async_fake(data_dir) as platform:
        await platform.deploy("sleep", "fake:sleep", handler="case.handler")
        events = [{"ms": 100}, {"ms": 1}, {"ms": 1}]
        async for _ in platform.map("sleep", events, concurrency=3, progress=progress.append):
            # The first one takes longest: when it is there the others are, too.
            assert progress == [1, 2, 3]
        await platform.deploy("raise", "fake:raise", handler="case.handler")
        failures = platform.map("raise", [{}, {}], return_exceptions=True, progress=progress.append)
        assert [type(failure) async for failure in failures] == [lambdabox.FunctionError] * 2
        assert progress == [1, 2, 3, 1, 2]


def test_a_function_gets_the_trace_of_its_caller(data_dir: str) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    traceparent = f"00-{trace}-00f067aa0ba902b7-01"
    code, handler = "fake:traceparent", "case.handler"
    with fake(data_dir) as platform:
        platform.deploy("traced", code, handler=handler)
        for outcome in (
            platform.execute("traced", traceparent=traceparent),
            platform.start("traced", traceparent=traceparent).outcome(),
            platform.test(code, handler=handler, traceparent=traceparent),
            platform.start_test(code, handler=handler, traceparent=traceparent).outcome(),
        ):
            span = outcome.request_id.replace("-", "")[-16:]
            assert outcome.output == f"00-{trace}-{span}-01"
        assert platform.invoke("traced") is None
        assert trace in platform.invoke("traced", traceparent=traceparent)
        (mapped,) = platform.map("traced", [1], traceparent=traceparent)
        assert trace in mapped
        with pytest.raises(lambdabox.InvalidParameter, match="malformed"):
            platform.invoke("traced", traceparent="00-1-2-3")


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("a b", {}, "1 to 64 characters"),
        ("a", {"memory_mib": 1}, "memory_mib"),
        ("a", {"memory": 1}, "memory"),
        ("a", {"runtime": "gvisor"}, "gvisor"),
        ("a", {"handler": "x"}, "handler"),
    ],
)
def test_wrong_parameters_are_explained(
    data_dir: str, name: str, config: dict[str, object], message: str
) -> None:
    with fake(data_dir) as platform, pytest.raises(lambdabox.InvalidParameter, match=message):
        platform.deploy(name, "x", **config)  # type: ignore[arg-type]


def test_a_platform_is_used_open_and_opened_with_sense(data_dir: str) -> None:
    platform = fake(data_dir)
    with pytest.raises(lambdabox.Closed):
        platform.function_list()
    with platform:
        with pytest.raises(TypeError):
            platform.execute("x", "Alice")
        with pytest.raises(TypeError):
            platform.invoke("x", {1, 2})
    with pytest.raises(lambdabox.Closed):
        platform.pool_stats()
    platform.close()
    with pytest.raises(lambdabox.InvalidParameter, match="no runtime"), Platform(
        data_dir, runtimes=["runc"]
    ):
        pass


async def test_asyncio_has_the_same_operations(data_dir: str) -> None:
    async with async_fake(data_dir) as platform:
        await platform.deploy("echo", "fake:echo", handler="echo.handler")
        assert await platform.invoke("echo", {"a": 1}) == {"a": 1}
        results = [r async for r in platform.map("echo", range(20), concurrency=3)]
        assert results == list(range(20))
        run = await platform.start("echo", event=7)
        assert await run.result() == 7
        with pytest.raises(lambdabox.InvalidParameter, match="only once"):
            await run.outcome()
        with pytest.raises(lambdabox.NotFound):
            await platform.function_get("nothing")
        assert (await platform.function_list()).items[0].name == "echo"


async def test_a_thousand_awaits_at_once(data_dir: str) -> None:
    async with async_fake(data_dir) as platform:
        await platform.deploy("echo", "fake:echo", handler="echo.handler")
        results = await asyncio.gather(*(platform.invoke("echo", n) for n in range(1000)))
        assert results == list(range(1000))


async def test_cancelling_a_task_kills_the_sandbox(data_dir: str) -> None:
    async with async_fake(data_dir) as platform:
        await platform.deploy("spin", "fake:spin", handler="spin.handler", timeout_ms=60_000)
        task = asyncio.create_task(platform.invoke("spin"))
        await until(lambda: platform.pool_stats().busy == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: platform.pool_stats().busy == 0)
        (record,) = await wait_for_record(platform)
        assert record.status == "cancelled"


async def wait_for_record(platform: AsyncPlatform) -> tuple[lambdabox.InvocationRecord, ...]:
    for _ in range(500):
        page = await platform.invocation_list()
        if page.items:
            return page.items
        await asyncio.sleep(0.01)
    raise AssertionError("no record came")


async def test_leaving_a_map_kills_what_still_runs(data_dir: str) -> None:
    async with async_fake(data_dir) as platform:
        await platform.deploy("spin", "fake:spin", handler="spin.handler", timeout_ms=60_000)
        results = platform.map("spin", range(3))
        waiting = asyncio.ensure_future(results.__anext__())
        await until(lambda: platform.pool_stats().busy == 3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: platform.pool_stats().busy == 0)


def test_another_event_loop_is_refused(data_dir: str) -> None:
    platform = async_fake(data_dir)

    async def leave_open() -> None:
        await platform.__aenter__()

    asyncio.run(leave_open())
    with pytest.raises(lambdabox.InvalidParameter, match="another event loop"):
        asyncio.run(platform.function_list())  # type: ignore[arg-type]
    lambdabox._link._close_all()


def test_a_platform_that_nobody_closed_warns_and_closes(data_dir: str) -> None:
    platform = fake(data_dir)
    platform.__enter__()
    with pytest.warns(ResourceWarning, match="unclosed"):
        del platform


async def test_what_the_platform_logs_reaches_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="lambdabox"):
        with pytest.raises(lambdabox.InvalidParameter, match="data_dir"):
            async with async_fake("/dev/null/x"):
                pass
        await until(lambda: any("an operation failed" in r.message for r in caplog.records))
        caplog.clear()
        with pytest.raises(lambdabox.InvalidParameter), fake("/dev/null/x"):
            pass
        await until(lambda: any("an operation failed" in r.message for r in caplog.records))
    assert {r.name for r in caplog.records} == {"lambdabox.error"}
