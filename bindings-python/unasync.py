"""Makes lambdabox/_sync.py of lambdabox/_async.py. Usage: unasync.py [--check]"""

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).with_name("lambdabox")
REPLACEMENTS = [
    (r'^"""The platform for asyncio.*?"""', '"""The platform for synchronous code. Made of `_async.py` by `unasync.py`."""'),
    (r"an async context manager", "a context manager"),
    (r"Cancelling the task kills the sandbox\.", "Ctrl-C kills the sandbox."),
    (r"\basync def ", "def "),
    (r"\bawait ", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\b__a(iter|next)__\b", r"__\1__"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"import Iterator, Callable, Sequence", "import Callable, Iterator, Sequence"),
    (r"_async_link import AsyncLink", "_sync_link import SyncLink"),
    (r"\bAsyncLink\b", "SyncLink"),
    (r"\bAsync(Platform|Invocation|Logs|RemoteFunction)\b", r"\1"),
]


def convert(text: str) -> str:
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE | re.DOTALL)
    return text


def main() -> None:
    wanted = convert((PACKAGE / "_async.py").read_text(encoding="utf-8"))
    target = PACKAGE / "_sync.py"
    if "--check" not in sys.argv:
        target.write_text(wanted, encoding="utf-8")
    elif target.read_text(encoding="utf-8") != wanted:
        sys.exit("lambdabox/_sync.py is not what _async.py makes; run unasync.py")


if __name__ == "__main__":
    main()
