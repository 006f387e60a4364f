#!/usr/bin/env python3
"""Writes the table of threats into docs/SECURITY.md, and checks it against a run of the tests.

    scripts/security-table.py write RUN   the table, with the results of RUN
    scripts/security-table.py check RUN   fails if a named test is missing in RUN or did not pass,
                                          or if docs/SECURITY.md names other rows or tests

RUN is what `cargo test --workspace --all-features` has printed; scripts/test.sh keeps it.
"""

import fnmatch
import importlib
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "docs/security-rows.toml"
DOCUMENT = ROOT / "docs/SECURITY.md"
ATTEMPTS = ROOT / "lambda-core/tests/escape/attempts"

BEGIN, END = "<!-- begin %s: scripts/security-table.py -->", "<!-- end %s -->"

BINARY = re.compile(r"^\s*Running (?:unittests )?\S+ \(\S*/([\w-]+)-[0-9a-f]{16}\)")
RESULT = re.compile(r"^test ([\w:]+)(?: - should panic)? \.\.\. (?:.*\s)?(ok|FAILED|ignored)\b")
# What a test prints may stand between its name and its result.
NAME = re.compile(r"^test ([\w:]+) \.\.\. ")
LATE = re.compile(r"^(ok|FAILED)$")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def read_rows(text):
    """The part of TOML that is used there: Python 3.10 cannot read TOML by itself."""
    rows = []
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    for table_ in text.split("[[row]]")[1:]:
        pairs = re.findall(r'^(\w+) = ("[^"]*"|\[[^]]*\])$', table_, flags=re.MULTILINE)
        row = {key: json.loads(re.sub(r",\s*\]", "]", value)) for key, value in pairs}
        if sorted(row) != ["promise", "tests", "threat"]:
            sys.exit("%s: row %d is malformed" % (ROWS.name, len(rows) + 1))
        rows.append(row)
    return rows


def results(run):
    """The result of each test of a run, by `binary::test`."""
    found, binary, pending = {}, "", None
    for line in run.splitlines():
        line = COLOUR.sub("", line)
        if match := BINARY.match(line):
            binary, pending = match[1].replace("-", "_"), None
        elif match := RESULT.match(line):
            found["%s::%s" % (binary, match[1])], pending = match[2], None
        elif match := NAME.match(line):
            pending = "%s::%s" % (binary, match[1])
        elif pending and (match := LATE.match(line)):
            found[pending], pending = match[1], None
    return found


def problems(rows, found):
    for number, row in enumerate(rows, 1):
        if not row["tests"]:
            yield "row %d has no test" % number
        for test in row["tests"]:
            names = fnmatch.filter(found, test)
            if not names:
                yield "row %d: %s is not in the run" % (number, test)
            for name in names:
                if found[name] != "ok":
                    yield "row %d: %s: %s" % (number, name, found[name])


def table(rows, found):
    lines = ["| # | threat or fault | promise | tests | last result |", "|---|---|---|---|---|"]
    for number, row in enumerate(rows, 1):
        tests = "<br>".join("`%s`" % test for test in row["tests"])
        names = [name for test in row["tests"] for name in fnmatch.filter(found, test)]
        passed = sum(found[name] == "ok" for name in names)
        result = "%d of %d passed" % (passed, len(names)) if names else "not in that run"
        if any(not fnmatch.filter(found, test) for test in row["tests"]) and names:
            result += ", others not in that run"
        lines.append(
            "| %d | %s | %s | %s | %s |" % (number, row["threat"], row["promise"], tests, result)
        )
    return "\n".join(lines)


def open_by_design():
    """The attempts of the escape suite that are meant to succeed, with the reason."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ATTEMPTS))
    importlib.import_module("app")
    attempts = importlib.import_module("kit").ATTEMPTS
    lines = ["| what a function can do | where | why it is left open |", "|---|---|---|"]
    for name, (_, expected) in sorted(attempts.items()):
        where = [runtime for runtime in expected if expected[runtime].kind == "by design"]
        if where:
            what = name.split(".")[1].replace("_", " ")
            lines.append("| %s | %s | %s |" % (what, ", ".join(where), expected[where[0]].why))
    counts = {
        runtime: [sum(e[runtime].kind == kind for _, e in attempts.values()) for kind in
                  ("denied", "harmless", "by design")]
        for runtime in ("docker", "gvisor")
    }
    for runtime, (denied, harmless, by_design) in counts.items():
        lines.append(
            "\n`%s`: %d attempts have to be refused, %d may succeed and must change nothing, %d are "
            "open." % (runtime, denied, harmless, by_design)
        )
    return "\n".join(lines)


def replaced(document, name, text):
    begin, end = BEGIN % name, END % name
    head, rest = document.split(begin)
    return head + begin + "\n" + text + "\n" + end + rest.split(end, 1)[1]


def without_results(document):
    return re.sub(r"\| [\w ,]* \|$", "|", document, flags=re.MULTILINE)


def main(command, path):
    rows = read_rows(ROWS.read_text())
    found = results(Path(path).read_text(errors="replace"))
    faults = list(problems(rows, found))
    document = DOCUMENT.read_text()
    new = replaced(document, "threats", table(rows, found))
    new = replaced(new, "open by design", open_by_design())
    if command == "write":
        DOCUMENT.write_text(new)
    elif without_results(new) != without_results(document):
        faults.append("docs/SECURITY.md is stale: scripts/security-table.py write %s" % path)
    for fault in faults:
        print(fault)
    print("%d rows, %d tests in the run, %d problems" % (len(rows), len(found), len(faults)))
    return bool(faults)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("write", "check"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
