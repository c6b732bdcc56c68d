"""A model behind HTTP on loopback: it says 429 now and then, refuses some prompts, and charges.

    python server.py --port 8765

A request with an Idempotency-Key that was answered before is answered as before, and not charged.
"""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from time import sleep

PRICE = 0.001


class Model(ThreadingHTTPServer):
    """The service, with what it has answered by key; `charged` counts the answers paid for."""

    daemon_threads = True

    def __init__(self, port: int = 0, *, takes_s: float = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.takes_s = takes_s
        self.lock = Lock()
        self.answers: dict[str, str] = {}
        self.asked = 0
        self.too_many = 0

    @property
    def charged(self) -> int:
        """How many answers were charged for."""
        return len(self.answers)

    def answer(self, key: str, prompt: str) -> tuple[int, dict[str, object]]:
        """The status and the body for one request."""
        with self.lock:
            self.asked += 1
            if key in self.answers:
                return 200, {"text": self.answers[key], "cost": PRICE}
            if self.asked % 5 == 0:
                self.too_many += 1
                return 429, {"error": "too many requests"}
            if "forbidden" in prompt:
                return 400, {"error": "this prompt is refused"}
            self.answers[key] = prompt[::-1]
            return 200, {"text": self.answers[key], "cost": PRICE}


class _Handler(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        """Answer a prompt, if whoever asked is still there."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sleep(self.server.takes_s)
        status, body = self.server.answer(self.headers["Idempotency-Key"], asked["prompt"])
        told = json.dumps(body).encode()
        with suppress(ConnectionError):  # it was killed meanwhile, and asks again
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "1")
                self.send_header("Retry-After-Ms", "20")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Say nothing: the other side tells."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--takes-s", type=float, default=0.2, help="how long an answer takes")
    given = parser.parse_args()
    with Model(given.port, takes_s=given.takes_s) as model:
        print(f"http://127.0.0.1:{model.server_port}", flush=True)
        model.serve_forever()
