"""An event is read as `json.loads` reads it, only faster."""

import json
import math
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import bootstrap  # noqa: E402

PLAIN = [b"{}", b'{"a": [1, 2.5, null]}', '"\u00e4\U0001f600"'.encode(), b"-0", b"1e400"]
AROUND = [b" [1]\n", b"\t\r\n3 ", b"\n"]
ENCODED = ['{"a": "\u00e4"}'.encode(name) for name in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig")]
BROKEN = [b"", b"{}x", b"[1", b"\x0b1", b"1\x0c", b'"\xff"', b'"\xed\xa0\x80"', b"'a'", b"\x00"]


def outcome(read, event):
    try:
        return read(event)
    except ValueError as error:
        return type(error), str(error)


class UnmarshalTest(unittest.TestCase):
    def test_results_and_errors_are_those_of_json_loads(self):
        invoker = bootstrap.Invoker(None, {})
        for event in PLAIN + AROUND + ENCODED + BROKEN:
            for kind in (bytes, bytearray):
                with self.subTest(event=event, kind=kind):
                    expected = outcome(json.loads, kind(event))
                    self.assertEqual(outcome(invoker._unmarshal, kind(event)), expected)
        self.assertTrue(math.isnan(invoker._unmarshal(b"NaN")))


if __name__ == "__main__":
    unittest.main()
