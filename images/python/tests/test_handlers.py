"""Handler functions: results, failures, output, the context."""

import json
import os
import textwrap
import unittest

from host import ARN, Host, is_running, process_state, wait_until, zip_of


def source(code):
    return textwrap.dedent(code)


class HandlerTest(unittest.TestCase):
    def start(self, code, *args, **fields):
        host = Host()
        self.addCleanup(host.__exit__)
        return host.init(source(code), *args, **fields)

    def invoke(self, code, event=None, **fields):
        return self.start(code, **fields).invoke(event)

    def failure(self, code, event=None):
        answer = self.invoke(code, event)
        self.assertFalse(answer.ok, answer.body)
        return answer.json


class Results(HandlerTest):
    def test_a_sync_handler_answers_again_and_again(self):
        host = self.start(
            """
            calls = 0
            def handler(event, context):
                global calls
                calls += 1
                return {"event": event, "calls": calls}
            """
        )
        for calls in (1, 2, 3):
            answer = host.invoke({"n": calls})
            self.assertTrue(answer.ok)
            self.assertEqual(answer.json, {"event": {"n": calls}, "calls": calls})
            self.assertEqual(answer.headers["content-type"], "application/json")

    def test_coroutines_share_one_event_loop(self):
        host = self.start(
            """
            import asyncio
            first = None
            async def handler(event, context):
                global first
                await asyncio.sleep(0)
                loop = asyncio.get_running_loop()
                first = first or loop
                return loop is first
            """
        )
        self.assertIs(host.invoke().json, True)
        self.assertIs(host.invoke().json, True)

    def test_a_sync_handler_may_run_its_own_event_loop(self):
        answer = self.invoke(
            """
            import asyncio
            async def work():
                return 5
            def handler(event, context):
                return asyncio.run(work())
            """
        )
        self.assertEqual(answer.json, 5)

    def test_unicode_and_lone_surrogates(self):
        host = self.start("def handler(event, context):\n    return event")
        text = "gr\u00fc\u00df \u4f60\u597d \U0001f600 \0 \u2028"
        answer = host.invoke({"text": text})
        self.assertEqual(answer.json, {"text": text})
        self.assertIn("\U0001f600".encode(), answer.body)
        self.assertEqual(host.invoke({"text": "\ud800"}).json, {"text": "\ud800"})

    def test_an_empty_body_is_an_empty_event(self):
        host = self.start("def handler(event, context):\n    return event")
        self.assertEqual(host.invoke(raw=b"").json, {})

    def test_messages_in_pieces(self):
        host = self.start("def handler(event, context):\n    return len(event)")
        body = json.dumps("x" * 300_000).encode()
        send = host.connection.sendall

        def send_in_pieces(data):
            for at in range(0, 200):
                send(data[at : at + 1])
            for at in range(200, len(data), 70_001):
                send(data[at : at + 70_001])

        class Pieces:
            sendall = staticmethod(send_in_pieces)
            recv = host.connection.recv
            close = host.connection.close

        host.connection = Pieces()
        self.assertEqual(host.invoke(raw=body).json, 300_000)
        self.assertEqual(host.invoke("y").json, 1)

    def test_large_events_and_results(self):
        host = self.start("def handler(event, context):\n    return event")
        event = "x" * 6_000_000
        self.assertEqual(host.invoke(event).json, event)

    def test_the_largest_result(self):
        host = self.start("def handler(event, context):\n    return 'x' * event")
        self.assertTrue(host.invoke(6_291_554).ok)
        answer = host.invoke(6_291_555)
        self.assertFalse(answer.ok)
        self.assertEqual(answer.json["errorType"], "Function.ResponseSizeTooLarge")
        self.assertEqual(
            answer.json["errorMessage"],
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        )
        self.assertTrue(host.invoke(1).ok)

    def test_keys_and_decimals(self):
        answer = self.invoke(
            """
            import decimal
            def handler(event, context):
                return {1: decimal.Decimal("2"), None: decimal.Decimal("2.5"), False: ()}
            """
        )
        self.assertEqual(answer.json, {"1": 2, "null": 2.5, "false": []})


class Context(HandlerTest):
    def test_fields(self):
        answer = self.invoke(
            """
            def handler(event, context):
                return {**vars(context), "left": context.get_remaining_time_in_millis(),
                        "client": context.client_context,
                        "pool": context.identity.cognito_identity_pool_id}
            """
        )
        fields = answer.json
        self.assertTrue(0 < fields.pop("left") <= 5000)
        fields.pop("_deadline_unix_ms")
        self.assertEqual(
            fields,
            {
                "function_name": "fn",
                "function_version": "7",
                "invoked_function_arn": ARN,
                "memory_limit_in_mb": "128",
                "aws_request_id": "0190a6b0-0000-7000-8000-000000000001",
                "log_group_name": "/aws/lambda/fn",
                "log_stream_name": "stream",
                "traceparent": None,
                "client": None,
                "pool": None,
            },
        )

    def test_environment(self):
        code = """
            import os, sys, time
            at_import = os.environ["COLOUR"]
            def handler(event, context):
                return {"env": dict(os.environ), "cwd": os.getcwd(), "at_import": at_import,
                        "zone": time.localtime(0).tm_hour, "path": sys.path[:2],
                        "stdin": sys.stdin.read(), "main": __name__}
            """
        host = self.start(code, env={"COLOUR": "blue", "HOME": "/home", "PYTHONPATH": "/lib/x"})
        result = host.invoke().json
        expected = {
            "COLOUR": "blue",
            "HOME": "/home",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": host.task_root,
            "AWS_LAMBDA_FUNCTION_NAME": "fn",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/fn",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "_HANDLER": "app.handler",
        }
        self.assertEqual({name: result["env"].get(name) for name in expected}, expected)
        self.assertIn("LAMBDA_RUNTIME_DIR", result["env"])
        self.assertEqual(result["cwd"], host.task_root)
        self.assertEqual(result["path"], [host.task_root, "/lib/x"])
        self.assertEqual((result["at_import"], result["zone"]), ("blue", 0))
        self.assertEqual((result["stdin"], result["main"]), ("", "app"))

    def test_time_zone(self):
        code = "import time\ndef handler(event, context):\n    return time.localtime(0).tm_hour"
        self.assertEqual(self.invoke(code, env={"TZ": "XXX-3"}).json, 3)

    def test_trace_id_follows_the_invocation(self):
        host = self.start(
            "import os\ndef handler(event, context):\n    return os.environ.get('_X_AMZN_TRACE_ID')"
        )
        self.assertEqual(host.invoke(headers=["Lambda-Runtime-Trace-Id: Root=1"]).json, "Root=1")
        self.assertIsNone(host.invoke().json)

    def test_traceparent_follows_the_invocation(self):
        code = "def handler(event, context):\n    return context.traceparent"
        for fields in ({}, {"fresh_process": True}):
            host = self.start(code, **fields)
            headers = ["Lambda-Runtime-Traceparent: 00-1-2-01"]
            self.assertEqual(host.invoke(headers=headers).json, "00-1-2-01")
            self.assertIsNone(host.invoke().json)


class Failures(HandlerTest):
    def test_an_exception_shows_only_the_users_frames(self):
        host = self.start(
            "def handler(event, context):\n    return inner(event)\n"
            "def inner(event):\n    raise ValueError('boom')\n"
        )
        path = os.path.join(host.task_root, "app.py")
        report = host.invoke().json
        self.assertEqual(
            report,
            {
                "errorMessage": "boom",
                "errorType": "ValueError",
                "stackTrace": [
                    '  File "%s", line 2, in handler\n    return inner(event)\n' % path,
                    "  File \"%s\", line 4, in inner\n    raise ValueError('boom')\n" % path,
                ],
            },
        )
        self.assertFalse(host.invoke().ok, "the sandbox lives on")

    def test_an_exception_in_a_coroutine_shows_only_the_users_frames(self):
        report = self.failure(
            """
            import asyncio
            async def handler(event, context):
                await asyncio.sleep(0)
                raise KeyError("k")
            """
        )
        self.assertEqual(report["errorType"], "KeyError")
        self.assertEqual(report["errorMessage"], "'k'")
        self.assertEqual(len(report["stackTrace"]), 1, report)

    def test_base_exceptions(self):
        for name in ("BaseException", "KeyboardInterrupt", "GeneratorExit"):
            report = self.failure("def handler(event, context):\n    raise %s('x')" % name)
            self.assertEqual((report["errorType"], report["errorMessage"]), (name, "x"))
        report = self.failure(
            "import asyncio\nasync def handler(e, c):\n    raise asyncio.CancelledError()"
        )
        self.assertEqual(report["errorType"], "CancelledError")

    def test_an_exception_that_cannot_be_printed(self):
        report = self.failure(
            """
            class Silent(Exception):
                def __str__(self):
                    raise SystemExit(3)
            def handler(event, context):
                raise Silent
            """
        )
        self.assertEqual(report["errorType"], "Silent")
        self.assertEqual(report["errorMessage"], "<unprintable Silent object>")

    def test_surrogates_in_a_message(self):
        report = self.failure("def handler(event, context):\n    raise ValueError('a\\udcffb')")
        self.assertEqual(report["errorMessage"], "a\\udcffb")

    def test_a_huge_message_is_cut(self):
        answer = self.invoke("def handler(e, c):\n    raise ValueError('\\0' * 50_000_000)")
        self.assertLess(len(answer.body), 256 * 1024)
        self.assertTrue(answer.json["errorMessage"].endswith("... (truncated)"))

    def test_deep_recursion(self):
        report = self.failure("def handler(event, context):\n    return handler(event, context)")
        self.assertEqual(report["errorType"], "RecursionError")
        self.assertLessEqual(len(report["stackTrace"]), 65)
        report = self.failure(
            """
            def a(n): return b(n)
            def b(n): return a(n)
            def handler(event, context):
                return a(0)
            """
        )
        self.assertEqual(report["errorType"], "RecursionError")
        self.assertLessEqual(len(report["stackTrace"]), 65)

    def test_results_that_are_not_json(self):
        for expression, reason in {
            "object()": "Object of type object is not JSON serializable",
            "b'bytes'": "Object of type bytes is not JSON serializable",
            "{(1, 2): 3}": "keys must be str",
            "float('nan')": "Out of range float values are not JSON compliant",
            "[1e999]": "Out of range float values are not JSON compliant",
            "cycle()": "Circular reference detected",
            "nested()": "recursion",
        }.items():
            with self.subTest(expression):
                report = self.failure(
                    """
                    def cycle():
                        c = []
                        c.append(c)
                        return c
                    def nested():
                        n = []
                        for _ in range(100_000):
                            n = [n]
                        return n
                    def handler(event, context):
                        return %s
                    """
                    % expression
                )
                self.assertEqual(report["errorType"], "Runtime.MarshalError")
                self.assertIn("Unable to marshal response: ", report["errorMessage"])
                self.assertIn(reason, report["errorMessage"])

    def test_events_that_are_not_json(self):
        host = self.start("def handler(event, context):\n    return event")
        answer = host.invoke(raw=b"{nope")
        self.assertEqual(answer.json["errorType"], "Runtime.UnmarshalError")
        self.assertTrue(host.invoke().ok)


class Endings(HandlerTest):
    def end(self, code, event=None):
        return self.start(code).invoke_until_end(event)

    def test_exits_keep_their_code_and_the_output(self):
        for statement, code in {
            "sys.exit(3)": 3,
            "sys.exit()": 0,
            "os._exit(4)": 4,
            "exit(5)": 5,
        }.items():
            with self.subTest(statement):
                status, stdout, _ = self.end(
                    "import os, sys\ndef handler(event, context):\n    print('bye')\n    %s"
                    % statement
                )
                self.assertEqual((status, stdout), (code, "bye\n"))

    def test_an_exit_flushes_an_unfinished_line_and_shows_its_message(self):
        status, stdout, stderr = self.end(
            "import sys\ndef handler(event, context):\n    print('a', end='')\n    sys.exit('why')"
        )
        self.assertEqual((status, stdout, stderr), (1, "a", "why\n"))

    def test_an_exit_in_a_coroutine(self):
        status, _, _ = self.end("import sys\nasync def handler(e, c):\n    sys.exit(6)")
        self.assertEqual(status, 6)

    def test_a_signal(self):
        status, stdout, _ = self.end(
            "import os\ndef handler(e, c):\n    print('last')\n    os.kill(os.getpid(), 11)"
        )
        self.assertEqual((status, stdout), (-11, "last\n"))

    def test_the_bootstrap_ends_with_the_connection(self):
        host = self.start("def handler(event, context):\n    return 1")
        host.connection.close()
        host.exit_status()


class Outputs(HandlerTest):
    def test_all_output_has_arrived_with_the_answer(self):
        host = self.start(
            """
            import os, subprocess, sys
            def handler(event, context):
                sys.stdout.write("unfinished")
                sys.stdout.flush()
                subprocess.run(["echo", " child"])
                os.write(2, b"raw ")
                print("\\udcff \\u00e9", end="")
                sys.stderr.write("end")
            """
        )
        for _ in range(50):
            answer = host.invoke()
            self.assertEqual(answer.stdout, "unfinished child\n\\udcff \u00e9")
            self.assertEqual(answer.stderr, "raw end")

    def test_a_megabyte_of_lines(self):
        host = self.start(
            "def handler(event, context):\n    for i in range(20_000):\n        print('%049d' % i)"
        )
        for _ in range(3):
            self.assertEqual(len(host.invoke().stdout), 1_000_000)

    def test_lines_are_live(self):
        host = self.start(
            "import time\ndef handler(e, c):\n    print('now')\n    time.sleep(e['s'])"
        )
        host.send_event(b'{"s": 600}')
        wait_until(lambda: host.stdout.take() == "now\n")

    def test_output_of_a_failure_and_of_a_replaced_stream(self):
        host = self.start(
            """
            import io, sys
            sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False))
            def handler(event, context):
                print("before")
                raise ValueError
            """
        )
        self.assertEqual(host.invoke().stdout, "before\n")

    def test_a_closed_stream_does_no_harm(self):
        host = self.start("import sys\ndef handler(e, c):\n    sys.stdout.close()\n    return 1")
        self.assertEqual(host.invoke().json, 1)

    def test_logging_is_shown_from_info_on(self):
        answer = self.invoke(
            """
            import logging
            logging.getLogger().setLevel(logging.INFO)
            def handler(event, context):
                logging.info("hello")
            """
        )
        self.assertRegex(answer.stderr, r"^\[INFO\]\t\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z\thello\n$")


class Processes(HandlerTest):
    def test_children_do_not_get_the_connection(self):
        host = self.start(
            """
            import os, subprocess
            def sockets(path):
                links = []
                for fd in os.listdir(path):
                    try:
                        links.append(os.readlink(path + "/" + fd))
                    except OSError:
                        pass
                return [link for link in links if link.startswith("socket:")]
            def handler(event, context):
                read, write = os.pipe()
                pid = os.fork()
                if pid == 0:
                    os.write(write, repr(sockets("/proc/self/fd")).encode())
                    os._exit(0)
                os.waitpid(pid, 0)
                forked = os.read(read, 1000).decode()
                spawned = subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False,
                                         stdout=subprocess.PIPE).stdout.decode()
                return [len(sockets("/proc/self/fd")), forked, "socket:" in spawned]
            """
        )
        self.assertEqual(host.invoke().json, [1, "[]", False])

    def test_a_forked_child_that_returns_answers_nothing(self):
        host = self.start(
            """
            import os
            def handler(event, context):
                pid = os.fork()
                if pid == 0:
                    return "child"
                return ["parent", os.waitpid(pid, 0)[1] >> 8]
            """
        )
        self.assertEqual(host.invoke().json, ["parent", 1])
        self.assertEqual(host.invoke().json, ["parent", 1])

    def test_multiprocessing(self):
        host = self.start(
            """
            import multiprocessing
            def double(n):
                return 2 * n
            def handler(event, context):
                with multiprocessing.get_context(event["method"]).Pool(1) as pool:
                    return pool.map(double, [1, 2])
            """
        )
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method):
                self.assertEqual(host.invoke({"method": method}).json, [2, 4])

    def test_a_child_may_outlive_the_call(self):
        host = self.start(
            "import subprocess\ndef handler(e, c):\n    return subprocess.Popen(['sleep', '60']).pid"
        )
        pid = host.invoke().json
        self.addCleanup(lambda: process_state(pid) and os.kill(pid, 9))
        self.assertTrue(is_running(pid))


class Loading(unittest.TestCase):
    def start(self, *args, **fields):
        host = Host()
        self.addCleanup(host.__exit__)
        return host.init(*args, **fields)

    def failure(self, code, handler="app.handler", **fields):
        with Host() as host:
            report = host.init_error(code, handler=handler, **fields)
            self.assertEqual(set(report), {"errorMessage", "errorType", "stackTrace"})
            report["stackTrace"] = [
                line.replace(host.task_root, "/var/task") for line in report["stackTrace"]
            ]
            return report

    def test_handler_names(self):
        code = "def handler(event, context):\n    return __name__"
        for handler, module in {
            "app.handler": "app",
            "pkg.mod.handler": "pkg.mod",
            "pkg/mod.handler": "pkg.mod",
            # Modules of these names are in Python itself.
            "json.handler": "json",
            "time.handler": "time",
            "token.handler": "token",
        }.items():
            with self.subTest(handler):
                self.assertEqual(self.start(code, handler=handler).invoke().json, module)

    def test_zip_and_directory(self):
        files = {
            "app.py": "from lib.util import f\ndef handler(e, c):\n    return [f(), open('data.txt').read()]",
            "lib/__init__.py": "",
            "lib/util.py": "import os\ndef f():\n    return os.access('run.sh', os.X_OK)",
            "data.txt": "gr\u00fc\u00df",
            "run.sh": "#!/bin/sh\n",
            "empty/": "",
        }
        self.assertEqual(self.start(zip_of(files), form="zip").invoke().json, [False, "gr\u00fc\u00df"])
        self.assertEqual(self.start(zip_of(files, 0), form="zip").invoke().json[0], False)
        with Host() as host:
            with open(os.path.join(host.task_root, "app.py"), "w") as file:
                file.write("def handler(e, c):\n    return 'there'")
            self.assertEqual(host.init(b"", form="directory").invoke().json, "there")

    def test_zips_that_are_refused(self):
        for name in ("../evil.py", "/evil.py", "a/../../evil.py", "a\\b.py"):
            report = self.failure(zip_of({name: "x"}), form="zip")
            self.assertEqual(report["errorType"], "Runtime.InvalidCode", name)
        self.assertEqual(self.failure(b"PK nonsense", form="zip")["errorType"], "Runtime.InvalidCode")

    def test_missing_modules(self):
        report = self.failure("import nope_nope")
        self.assertEqual(
            report,
            {
                "errorMessage": "Unable to import module 'app': No module named 'nope_nope'",
                "errorType": "Runtime.ImportModuleError",
                "stackTrace": ['  File "/var/task/app.py", line 1, in <module>\n    import nope_nope\n'],
            },
        )
        report = self.failure(zip_of({"other.py": ""}), form="zip")
        self.assertEqual(
            report["errorMessage"], "Unable to import module 'app': No module named 'app'"
        )

    def test_syntax_errors(self):
        report = self.failure("x = 1\ndef f(:\n    pass\n")
        self.assertEqual(report["errorType"], "Runtime.UserCodeSyntaxError")
        self.assertRegex(report["errorMessage"], r"^Syntax error in module 'app': .*\(app.py, line 2\)$")
        self.assertEqual(report["stackTrace"], ['  File "/var/task/app.py" Line 2\n    def f(:\n'])
        self.assertEqual(self.failure(b"\xff\xfe\xfd")["errorType"], "Runtime.UserCodeSyntaxError")

    def test_missing_handlers(self):
        report = self.failure("x = 1")
        self.assertEqual(report["errorType"], "Runtime.HandlerNotFound")
        self.assertEqual(report["errorMessage"], "Handler 'handler' missing on module 'app'")
        self.assertEqual(self.failure("handler = 5")["errorType"], "Runtime.HandlerNotFound")

    def test_malformed_handlers(self):
        for handler in ("handler", ".handler", "app.", "../app.handler", "/app.handler", ""):
            report = self.failure("x = 1", handler=handler)
            self.assertEqual(report["errorType"], "Runtime.MalformedHandlerName", handler)

    def test_exceptions_while_loading(self):
        report = self.failure("def f():\n    raise OSError('disk')\nf()\n")
        self.assertEqual((report["errorType"], report["errorMessage"]), ("OSError", "disk"))
        self.assertEqual(len(report["stackTrace"]), 2, report)

    def test_output_of_a_failed_load_is_kept(self):
        with Host() as host:
            host.init_error("import sys\nprint('a', end='')\nsys.stderr.write('b')\n1/0")
            self.assertEqual((host.stdout.take(), host.stderr.take()), ("a", "b"))

    def test_an_exit_while_loading(self):
        with Host() as host:
            host.receive()
            host.send_init("import sys\nprint('x')\nsys.exit(7)")
            self.assertEqual(host.exit_status(), 7)
            self.assertEqual(host.stdout.take(), "x\n")

    def test_threads_do_not_hold_up_a_failed_load(self):
        self.failure("import threading\nthreading.Thread(target=threading.Event().wait).start()\n1/0")

    def test_a_sandbox_may_wait_for_its_code(self):
        with Host() as host:
            host.expect("GET /lambda/v1/init HTTP/1.1")
            # Asleep: everything that can be done ahead has been done.
            wait_until(lambda: process_state(host.process.pid) == "S")
            host.send_init("def handler(e, c):\n    return 1")
            host.receive()
            self.assertEqual(host.invoke().json, 1)


if __name__ == "__main__":
    unittest.main()
