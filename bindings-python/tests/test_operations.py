"""What runs ask for besides being run: logs that are followed, cancelling, tests of code, tokens,
settings of functions and platforms. On the fake runtime."""

import asyncio
import threading
import time

import lambdabox
import pytest
from lambdabox import AsyncPlatform, Platform


def fake(data_dir: str, **options: object) -> Platform:
    return Platform(data_dir, runtimes=["fake"], **options)  # type: ignore[arg-type]


def async_fake(data_dir: str) -> AsyncPlatform:
    return AsyncPlatform(data_dir, runtimes=["fake"])


def test_code_that_is_not_deployed_is_run(data_dir: str) -> None:
    with fake(data_dir) as platform:
        outcome = platform.test("fake:echo", event={"a": 1}, handler="case.handler")
        assert (outcome.status, outcome.output) == ("success", {"a": 1})
        assert outcome.function_name == "test"
        script = platform.test("fake:exit", ["3"], name="mine")
        assert (script.exit_code, script.function_name) == (3, "mine")
        run = platform.start_test("fake:echo", event=5, handler="case.handler")
        assert run.result() == 5
        assert not platform.function_list().items
        with pytest.raises(lambdabox.InvalidParameter, match="memory_mib"):
            platform.test("fake:echo", memory_mib=1)
        with pytest.raises(TypeError, match="not one string"):
            platform.test("fake:echo", "a")


async def test_a_run_is_cancelled_by_its_id(data_dir: str) -> None:
    async with async_fake(data_dir) as platform:
        await platform.deploy("spin", "fake:spin", handler="case.handler", timeout_ms=60_000)
        run = await platform.start("spin")
        await platform.cancel(run.request_id)
        assert (await run.outcome()).status == "cancelled"
        with pytest.raises(lambdabox.NotFound):
            await platform.cancel(run.request_id)
        with pytest.raises(lambdabox.InvalidParameter):
            await platform.cancel("no id")


async def test_a_function_is_followed(data_dir: str) -> None:
    async with async_fake(data_dir) as platform:
        await platform.deploy("echo", "fake:echo", handler="case.handler")
        await platform.deploy("other", "fake:echo", handler="case.handler")
        logs = await platform.follow_function("echo")
        everything = platform.follow_all()
        other = await platform.execute("other", event=1)
        outcome = await platform.execute("echo", event=1)
        seen = [await logs.__anext__() for _ in range(3)]
        assert {event.request_id for event in seen} == {outcome.request_id}
        assert {(event.kind, event.stream, event.text) for event in seen} == {
            ("output", "stdout", "echo to stdout\n"),
            ("output", "stderr", "echo to stderr\n"),
            ("end", None, ""),
        }
        assert (seen[-1].status, seen[-1].function_name) == ("success", "echo")
        assert seen[0].seen_at is not None and seen[0].seen_at.tzinfo is not None
        of_all = [await everything.__anext__() for _ in range(6)]
        assert {event.request_id for event in of_all} == {other.request_id, outcome.request_id}
        # What came after the first event, once more.
        again = await platform.follow_function("echo", after=seen[0].id)
        assert [await again.__anext__() for _ in range(2)] == seen[1:]
        with pytest.raises(lambdabox.InvalidParameter, match="log event"):
            platform.follow_all(after="yesterday")
        with pytest.raises(lambdabox.NotFound):
            await platform.follow_function("nothing")


async def test_one_invocation_is_followed_while_it_runs_and_afterwards(data_dir: str) -> None:
    async with async_fake(data_dir) as platform:
        await platform.deploy("spin", "fake:spin", handler="case.handler", timeout_ms=60_000)
        run = await platform.start("spin")
        logs = await platform.follow_invocation(run.request_id)
        first = await logs.__anext__()
        assert (first.kind, first.stream, first.text) == ("output", "stdout", "spinning\n")
        run.cancel()
        assert [(item.kind, item.status) async for item in logs] == [("end", "cancelled")]
        # Once more from the beginning, and from after what was read.
        afterwards = await platform.follow_invocation(run.request_id)
        assert [item.kind async for item in afterwards] == ["output", "end"]
        rest = await platform.follow_invocation(run.request_id, first.position)
        assert [item.kind async for item in rest] == ["end"]


async def test_following_ends_by_closing_it_or_the_platform(data_dir: str) -> None:
    async with async_fake(data_dir) as platform:
        logs = platform.follow_all()
        waiting = asyncio.ensure_future(_all(logs))
        await asyncio.sleep(0)
        logs.close()
        assert await waiting == []
        with pytest.raises(StopAsyncIteration):
            await logs.__anext__()
        last = platform.follow_all()
        waiting = asyncio.ensure_future(_all(last))
        await asyncio.sleep(0)
        await platform.close()
        assert await waiting == []


async def _all(logs: "lambdabox.AsyncLogs[lambdabox.LogEvent]") -> list[lambdabox.LogEvent]:
    return [event async for event in logs]


def test_following_without_asyncio(data_dir: str) -> None:
    with fake(data_dir) as platform:
        platform.deploy("echo", "fake:echo", handler="case.handler")
        logs = platform.follow_function("echo")
        threading.Thread(target=lambda: platform.invoke("echo", 1)).start()
        kinds = [next(logs).kind for _ in range(3)]
        assert sorted(kinds) == ["end", "output", "output"]
        logs.close()
        assert list(logs) == []


def test_tokens_are_made_found_and_revoked(data_dir: str) -> None:
    with fake(data_dir) as platform:
        token, secret = platform.token_create("ci", ["invoke", "functions:read"])
        assert (token.name, token.scopes) == ("ci", ("functions:read", "invoke"))
        assert secret not in repr(token) and token.created_at.tzinfo is not None
        assert platform.token_find(secret) == token
        assert platform.token_find("lambda_wrong") is None
        assert platform.token_list() == (token,)
        platform.token_delete(token.id)
        assert platform.token_find(secret) is None
        with pytest.raises(lambdabox.NotFound):
            platform.token_delete(token.id)
        with pytest.raises(lambdabox.InvalidParameter, match="no scope"):
            platform.token_create("ci", ["everything"])


def test_how_it_stands_is_told(data_dir: str) -> None:
    with fake(data_dir, journal_bytes_max=1 << 20, live_log_bytes=0) as platform:
        readiness = platform.readiness(5000)
        assert readiness == lambdabox.Readiness(True, {"docker": True}, True)
        status = platform.recorder_status()
        assert status is not None
        assert (status.journal_bytes_max, status.shed, status.store) == (1 << 20, 0, None)
    with fake(data_dir, recording=False) as platform:
        assert platform.recorder_status() is None


def test_functions_are_kept_warm_and_their_processes(data_dir: str) -> None:
    with fake(data_dir) as platform:
        function = platform.deploy("echo", "fake:echo", handler="case.handler", min_warm=2)
        assert (function.min_warm, function.keep_processes) == (2, False)
        deadline = time.monotonic() + 10
        while not (found := platform.pool_stats().provisioned) or found[0].warm < 2:
            assert time.monotonic() < deadline, found
            time.sleep(0.01)
        assert (found[0].function_id, found[0].version, found[0].min_warm) == (function.id, 1, 2)
        assert platform.execute("echo", event=1).start == "warm"
        kept = platform.function_update("echo", min_warm=0, keep_processes=True)
        assert (kept.min_warm, kept.keep_processes) == (0, True)
        with pytest.raises(lambdabox.InvalidParameter, match="contradict"):
            platform.function_update("echo", fresh_process=True)


def test_a_rollback_may_expect_a_revision(data_dir: str) -> None:
    with fake(data_dir) as platform:
        first = platform.deploy("echo", "fake:echo", handler="case.handler")
        second = platform.deploy("echo", "fake:echo", handler="case.handler")
        with pytest.raises(lambdabox.PreconditionFailed):
            platform.rollback("echo", 1, expected_revision=first.revision)
        rolled = platform.rollback("echo", 1, expected_revision=second.revision)
        assert rolled.version == 1
        with pytest.raises(lambdabox.PreconditionFailed):
            platform.alias_set("echo", "stable", 1, expected_revision=second.revision)


def test_options_of_a_platform_are_taken_or_refused(data_dir: str) -> None:
    keep = {"invocations_ms": None, "days_ms": 86_400_000}
    with fake(data_dir, retention=keep, pool={"cores": 2}, containers={"clear_tmp": True}):
        pass
    with pytest.raises(lambdabox.InvalidParameter, match="years"), fake(
        data_dir, retention={"years": 1}
    ):
        pass


def test_a_page_has_as_many_as_everywhere(data_dir: str) -> None:
    with fake(data_dir) as platform:
        for number in range(51):
            platform.deploy(f"f{number}", "fake:echo")
        assert len(platform.function_list()) == 50
        assert len(platform.function_list(1000)) == 51
