"""A folder as bespokelabs-curator leaves it when its process is killed half way through its calls.

    python make.py FOLDER

Runs the released package as it is, on made-up rows, with a server on this machine that answers its
calls: one is refused for good, and once four have an answer on disk the process is killed. Needs
`bespokelabs-curator` and nothing of Milepost; no call leaves the machine.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1]).resolve()
ROWS = [
    {"term": "milepost", "share": 0.5, "seen": "2026-01-02"},
    {"term": "fence", "share": float("nan"), "seen": None},
    {"term": "refused", "share": 0.25, "seen": "2026-01-04"},
    {"term": "Zürich", "share": 1.0, "seen": "2026-01-05"},
    {"term": "lease", "share": 0.75, "seen": "2026-01-06"},
    {"term": "log", "share": 0.125, "seen": "2026-01-07"},
]
ON_DISK = 4


def wait_for_answers() -> None:
    """Until as many answers are on disk as are to be there when the process dies."""
    while True:
        files = list(FOLDER.rglob("responses_*.jsonl"))
        if sum(each.read_bytes().count(b"\n") for each in files) >= ON_DISK:
            return
        time.sleep(0.01)


class Provider(BaseHTTPRequestHandler):
    """Answers chat completions, and kills the process instead of answering about a lease."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 its name there
        """Say nothing."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = asked["messages"][-1]["content"] if asked["messages"] else "refused"
        if "lease" in text:
            wait_for_answers()
            os.kill(os.getpid(), signal.SIGKILL)
        if "refused" in text:  # as is the call without messages that asks for limits
            self.answer(400, {"error": {"message": "this is against the rules"}})
            return
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": f"about {text.split()[-1]}"},
            "finish_reason": "stop",
        }
        usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_767_323_045}
        self.answer(200, {**head, "model": asked["model"], "choices": [choice], "usage": usage})

    def answer(self, status: int, content: dict[str, Any]) -> None:
        """Send it."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def tokenizers() -> Path:
    """Where litellm ships the encoding that curator would download."""
    found = importlib.util.find_spec("litellm")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "litellm_core_utils" / "tokenizers"


def main() -> None:
    """Begin the job; this process does not return from it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "TELEMETRY_ENABLED": "false",
        "HF_HUB_OFFLINE": "1",
        "HOME": str(FOLDER.parent),
        "CURATOR_DISABLE_RICH_DISPLAY": "1",
        "TIKTOKEN_CACHE_DIR": str(tokenizers()),
    }
    curator = importlib.import_module("bespokelabs.curator")  # after the settings that it reads

    class Terms(curator.LLM):  # type: ignore[misc]
        """Asks one question a row."""

        def prompt(self, row: dict[str, Any]) -> str:
            return f"Say one sentence about {row['term']}"

        def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
            return {"term": row["term"], "sentence": response}

    asking = Terms(
        model_name="gpt-4o-mini",
        backend="openai",
        backend_params={
            "base_url": f"http://127.0.0.1:{server.server_port}",
            "api_key": "none",
            "max_concurrent_requests": 1,
            "max_retries": 0,
            "require_all_responses": False,
        },
        generation_params={"temperature": 0.0},
    )
    asking(ROWS, working_dir=str(FOLDER))


if __name__ == "__main__":
    main()
