"""Writes args[0] MiB of lines of 64 bytes to stdout."""

import sys

for _ in range(int(sys.argv[1]) << 14):
    print("x" * 63)
