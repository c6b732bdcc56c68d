"""A stand-in for the `openai` package: the calls that pages make, answered in this process.

It has a server's rules: too many calls get a 429 with Retry-After, one prompt is refused for good,
one answer is a 503 the first time, and a request with an idempotency key that was answered before
gets the same answer and is paid for once. What a page should never do is an AssertionError.
"""

from __future__ import annotations

import itertools
import json
from typing import Any


class _Response:
    def __init__(self, status_code: int, headers: dict[str, str]) -> None:
        self.status_code = status_code
        self.headers = headers


class APIError(Exception):
    """Whatever goes wrong with a call."""


class APIConnectionError(APIError):
    """No answer came."""


class APITimeoutError(APIConnectionError):
    """No answer came in time."""


class APIStatusError(APIError):
    """An answer came that is no result."""

    status = 500

    def __init__(self, message: str, **headers: str) -> None:
        super().__init__(message)
        named = {name.replace("_", "-"): given for name, given in headers.items()}
        self.status_code = self.status
        self.response = _Response(self.status, named)


class BadRequestError(APIStatusError):
    """400"""

    status = 400


class RateLimitError(APIStatusError):
    """429"""

    status = 429


class InternalServerError(APIStatusError):
    """500 and above"""

    status = 503


class _Data:
    """An object with these attributes."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Server:
    """What the service keeps: what was paid for, what was begun."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.calls = itertools.count(1)
        self.files: dict[str, str] = {}
        self.batches: dict[str, _Data] = {}
        self.stumbled: set[str] = set()
        self.keys: dict[str, str] = {}

    def once(self, key: str, what: str) -> None:
        """Check that a key stands for one request."""
        assert key, "a request without an idempotency key may be paid for twice"
        assert self.keys.setdefault(key, what) == what, "one key for two requests"

    def answer(self, key: str, prompt: str) -> str:
        """The answer to a prompt, the same for the same key."""
        self.once(key, prompt)
        if key in self.answers:
            return self.answers[key]
        number = next(self.calls)
        if "forbidden" in prompt:
            raise BadRequestError("this prompt is refused")
        if number in (2, 3):
            raise RateLimitError("slow down", retry_after="0.05")
        if "stumble" in prompt and prompt not in self.stumbled:
            self.stumbled.add(prompt)
            raise InternalServerError("try again")
        self.answers[key] = f"{prompt}!"
        return self.answers[key]


SERVER = Server()


class _Responses:
    async def create(
        self,
        *,
        model: str,
        input: str,  # noqa: A002 its name there
        extra_headers: dict[str, str],
    ) -> _Data:
        assert model
        text = SERVER.answer(extra_headers.get("Idempotency-Key", ""), input)
        return _Data(output_text=text, usage=_Data(input_tokens=1_000, output_tokens=100))


class _Files:
    async def create(self, *, file: tuple[str, bytes], purpose: str) -> _Data:
        assert purpose == "batch"
        name = f"file-{len(SERVER.files)}"
        SERVER.files[name] = file[1].decode()
        return _Data(id=name)

    async def content(self, file_id: str) -> _Data:
        return _Data(text=SERVER.files[file_id])


class _Batches:
    async def create(
        self,
        *,
        input_file_id: str,
        endpoint: str,
        completion_window: str,
        extra_headers: dict[str, str],
    ) -> _Data:
        assert (endpoint, completion_window) == ("/v1/responses", "24h")
        key = extra_headers.get("Idempotency-Key", "")
        SERVER.once(key, SERVER.files[input_file_id])
        begun = _Data(id=f"batch-{len(SERVER.batches)}", status="in_progress", output_file_id=None)
        begun.asked = 0
        begun.requests = [json.loads(line) for line in SERVER.files[input_file_id].splitlines()]
        SERVER.batches[begun.id] = begun
        return begun

    async def retrieve(self, batch_id: str) -> _Data:
        begun = SERVER.batches[batch_id]
        begun.asked += 1
        if begun.asked == 2:
            lines = [
                {"custom_id": one["custom_id"], "response": {"body": f"{one['body']['input']}!"}}
                for one in begun.requests
            ]
            begun.output_file_id = f"file-{len(SERVER.files)}"
            SERVER.files[begun.output_file_id] = "\n".join(map(json.dumps, lines))
            begun.status = "completed"
        return begun


class AsyncOpenAI:
    """The client."""

    def __init__(self, *, max_retries: int) -> None:
        assert max_retries == 0, "the library would try again where nobody counts it"
        self.responses = _Responses()
        self.files = _Files()
        self.batches = _Batches()
