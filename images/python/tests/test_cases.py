"""The case functions, as images/cases/README.md describes them."""

import os
import signal
import unittest

from host import Host, is_running, wait_until

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cases/python")


class Cases(unittest.TestCase):
    def start(self, name, handler="case.handler"):
        host = Host()
        self.addCleanup(host.__exit__)
        with open(os.path.join(CASES, name + ".py"), "rb") as file:
            return host.init(file.read(), handler)

    def test_handlers(self):
        for name, event, result, stdout in (
            ("echo", [1, {"a": None}], [1, {"a": None}], "echo to stdout\n"),
            ("unicode", {"text": "\u4f60"}, {"text": "é€😀\u4f60😀€é"}, "\u4f60\n"),
            ("large", {"size": 100_000}, "x" * 100_000, ""),
            ("sleep", {"ms": 1}, {"ms": 1}, ""),
            ("alloc", {"mib": 8}, {"mib": 8}, ""),
            ("flood", {"mib": 1}, {"bytes": 1 << 20}, ("x" * 63 + "\n") * (1 << 14)),
        ):
            with self.subTest(name):
                answer = self.start(name).invoke(event)
                self.assertEqual((answer.json, answer.stdout), (result, stdout))

    def test_raise(self):
        report = self.start("raise").invoke({"message": "no"}).json
        self.assertEqual((report["errorType"], report["errorMessage"]), ("CaseError", "no"))

    def test_exit(self):
        status, stdout, _ = self.start("exit").invoke_until_end({"code": 7})
        self.assertEqual((status, stdout), (7, "exiting\n"))

    def test_spin(self):
        host = self.start("spin")
        host.send_event(b"{}")
        wait_until(lambda: host.stdout.take() == "spinning\n")

    def test_fork(self):
        for spin in (False, True):
            pid = self.start("fork").invoke({"spin": spin}).json["pid"]
            self.addCleanup(os.killpg, pid, signal.SIGKILL)
            self.assertTrue(is_running(pid))

    def test_scripts(self):
        for name, args, end, stdout in (
            ("args", ["a", "b c"], {"exit_code": 0}, "a\nb c\n"),
            ("exit", ["7"], {"exit_code": 7}, "exiting\n"),
            ("raise", ["no"], {"exit_code": 1}, ""),
            ("flood", ["1"], {"exit_code": 0}, ("x" * 63 + "\n") * (1 << 14)),
            ("signal", ["15"], {"signal": 15}, "signalling\n"),
            ("alloc", ["8"], {"exit_code": 0}, "8\n"),
        ):
            with self.subTest(name):
                answer = self.start("scripts/" + name, None).run(*args)
                self.assertEqual((answer.json, answer.stdout), (end, stdout))
                self.assertEqual("CaseError: no" in answer.stderr, name == "raise")


if __name__ == "__main__":
    unittest.main()
