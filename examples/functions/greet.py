# A handler function (deploy it with the handler "greet.handler"): called with an event, its
# return value is the result. Both are JSON.
greetings = 0  # lives as long as the sandbox does


def handler(event, context):
    global greetings
    greetings += 1
    return {
        "message": f"Hello, {event.get('name', 'world')}!",
        "greetings": greetings,
        "milliseconds_left": context.get_remaining_time_in_millis(),
    }
