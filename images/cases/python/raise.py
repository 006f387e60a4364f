"""Raises a CaseError with event.message."""


class CaseError(Exception):
    pass


def handler(event, context):
    raise CaseError(event["message"])
