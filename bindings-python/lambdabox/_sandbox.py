"""What stands for `lambdabox` inside of a sandbox: decorated functions are functions there.

This file is put beside the packaged module as `lambdabox/__init__.py`. A platform can be made
here, so that the module loads, but not used.
"""

import asyncio
import functools
import inspect
from typing import Any, Callable, Optional


class Error(Exception):
    pass


def _adapt(function: Callable[..., Any]) -> Callable[..., Any]:
    """A handler out of a function of the event alone, or of a coroutine function."""
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_context = len(positional) > 1 or any(p.kind == p.VAR_POSITIONAL for p in parameters)

    @functools.wraps(function)
    def handler(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 2 and not takes_context and not kwargs:
            args = args[: len(positional)]
        result = function(*args, **kwargs)
        return asyncio.run(result) if inspect.iscoroutine(result) else result

    return handler


class Platform:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def function(self, function: Optional[Callable[..., Any]] = None, **options: Any) -> Any:
        return _adapt if function is None else _adapt(function)

    def __getattr__(self, name: str) -> Any:
        raise Error(
            "There is no platform inside of a sandbox. Keep what uses it out of the module's "
            'top level, for instance below `if __name__ == "__main__":`.'
        )


AsyncPlatform = Platform


def __getattr__(name: str) -> Any:
    # Exceptions and result types may be named at the top level.
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (Error,), {})
