"""Forged traffic on the bootstrap's own connection, which a function shares a process with."""

import os
import stat

HOST = b"Host: lambda\r\n"
BASE = b"/2018-06-01/runtime/"
NEXT = b"GET " + BASE + b"invocation/next HTTP/1.1\r\n" + HOST + b"\r\n"
STRANGER = b"01890a5d-ac96-774b-bcce-b302099a8057"
BOX = {}


def connection():
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                return int(name)
        except OSError:
            pass
    raise LookupError("no connection")


def post(what, body, extra=b""):
    return (
        b"POST " + BASE + what + b" HTTP/1.1\r\n" + HOST + extra
        + b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


def response(request_id, body=b'"forged"', extra=b""):
    return post(b"invocation/" + request_id + b"/response", body, extra)


def frames(own):
    return {
        "reply_of_a_stranger": response(STRANGER) + NEXT,
        "error_of_a_stranger": post(b"invocation/" + STRANGER + b"/error", b'{"errorType":"x"}') + NEXT,
        "reply_without_an_id": response(b"") + NEXT,
        "reply_with_a_path_for_an_id": response(b"../../etc/passwd") + NEXT,
        "reply_with_an_encoded_id": response(own.replace(b"-", b"%2d")) + NEXT,
        "two_replies": response(own) + response(own),
        "reply_of_the_previous_call": response(BOX.get("previous", STRANGER)) + NEXT,
        "init_error_when_it_runs": post(b"init/error", b'{"errorType":"x"}'),
        "init_again": b"GET /lambda/v1/init HTTP/1.1\r\n" + HOST + b"\r\n",
        "next_before_the_reply": NEXT,
        "unknown_route": b"GET /v1.40/containers/json HTTP/1.1\r\n" + HOST + b"\r\n",
        "absolute_route": b"GET http://169.254.169.254/latest/ HTTP/1.1\r\n" + HOST + b"\r\n",
        "connect_method": b"CONNECT 127.0.0.1:2375 HTTP/1.1\r\n\r\n",
        "garbage": os.urandom(4096),
        "zeros": bytes(20_000),
        "an_endless_head": b"GET " + BASE + b"invocation/next HTTP/1.1\r\nX: " + b"a" * 20_000,
        "too_many_headers": response(own, extra=b"".join(b"X-%d: x\r\n" % n for n in range(100))),
        "two_lengths": response(own, extra=b"Content-Length: 3\r\n"),
        "length_and_chunks": response(own, extra=b"Transfer-Encoding: chunked\r\n"),
        "negative_length": b"POST " + BASE + b"invocation/" + own + b"/response HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "length_beyond_64_bits": b"POST " + BASE + b"invocation/" + own + b"/response HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "malformed_chunks": b"POST " + BASE + b"invocation/" + own + b"/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "http_2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "old_http": response(own).replace(b"HTTP/1.1", b"HTTP/0.9"),
    }


def forge(name, context):
    own = context.aws_request_id.encode()
    if name == "own_reply_then_another_call":
        # Answers itself, so that the host hands over the next event; then answers that too.
        os.write(connection(), response(own))
        os._exit(0)
    if name == "remember":
        BOX["previous"] = own
        return "remembered"
    if name == "list":
        return sorted(frames(own)) + ["own_reply_then_another_call"]
    os.write(connection(), frames(own)[name])
    # Whatever the host makes of it, this call must not return as if nothing had been.
    import time

    time.sleep(20)
