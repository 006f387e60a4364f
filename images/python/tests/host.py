"""A fake host: starts the real bootstrap as the platform does and speaks the protocol to it."""

import base64
import fcntl
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

BOOTSTRAP = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bootstrap.py")
PYTHON = os.environ.get("LAMBDA_TEST_PYTHON", sys.executable)
ARN = "arn:aws:lambda:local:000000000000:function:fn"
TIMEOUT_S = 20


def default_signals():
    """What ignores a signal (nohup, a shell's background job) has all that it starts ignore it."""
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


class Output:
    """Drains a FIFO all the time, as the host must: a full one blocks the function."""

    def __init__(self, path):
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._bytes = bytearray()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while not self._closed:
            if poll.poll(20):
                with self._lock:
                    if self._read() == b"":
                        # No writer yet, or no longer.
                        time.sleep(0.001)

    def _read(self):
        try:
            data = os.read(self.fd, 1 << 20)
        except BlockingIOError:
            return None
        self._bytes += data
        return data

    def take(self):
        """What is in the FIFO now, and what was drained before."""
        with self._lock:
            while self._read():
                pass
            taken, self._bytes = bytes(self._bytes), bytearray()
            return taken.decode("utf-8", "replace")

    def close(self):
        self._closed = True
        self._thread.join()
        os.close(self.fd)


class Request:
    def __init__(self, line, headers, body):
        self.line = line
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body, parse_constant=lambda name: 1 / 0)


class Answer(Request):
    """A reply to an invocation, with the output that had arrived by then."""

    stdout = stderr = ""

    @property
    def ok(self):
        return self.line.split()[1].endswith("/response")


class Ended(Exception):
    """The bootstrap closed the connection."""


class Host:
    def __init__(self, python=PYTHON, env=None, wrapper=()):
        self.directory = tempfile.mkdtemp(prefix="lambda-boot-")
        self.task_root = os.path.join(self.directory, "task")
        os.mkdir(self.task_root)
        path = os.path.join(self.directory, "api.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(TIMEOUT_S)
        self.stdout = Output(os.path.join(self.directory, "stdout"))
        self.stderr = Output(os.path.join(self.directory, "stderr"))
        self.process = subprocess.Popen(
            [
                "sh",
                "-c",
                'd=$0; exec "$@" >"$d/stdout" 2>"$d/stderr"',
                self.directory,
                *wrapper,
                python,
                BOOTSTRAP,
            ],
            preexec_fn=default_signals,
            env={
                "PATH": os.environ["PATH"],
                "LAMBDA_API_SOCKET": path,
                "LAMBDA_TASK_ROOT": self.task_root,
                **(env or {}),
            },
            stdin=subprocess.DEVNULL,
        )
        self.connection, _ = listener.accept()
        listener.close()
        self.connection.settimeout(TIMEOUT_S)
        self.buffer = b""
        self.ids = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.kill()
        self.process.wait()
        self.stdout.close()
        self.stderr.close()
        shutil.rmtree(self.directory)

    def send(self, head, body=b""):
        self.connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def _more(self):
        try:
            data = self.connection.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Ended()
        self.buffer += data

    def receive(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (f.split(":", 1) for f in fields)}
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Request(line, headers, body)

    def expect(self, line):
        request = self.receive()
        if request.line != line:
            raise AssertionError("%s, expected %s: %r" % (request.line, line, request.body[:2000]))
        return request

    def send_init(self, code=b"", handler="app.handler", form="inline", env=None, **fields):
        config = {
            "function_name": "fn",
            "function_version": "7",
            "invoked_function_arn": ARN,
            "memory_limit_mib": 128,
            "log_group_name": "/aws/lambda/fn",
            "log_stream_name": "stream",
            "handler": handler,
            "env": env or {},
            "code": {"format": form},
            **fields,
        }
        config = json.dumps(config).encode()
        code = code.encode() if isinstance(code, str) else code
        self.send(
            [
                "HTTP/1.1 200 OK",
                "Content-Type: application/octet-stream",
                "Content-Length: %d" % (len(config) + len(code)),
                "Lambda-Init-Config-Length: %d" % len(config),
            ],
            config + code,
        )

    def init(self, *args, **fields):
        self.expect("GET /lambda/v1/init HTTP/1.1")
        self.send_init(*args, **fields)
        self.expect("GET /2018-06-01/runtime/invocation/next HTTP/1.1")
        return self

    def init_error(self, *args, **fields):
        """The report of an initialisation that must fail; the process has then exited with 1."""
        self.expect("GET /lambda/v1/init HTTP/1.1")
        self.send_init(*args, **fields)
        request = self.expect("POST /2018-06-01/runtime/init/error HTTP/1.1")
        assert self.process.poll() is None
        self.accept()
        assert self.exit_status() == 1
        return request.json

    def accept(self, then=b""):
        self.connection.sendall(
            b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
            b'{"status":"OK"}\n' + then
        )

    def send_event(self, body, timeout_ms=5000, headers=()):
        self.ids += 1
        self.request_id = "0190a6b0-0000-7000-8000-%012d" % self.ids
        self.send(
            [
                "HTTP/1.1 200 OK",
                "Content-Type: application/json",
                "Content-Length: %d" % len(body),
                "Lambda-Runtime-Aws-Request-Id: %s" % self.request_id,
                "Lambda-Runtime-Deadline-Ms: %d" % (time.time() * 1000 + timeout_ms),
                "Lambda-Runtime-Invoked-Function-Arn: %s" % ARN,
                *headers,
            ],
            body,
        )

    def receive_answer(self):
        request = self.receive()
        method, path, _ = request.line.split()
        prefix = "/2018-06-01/runtime/invocation/%s/" % self.request_id
        assert method == "POST" and path.startswith(prefix), request.line
        answer = Answer(request.line, request.headers, request.body)
        answer.stdout, answer.stderr = self.stdout.take(), self.stderr.take()
        return answer

    def invoke(self, event=None, raw=None, **options):
        """One invocation; the bootstrap is left waiting for the next."""
        self.send_event(json.dumps(event or {}).encode() if raw is None else raw, **options)
        answer = self.receive_answer()
        self.expect("GET /2018-06-01/runtime/invocation/next HTTP/1.1")
        self.accept()
        return answer

    def run(self, *args):
        """One execution of a script."""
        return self.invoke(raw=json.dumps(args).encode())

    def invoke_until_end(self, event=None):
        """One invocation that ends the process: its wait status and the output."""
        self.send_event(json.dumps(event or {}).encode())
        try:
            request = self.receive()
        except Ended:
            return self.exit_status(), self.stdout.take(), self.stderr.take()
        raise AssertionError("answered: %s %r" % (request.line, request.body))

    def exit_status(self):
        return self.process.wait(TIMEOUT_S)


def zip_of(files, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def wait_until(condition):
    """Polls until the condition holds; its value."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError("condition was never true")


# A process namespace of its own, as a sandbox has.
OWN_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--"]


def can_unshare():
    try:
        return subprocess.run([*OWN_NAMESPACE, "true"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def process_state(pid):
    """The letter in /proc, or None where the process is gone."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def is_running(pid):
    return process_state(pid) not in (None, "Z", "X")
