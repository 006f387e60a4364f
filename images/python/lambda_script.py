"""Runs script functions: each execution in a process that was forked before it was needed."""

import os
import sys

SCRIPT = "main.py"

# Spares that die while they wait are replaced; at some point something is wrong.
ATTEMPTS = 3


class Runner:
    """Keeps one spare process ready and gives it what to run.

    A spare is a fork of the booted interpreter, in a session of its own. It waits for its
    order, args and environment, at a pipe whose other end only this process has.
    """

    def __init__(self, task_root, may_kill_all, clears_tmp):
        import gc

        import lambda_errors

        self.path = os.path.join(task_root, SCRIPT)
        if not os.path.isfile(self.path):
            raise lambda_errors.RuntimeFailure(
                "Runtime.ImportModuleError",
                "Unable to find the script '%s': a script function's code must have it." % SCRIPT,
            )
        self.code = precompile(self.path)
        self.may_kill_all = may_kill_all
        self.clears_tmp = clears_tmp
        self._spare = None
        # What exists now is shared by all forks: not collecting it leaves its pages shared.
        gc.collect()
        gc.freeze()

    def prepare(self):
        """Forks the spare. Returns its order, in the spare only; else None."""
        order, give_order = os.pipe()
        pid = os.fork()
        if pid:
            os.close(order)
            self._spare = (pid, give_order)
            return None
        os.close(give_order)
        os.setsid()
        given = read_all(order)
        os.close(order)
        if not given:
            # The bootstrap has ended.
            os._exit(0)
        return given

    def start(self, given):
        """Gives the spare its order. Returns its pid, or raises `OSError`."""
        for _ in range(ATTEMPTS):
            if self._spare is None:
                order = self.prepare()
                if order is not None:
                    return None, order
            pid, give_order = self._spare
            self._spare = None
            try:
                write_all(give_order, given)
                return pid, None
            except BrokenPipeError:
                reap(pid)
            finally:
                os.close(give_order)
        raise OSError("The script's process ended before it could start.")


def serve(connection, runner, get_next):
    """Answers invocations; never returns.

    A forked process leaves the loop, so that the script runs on a nearly empty stack.
    """
    run(runner, wait_for_order(connection, runner, get_next))


def wait_for_order(connection, runner, get_next):
    import json

    import lambda_errors
    import lambda_tidy

    connection.send(get_next)
    while True:
        try:
            order = runner.prepare()
        except OSError:
            # Tried again when there is something to run, where it can be reported.
            order = None
        if order is not None:
            return order
        headers, args = connection.receive()
        path = "invocation/%s/" % headers["lambda-runtime-aws-request-id"]
        try:
            env = json.dumps(trace_env(headers)).encode()
            pid, order = runner.start(b"[%s,%s]" % (args or b"[]", env))
            if order is not None:
                return order
            report = json.dumps(wait(pid, runner.may_kill_all)).encode()
            if runner.clears_tmp:
                lambda_tidy.clear_tmp()
            path += "response"
        except OSError as error:
            report = lambda_errors.report_exception(error)
            path += "error"
        connection.post(path, report, then=get_next)
        connection.accepted()


def trace_env(headers):
    """What of the environment is different in each execution."""
    names = {
        "TRACEPARENT": "lambda-runtime-traceparent",
        "_X_AMZN_TRACE_ID": "lambda-runtime-trace-id",
    }
    return {name: headers[header] for name, header in names.items() if header in headers}


def wait(pid, may_kill_all):
    """Waits for the script's end, removes what it left running, says how it ended."""
    # Not reaped at first: until then nobody else can get the process group's number.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    status = reap(pid)
    if may_kill_all:
        kill_all()
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    return {"exit_code": os.WEXITSTATUS(status)}


def reap(pid):
    import signal

    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return os.waitpid(pid, 0)[1]


def kill_all():
    """Ends also what has left the script's process group: all but this process and init."""
    import signal

    try:
        os.kill(-1, signal.SIGKILL)
    except OSError:
        pass


def precompile(path):
    """The script's code, or None where compiling it has something to say.

    An error or a warning belongs to an execution, so there it is compiled again.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return compile_file(path)
        except Exception:
            return None


def compile_file(path):
    with open(path, "rb") as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


def run(runner, order):
    """Runs the script as `python3 main.py` would, and ends the process."""
    import builtins
    import json

    args, env = json.loads(order)
    sys.argv = [runner.path, *args]
    os.environ.update(env)
    main = type(sys)("__main__")
    main.__file__ = runner.path
    main.__builtins__ = builtins
    sys.modules["__main__"] = main
    for name in ("lambda_errors", "lambda_fresh", "lambda_loader", "lambda_script", "lambda_tidy"):
        sys.modules.pop(name, None)
    # The next execution imports the same modules.
    sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
    try:
        exec(runner.code or compile_file(runner.path), main.__dict__)
        code = 0
    except SystemExit as error:
        code = exit_code(error.code)
    except BaseException as error:
        code = show_uncaught(error)
    finish(code, main)


def exit_code(value):
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF
    print(value, file=sys.stderr)
    return 1


def show_uncaught(error):
    # Without this frame, which is the first one.
    trace = error.__traceback__.tb_next
    if trace is not None and trace.tb_frame.f_code is compile_file.__code__:
        trace = None
    try:
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    except BaseException as broken:
        sys.__excepthook__(type(broken), broken, broken.__traceback__.tb_next)
    if isinstance(error, KeyboardInterrupt):
        import signal

        flush_all({})
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return 1


def finish(code, main):
    """Ends the process without the interpreter's finalisation, which takes longer than most
    scripts. What a program can see of it is done: threads are waited for, exit handlers are
    run, files are flushed. Only the teardown of modules is left out.
    """
    import atexit

    threading = sys.modules.get("threading")
    try:
        if threading is not None:
            threading._shutdown()
    except BaseException as error:
        sys.__excepthook__(type(error), error, error.__traceback__)
    try:
        atexit._run_exitfuncs()
    except BaseException:
        # Shown by atexit.
        pass
    if not flush_all(vars(main)) and code == 0:
        # As Python does.
        code = 120
    os._exit(code)


def flush_all(names):
    """Flushes the standard streams, and files that were left open in global variables."""
    flushed = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:
            flushed = False
    import io

    for value in list(names.values()):
        if isinstance(value, io.IOBase):
            try:
                value.flush()
            except BaseException:
                pass
    return flushed


def read_all(fd):
    parts = []
    while True:
        part = os.read(fd, 65_536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
