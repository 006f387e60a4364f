"""Burns CPU for ever."""

print("spinning")
while True:
    pass
