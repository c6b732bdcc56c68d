"""The events of many items and of their job in one order of time, as few commits as keep the times.

What happened at one time is one commit, and within it equal events of different items are one fact.
What has no known time has that of the thing before it, so that a hundred thousand items of which
nothing but the outcome is known are a few facts, and not some hundred thousand commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from milepost.clock import microseconds
from milepost.log.drafts import CommitDraft
from milepost.log.facts import Draft, ItemsFired

__all__ = ["COMMIT_EVENTS", "Happening", "Times", "commits_of"]

COMMIT_EVENTS: Final = 4096
"""How many events of items are at most in one commit."""

_COMMIT_BYTES: Final = 8 * 1024 * 1024


class Happening(NamedTuple):
    """An event of an item: its `rank` counts the item's own events, and orders those of one time.

    `readable` is what guards may read of its payload, `opaque` the rest, encoded.
    """

    at_us: int
    rank: int
    event: str
    ordinal: int
    readable: dict[str, Any] | None = None  # Any: typed by the lifecycle
    opaque: dict[str, msgspec.Raw] | None = None


class Times:
    """Old times as they may be along a log: from 1970 to the import, and never falling."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us
        self.clamped = 0

    def of(self, at: datetime | None, after_us: int) -> int:
        """The time in microseconds: `after_us` where none is known, or it is earlier."""
        if at is None:
            return after_us
        wanted = microseconds(at)
        if not 0 <= wanted <= self._now_us:
            self.clamped += 1
        return max(after_us, min(wanted, self._now_us))


def commits_of(happened: Iterable[Happening]) -> Iterator[CommitDraft]:
    """The events as commits, by time; those of one item stay in their order.

    Each commit holds at most COMMIT_EVENTS events and some eight megabytes. O(n log n).
    """
    drafts: list[Draft] = []
    events = size = at_us = 0
    order = sorted(happened, key=lambda one: (one.at_us, one.rank, one.event, one.ordinal))
    for _, same in groupby(order, key=lambda one: (one.at_us, one.rank, one.event)):
        for run in _runs(same):
            run_bytes = sum(map(_bytes, run))
            full = events + len(run) > COMMIT_EVENTS or size + run_bytes > _COMMIT_BYTES
            if drafts and (run[0].at_us != at_us or full):
                yield CommitDraft(at_us, drafts)
                drafts, events, size = [], 0, 0
            at_us = run[0].at_us
            drafts.append(_draft(run))
            events += len(run)
            size += run_bytes
    if drafts:
        yield CommitDraft(at_us, drafts)


def _runs(same: Iterable[Happening]) -> Iterator[list[Happening]]:
    """Equal events of different items, no more at once than a commit may hold."""
    run: list[Happening] = []
    size = 0
    for one in same:
        if run and (len(run) == COMMIT_EVENTS or size + _bytes(one) > _COMMIT_BYTES):
            yield run
            run, size = [], 0
        run.append(one)
        size += _bytes(one)
    if run:
        yield run


def _bytes(one: Happening) -> int:
    return sum(len(bytes(raw)) for raw in (one.opaque or {}).values())


def _draft(run: list[Happening]) -> Draft:
    readable = [one.readable for one in run]
    bodies = [one.opaque for one in run]
    return Draft(
        fact=ItemsFired(
            event=run[0].event,
            ordinals=[one.ordinal for one in run],
            payloads=[each or {} for each in readable] if any(readable) else None,
        ),
        body=bodies if any(bodies) else None,
    )
