"""Runs each invocation of a handler in a process of its own, forked when the code is loaded.

What a process leaves in memory no other finds. One spare waits for the next invocation: its
order is the headers and the event, its answer the verdict and the body.
"""

import os

import lambda_script

HEADER_BYTES = 8


class Forker:
    """Stands in for the invoker in the bootstrap's own process."""

    def __init__(self, invoker, flush):
        import gc

        self._invoker = invoker
        self._flush = flush
        self._spare = None
        self._answered = None
        # What exists now is shared by all forks: not collecting it leaves its pages shared.
        gc.collect()
        gc.freeze()

    def prepare(self):
        self._reap_answered()
        try:
            self._fork()
        except OSError:
            # Tried again when there is something to run, where it can be reported.
            pass

    def _fork(self):
        """Forks the spare, which never returns from here."""
        order, give_order = os.pipe()
        answer, give_answer = os.pipe()
        pid = os.fork()
        if pid:
            os.close(order)
            os.close(give_answer)
            self._spare = (pid, give_order, answer)
            return
        os.close(give_order)
        os.close(answer)
        os.setsid()
        self._serve(order, give_answer)

    def invoke(self, headers, event):
        """Returns what the process answered. If it ended without, so does this one."""
        import json

        if self._spare is None:
            try:
                self._fork()
            except OSError as error:
                import lambda_errors

                return "error", lambda_errors.report_exception(error)
        pid, give_order, answer = self._spare
        self._spare = None
        head = json.dumps(headers).encode()
        try:
            lambda_script.write_all(give_order, b"%s\n" % head)
            lambda_script.write_all(give_order, event)
        except BrokenPipeError:
            # It died while it waited; its end says how.
            pass
        os.close(give_order)
        reply = read_frame(answer)
        os.close(answer)
        if reply is None:
            end_like(lambda_script.reap(pid))
        # Its end takes longer than all the rest in gVisor, and nobody has to wait for it.
        self._answered = pid
        verdict, _, body = reply.partition(b"\n")
        return verdict.decode(), body

    def _reap_answered(self):
        pid, self._answered = self._answered, None
        if pid is not None:
            try:
                lambda_script.reap(pid)
            except ChildProcessError:
                # Tidying up has reaped it.
                pass

    def _serve(self, order, give_answer):
        data = lambda_script.read_all(order)
        os.close(order)
        if not data:
            # The bootstrap has ended.
            os._exit(0)
        import json

        # Children of the function's would keep the pipe open beyond this process's end.
        os.register_at_fork(after_in_child=lambda: close(give_answer))
        head, _, event = data.partition(b"\n")
        verdict, body = self._invoker.invoke(json.loads(head), event)
        self._flush()
        frame = b"%s\n%s" % (verdict.encode(), body)
        lambda_script.write_all(give_answer, len(frame).to_bytes(HEADER_BYTES, "big"))
        lambda_script.write_all(give_answer, frame)
        os._exit(0)


def read_frame(fd):
    """A length and so many bytes; None where the other end closed before."""
    data = bytearray()
    while len(data) < HEADER_BYTES or len(data) < HEADER_BYTES + int.from_bytes(
        data[:HEADER_BYTES], "big"
    ):
        part = os.read(fd, 65_536)
        if not part:
            return None
        data += part
    return bytes(data[HEADER_BYTES:])


def end_like(status):
    """Ends this process as the one with this status ended: the host sees no other."""
    if os.WIFSIGNALED(status):
        import signal

        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def close(fd):
    try:
        os.close(fd)
    except OSError:
        pass
