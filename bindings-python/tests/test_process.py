"""What concerns a whole process: importing, signals, forks, the interpreter's end."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import lambdabox
import pytest

PRELUDE = """
import lambdabox, os, sys, threading, time
platform = lambdabox.Platform(sys.argv[1], runtimes=["fake"])
def opened():
    platform.__enter__()
    platform.deploy("spin", "fake:spin", handler="spin.handler", timeout_ms=60000)
    platform.deploy("echo", "fake:echo", handler="echo.handler")
"""


def python(code: str, data_dir: str, stdin: "int | None" = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, data_dir],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(code: str, data_dir: str) -> "tuple[int, str, str]":
    process = python(code, data_dir)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_importing_starts_and_installs_nothing(data_dir: str) -> None:
    code = """
import signal, logging
print(len(os.listdir("/proc/self/task")), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
      logging.getLogger().handlers, os.listdir(sys.argv[1]))
"""
    assert finish(code, data_dir) == (0, "1 True [] []\n", "")


def test_ctrl_c_ends_a_synchronous_call_and_its_sandbox(data_dir: str) -> None:
    code = """
opened()
def interrupt():
    while platform.pool_stats().busy != 1: time.sleep(0.01)
    os.kill(os.getpid(), 2)
threading.Thread(target=interrupt).start()
try:
    platform.invoke("spin")
except KeyboardInterrupt:
    while platform.pool_stats().busy: time.sleep(0.01)
    print("interrupted")
platform.close()
"""
    assert finish(code, data_dir) == (0, "interrupted\n", "")


def test_other_threads_run_while_one_waits(data_dir: str) -> None:
    code = """
opened()
ticks = 0
def tick():
    global ticks
    while platform.pool_stats().busy != 1: time.sleep(0.001)
    ticks = sum(1 for _ in range(100000))
threading.Thread(target=tick).start()
outcome = platform.execute("spin", event=1, timeout_ms=500)
print(outcome.status, ticks)
platform.close()
"""
    assert finish(code, data_dir) == (0, "timeout 100000\n", "")


def test_a_forked_child_is_told(data_dir: str) -> None:
    code = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
opened()
if os.fork() == 0:
    try:
        platform.invoke("echo")
    except lambdabox.Forked as error:
        print("child:", error, flush=True)
    sys.exit(0)
print("status", os.wait()[1], platform.invoke("echo", 5))
platform.close()
"""
    status, out, err = finish(code, data_dir)
    assert (status, err) == (0, "")
    assert "child: This platform was opened by the parent process" in out
    assert "status 0 5" in out


def test_a_forked_child_does_not_pass_for_a_dead_parent(data_dir: str) -> None:
    code = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
opened()
if os.fork() == 0:
    print("child", flush=True)
    sys.stdin.read()
    os._exit(0)
threading.Event().wait()
"""
    parent = python(code, data_dir, stdin=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdin is not None
    assert parent.stdout.readline() == "child\n"
    (lock,) = Path(data_dir).rglob("lock")
    with lock.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    parent.kill()
    parent.wait(timeout=60)
    # The child lives on, and still the parent counts as dead.
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lambdabox.Platform(data_dir, runtimes=["fake"]) as platform:
        assert platform.invoke("echo", 1) == 1
    assert not lock.exists()
    parent.communicate(timeout=60)


def test_a_forked_child_may_open_a_platform_of_its_own(data_dir: str) -> None:
    code = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
opened()
if os.fork() == 0:
    with lambdabox.Platform(sys.argv[1], runtimes=["fake"]) as own:
        print("child", own.invoke("echo", 3), flush=True)
    os._exit(0)
print("status", os.wait()[1], platform.invoke("echo", 5))
platform.close()
"""
    status, out, err = finish(code, data_dir)
    assert (status, err) == (0, ""), out
    assert "child 3" in out and "status 0 5" in out


def test_several_platforms_in_one_process(data_dir: str) -> None:
    code = """
import asyncio
opened()
with lambdabox.Platform(sys.argv[1], runtimes=["fake"], namespace="other") as other:
    assert not other.function_list().items
    other.deploy("echo", "fake:raise", handler="echo.handler")
    async def use():
        async with lambdabox.AsyncPlatform(sys.argv[1], runtimes=["fake"]) as third:
            return await third.invoke("echo", 3)
    print(platform.invoke("echo", 1), asyncio.run(use()))
    try:
        other.invoke("echo", {"message": "no"})
    except lambdabox.FunctionError as error:
        print(error.message)
print(platform.invoke("echo", 2))
platform.close()
"""
    assert finish(code, data_dir) == (0, "1 3\nno\n2\n", "")


def test_the_interpreter_ends_cleanly_though_nobody_closed(data_dir: str) -> None:
    code = """
opened()
threading.Thread(target=lambda: platform.execute("spin", timeout_ms=300), daemon=True).start()
while platform.pool_stats().busy != 1: time.sleep(0.01)
"""
    status, out, err = finish(code, data_dir)
    assert (status, out) == (0, ""), err
    assert "Fatal" not in err and "panicked" not in err


def test_the_command_line_comes_with_the_wheel(data_dir: str) -> None:
    command = [sys.executable, "-m", "lambdabox", "--data-dir", data_dir, "serve"]
    command += ["--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        said = ""
        while "http://" not in said:
            line = server.stdout.readline()
            assert line, f"the server ended: {said}"
            said += line
        server.send_signal(signal.SIGTERM)
        server.stdout.read()
        assert server.wait(timeout=60) == 0
