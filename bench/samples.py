"""Sample results: varied JSON of 358 bytes each, as a code review of one file might give."""

from __future__ import annotations

import random
from typing import Any, Final

import msgspec

__all__ = ["RESULT_BYTES", "results"]

RESULT_BYTES: Final = 358
_TEXT: Final = (
    "the parser accepts a trailing comma here but the writer never emits one so a round trip is "
    "lossy when the buffer is full and the reader waits for a signal that nobody sends unless "
    "another thread holds the lock which happens only after a timeout in the cache of the driver"
)
_WORDS: Final = _TEXT.split()
_VERDICTS: Final = ("clean", "minor", "major", "blocking")


def results(count: int, seed: int) -> list[dict[str, Any]]:
    """`count` results, each RESULT_BYTES long as JSON; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 no secrets here
    return [_result(rng) for _ in range(count)]


def _result(rng: random.Random) -> dict[str, Any]:
    result: dict[str, Any] = {
        "file": f"src/{rng.choice(_WORDS)}/{rng.choice(_WORDS)}_{rng.randrange(10_000):04}.py",
        "verdict": rng.choice(_VERDICTS),
        "score": round(rng.random(), 6),
        "tokens": rng.randrange(400, 9_000),
        "elapsed_s": round(rng.random() * 30, 3),
        "digest": f"{rng.getrandbits(64):016x}",
        "summary": "",
    }
    room = RESULT_BYTES - len(msgspec.json.encode(result))
    text = " ".join(rng.choices(_WORDS, k=60))
    result["summary"] = text[:room]
    return result
