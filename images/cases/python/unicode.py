"""Writes event.text to stdout and returns it between characters of two to four bytes."""


def handler(event, context):
    print(event["text"])
    return {"text": "é€😀" + event["text"] + "😀€é"}
