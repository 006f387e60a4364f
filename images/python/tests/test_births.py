"""What is told of processes that were started, between two invocations."""

import os
import subprocess
import sys
import unittest

from host import OWN_NAMESPACE, can_unshare

RUNTIME_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def told(steps):
    """What `may_have_been` says after each of the steps, in a process namespace of its own."""
    lines = ["import os, subprocess, sys", "sys.path.insert(0, %r)" % RUNTIME_DIR]
    lines += ["import lambda_tidy", "births = lambda_tidy.Births()"]
    for step in steps:
        lines += [step, "print(births.may_have_been())"]
    command = [*OWN_NAMESPACE, sys.executable, "-c", "\n".join(lines)]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    return [word == "True" for word in said.split()]


@unittest.skipUnless(can_unshare(), "needs the right to make a process namespace")
class BirthsTest(unittest.TestCase):
    def test_what_is_not_known_may_have_been(self):
        self.assertEqual(told(["pass", "pass", "pass"]), [True, False, False])

    def test_a_process_is_noticed_dead_or_alive(self):
        alive = "child = subprocess.Popen(['sleep', '4242'])"
        dead = "subprocess.run(['true'], check=True)"
        self.assertEqual(
            told(["pass", alive, "pass", dead, "child.kill()", "child.wait()"]),
            [True, True, False, True, False, False],
        )

    def test_after_a_killing_it_is_not_known(self):
        self.assertEqual(told(["pass", "births.forget()", "pass"]), [True, True, False])

    def test_a_function_that_closes_or_takes_the_descriptor_changes_nothing_for_the_worse(self):
        taken = "os.dup2(os.open(sys.executable, os.O_RDONLY), births._fd)"
        for step in ("os.close(births._fd)", taken):
            with self.subTest(step):
                self.assertEqual(told(["pass", step, "pass"]), [True, True, True])

    def test_a_kernel_that_does_not_tell_is_not_asked(self):
        blind = "births._fd = -1"
        self.assertEqual(told(["pass", blind, "pass"]), [True, True, True])


if __name__ == "__main__":
    unittest.main()
