"""Events and results are read and written as the module `json` does it, only faster."""

import decimal
import enum
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


class Colour(enum.IntEnum):
    RED = 1


def circle():
    value = []
    value.append({"a": value})
    return value


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


WRITABLE = [
    *({}, [], "", "\u00e4\u2028\U0001f600\"\\\n\x00\x7f", None, True, 0, -1, 2**70, 1.5, 1e300, -0.0),
    {"a": [1, {"b": (2, "c")}], 3: 4, None: 5, True: 6, 1.5: 7, Colour.RED: Colour.RED},
    [decimal.Decimal("1.50"), decimal.Decimal("7")],
    ["\ud800"],
    deep(50),
]
UNWRITABLE = [{1, 2}, [object()], {"a": b"x"}, {(1,): 2}, math.nan, [math.inf], circle(), deep(100_000)]


def outcome(work, value):
    try:
        return work(value)
    except Exception as error:
        return type(error), str(error).partition(" at 0x")[0]


class ReadTest(unittest.TestCase):
    def test_results_and_errors_are_those_of_json_loads(self):
        invoker = bootstrap.Invoker(None, {})
        for event in PLAIN + AROUND + ENCODED + BROKEN:
            for kind in (bytes, bytearray):
                with self.subTest(event=event, kind=kind):
                    expected = outcome(json.loads, kind(event))
                    self.assertEqual(outcome(invoker._unmarshal, kind(event)), expected)
        self.assertTrue(math.isnan(invoker._unmarshal(b"NaN")))


class WriteTest(unittest.TestCase):
    def test_results_and_errors_are_those_of_an_encoder(self):
        plain = json.JSONEncoder(
            ensure_ascii=False, allow_nan=False, default=bootstrap.encode_decimal
        )
        encode = bootstrap.encoder(json)
        self.assertNotEqual(encode, plain.encode, "this Python has the C encoder")
        # Those that fail leave no trace for those that come after them.
        for value in WRITABLE + UNWRITABLE + UNWRITABLE + WRITABLE:
            with self.subTest(kind=type(value)):
                self.assertEqual(outcome(encode, value), outcome(plain.encode, value))

    def test_another_python_falls_back(self):
        class Other:
            JSONEncoder = json.JSONEncoder
            encoder = None

        self.assertEqual(bootstrap.encoder(Other)([1]), "[1]")


if __name__ == "__main__":
    unittest.main()
