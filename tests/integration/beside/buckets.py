"""Object storage in this process: as much of S3 as putting, getting and listing takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Bucket", "serving"]


class Bucket:
    """The objects by key. `broken` answers every request with a 403."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.broken = False
        self.endpoint = ""


@contextmanager
def serving() -> Iterator[Bucket]:
    """A bucket of any name, served on a port of this machine."""
    bucket = Bucket()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(403 if bucket.broken else status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Sat, 28 Nov 2026 12:00:00 GMT")
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def _key(self) -> str:
            return unquote(urlsplit(self.path).path).split("/", 2)[2]

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not bucket.broken:
                bucket.objects[self._key()] = data
            self._answer(200)

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if "list-type" in query:
                prefix = query.get("prefix", [""])[0]
                found = "".join(
                    f"<Contents><Key>{key}</Key><Size>{len(data)}</Size><ETag>1</ETag>"
                    "<LastModified>2026-11-28T12:00:00.000Z</LastModified></Contents>"
                    for key, data in sorted(bucket.objects.items())
                    if key.startswith(prefix)
                )
                listed = f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}"
                self._answer(200, f"{listed}</ListBucketResult>".encode())
            elif self._key() in bucket.objects:
                self._answer(200, bucket.objects[self._key()])
            else:
                self._answer(404)

        def do_DELETE(self) -> None:
            bucket.objects.pop(self._key(), None)
            self._answer(204)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            keys = [part.partition("</Key>")[0] for part in body.split("<Key>")[1:]]
            for key in keys:
                bucket.objects.pop(key, None)
            told = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            self._answer(200, f"<DeleteResult>{told}</DeleteResult>".encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
