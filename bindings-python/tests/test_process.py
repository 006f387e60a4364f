"""What concerns a whole process: importing, signals, forks, the interpreter's end."""

import os
import signal
import subprocess
import sys

PRELUDE = """
import lambdabox, os, sys, threading, time
platform = lambdabox.Platform(sys.argv[1], runtimes=["fake"])
def opened():
    platform.__enter__()
    platform.deploy("spin", "fake:spin", handler="spin.handler", timeout_ms=60000)
    platform.deploy("echo", "fake:echo", handler="echo.handler")
"""


def python(code: str, data_dir: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, data_dir],
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
