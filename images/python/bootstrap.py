"""The program inside a Python sandbox: takes code over the sandbox protocol and runs it.

The protocol is described in lambda-core/src/protocol/PROTOCOL.md. This file holds the
connection, the context object and the loop of handler functions; its neighbours load code
(lambda_loader), shape failures (lambda_errors), run scripts (lambda_script) and
handlers in processes of their own (lambda_fresh), tidy up between invocations (lambda_tidy) if
anything was started (lambda_births), and look for the next one (lambda_linger).

Nothing may happen at import: `multiprocessing` with the start methods spawn and forkserver
imports this file again in its children.
"""

import os
import sys
import time

# The C module under `socket`: the wrapper's imports would double the time to boot.
import _socket

RUNTIME_DIR = os.path.dirname(os.path.abspath(__file__))

# The limit that AWS Lambda puts on a synchronous response.
RESULT_MAX_BYTES = 6_291_556

RECEIVE_BYTES = 65_536

HOST = b"Host: lambda\r\n"
GET_INIT = b"GET /lambda/v1/init HTTP/1.1\r\n" + HOST + b"\r\n"
GET_NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n" + HOST + b"\r\n"

# What the host answers to a POST, byte for byte; recognised without being parsed.
ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    b'{"status":"OK"}\n'
)


class Connection:
    """A client of the Runtime API that knows only what the protocol uses of HTTP/1.1."""

    def __init__(self, path):
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        connection.connect(path)
        # A bare descriptor: Python 3.9 crashes where a socket object outlives the interpreter.
        # It is not inheritable, so a program that the function starts does not get it ...
        self._fd = connection.detach()
        self._unread = b""
        # ... nor does a forked child, which would hide the death of this process.
        os.register_at_fork(after_in_child=self._close)

    def _close(self):
        # Forked children may fork.
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def send(self, data):
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                data = memoryview(data)[written:]
                written = os.write(self._fd, data)
        except OSError:
            self._lost()

    def post(self, path, body, then=b""):
        """Sends a POST, together with the request that follows it."""
        self.send(
            b"POST /2018-06-01/runtime/%s HTTP/1.1\r\n%sContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s%s" % (path.encode(), HOST, len(body), body, then)
        )

    def accepted(self):
        """Waits for the answer to a POST."""
        if not self._unread:
            self._unread = self._receive_some()
        if self._unread.startswith(ACCEPTED):
            self._unread = self._unread[len(ACCEPTED) :]
            return
        status, _, _ = self._receive()
        if status != "202":
            self._lost()

    def receive(self):
        """Waits for the answer to a GET: its headers, by lower-case name, and its body."""
        status, headers, body = self._receive()
        if status != "200":
            self._lost()
        return headers, body

    def has_answer(self):
        """Whether an answer has arrived, without waiting for it."""
        import select

        return bool(select.select([self._fd], [], [], 0)[0])

    def fileno(self):
        return self._fd

    def _receive(self):
        data = self._unread
        end = data.find(b"\r\n\r\n")
        while end < 0:
            data += self._receive_some()
            end = data.find(b"\r\n\r\n")
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        start = end + 4
        length = int(headers.get("content-length", 0))
        if len(data) - start >= length:
            self._unread = data[start + length :]
            return lines[0][9:12], headers, data[start : start + length]
        body = bytearray(length)
        filled = len(data) - start
        body[:filled] = data[start:]
        self._unread = b""
        with memoryview(body) as view:
            while filled < length:
                count = os.readv(self._fd, [view[filled:]])
                if count == 0:
                    self._lost()
                filled += count
        return lines[0][9:12], headers, body

    def _receive_some(self):
        try:
            data = os.read(self._fd, RECEIVE_BYTES)
        except OSError:
            data = b""
        return data or self._lost()

    def _lost(self):
        # The sandbox is over, or this is a forked child of the function's that returned from
        # the handler. Neither has anybody to answer.
        flush()
        os._exit(1)


class CognitoIdentity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class LambdaContext:
    """The second argument of a handler: AWS Lambda's names, types and units."""

    client_context = None
    identity = CognitoIdentity()

    def __init__(self, config, headers):
        self.function_name = config["function_name"]
        self.function_version = config["function_version"]
        self.memory_limit_in_mb = str(config["memory_limit_mib"])
        self.log_group_name = config["log_group_name"]
        self.log_stream_name = config["log_stream_name"]
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn", "")
        # Ours: where the caller sent one, the W3C trace context of this invocation.
        self.traceparent = headers.get("lambda-runtime-traceparent")
        self._deadline_unix_ms = int(headers.get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(self._deadline_unix_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        fields = ", ".join("%s=%r" % item for item in vars(self).items() if item[0][0] != "_")
        return "LambdaContext(%s)" % fields


def flush():
    """Writes out what the function has printed, also where it has replaced a stream."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except Exception:
            pass


def prepare_streams():
    """stdin is empty; output is live by the line and never fails for want of an encoding."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def enter_function(config, task_root):
    """Makes the process the function's: its environment, working directory and import path."""
    zone = os.environ.get("TZ")
    os.environ.update(
        {
            "LAMBDA_TASK_ROOT": task_root,
            "LAMBDA_RUNTIME_DIR": RUNTIME_DIR,
            "AWS_LAMBDA_FUNCTION_NAME": config["function_name"],
            "AWS_LAMBDA_FUNCTION_VERSION": config["function_version"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config["memory_limit_mib"]),
            "AWS_LAMBDA_LOG_GROUP_NAME": config["log_group_name"],
            "AWS_LAMBDA_LOG_STREAM_NAME": config["log_stream_name"],
            "HOME": "/tmp",
            "TZ": ":UTC",
        }
    )
    if config["handler"] is not None:
        os.environ["_HANDLER"] = config["handler"]
    os.environ.update(config["env"])
    # Reads files, and mostly to no end.
    if os.environ["TZ"] != zone:
        time.tzset()
    os.chdir(task_root)
    # The interpreter was started before the function's environment was known.
    python_path = config["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [task_root, *filter(None, python_path)]


class Invoker:
    """Calls a handler: event in; path and body of the answer out."""

    def __init__(self, handler, config):
        import json

        import lambda_errors

        self._errors = lambda_errors
        self._handler = handler
        self._config = config
        self._loads = json.loads
        self._raw_decode = json.JSONDecoder().raw_decode
        self._encode = encoder(json)
        self._encode_ascii = json.JSONEncoder(allow_nan=False, default=encode_decimal).encode
        self._loop = None
        self._trace_id = None

    def invoke(self, headers, event):
        """Never raises, except for `SystemExit`, which ends the process as anywhere else."""
        try:
            event = self._unmarshal(event or b"{}")
        except Exception as error:
            message = "Unable to unmarshal input: %s" % self._errors.message_of(error)
            return "error", self._errors.report("Runtime.UnmarshalError", message)
        try:
            self._set_trace_id(headers.get("lambda-runtime-trace-id"))
            result = self._handler(event, LambdaContext(self._config, headers))
            if hasattr(result, "__await__"):
                result = self._await(result)
        except SystemExit:
            raise
        except BaseException as error:
            return "error", self._errors.report_exception(error)
        try:
            body = self._marshal(result)
        except SystemExit:
            raise
        except BaseException as error:
            message = "Unable to marshal response: %s" % self._errors.message_of(error)
            return "error", self._errors.report("Runtime.MarshalError", message)
        if len(body) > RESULT_MAX_BYTES:
            message = (
                "Response payload size exceeded maximum allowed payload size (%d bytes)."
                % RESULT_MAX_BYTES
            )
            return "error", self._errors.report("Function.ResponseSizeTooLarge", message)
        return "response", body

    def _unmarshal(self, event):
        # `json.loads` for what is not plain, to have its errors; it takes four times as long.
        try:
            text = event.decode().strip(" \t\n\r")
            value, end = self._raw_decode(text)
            if end == len(text):
                return value
        except ValueError:
            pass
        return self._loads(event)

    def _marshal(self, result):
        try:
            return self._encode(result).encode()
        except UnicodeEncodeError:
            # A lone surrogate has no UTF-8, yet JSON can carry it as an escape.
            return self._encode_ascii(result).encode()

    def _await(self, awaitable):
        if self._loop is None:
            import asyncio

            # One for all calls, so that clients which live on a loop can be reused.
            self._loop = asyncio.new_event_loop()
        result, error = self._loop.run_until_complete(outcome(awaitable))
        if error is not None:
            raise error
        return result

    def _set_trace_id(self, trace_id):
        if trace_id != self._trace_id:
            self._trace_id = trace_id
            if trace_id is None:
                os.environ.pop("_X_AMZN_TRACE_ID", None)
            else:
                os.environ["_X_AMZN_TRACE_ID"] = trace_id


async def outcome(awaitable):
    """Catches on the loop, so that a stack trace holds no frames of the loop's."""
    try:
        return await awaitable, None
    except BaseException as error:
        return None, error


def encoder(json):
    """What `JSONEncoder.encode` does. That makes its C encoder anew for each call, which takes
    longer than to use it."""
    # As AWS does since Python 3.12: UTF-8, not escapes, which could triple the size.
    plain = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=encode_decimal)
    markers = {}
    try:
        encode_text = json.encoder.c_encode_basestring
        encode_value = json.encoder.c_make_encoder(
            markers, encode_decimal, encode_text, None, ": ", ", ", False, False, False
        )
        if "".join(encode_value({"a": [1]}, 0)) != plain.encode({"a": [1]}):
            return plain.encode
    except Exception:
        # It is no documented interface: another Python may have another one.
        return plain.encode

    def encode(value):
        try:
            return "".join(encode_value(value, 0))
        finally:
            # The containers that it was in when it failed.
            markers.clear()

    return encode


def encode_decimal(value):
    """Decimals are numbers, as on AWS, whose database client returns them."""
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def serve_handler(connection, invoker, tidier, prepare, linger):
    connection.send(GET_NEXT)
    while True:
        prepare()
        headers, event = connection.receive()
        verdict, body = invoker.invoke(headers, event)
        flush()
        path = "invocation/%s/%s" % (headers["lambda-runtime-aws-request-id"], verdict)
        connection.post(path, body, then=GET_NEXT)
        tidier.tidy()
        linger()
        connection.accepted()


def nothing():
    """No preparation, and no look for what comes next."""


def preload(connection):
    """Imports what an invocation may need for as long as nobody waits for this sandbox."""
    ours = ("lambda_loader", "lambda_errors", "lambda_script", "lambda_tidy", "lambda_fresh")
    for name in ("json", *ours, "lambda_linger", "traceback", "zipfile"):
        if connection.has_answer():
            return
        __import__(name)
    if not connection.has_answer():
        rehearse()


def rehearse():
    """Does once what an initialisation does: in gVisor the first time is several times as long."""
    import json

    import lambda_loader

    lambda_loader.write_file(os.devnull, 0o644, [b" "])
    encoder(json)(json.loads(b'{"a": [1]}'))


def main():
    connection = Connection(os.environ.pop("LAMBDA_API_SOCKET", "/run/lambda/api.sock"))
    # Set where all processes that this one may signal are the function's.
    may_kill_all = os.environ.pop("LAMBDA_KILL_STRAYS", "") == "1"
    clears_tmp = os.environ.pop("LAMBDA_CLEAR_TMP", "") == "1"
    busy_poll_us = int(os.environ.pop("LAMBDA_BUSY_POLL_US", "0"))
    connection.send(GET_INIT)
    # From here on the time is the host's, which may not need this sandbox for minutes.
    prepare_streams()
    sys.dont_write_bytecode = True
    # Already there, unless the image sets PYTHONSAFEPATH.
    if sys.path[0] != RUNTIME_DIR:
        sys.path.insert(0, RUNTIME_DIR)
    preload(connection)

    import json

    import lambda_births
    import lambda_errors
    import lambda_fresh
    import lambda_linger
    import lambda_loader
    import lambda_script
    import lambda_tidy

    lambda_births.watch()
    headers, body = connection.receive()
    try:
        config_bytes = int(headers["lambda-init-config-length"])
        config = json.loads(body[:config_bytes])
        task_root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
        enter_function(config, task_root)
        lambda_loader.unpack(config, body[config_bytes:], task_root)
        body = None
        if config["handler"] is None:
            runner = lambda_script.Runner(task_root, may_kill_all, clears_tmp)
        else:
            invoker = Invoker(lambda_loader.load_handler(config["handler"], task_root), config)
            may_kill_all = may_kill_all and not config.get("keep_processes")
            is_fresh = bool(config.get("fresh_process"))
            # A process of one invocation is to end with it, which is no news.
            tidier = lambda_tidy.Tidier(may_kill_all, clears_tmp, tells=not is_fresh)
            prepare = nothing
            linger = nothing
            if busy_poll_us > 0:
                linger = lambda_linger.Linger(connection.fileno(), busy_poll_us / 1e6).look
            if is_fresh:
                invoker = lambda_fresh.Forker(invoker, flush)
                prepare = invoker.prepare
    except SystemExit:
        raise
    except BaseException as error:
        report = lambda_errors.report_exception(error)
        flush()
        connection.post("init/error", report)
        connection.accepted()
        os._exit(1)

    if config["handler"] is None:
        lambda_script.serve(connection, runner, GET_NEXT)
    else:
        serve_handler(connection, invoker, tidier, prepare, linger)


if __name__ == "__main__":
    main()
