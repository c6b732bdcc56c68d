"""Where the time comes from: one protocol, so that tests and stores can bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

__all__ = ["Clock", "SystemClock", "instant", "microseconds"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """A source of wall-clock time."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01, UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01, UTC."""
        return time.time_ns() // 1000


def microseconds(at: datetime) -> int:
    """The microseconds since 1970 of an aware datetime, exactly: what `instant` was given."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant(at_us: int) -> datetime:
    """The aware UTC datetime of `at_us` microseconds since 1970, exactly."""
    return _EPOCH + timedelta(microseconds=at_us)
