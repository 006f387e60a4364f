"""`python -m lambdabox serve`: the server and its command line, out of the wheel."""

import os
import sys
from pathlib import Path

BINARY = Path(__file__).with_name("_bin") / "lambda"


def main() -> None:
    if not BINARY.is_file():
        sys.exit("lambdabox: this build has no command line; install it from a wheel.")
    if not os.access(BINARY, os.X_OK):
        # Some installers drop the mode.
        BINARY.chmod(0o755)
    # In place of this process, so that signals and the exit status are the server's own.
    os.execv(BINARY, ["lambda", *sys.argv[1:]])


if __name__ == "__main__":
    main()
