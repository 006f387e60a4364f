"""Handlers whose every invocation is a process of its own."""

import unittest
from textwrap import dedent as source

from host import Host


class FreshTest(unittest.TestCase):
    def start(self, code):
        host = Host()
        self.addCleanup(host.__exit__)
        return host.init(source(code), fresh_process=True)

    def test_nothing_is_left_in_memory(self):
        host = self.start(
            """
            import os
            calls = 0
            def handler(event, context):
                global calls
                calls += 1
                print("call", event["n"])
                return [calls, os.getpid(), context.aws_request_id != ""]
            """
        )
        pids = set()
        for number in range(5):
            answer = host.invoke({"n": number})
            self.assertTrue(answer.ok, answer.body)
            calls, pid, has_id = answer.json
            self.assertEqual((calls, has_id), (1, True))
            pids.add(pid)
        self.assertEqual(len(pids), 5)

    def test_large_events_and_results(self):
        host = self.start("def handler(event, context):\n    return event\n")
        event = {"text": "x" * 5_000_000}
        for _ in range(3):
            self.assertEqual(host.invoke(event).json, event)

    def test_failures_are_answers_and_the_next_call_is_not_concerned(self):
        host = self.start(
            """
            async def handler(event, context):
                if event["fails"]:
                    raise ValueError("on purpose")
                return 1
            """
        )
        for fails in (True, False, True):
            answer = host.invoke({"fails": fails})
            self.assertEqual(answer.ok, not fails)
            if fails:
                self.assertEqual(answer.json["errorType"], "ValueError")
                self.assertEqual(len(answer.json["stackTrace"]), 1)

    def test_an_exit_is_the_sandboxs(self):
        for end, code in (("sys.exit(7)", 7), ("os._exit(8)", 8), ("os.abort()", -6)):
            host = self.start("import os, sys\ndef handler(event, context):\n    %s\n" % end)
            status, _, _ = host.invoke_until_end({})
            self.assertEqual(status, code, end)


if __name__ == "__main__":
    unittest.main()
