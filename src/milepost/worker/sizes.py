"""How many bytes values take as JSON, and which parts of one take most of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from milepost.defaults import LARGEST
from milepost.errors import Large, TooLarge

__all__ = ["LARGEST", "check_size", "largest_in", "size_of", "too_large"]

_MOST_OF_IT: Final = 10  # a part that takes a tenth of the whole is looked into


def check_size(encoded: bytes, what: str, most_bytes: int) -> None:
    """Raise TooLarge for a value whose JSON takes more than `most_bytes`."""
    if len(encoded) > most_bytes:
        largest = largest_in(msgspec.json.decode(encoded))
        raise too_large(what, "$", len(encoded), most_bytes, largest)


def too_large(
    what: str, path: str, size_bytes: int, limit_bytes: int, largest: tuple[Large, ...]
) -> TooLarge:
    """The error of what takes more than it may."""
    return TooLarge(
        what=what,
        path=path,
        problem=f"takes {size_bytes:,} bytes and may take {limit_bytes:,}: store a reference,"
        " record less at once, or raise the limit",
        size_bytes=size_bytes,
        limit_bytes=limit_bytes,
        largest=largest,
    )


def largest_in(value: Any, count: int = LARGEST) -> tuple[Large, ...]:  # Any: JSON
    """The places in a JSON value that take most of it, largest first; none holds another.

    A part is looked into as long as something in it takes a tenth of it: so a long text is named
    itself, and a list of a million numbers as that list. Cost: the value is encoded a few times.
    """
    found: list[Large] = []
    waiting = [(-size_of(value), 0, "$", value)]
    made = 0
    while waiting and len(found) < count:
        negative_bytes, _, place, part = heapq.heappop(waiting)
        inner = [(size_of(each), path, each) for path, each in _inside(place, part)]
        if not any(size * _MOST_OF_IT >= -negative_bytes for size, _, _ in inner):
            found.append(Large(place, -negative_bytes))
            continue
        for size_bytes, path, each in inner:
            made += 1
            heapq.heappush(waiting, (-size_bytes, made, path, each))
    return tuple(found)


def size_of(value: Any) -> int:  # Any: JSON
    """How many bytes `value` takes as JSON."""
    return len(msgspec.json.encode(value))


def _inside(place: str, part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        for name, each in part.items():
            yield f"{place}.{name}", each
    elif isinstance(part, list):
        for index, each in enumerate(part):
            yield f"{place}[{index}]", each
