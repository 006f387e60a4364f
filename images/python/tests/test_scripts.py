"""Script functions: each execution is a fresh process that behaves as `python3 main.py`."""

import json
import os
import signal
import textwrap
import unittest

from host import OWN_NAMESPACE, Host, can_unshare, is_running, wait_until, zip_of


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(child) for child in file.read().split()]


class Scripts(unittest.TestCase):
    def start(self, code, handler=None, **fields):
        host = Host()
        self.addCleanup(host.__exit__)
        return host.init(textwrap.dedent(code) if isinstance(code, str) else code, handler, **fields)

    def run_once(self, code, *args, **fields):
        return self.start(code, **fields).run(*args)

    def test_args_output_and_exit_code(self):
        host = self.start("import sys\nprint('Hello, %s!' % sys.argv[1])")
        for name in ("Alice", "", "gr\u00fc\u00df \U0001f600"):
            answer = host.run(name)
            self.assertEqual(answer.json, {"exit_code": 0})
            self.assertEqual(answer.stdout, "Hello, %s!\n" % name)

    def test_main_is_set_up_as_by_python(self):
        answer = self.run_once(
            """
            import json, os, sys
            import __main__
            print(json.dumps([__name__, __file__, vars(__main__) is globals(),
                  sys.argv, sys.path[0], os.getcwd(), __builtins__.__name__, sys.stdin.read(),
                  os.getpid() == os.getpgrp() == os.getsid(0)]))
            """,
            "a",
            "b c",
        )
        root = os.path.dirname(json.loads(answer.stdout)[1])
        self.assertEqual(
            json.loads(answer.stdout),
            ["__main__", root + "/main.py", True, [root + "/main.py", "a", "b c"], root, root,
             "builtins", "", True],
        )

    def test_each_execution_is_fresh(self):
        host = self.start(
            """
            import builtins, os
            print(getattr(builtins, "x", None), os.environ.get("X"), os.environ["COLOUR"])
            builtins.x = os.environ["X"] = "dirty"
            """,
            env={"COLOUR": "blue"},
        )
        pids = set()
        for _ in range(3):
            self.assertEqual(host.run().stdout, "None None blue\n")
            pids.update(children(host.process.pid))

    def test_exit_codes(self):
        host = self.start("import os, sys\nexec(sys.argv[1])")
        for statement, code, stderr in (
            ("sys.exit(3)", 3, ""),
            ("sys.exit()", 0, ""),
            ("sys.exit('why')", 1, "why\n"),
            ("sys.exit(True)", 1, ""),
            ("sys.exit(-1)", 255, ""),
            ("sys.exit(256)", 0, ""),
            ("exit(4)", 4, ""),
            ("os._exit(5)", 5, ""),
        ):
            with self.subTest(statement):
                answer = host.run(statement)
                self.assertEqual((answer.json, answer.stderr), ({"exit_code": code}, stderr))

    def test_signals(self):
        host = self.start("import os, sys\nos.kill(os.getpid(), int(sys.argv[1]))")
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT):
            with self.subTest(number):
                self.assertEqual(host.run(str(int(number))).json, {"signal": int(number)})

    def test_signal_dispositions_are_pythons(self):
        answer = self.run_once(
            """
            import signal
            print([s.name for s in signal.Signals
                   if signal.getsignal(s) not in (signal.SIG_DFL, None)])
            """
        )
        # CPython ignores these two and turns SIGINT into an exception.
        self.assertEqual(answer.stdout, "['SIGINT', 'SIGPIPE', 'SIGXFSZ']\n")

    def test_an_uncaught_exception(self):
        host = self.start("def f():\n    raise ValueError('boom')\n\ntry:\n    {}['k']\nexcept KeyError:\n    f()")
        for _ in range(2):
            answer = host.run()
            self.assertEqual(answer.json, {"exit_code": 1})
            self.assertIn("Traceback (most recent call last):", answer.stderr)
            self.assertIn('main.py", line 2, in f\n    raise ValueError', answer.stderr)
            self.assertIn("During handling of the above exception", answer.stderr)
            self.assertTrue(answer.stderr.endswith("ValueError: boom\n"), answer.stderr)
            self.assertNotIn("lambda_script", answer.stderr)
            self.assertNotIn("bootstrap", answer.stderr)

    def test_excepthook_is_honoured(self):
        answer = self.run_once(
            "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__)\n1/0"
        )
        self.assertEqual((answer.json, answer.stdout), ({"exit_code": 1}, "hook ZeroDivisionError\n"))

    def test_a_syntax_error(self):
        answer = self.run_once("print('x')\ndef f(:\n    pass\n")
        self.assertEqual((answer.json, answer.stdout), ({"exit_code": 1}, ""))
        self.assertRegex(answer.stderr, r'^  File ".*/main.py", line 2\n    def f\(:\n')
        self.assertIn("SyntaxError: invalid syntax", answer.stderr)

    def test_a_syntax_warning_belongs_to_an_execution(self):
        host = self.start("1 is 1\nprint('ran')")
        self.assertEqual(host.stderr.take(), "")
        for _ in range(2):
            answer = host.run()
            self.assertEqual(answer.stdout, "ran\n")
            self.assertIn("SyntaxWarning", answer.stderr)

    def test_a_missing_import(self):
        answer = self.run_once("import nope_nope")
        self.assertEqual(answer.json, {"exit_code": 1})
        self.assertIn("ModuleNotFoundError: No module named 'nope_nope'", answer.stderr)

    def test_exit_handlers_threads_and_open_files(self):
        answer = self.run_once(
            """
            import atexit, sys, threading
            atexit.register(print, "exit handler")
            def work():
                event.wait()
                print("thread")
            event = threading.Event()
            threading.Thread(target=work).start()
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            log = open("/dev/stdout", "w")
            log.write("file")
            event.set()
            sys.stdout.write("main ends\\n")
            """
        )
        self.assertEqual(answer.json, {"exit_code": 0})
        self.assertEqual(
            sorted(answer.stdout.replace("file", "").split("\n")),
            ["", "exit handler", "main ends", "thread"],
        )
        self.assertIn("file", answer.stdout)
        self.assertLess(answer.stdout.index("thread"), answer.stdout.index("exit handler"))

    def test_multiprocessing(self):
        host = self.start(
            """
            import multiprocessing, sys
            def double(n):
                return 2 * n
            if __name__ == "__main__":
                with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
                    print(pool.map(double, [1, 2]))
            """
        )
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method):
                answer = host.run(method)
                self.assertEqual((answer.stdout, answer.stderr), ("[2, 4]\n", ""))

    def test_what_a_script_leaves_running_is_killed_before_the_answer(self):
        host = self.start(
            """
            import os, subprocess, sys
            print(subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600 & sleep 600"]).pid)
            if sys.argv[1:]:
                os.kill(os.getpid(), 9)
            """
        )
        for args in ([], ["die"]):
            answer = host.run(*args)
            wait_until(lambda: not is_running(int(answer.stdout)))

    @unittest.skipUnless(can_unshare(), "needs the right to make a process namespace")
    def test_strays_that_left_the_process_group_are_killed_where_the_host_says_so(self):
        # Set inside the namespace only: outside, it would end all of this user's processes.
        wrapper = [*OWN_NAMESPACE, "env", "LAMBDA_KILL_STRAYS=1"]
        host = Host(wrapper=wrapper)
        self.addCleanup(host.__exit__)
        host.init(
            """if True:
            import os, subprocess
            print(os.environ.get("LAMBDA_KILL_STRAYS"))
            subprocess.Popen(["sleep", "4242"], start_new_session=True)
            """,
            None,
        )
        for _ in range(2):
            self.assertEqual(host.run().stdout, "None\n")
            [main] = children(host.process.pid)
            # The next spare only; here nobody reaps what was killed.
            wait_until(lambda: len([*filter(is_running, children(main))]) <= 1)

    def test_the_connection_is_not_there(self):
        answer = self.run_once(
            """
            import os
            links = []
            for fd in os.listdir("/proc/self/fd"):
                try:
                    links.append(os.readlink("/proc/self/fd/" + fd))
                except OSError:
                    pass
            print(sorted(links))
            """
        )
        links = json.loads(answer.stdout.replace("'", '"'))
        self.assertEqual(len(links), 3, links)
        self.assertEqual(links[0], "/dev/null")

    def test_one_spare_waits_and_a_dead_one_is_replaced(self):
        host = self.start("print('ran')")
        [spare] = wait_until(lambda: children(host.process.pid))
        os.kill(spare, signal.SIGKILL)
        wait_until(lambda: not is_running(spare))
        answer = host.run()
        self.assertEqual((answer.json, answer.stdout), ({"exit_code": 0}, "ran\n"))
        wait_until(lambda: len(children(host.process.pid)) == 1)

    def test_a_spare_ends_with_the_bootstrap(self):
        host = self.start("print('ran')")
        [spare] = wait_until(lambda: children(host.process.pid))
        host.process.kill()
        wait_until(lambda: not is_running(spare))

    def test_all_output_has_arrived_with_the_answer(self):
        host = self.start("for i in range(20_000):\n    print('%049d' % i)\nprint('end', end='')")
        for _ in range(3):
            self.assertEqual(len(host.run().stdout), 1_000_003)

    def test_many_args(self):
        answer = self.run_once("import sys\nprint(len(sys.argv[1]), len(sys.argv))", "x" * 1_000_000, *"abc")
        self.assertEqual(answer.stdout, "1000000 5\n")

    def test_zip_with_modules(self):
        files = {"main.py": "import helper\nprint(helper.VALUE)", "helper.py": "VALUE = 5"}
        self.assertEqual(self.run_once(zip_of(files), form="zip").stdout, "5\n")

    def test_a_missing_script_fails_to_initialise(self):
        with Host() as host:
            report = host.init_error(zip_of({"app.py": ""}), handler=None, form="zip")
            self.assertEqual(report["errorType"], "Runtime.ImportModuleError")
            self.assertIn("main.py", report["errorMessage"])

    def test_names_of_the_bootstrap_are_free(self):
        files = {"main.py": "import lambda_loader\nprint(lambda_loader.X)", "lambda_loader.py": "X = 1"}
        self.assertEqual(self.run_once(zip_of(files), form="zip").stdout, "1\n")

    def test_a_failed_flush_is_a_failure(self):
        answer = self.run_once("import os\nprint('x', end='')\nos.close(1)")
        self.assertEqual(answer.json, {"exit_code": 120})


if __name__ == "__main__":
    unittest.main()
