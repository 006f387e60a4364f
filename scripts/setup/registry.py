#!/usr/bin/env python3
"""A registry of one image, on loopback, for scripts/test-pins.sh: scripts/setup/registry.py ARCHIVE

ARCHIVE is what `docker save` has written. Prints the port and the image's digest once it serves; under
any other digest it hands out the same image, as a registry that cheats would.
"""

import hashlib
import json
import re
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def read(archive):
    """The manifest, and all that it names by digest."""
    blobs = {}

    def part(kind, name):
        content = tar.extractfile(name).read()
        blobs[digest(content)] = content
        return {"mediaType": kind, "size": len(content), "digest": digest(content)}

    with tarfile.open(archive) as tar:
        (image,) = json.load(tar.extractfile("manifest.json"))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": part(CONFIG, image["Config"]),
            "layers": [part(LAYER, name) for name in image["Layers"]],
        }
    return json.dumps(manifest).encode(), blobs


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/v2/":
            return self.answer(200, b"{}", "application/json")
        if re.fullmatch(r"/v2/.+/manifests/[^/]+", self.path):
            return self.answer(200, self.server.manifest, MANIFEST)
        blob = self.server.blobs.get(self.path.rsplit("/", 1)[1])
        if blob is None:
            return self.answer(404, b"{}", "application/json")
        self.answer(200, blob, "application/octet-stream")

    do_HEAD = do_GET

    def answer(self, status, content, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def main(archive):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.manifest, server.blobs = read(archive)
    print(server.server_address[1], digest(server.manifest), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
