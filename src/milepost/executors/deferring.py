"""Items that were put off: until when each waits, by a time that nobody sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pyroaring import BitMap

from milepost.clock import microseconds
from milepost.executors.due import DueTimes
from milepost.executors.retries import Backoff, Now
from milepost.items.ledger import bitmap
from milepost.state.reading.said import Deferred

__all__ = ["Deferrals"]

_UNSAID: Final = Backoff(base_s=1, factor=2, max_s=60)
"""The waits of an item that is put off, again and again, without a word for how long."""


class Deferrals:
    """The items of one run that wait because their function said "not now".

    An item that is put off uses no attempt, so nothing bounds how often it is. Where it does not
    say for how long, each wait in a row is longer than the one before, up to a minute.
    """

    def __init__(self) -> None:
        self.count = 0
        self._waiting = bitmap()
        self._times = DueTimes()
        self._unsaid: dict[int, int] = {}

    @property
    def next_due_us(self) -> int | None:
        """When the next of them is due, by the steady time; None if none waits."""
        return self._times.next_us

    @property
    def waiting_count(self) -> int:
        """How many items wait so."""
        return len(self._times)

    def wait_us(self, job_id: str, key: str, ordinal: int, after_s: float) -> int:
        """How long an item waits that was put off for `after_s` seconds, 0 if that was not said."""
        self.count += 1
        if after_s > 0:
            self._unsaid.pop(ordinal, None)
            return int(after_s * 1_000_000)
        times = self._unsaid.get(ordinal, 0) + 1
        self._unsaid[ordinal] = times
        return _UNSAID.wait_us(job_id, key, times)

    def put_off(self, ordinal: int, until_us: int) -> None:
        """Take note that the item waits until then, by the steady time."""
        self._waiting.add(ordinal)
        self._times.put(ordinal, until_us)

    def resume(self, ordinal: int, stored: Deferred, now: Now) -> int:
        """Until when an item waits, by the steady time, that was put off before this run began.

        Of what is left by the wall clock, which may have been set since, no more than the whole
        wait is believed.
        """
        until_us = microseconds(stored.until)
        whole_us = max(until_us - microseconds(stored.since), 0)
        due_us = now.steady_us + min(max(until_us - now.wall_us, 0), whole_us)
        self.put_off(ordinal, due_us)
        return due_us

    def waiting(self, now_us: int) -> BitMap:
        """The items that are not due yet."""
        for ordinal in self._times.take(now_us):
            self._waiting.discard(ordinal)
        return self._waiting

    def ended(self, ordinals: Iterable[int]) -> None:
        """Forget how often the items were put off: their attempts have ended otherwise."""
        if self._unsaid:
            for ordinal in ordinals:
                self._unsaid.pop(ordinal, None)
