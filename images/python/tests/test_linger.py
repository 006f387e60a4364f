"""Looking for the next invocation, between two of them."""

import os
import socket
import sys
import unittest

from host import Host

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import lambda_linger  # noqa: E402


class LingerTest(unittest.TestCase):
    def setUp(self):
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)
        self.linger = lambda_linger.Linger(self.ours.fileno(), 0.0001)
        self.polls = 0
        poll = self.linger._poll

        def counted(timeout):
            self.polls += 1
            return poll(timeout)

        self.linger._poll = counted

    def looks(self):
        before = self.polls
        self.linger.look()
        return self.polls > before

    def test_in_vain_it_looks_ever_more_rarely(self):
        looked = [number for number in range(127) if self.looks()]
        self.assertEqual(looked, [0, 2, 6, 14, 30, 62, 94, 126])

    def test_what_is_there_is_found_at_once_and_left_there(self):
        self.theirs.send(b"next")
        for _ in range(10):
            before = self.polls
            self.linger.look()
            self.assertEqual(self.polls - before, 1)
        self.assertEqual(self.ours.recv(9), b"next")

    def test_a_find_makes_up_for_one_miss(self):
        for _ in range(3):
            self.looks()
        self.theirs.send(b"next")
        while not self.looks():
            pass
        self.ours.recv(9)
        looked = [number for number in range(9) if self.looks()]
        # After two misses less one, and one more: three are passed over; then seven.
        self.assertEqual(looked, [0, 4])

    def test_a_bootstrap_that_looks_serves_as_any_other_and_the_function_does_not_see_it(self):
        with Host(env={"LAMBDA_BUSY_POLL_US": "20"}) as host:
            host.init(
                "import os\n"
                "def handler(event, context):\n"
                "    return [event, os.environ.get('LAMBDA_BUSY_POLL_US')]\n"
            )
            for number in range(50):
                self.assertEqual(host.invoke(number + 1).json, [number + 1, None])


if __name__ == "__main__":
    unittest.main()
