# What runs inside a baseline container: one connection, one request at a time.
import json
import socket


def handler(event, context):
    return event


connection = socket.socket(socket.AF_UNIX)
connection.connect("/run/lambda/api.sock")
data = b""
while True:
    end = data.find(b"\r\n\r\n")
    while end < 0:
        more = connection.recv(65536)
        if not more:
            raise SystemExit
        data += more
        end = data.find(b"\r\n\r\n")
    headers = {}
    for line in data[:end].decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    data = data[end + 4 :]
    length = int(headers["content-length"])
    while len(data) < length:
        more = connection.recv(65536)
        if not more:
            raise SystemExit
        data += more
    event, data = json.loads(data[:length]), data[length:]
    body = json.dumps(handler(event, None)).encode()
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )
