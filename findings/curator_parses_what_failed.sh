#!/bin/sh
# Package    bespokelabs-curator 0.1.31 (LLM)
# Question   A provider refuses one of two requests for good. For which of them is `parse` called, and with what?
# Good guess For the one that was answered. The other has no response; it is in failed_requests.jsonl, and on disk it is an error.
# Behaviour  For both. `parse` gets None for the refused one, and the row that it makes of that is kept on disk as parsed, in the same line
#            as the error. It is called again for the answered one, and never again for the other, when the data set is made.
# Why        An answer and an error are written by one function, which parses before it writes and looks at no error.
# Seen       parsed on the way [('kept', 'fine'), ('refused', None)], for the data set [('kept', 'fine')]; on disk, of the refused one:
#            errors 1, parsed [{'term': 'refused', 'said': None}]; rows ['kept']
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q bespokelabs-curator==0.1.31
cd "$work"
HOME="$work" TELEMETRY_ENABLED=false "$work/venv/bin/python" - <<'EOF'
import importlib.util
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Provider(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = asked["messages"][-1]["content"] if asked["messages"] else "refused"
        status, body = 400, {"error": {"message": "against the rules"}}
        if text != "refused":
            message = {"role": "assistant", "content": "fine"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            status, body = 200, {"model": asked["model"], "choices": [choice], "usage": usage}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
# litellm ships the encoding that curator would download
shipped = Path(importlib.util.find_spec("litellm").origin).parent / "litellm_core_utils/tokenizers"
os.environ["TIKTOKEN_CACHE_DIR"] = str(shipped)
os.environ["HF_HUB_OFFLINE"] = "1"

from bespokelabs import curator

parsed = []
answers = Path("cache")


class Terms(curator.LLM):
    def prompt(self, row):
        return row["term"]

    def parse(self, row, response):
        parsed.append((row["term"], response))
        return {"term": row["term"], "said": response}


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
)
made = asking([{"term": "kept"}, {"term": "refused"}], working_dir="cache")
rows = [row["term"] for row in made.dataset]
lines = [
    json.loads(line) for file in answers.rglob("responses_*.jsonl") for line in file.open()
]
[refused] = [line for line in lines if line["generic_request"]["original_row"]["term"] == "refused"]
on_the_way, for_the_set = sorted(parsed[:2]), parsed[2:]
print("parsed on the way", on_the_way, "for the data set", for_the_set)
print("on disk:", len(refused["response_errors"]), refused["parsed_response_message"], rows)
assert on_the_way == [("kept", "fine"), ("refused", None)]
assert for_the_set == [("kept", "fine")]
assert len(refused["response_errors"]) == 1 and refused["response_message"] is None
assert refused["parsed_response_message"] == [{"term": "refused", "said": None}]
assert rows == ["kept"]
EOF
