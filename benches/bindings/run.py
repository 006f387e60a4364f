"""What a warm call costs from Python and Node, beside the same call from Rust, in one run.

    scripts/bench-bindings.sh fake      acted sandboxes: the platform and the bindings alone
    scripts/bench-bindings.sh docker

Each way is a process of its own with a platform and a store of its own. They take turns, round by
round; a figure is the median of the rounds, and each round's is the median of its calls. A wake is a
call that does nothing: to a thread of the platform's and back to the event loop.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUST, PYTHON, RUNTIME = sys.argv[1:4]
ROUNDS, CALLS, BURST = 12, 1000, 1000
SOURCE = "fake:echo" if RUNTIME == "fake" else "def handler(event, context): return event"
HERE = Path(__file__).parent
WAYS = {
    "Rust": [RUST],
    "Python": [PYTHON, f"{HERE}/worker.py", "sync"],
    "asyncio": [PYTHON, f"{HERE}/worker.py", "async"],
    "Node": ["node", f"{HERE}/worker.cjs"],
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lb-") as root:
        for name in WAYS:
            Path(root, name).mkdir(mode=0o700)
        workers = {
            name: subprocess.Popen(
                [*command, f"{root}/{name}", RUNTIME, SOURCE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for name, command in WAYS.items()
        }

        def ask(name: str, what: str) -> dict[str, float]:
            worker = workers[name]
            assert worker.stdin is not None and worker.stdout is not None
            print(what, file=worker.stdin, flush=True)
            return json.loads(worker.stdout.readline())

        for name in WAYS:
            ask(name, "calls 200")
        rounds = [{name: ask(name, f"calls {CALLS}") for name in WAYS} for _ in range(ROUNDS)]
        bursts = {
            name: statistics.median(ask(name, f"burst {BURST}")["call"] for _ in range(3))
            for name in WAYS
        }
        for worker in workers.values():
            worker.communicate(timeout=60)
            assert worker.returncode == 0
    report(rounds, bursts)


def report(rounds: list[dict[str, dict[str, float]]], bursts: dict[str, float]) -> None:
    def middle(figure: "object") -> float:
        return statistics.median(map(figure, rounds))  # type: ignore[call-overload]

    print("| | call, us | more than Rust, us | bare wake, us | more, in wakes | 1,000 at once, ms |")
    print("|---|---|---|---|---|---|")
    for name in WAYS:
        call = middle(lambda r: r[name]["call"])
        more = middle(lambda r: r[name]["call"] - r["Rust"]["call"])
        cells = [name, f"{call:.1f}", "" if name == "Rust" else f"{more:.1f}"]
        if "wake" in rounds[0][name]:
            wake = middle(lambda r: r[name]["wake"])
            wakes = middle(lambda r: (r[name]["call"] - r["Rust"]["call"]) / r[name]["wake"])
            cells += [f"{wake:.1f}", f"{wakes:.2f}"]
        else:
            cells += ["", ""]
        print("| " + " | ".join([*cells, f"{bursts[name] / 1e3:.0f}"]) + " |")


main()
