"""Prints the place of the execution in its caller's trace."""

import os

print(os.environ.get("TRACEPARENT", "none"))
