"""Returns the place of the invocation in its caller's trace."""


def handler(event, context):
    return context.traceparent
