import os
import tempfile
from collections.abc import Iterator

import pytest

REQUIRED = os.environ.get("LAMBDA_TEST_REQUIRE", "").split(",")


@pytest.fixture
def data_dir() -> Iterator[str]:
    # Sockets have short paths, which pytest's own directories may exceed.
    with tempfile.TemporaryDirectory(prefix="lb-", ignore_cleanup_errors=True) as path:
        yield path


@pytest.fixture(params=["docker", "gvisor"])
def container_runtime(request: pytest.FixtureRequest) -> str:
    runtime: str = request.param
    if runtime not in REQUIRED:
        pytest.skip(f"LAMBDA_TEST_REQUIRE does not list {runtime}")
    return runtime
