"""A clock that stands still until it is told to move."""

from __future__ import annotations

import threading

__all__ = ["FakeClock"]


class FakeClock:
    """A milepost.clock.Clock for tests. Safe for threads.

    `now_us` is in microseconds since 1970; it starts at `at_us` and moves by `advance` alone.
    """

    def __init__(self, at_us: int = 1_700_000_000_000_000) -> None:
        self._at_us = at_us
        self._lock = threading.Lock()

    def now_us(self) -> int:
        """The time, which has not moved by itself."""
        with self._lock:
            return self._at_us

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`; a negative number is a clock that was set back."""
        with self._lock:
            self._at_us += int(seconds * 1_000_000)
