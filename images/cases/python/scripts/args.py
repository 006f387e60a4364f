"""Prints each arg on a line of its own."""

import sys

for arg in sys.argv[1:]:
    print(arg)
