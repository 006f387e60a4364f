"""What is told of processes that were started, between two invocations."""

import os
import pickle
import subprocess
import sys
import tempfile
import unittest

from host import OWN_NAMESPACE, can_unshare

RUNTIME_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# As in gVisor, whose kernel does not tell.
BLIND = "births._fd = -1"
# As if native code that nobody knows had been loaded.
NATIVE = "births._has_native_code = True"


def told(*steps, others=False):
    """What `may_have_been` says after each of the steps, in a process namespace of its own."""
    lines = ["import os, posix, sys", "sys.path.insert(0, %r)" % RUNTIME_DIR]
    lines += ["import lambda_births", "lambda_births.watch()", "import subprocess"]
    lines += ["births = lambda_births.Births(others=%r)" % others]
    for step in steps:
        lines += [step, "print(births.may_have_been(), file=sys.stderr)"]
    command = [*OWN_NAMESPACE, sys.executable, "-c", "\n".join(lines)]
    said = subprocess.run(command, stderr=subprocess.PIPE, check=True).stderr.decode()
    return [word == "True" for word in said.split()]


@unittest.skipUnless(can_unshare(), "needs the right to make a process namespace")
class BirthsTest(unittest.TestCase):
    def test_what_is_not_known_may_have_been(self):
        for mode in ("pass", BLIND, NATIVE):
            self.assertEqual(told(mode, "pass", "pass"), [True, False, False])

    def test_each_way_to_start_a_process_is_noticed(self):
        multiprocessing = "import multiprocessing; multiprocessing.get_context(%r).Process().start()"
        for start in (
            "os.fork() or os._exit(0)",
            "os.forkpty()[0] or os._exit(0)",
            "os.system('true')",
            "posix.system('true')",
            "os.popen('true').read()",
            "os.posix_spawn('/bin/true', ['true'], os.environ)",
            "os.posix_spawnp('true', ['true'], os.environ)",
            "os.spawnlp(os.P_NOWAIT, 'true', 'true')",
            "subprocess.run(['true'])",
            "child = subprocess.Popen(['sleep', '4242'])",
            "subprocess.run(['true'], preexec_fn=lambda: None)",
            multiprocessing % "fork",
            multiprocessing % "spawn",
            multiprocessing % "forkserver",
        ):
            for mode in ("pass", BLIND):
                with self.subTest(start, mode=mode):
                    self.assertEqual(told(mode, start, "pass")[:2], [True, True])

    def test_what_others_or_native_code_start_the_kernel_tells_where_it_does(self):
        # Past everything that is counted.
        secretly = "lambda_births._note = lambda: None; os.posix_spawn('/bin/true', ['true'], {})"
        self.assertEqual(told("pass", secretly), [True, False], "else this test shows nothing")
        self.assertEqual(told(NATIVE, "pass", secretly, "pass"), [True, False, True, False])
        self.assertEqual(told("pass", "pass", secretly, others=True), [True, False, True])
        self.assertEqual(told(BLIND, NATIVE, "pass"), [True, True, True])
        self.assertEqual(told(BLIND, "pass", others=True), [True, True])

    def test_native_code_is_known_for_what_it_is(self):
        self.assertEqual(told(BLIND, "import ctypes", "pass"), [True, True, True])
        other = "sys.modules['_interpreters'] = None"
        self.assertEqual(told(BLIND, other, "pass"), [True, True, True])
        # Modules of Python's own, some of them in files.
        own = "import _socket, _struct, array, decimal, math, mmap, select, sqlite3, unicodedata, zlib"
        self.assertEqual(told(BLIND, own, "pass"), [True, False, False])
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "foreign.so")
            load = "import types; module = types.ModuleType('m'); module.__file__ = %r" % path
            add = load + "; sys.modules['m'] = module"
            self.assertEqual(told(BLIND, add, "del sys.modules['m']"), [True, True, True])

    def test_after_a_killing_it_is_not_known(self):
        self.assertEqual(told("pass", "births.forget()", "pass"), [True, True, False])

    def test_a_function_that_closes_or_takes_the_descriptor_changes_nothing_for_the_worse(self):
        taken = "os.dup2(os.open(sys.executable, os.O_RDONLY), births._fd)"
        for step in ("os.close(births._fd)", taken):
            with self.subTest(step):
                self.assertEqual(told(NATIVE, step, "pass"), [True, True, True])

    def test_what_is_counted_behaves_as_before(self):
        code = "print(os.system('exit 3') >> 8, pickle.dumps(os.system), subprocess.call(['false']))"
        lines = ["import sys", "sys.path.insert(0, %r)" % RUNTIME_DIR]
        lines += ["import lambda_births", "lambda_births.watch()", "import os, pickle, subprocess", code]
        said = subprocess.run([sys.executable, "-c", "\n".join(lines)], stdout=subprocess.PIPE)
        self.assertEqual(said.stdout.decode(), "3 %r 1\n" % pickle.dumps(os.system))


if __name__ == "__main__":
    unittest.main()
