"""The Python of docs/EMBEDDING.md runs, and prints what its comments say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "EMBEDDING.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
PRINTED = ["Hello, Alice!\n42\n[0, 2, 4]\nTypeError\n", "0\n1\n2\nsuccess\n"]


@pytest.mark.parametrize("container_runtime", ["docker"], indirect=True)
@pytest.mark.parametrize(("code", "printed"), list(zip(EXAMPLES, PRINTED, strict=True)))
def test_the_guide(code: str, printed: str, data_dir: str, container_runtime: str) -> None:
    code = f"data_dir = {data_dir!r}\n" + code
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (run.stdout, run.stderr) == (printed, "")
