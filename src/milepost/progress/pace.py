"""How fast items are settled and how long the rest will take, from looks at a run. Pure."""

from __future__ import annotations

from math import exp
from typing import Final

__all__ = ["Pace"]

_LEAST_MEMORY_S: Final = 30.0
_MEMORY_SHARE: Final = 1 / 3  # of the time that the run has worked so far


class Pace:
    """The pace of one run, of what it did itself: what was settled before it began counts nothing.

    The rate is a mean over the time that the run worked. What lies back longer weighs less, by a
    memory that grows with the run: a burst is soon smoothed out, and a lasting change shows. It
    lies between the slowest and the fastest that was seen, however often one looked. Time in which
    nothing may begin (a pause) does not count.
    """

    def __init__(self, settled_count: int, now_s: float) -> None:
        self._settled = settled_count
        self._seen_at_s = now_s
        self._worked_s = 0.0
        self._count = 0.0  # decayed, as is the time that it took
        self._time_s = 0.0

    def saw(self, settled_count: int, now_s: float, *, paused: bool = False) -> None:
        """Take note that so many items are settled now; `paused` since the last look.

        Items that were taken back (to be done again) slow nothing down: they are left again.
        """
        span_s = now_s - self._seen_at_s
        gained = max(settled_count - self._settled, 0)
        if span_s <= 0:  # two looks at one moment are one: what was gained waits for the next
            self._settled = min(self._settled, settled_count)
            return
        self._settled, self._seen_at_s = settled_count, now_s
        if paused and not gained:
            return
        self._worked_s += span_s
        memory_s = max(_LEAST_MEMORY_S, self._worked_s * _MEMORY_SHARE)
        kept = exp(-span_s / memory_s)
        share_s = memory_s * (1 - kept)
        self._count = self._count * kept + gained / span_s * share_s
        self._time_s = self._time_s * kept + share_s

    @property
    def rate_per_s(self) -> float | None:
        """Items settled in a second; None before the first was."""
        if not self._count or not self._time_s:
            return None
        return self._count / self._time_s

    def left_s(self, left_count: int) -> float | None:
        """How long `left_count` items will take at this pace; None where nothing tells."""
        if not left_count:
            return 0.0
        rate = self.rate_per_s
        return None if rate is None else left_count / rate
