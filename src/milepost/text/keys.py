"""JSON in which an object has a key twice: one reader takes the first value, another the last."""

from __future__ import annotations

import json
from typing import Final

__all__ = ["key_twice"]


class _Twice(Exception):
    """An object has a key twice."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


def key_twice(text: str) -> str | None:
    """The first key that an object in this JSON has twice; None if none has.

    Raises ValueError for what Python does not take for JSON, RecursionError where it is nested too
    deeply. Cost: one pass; no value is kept.
    """
    try:
        _decoder.decode(text)
    except _Twice as twice:
        return twice.key
    return None


def _once(pairs: list[tuple[str, None]]) -> None:
    if len(dict(pairs)) == len(pairs):
        return
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _Twice(key)
        seen.add(key)


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_once, parse_float=str, parse_int=str, strict=False
)
"""Numbers stay text, so that none is too long for it."""
