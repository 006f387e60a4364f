import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import agent  # noqa: E402


async def test_recorded_snippets_are_fenced(container_runtime: str) -> None:
    paths = sorted(str(path) for path in (HERE / "snippets").glob("*.py"))
    answers = await agent.main(paths, container_runtime)
    assert answers["sum"] == "233168\n"
    assert "KeyError: 'pears'" in answers["mistake"]
    assert answers["endless"] == "It was stopped: timeout."
    assert "out_of_memory" in answers["hoard"] or "MemoryError" in answers["hoard"]
    assert answers["exfiltrate"].startswith("It failed") and "URLError" in answers["exfiltrate"]
    assert "wrote" not in answers["write"] and "uid True" in answers["write"]
    assert answers["flood"] == "It was stopped: timeout."
    # Its own bombs are its own: the last ones ran after them, on the same platform.
    assert not answers["forks"].startswith("(it printed")
