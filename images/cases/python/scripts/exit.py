"""Exits with args[0]."""

import sys

print("exiting")
sys.exit(int(sys.argv[1]))
