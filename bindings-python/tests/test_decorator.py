"""What cannot be packaged is refused with an explanation."""

import lambdabox
import pytest
from lambdabox import AsyncPlatform

import decorated

platform = AsyncPlatform("/tmp/unused")


def test_closures_lambdas_and_methods_are_refused() -> None:
    secret = 1

    def closure(event: object) -> int:
        return secret

    def nested(event: object) -> int:
        return 1

    class Class:
        def method(self, event: object) -> int:
            return 1

    for function, why in [
        (closure, "inside of another function"),
        (nested, "inside of another function"),
        (lambda event: event, "is a lambda"),
        (Class.method, "another function"),
        (len, "no plain function"),
    ]:
        with pytest.raises(lambdabox.InvalidParameter, match=why):
            platform.function()(function)


def test_the_decorated_function_is_still_itself() -> None:
    assert decorated.hello({"name": "Bob"}) == "Hello, Bob!"
    assert decorated.hello.__name__ == "hello"
    assert repr(decorated.hello) == "<RemoteFunction hello>"
