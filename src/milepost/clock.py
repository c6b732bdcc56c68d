"""Where the time comes from: one protocol, so that tests and stores can bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, cast

from milepost.process.identity import boot_timeline

__all__ = ["Clock", "SteadyClock", "SystemClock", "instant", "microseconds", "steady"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """A source of wall-clock time: for people, and for nothing that is waited for.

    One that is a SteadyClock too is asked for that time as well; for any other the machine's is
    taken.
    """

    def now_us(self) -> int:
        """Microseconds since 1970-01-01, UTC."""
        ...


class SteadyClock(Clock, Protocol):
    """A clock with a time beside the wall clock's that nobody sets, and that never falls."""

    def monotonic_us(self) -> int:
        """Microseconds since some moment."""
        ...

    def timeline(self) -> str | None:
        """A name of that moment: equal for those whose `monotonic_us` can be compared.

        None where no other process can compare them.
        """
        ...


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01, UTC."""
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        """Microseconds since the machine began, without those that it slept."""
        return time.monotonic_ns() // 1000

    def timeline(self) -> str | None:
        """The boot, on Linux."""
        return boot_timeline()


class _Steadied:
    """A clock of somebody's with the steady time that it lacks."""

    def __init__(self, clock: Clock) -> None:
        self.now_us = clock.now_us
        own = hasattr(clock, "monotonic_us")  # then the machine's timeline is not its own
        steady_part = cast("SteadyClock", clock) if own else SystemClock()
        self.monotonic_us = steady_part.monotonic_us
        self.timeline = _no_timeline if own else steady_part.timeline


def _no_timeline() -> None:
    """What nobody can compare."""


def steady(clock: Clock) -> SteadyClock:
    """`clock` itself where it has a steady time, else with the machine's beside it."""
    if hasattr(clock, "monotonic_us") and hasattr(clock, "timeline"):
        return cast("SteadyClock", clock)
    return _Steadied(clock)


def microseconds(at: datetime) -> int:
    """The microseconds since 1970 of an aware datetime, exactly: what `instant` was given."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant(at_us: int) -> datetime:
    """The aware UTC datetime of `at_us` microseconds since 1970, exactly."""
    return _EPOCH + timedelta(microseconds=at_us)
