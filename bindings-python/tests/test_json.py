"""Events and results are what Python's own `json` makes of them: compared with it."""

import enum
import json
import math
import random
import struct
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import pytest
from lambdabox import _native

SEED = 20_240_131
THEIRS = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Text(str):
    def __repr__(self) -> str:
        return "unused"


class Whole(int):
    def __repr__(self) -> str:
        return "unused"


class Real(float):
    def __repr__(self) -> str:
        return "unused"


class Colour(enum.IntEnum):
    RED = 1


class Pair(NamedTuple):
    one: int
    two: str


class Hidden(dict[str, int]):
    def items(self) -> Any:
        return [("shown", 1)]


def outcome(convert: Any, value: object) -> object:
    """What comes out, or how it fails. Where in a text of many it went wrong is not compared: a
    text is encoded before it becomes a part of them."""
    try:
        return convert(value)
    except UnicodeError as error:
        return type(error)
    except Exception as error:
        return type(error), str(error), getattr(error, "__notes__", None)


def encoded(value: object) -> None:
    theirs = outcome(lambda value: THEIRS.encode(value).encode(), value)
    assert outcome(_native.json_encode, value) == theirs, repr(value)


def decoded(data: bytes) -> None:
    ours, theirs = outcome(_native.json_decode, data), outcome(json.loads, data)
    # By what is written of them: 1 and 1.0 and True are equal, and NaN is not.
    assert repr(ours) == repr(theirs), data


def nested(depth: int, value: object = 0) -> object:
    for _ in range(depth):
        value = [value]
    return value


def endless() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**63, 10**40, -(10**40), 10**5000,
        0.0, -0.0, 1.0, 1e16, 1e15, 123456789012345680.0, 1e-4, 1e-5, 1.5e-5, 5e-324,
        1.7976931348623157e308, 0.1, 1 / 3, 1e22, 1e23, math.nan, math.inf, -math.inf,
        "", "ü€😀", "\x00\x1f\x7f\u2028", "\"\\/\b\f\n\r\t", "\ud800", "a\udfff", ["\ud800"],
        [], (), {}, [[]], [{}], ((1, "a"), [2.5]), {"a": [None]},
        {1: 1, True: 2, None: 3, 2.5: 4, "": 5}, {math.nan: 1}, {2**70: 1}, {Text("k"): 1},
        Text("t"), Whole(7), Real(2.5), Real(math.nan), Colour.RED, {Colour.RED: Colour.RED},
        {Whole(7): 1, Real(2.5): 2}, Pair(1, "b"), Hidden(a=2), [Hidden()], OrderedDict(b=1, a=2),
        defaultdict(list, {"x": [1]}), {1, 2}, b"bytes", object, 1j, {(1, 2): 3}, {b"k": 1},
        [1, {"a": {2}}], nested(127), nested(128), nested(129), nested(100_000), endless(),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_is_encoded_as_by_json(value: object) -> None:
    encoded(value)
    encoded({"key": [value]})


@pytest.mark.parametrize(
    "data",
    [
        b"null", b"true", b"false", b"0", b"-0", b"-0.0", b"1e400", b"-1E+2", b"1.50", b"1e-400",
        b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"9" * 5000,
        b'""', b'"a\\u00e9\\ud83d\\ude00\\n\\/"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud800x"',
        b'"\\ud800\\u0041"', b'"\xc3\xbc\xf0\x9f\x98\x80"', b'"\\q"', b'"\\\xc3\xbc"', b'"\\u+123"',
        b'"\\u12"', b'"\\u12\xc3\xbc"', b'"a', b'"\x01"', b'"\xff"', b'"\xed\xa0\x80"',
        b" [ 1 , 2 ] ", b"[]", b"[ ]", b"{}", b"{ }", b'{"a":1,"a":2}', b'{ "a" : [ { } ] }',
        b"", b" ", b"[", b"[1", b"[1,", b"[1,]", b"[,]", b"{", b'{"a"', b'{"a":', b'{"a":1,}', b"{1:2}",
        b"01", b"-", b"1.", b".5", b"1e", b"+1", b"0x1", b"1_0", b"nul", b"nulll", b"True", b"1 2",
        b"NaN", b"Infinity", b"-Infinity", b"[NaN]", b"\xef\xbb\xbf1", "1".encode("utf-16"), b"\x0b1",
        b"[" * 127 + b"]" * 127, b"[" * 129 + b"]" * 129, b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:20]),
)  # fmt: skip
def test_a_text_is_decoded_as_by_json(data: bytes) -> None:
    decoded(data)
    decoded(b'{"key":[' + data + b"]}")


def some_float(chance: random.Random) -> float:
    if chance.random() < 0.5:
        return chance.choice([-1, 1]) * chance.random() * 10.0 ** chance.randint(-25, 25)
    (value,) = struct.unpack("<d", chance.randbytes(8))
    return value if math.isfinite(value) else 0.5


def some_text(chance: random.Random) -> str:
    alphabet = "ab\"\\/\n\x00\x1f\x7fé€😀\ud7ff\ue000"
    return "".join(chance.choices(alphabet, k=chance.randint(0, 8)))


def some_value(chance: random.Random, depth: int) -> object:
    kind = chance.randrange(9 if depth else 6)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind == 1:
        return chance.randint(-(2 ** chance.randint(0, 70)), 2 ** chance.randint(0, 70))
    if kind in (2, 3):
        return some_float(chance)
    if kind in (4, 5):
        return some_text(chance)
    items = [some_value(chance, depth - 1) for _ in range(chance.randint(0, 4))]
    if kind == 6:
        return items
    if kind == 7:
        return tuple(items)
    keys = (some_text(chance), chance.randint(-9, 9), some_float(chance), None, True)
    return {chance.choice(keys): item for item in items}


def test_values_at_random_are_converted_as_by_json() -> None:
    chance = random.Random(SEED)
    for _ in range(20_000):
        value = some_value(chance, 4)
        encoded(value)
        decoded(json.dumps(value, ensure_ascii=chance.random() < 0.5).encode())


def test_texts_that_are_cut_and_changed_are_decoded_as_by_json() -> None:
    chance = random.Random(SEED)
    for _ in range(20_000):
        data = bytearray(THEIRS.encode(some_value(chance, 3)).encode())
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.choice(b'0-+.eE"\\{}[],:u \n\x80\xff')
        decoded(bytes(data[: chance.randint(1, len(data))]))
