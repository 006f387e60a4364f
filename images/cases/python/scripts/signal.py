"""Ends itself with the signal args[0]."""

import os
import sys

print("signalling")
os.kill(os.getpid(), int(sys.argv[1]))
