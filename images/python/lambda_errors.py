"""Shapes failures as AWS Lambda does: errorMessage, errorType, stackTrace."""

import os

RUNTIME_DIR = os.path.dirname(os.path.abspath(__file__))

# Bounds that keep a report under 256 KiB, whatever was thrown.
REPORT_MAX_BYTES = 256 * 1024
MESSAGE_MAX_CHARS = 32 * 1024
FRAME_MAX_CHARS = 1024
FRAMES_MAX = 64


class RuntimeFailure(Exception):
    """A failure that has one of AWS's own types instead of a class name."""

    def __init__(self, error_type, message, cause=None, trace=None):
        super().__init__(message)
        self.error_type = error_type
        self.cause = cause
        self.trace = trace


def report_exception(error):
    """The body of a report about anything that was raised."""
    if isinstance(error, RuntimeFailure):
        trace = error.trace if error.trace is not None else trace_of(error.cause)
        return report(error.error_type, str(error), trace)
    return report(type_of(error), message_of(error), trace_of(error))


def report(error_type, message, trace=()):
    import json

    if len(message) > MESSAGE_MAX_CHARS:
        message = message[:MESSAGE_MAX_CHARS] + "... (truncated)"
    trace = list(trace)
    if len(trace) > FRAMES_MAX:
        head, tail = trace[: FRAMES_MAX // 4], trace[-FRAMES_MAX * 3 // 4 :]
        omitted = len(trace) - len(head) - len(tail)
        trace = [*head, "  ... %d entries omitted ...\n" % omitted, *tail]

    def encode(trace):
        content = {
            "errorMessage": printable(message),
            "errorType": printable(error_type),
            "stackTrace": [printable(frame[:FRAME_MAX_CHARS]) for frame in trace],
        }
        return json.dumps(content, ensure_ascii=False).encode()

    body = encode(trace)
    return body if len(body) <= REPORT_MAX_BYTES else encode([])


def type_of(error):
    try:
        return "".join(type(error).__name__)
    except BaseException:
        return "Exception"


def message_of(error):
    # A class of the user's may fail here in any way, also by exiting.
    try:
        return "".join(str(error))
    except BaseException:
        return "<unprintable %s object>" % type_of(error)


def trace_of(error):
    """The frames of the user's code, formatted as the traceback module does."""
    if error is None or error.__traceback__ is None:
        return []
    try:
        import traceback

        frames = traceback.extract_tb(error.__traceback__)
        while frames and is_internal(frames[0].filename):
            del frames[0]
        # Plain tuples: AWS's traces have no line that marks the columns.
        return traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames])
    except BaseException:
        return []


def is_internal(filename):
    """Whether a frame belongs to the bootstrap, or to the import system that it called."""
    return filename.startswith((RUNTIME_DIR + os.sep, "<frozen importlib")) or filename.endswith(
        os.path.join("importlib", "__init__.py")
    )


def printable(text):
    """Lone surrogates are no valid UTF-8, and hosts refuse them in JSON."""
    return text.encode("utf-8", "backslashreplace").decode()
