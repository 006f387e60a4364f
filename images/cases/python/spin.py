"""Burns CPU for ever."""


def handler(event, context):
    print("spinning")
    while True:
        pass
