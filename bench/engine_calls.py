"""The functions that engines call for the benchmark of engines: importing them loads nothing."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from typing import Any, Final

__all__ = ["MEGABYTE", "key_of", "longer", "megabyte", "nap", "napped_s", "trivial", "troubled"]

MEGABYTE: Final = 1_000_000


def key_of(item: Any) -> str:
    """The key of an item of a run; a bare engine is given the key itself."""
    return getattr(item, "key", item)


def trivial(item: Any) -> int:
    del item
    return 1


def megabyte(item: Any) -> str:
    """A text of a megabyte that compresses to the half, another for each item."""
    return Random(key_of(item)).randbytes(MEGABYTE // 2).hex()  # noqa: S311 no secrets here


def napped_s(key: str) -> float:
    """How long the call for an item takes: 150 to 250 ms, the same whenever it is asked."""
    return Random(key).uniform(0.15, 0.25)  # noqa: S311 no secrets here


def nap(item: Any) -> int:
    time.sleep(napped_s(key_of(item)))
    return 1


def troubled(folder: Path, item: Any) -> int:
    """Notes the call in a file of the item's; of four items one always fails, and one at first."""
    path = folder / key_of(item)
    with path.open("ab", buffering=0) as file:
        file.write(b".")
    number = int(key_of(item).rpartition("-")[2])
    if number % 4 == 0 or (number % 4 == 1 and path.stat().st_size == 1):
        raise ValueError(number)
    return number


def longer(item: Any) -> int:
    """Takes ten milliseconds: what a run adds to a call is little beside that."""
    del item
    time.sleep(0.01)
    return 1
