"""What check.py has to find."""

import json
import tempfile
import unittest
from pathlib import Path

import check
import sources

DIGEST = "0" * 64
INTEGRITY = "sha512-" + "A" * 86 + "=="


class Licences(unittest.TestCase):
    def test_any_alternative_and_every_part_have_to_be_allowed(self):
        for good in ("MIT", "MIT OR GPL-3.0", "(MIT AND ISC)", "Apache Software License", "GPL-3.0 OR Apache-2.0"):
            self.assertTrue(check.is_allowed(good, check.ALLOWED), good)
        for bad in ("", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0", "mitigated", "Proprietary"):
            self.assertFalse(check.is_allowed(bad, check.ALLOWED), bad)


class PythonLocks(unittest.TestCase):
    def test_entries_with_markers_and_several_hashes_are_read(self):
        text = "# a head\nA_b.c==1.0 ; python_version < '3.11' \\\n    --hash=sha256:%s \\\n    --hash=sha256:%s\n"
        ((_, name, version, hashes),) = sources.python_locked(text % (DIGEST, DIGEST))
        self.assertEqual((name, version, len(hashes)), ("a-b-c", "1.0", 2))

    def test_what_is_not_pinned_has_no_version_and_no_hash(self):
        for bad in ("a>=1", "a", "a==1.*", "a @ https://x.test/a.whl", "-r other.txt", "a==1 --hash=md5:0"):
            ((_, _, version, hashes),) = sources.python_locked(bad + "\n")
            self.assertTrue(not version or not hashes, bad)


class NodeLocks(unittest.TestCase):
    def problems(self, asked, entry):
        with tempfile.TemporaryDirectory() as directory:
            lock = {"packages": {"": {}, "node_modules/a": entry}}
            (Path(directory) / "package.json").write_text(json.dumps({"dependencies": {"a": asked}}))
            (Path(directory) / "package-lock.json").write_text(json.dumps(lock))
            return list(check.node_problems(Path(directory)))

    def test_one_that_is_pinned_hashed_and_free_is_right(self):
        good = {"version": "1.0.0", "integrity": INTEGRITY, "license": "MIT"}
        self.assertEqual(self.problems("1.0.0", good), [])

    def test_each_fault_is_found(self):
        good = {"version": "1.0.0", "integrity": INTEGRITY, "license": "MIT"}
        self.assertEqual(len(self.problems("^1.0.0", good)), 1)
        for fault in ({"integrity": "sha1-AAAA"}, {"license": "GPL-3.0"}, {"resolved": "git+ssh://x.test/a.git"}):
            self.assertEqual(len(self.problems("1.0.0", good | fault)), 1, fault)
        for part in ("integrity", "license"):
            less = {key: value for key, value in good.items() if key != part}
            self.assertEqual(len(self.problems("1.0.0", less)), 1, part)


if __name__ == "__main__":
    unittest.main()
