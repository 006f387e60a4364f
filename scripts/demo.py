"""The part of the demo that talks to the server.

Usage: demo.py port HOST PORT         print PORT, or a free port where it is taken
       demo.py run URL DIRECTORY      deploy and execute the example functions in DIRECTORY
"""

import json
import pathlib
import socket
import sys
import urllib.error
import urllib.request

NAME = "Alice"
GREETING = f"Hello, {NAME}!"
# Far above the limit of any example, so that a server that hangs is noticed.
HTTP_TIMEOUT_S = 60


class Example:
    """One example function: its file, how it is deployed and called, and what is right."""

    def __init__(self, file, fields=None, call=None, status="success", runs=2):
        self.file = file
        self.name = file.replace(".", "-")
        self.language = "python" if file.endswith(".py") else "javascript"
        self.fields = fields or {}
        self.call = call or {}
        self.status = status
        self.runs = runs

    def is_right(self, reply):
        if reply["status"] != self.status:
            return False
        output = reply["output"]
        if isinstance(output, dict):
            output = output.get("message")
        return self.status != "success" or output == GREETING


EXAMPLES = [
    Example("hello.py", call={"args": [NAME]}),
    Example("hello.js", call={"args": [NAME]}),
    Example("greet.py", fields={"handler": "greet.handler"}, call={"event": {"name": NAME}}),
    Example("greet.mjs", fields={"handler": "greet.handler"}, call={"event": {"name": NAME}}),
    Example("infinite.py", fields={"timeout_ms": 1000}, status="timeout", runs=1),
]


class Refused(Exception):
    """The server answered with an error, told as its users see it."""


def request(method, url, body=None):
    """The parsed answer to a request; `Refused` with status, message and hint where it is an error."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    call = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(call, timeout=HTTP_TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as answer:
        raise Refused(f"{answer.code} {explanation(answer.read())}") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise Refused(f"no answer: {error}") from None


def explanation(body):
    try:
        error = json.loads(body)["error"]
        return " ".join(error[field] for field in ("code", "message", "hint") if error.get(field))
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


def deploy(url, directory, example, existing):
    """Creates the function, or deploys a new version of the one that an earlier demo left."""
    code = (directory / example.file).read_text(encoding="utf-8")
    if example.name in existing:
        body = {"code": code, **example.fields}
        return request("PUT", f"{url}/functions/{existing[example.name]}", body)
    body = {"name": example.name, "language": example.language, "code": code, **example.fields}
    return request("POST", f"{url}/functions", body)


def run(url, directory):
    """Whether every example did what it should, after printing a table of them."""
    existing = {function["name"]: function["id"] for function in request("GET", f"{url}/functions")}
    print_row("FUNCTION", "RUNTIME", "START", "MS", "OUTPUT")
    right = True
    for example in EXAMPLES:
        try:
            function = deploy(url, directory, example, existing)
        except Refused as refusal:
            print_row(example.file, "", "", "", f"FAILED to deploy: {refusal}")
            right = False
            continue
        for runtime in ("docker", "gvisor"):
            for _ in range(example.runs):
                right &= execute(url, example, function["id"], runtime)
    return right


def execute(url, example, function_id, runtime):
    body = {"id": function_id, "use_gvisor": runtime == "gvisor", **example.call}
    try:
        reply = request("POST", f"{url}/functions/execute", body)
    except Refused as refusal:
        print_row(example.file, runtime, "", "", f"FAILED: {refusal}")
        return False
    right = example.is_right(reply) and reply["runtime"] == runtime
    text = outcome(reply) if right else f"FAILED: {outcome(reply)}"
    print_row(example.file, reply["runtime"], reply["start"], f"{reply['total_ms']:.1f}", text)
    return right


def outcome(reply):
    """What a person wants to see of a reply, on one line."""
    if reply["status"] == "success":
        output = reply["output"]
        return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    error = reply.get("error") or {}
    message = error.get("message") or error.get("type") or ""
    # Lambda puts the request's id before the message of a timeout.
    return f"{reply['status']}: {message.rpartition(' Error: ')[2]}".rstrip(": ")


def print_row(function, runtime, start, milliseconds, output):
    output = " ".join(output.split())
    print(f"  {function:<12} {runtime:<8} {start:<10} {milliseconds:>9}  {output}", flush=True)


def free_port(host, port):
    """`port`, or where it is taken one that the system picks."""
    for candidate in (port, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), candidate))
            except OSError:
                continue
            return probe.getsockname()[1]
    sys.exit(f"[demo] FAILED: no port of {host} can be listened on")


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("port", "run"):
        sys.exit(__doc__)
    command, where, what = arguments
    if command == "port":
        print(free_port(where, int(what)))
        return
    try:
        sys.exit(0 if run(where, pathlib.Path(what)) else 1)
    except Refused as refusal:
        sys.exit(f"[demo] FAILED: the server refused: {refusal}")


if __name__ == "__main__":
    main(sys.argv[1:])
