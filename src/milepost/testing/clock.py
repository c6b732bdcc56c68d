"""A clock that stands still until it is told to move."""

from __future__ import annotations

import secrets
import threading
from typing import Final

from milepost.arguments import MAX_SECONDS, integer, number, text

__all__ = ["FakeClock"]

_LAST_US: Final = 253_402_300_799_000_000  # the end of the year 9999, where calendars end


class FakeClock:
    """A milepost.clock.SteadyClock for tests. Safe for threads.

    `now_us` is the wall clock's, in microseconds since 1970: it starts at `at_us`, moves by
    `advance`, and is set by `step`. `monotonic_us` moves by `advance` alone, and never back. Those
    who share a clock share its `timeline`; another's cannot be compared, as after a restart of the
    machine.
    """

    def __init__(self, at_us: int = 1_700_000_000_000_000, *, timeline: str | None = None) -> None:
        self._at_us = integer("at_us", at_us, 0, _LAST_US)
        self._monotonic_us = 0
        self._timeline = f"fake {secrets.token_hex(8)}"
        if timeline is not None:
            self._timeline = text("timeline", timeline, least=1)
        self._lock = threading.Lock()

    def now_us(self) -> int:
        """The time, which has not moved by itself."""
        with self._lock:
            return self._at_us

    def monotonic_us(self) -> int:
        """How far the clock was advanced."""
        with self._lock:
            return self._monotonic_us

    def timeline(self) -> str:
        """The name that sets this clock apart from all others."""
        return self._timeline

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; a negative number is a wall clock that was set back."""
        moved_us = _moved_us(seconds)
        with self._lock:
            self._at_us = integer("seconds", self._at_us + moved_us, 0, _LAST_US)
            self._monotonic_us += max(moved_us, 0)

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once: what a command that waits does with this clock."""
        self.advance(seconds)

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back, while no time passes."""
        moved_us = _moved_us(seconds)
        with self._lock:
            self._at_us = integer("seconds", self._at_us + moved_us, 0, _LAST_US)


def _moved_us(seconds: float) -> int:
    return int(number("seconds", seconds, -MAX_SECONDS, MAX_SECONDS) * 1_000_000)
