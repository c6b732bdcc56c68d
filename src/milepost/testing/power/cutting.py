"""A recording is gone through, and the power is cut behind what was done: at every position."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from milepost.testing.power.medium import Mark, Medium, Operation

__all__ = ["Cut", "cuts"]


class Cut(NamedTuple):
    """The power is cut behind `operation`, the one at `position`, from 0.

    `mark` is the number of what was acknowledged last. `medium` is what the disk has then; going on
    to the next cut changes it.
    """

    position: int
    operation: Operation
    mark: int
    medium: Medium


def cuts(
    before: Mapping[str, bytes],
    operations: Sequence[Operation],
    rng: random.Random,
    *,
    share: float = 1.0,
) -> Iterator[Cut]:
    """A cut behind each operation, in order, or behind a `share` of them, drawn by `rng`.

    Behind every mark there is one: when something has just been acknowledged. `before` are the
    files that are there at first, and durable.
    """
    medium = Medium(before)
    mark = 0
    for position, operation in enumerate(operations):
        medium.do(operation)
        if isinstance(operation, Mark):
            mark = operation.number
        elif rng.random() >= share:
            continue
        yield Cut(position, operation, mark, medium)
