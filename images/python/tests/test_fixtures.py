"""The exchanges that the host's tests read too: this side sends what they say."""

import base64
import glob
import json
import os
import unittest

from host import Ended, Host

FIXTURES = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../../lambda-core/src/protocol/fixtures"
)


class Fixtures(unittest.TestCase):
    def test_the_bootstrap_keeps_to_each_exchange(self):
        played = 0
        for path in sorted(glob.glob(os.path.join(FIXTURES, "*.json"))):
            with open(path, encoding="utf-8") as file:
                fixture = json.load(file)
            if not fixture.get("bootstrap", True) or fixture.get("language", "python") != "python":
                continue
            played += 1
            with self.subTest(os.path.basename(path)), Host() as host:
                for message in fixture["exchange"]:
                    self.play(host, message)
                if fixture["exchange"][-2]["head"][0].split()[1].endswith("/init/error"):
                    with self.assertRaises(Ended):
                        host.receive()
                    self.assertEqual(host.exit_status(), 1)
        self.assertGreater(played, 5)

    def play(self, host, message):
        if message["from"] == "host":
            body = message.get("body", "").encode() or base64.b64decode(message.get("body_base64", ""))
            host.send(message["head"], body)
            return
        request = host.receive()
        line, *fields = message["head"]
        self.assertEqual(request.line, line)
        for name, value in (field.split(": ") for field in fields):
            # A body may hold the path of the task root, or other white space.
            expected = value if name != "Content-Length" else str(len(request.body))
            self.assertEqual(request.headers[name.lower()], expected)
        body = request.body.decode().replace(host.task_root, "/var/task")
        if message["body"]:
            self.assertEqual(json.loads(body), json.loads(message["body"]))
        else:
            self.assertEqual(body, "")


if __name__ == "__main__":
    unittest.main()
