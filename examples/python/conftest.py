# The examples share the package's fixtures.
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bindings-python" / "tests"))

from fixtures import container_runtime, data_dir  # noqa: E402, F401
