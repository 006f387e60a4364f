"""Returns a string of event.size bytes."""


def handler(event, context):
    return "x" * event["size"]
