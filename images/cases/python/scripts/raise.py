"""Raises a CaseError with args[0]."""

import sys


class CaseError(Exception):
    pass


raise CaseError(sys.argv[1])
