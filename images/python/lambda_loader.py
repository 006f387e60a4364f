"""Puts a function's code in place and finds its handler."""

import os
import sys

from lambda_errors import RuntimeFailure


def unpack(config, code, task_root):
    """Writes the code that came with the configuration under the task root."""
    form = config["code"]["format"]
    if form == "inline":
        path = os.path.join(task_root, inline_name(config["handler"]))
        folder = os.path.dirname(path)
        if folder != task_root:
            os.makedirs(folder, exist_ok=True)
        write_file(path, 0o644, [code])
    elif form == "zip":
        unpack_zip(code, task_root)
    elif form != "directory":
        raise RuntimeFailure("Runtime.InvalidCode", "Unknown code format %r." % form)


def inline_name(handler):
    if handler is None:
        return "main.py"
    module, _ = split_handler(handler)
    return module.replace(".", "/") + ".py"


def unpack_zip(code, task_root):
    import io
    import stat
    import zipfile

    made = {task_root}
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            for entry in archive.infolist():
                parts = entry.filename.split("/")
                mode = entry.external_attr >> 16
                # The host has refused such archives already; a second look costs nothing.
                if parts[0] == "" or ".." in parts or "\\" in entry.filename:
                    raise zipfile.BadZipFile("%r is not a relative path." % entry.filename)
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise zipfile.BadZipFile("%r is not a regular file." % entry.filename)
                path = os.path.join(task_root, *(part for part in parts if part not in ("", ".")))
                folder = path if entry.is_dir() else os.path.dirname(path)
                if folder not in made:
                    os.makedirs(folder, exist_ok=True)
                    made.add(folder)
                if not entry.is_dir():
                    mode = 0o755 if mode & 0o111 else 0o644
                    write_file(path, mode, contents(archive, entry))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise RuntimeFailure("Runtime.InvalidCode", "Cannot unpack the zip: %s" % error) from None


# Most files are read in one piece, which takes a fifth of the time.
CHUNK_BYTES = 1 << 20


def contents(archive, entry):
    with archive.open(entry) as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk


def write_file(path, mode, chunks):
    """As `open` and `write` do, in half as many system calls, which gVisor is slow at."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[os.write(file, view) :]
    finally:
        os.close(file)


def split_handler(handler):
    """`module.function`, where the module may be dotted or a path; split as AWS does."""
    module, _, function = handler.rpartition(".")
    if not module or not function:
        raise RuntimeFailure(
            "Runtime.MalformedHandlerName",
            "Bad handler '%s': expected 'module.function'." % handler,
        )
    module = module.replace("/", ".")
    if not all(module.split(".")):
        raise RuntimeFailure(
            "Runtime.MalformedHandlerName",
            "Bad handler '%s': the module must be a relative name." % handler,
        )
    return module, function


def load_handler(handler, task_root):
    module_name, function_name = split_handler(handler)
    try:
        module = import_module(module_name, task_root)
    except ImportError as error:
        message = "Unable to import module '%s': %s" % (module_name, error)
        raise RuntimeFailure("Runtime.ImportModuleError", message, cause=error)
    except SyntaxError as error:
        message = "Syntax error in module '%s': %s" % (module_name, error)
        line = '  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)
        raise RuntimeFailure("Runtime.UserCodeSyntaxError", message, trace=[line])
    try:
        function = getattr(module, function_name)
    except AttributeError:
        raise RuntimeFailure(
            "Runtime.HandlerNotFound",
            "Handler '%s' missing on module '%s'" % (function_name, module_name),
        ) from None
    if not callable(function):
        raise RuntimeFailure(
            "Runtime.HandlerNotFound",
            "Handler '%s' on module '%s' is not callable" % (function_name, module_name),
        )
    show_logs()
    return function


def import_module(name, task_root):
    import importlib

    if name in sys.modules or name in sys.builtin_module_names:
        # The user's file has the name of a module that Python itself has loaded. It is run
        # under that name, but must not take the other one's place.
        path = os.path.join(task_root, name + ".py")
        if os.path.isfile(path):
            import importlib.util

            spec = importlib.util.spec_from_file_location(name, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    return importlib.import_module(name)


def show_logs():
    """Gives the root logger a handler, as AWS does: without one, only warnings are shown."""
    logging = sys.modules.get("logging")
    if logging is None or logging.getLogger().handlers:
        return
    handler = logging.StreamHandler()
    formatter = logging.Formatter("[%(levelname)s]\t%(asctime)s\t%(message)s")
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = "%s.%03dZ"
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
