"""Pacing: how many calls may begin now, and when the next may, by rate, concurrency and pauses.

Pure: whoever asks says what time it is, by a time that nobody sets. Nothing here sleeps.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from math import ceil, inf
from typing import Final, Literal, TypeAlias

from milepost import arguments
from milepost.text.wording import short_repr

__all__ = ["Answer", "Limit", "Pace", "is_throttled"]

_SECOND_US: Final = 1_000_000
_MOST_PER_S: Final = 1_000_000.0
_BURST_S: Final = 0.1
_LEAST_SHARE: Final = 1 / 64
_STEP: Final = 1 / 20  # of the rate, in each second in which calls go well
_THROTTLED: Final = re.compile(
    r"\b429\b|too ?many ?requests|rate ?limit|throttl|resource ?exhausted", re.IGNORECASE
)

Answer: TypeAlias = Literal["well", "too soon", "otherwise"]
"""What the end of a call says of the pace: that it is fine, that it is too fast, or nothing."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Limit:
    """How fast a run may call: `per_s` calls begun in a second, `concurrency` calls at a time.

    In any t seconds at most `per_s` * t calls begin, and a tenth of a second's more (at least one).
    None is no limit. With `adapt` both fall by half when a call proves to have come too soon (a
    `Later` for it, a failure whose kind says 429, "rate limit" or the like), and rise again in
    steps while calls go well, up to what was given. No fewer than one call at a time.
    """

    per_s: float | None = None
    concurrency: int | None = None
    adapt: bool = True

    def __post_init__(self) -> None:
        if self.per_s is not None:
            per_s = arguments.number("per_s", self.per_s, 0, _MOST_PER_S)
            if not per_s:
                arguments.refuse("per_s", self.per_s, "a number above 0, or None")
            object.__setattr__(self, "per_s", per_s)
        if self.concurrency is not None:
            concurrency = arguments.integer("concurrency", self.concurrency, 1)
            object.__setattr__(self, "concurrency", concurrency)
        arguments.flag("adapt", self.adapt)


def is_throttled(kind: str) -> bool:
    """True if a failure of that kind says that calls come too fast."""
    return _THROTTLED.search(kind) is not None


class Pace:
    """What one run may begin. Times are microseconds of one steady clock.

    Calls per second are counted by the generic cell rate algorithm (ITU-T I.371), which is a token
    bucket without the bucket: one number, the time at which the next call would be due. What
    adapts rises by steps and falls by half, as congestion windows do (Chiu and Jain, "Analysis of
    the increase and decrease algorithms for congestion avoidance", 1989), and falls once for all
    the calls that were under way when it fell before.
    """

    def __init__(self, limit: Limit | None) -> None:
        self.is_limited = limit is not None
        self._limit = limit or Limit(adapt=False)
        self.adapts = self._limit.adapt
        self._per_s = self._limit.per_s
        self._at_once = inf if self._limit.concurrency is None else float(self._limit.concurrency)
        self._due_us: float = -inf
        self._paused_until_us: float = -inf
        self._fell_at_us: float = -inf
        self._begun_us: dict[int, int] = {}  # by ordinal, where it adapts

    @property
    def per_s(self) -> float | None:
        """Calls a second now; None for no limit."""
        return self._per_s

    @property
    def at_once(self) -> float:
        """How many calls there may be at a time now; infinite for no limit."""
        return max(int(self._at_once), 1) if self._at_once < inf else inf

    def room(self, busy: int, now_us: int) -> float:
        """How many calls may begin now beside `busy` that are under way; infinite for any."""
        if now_us < self._paused_until_us:
            return 0
        room = max(self.at_once - busy, 0)
        if self._per_s is None or not room:
            return room
        period_us = self._period_us(self._per_s)
        ahead_us = now_us + self._slack_us(self._per_s) - self._due_us
        if ahead_us == inf:
            return min(room, self._burst(self._per_s))
        most = min(ahead_us // period_us + 1, self._burst(self._per_s))
        return min(room, max(int(most), 0))

    def next_us(self, busy: int, now_us: int) -> int | None:
        """When there is room again because time has passed; None if time makes none, or none lacks.

        Where every call that may be under way is, the end of one makes room, and no time does.
        """
        if busy >= self.at_once or self.room(busy, now_us) > 0:
            return None
        due_us = self._paused_until_us
        if self._per_s is not None:
            due_us = max(due_us, self._due_us - self._slack_us(self._per_s))
        return ceil(due_us)

    def began(self, ordinals: Collection[int], now_us: int) -> None:
        """Take note of the calls for items that begin now."""
        if self._limit.adapt:
            self._begun_us.update(dict.fromkeys(ordinals, now_us))
        if self._per_s is not None and ordinals:
            spent_us = len(ordinals) * self._period_us(self._per_s)
            self._due_us = max(self._due_us, now_us) + spent_us

    def ended(self, ordinal: int, told: Answer, now_us: int) -> None:
        """Take note of a call that ended."""
        if not self._limit.adapt:
            return
        under_way = len(self._begun_us)
        begun_us = self._begun_us.pop(ordinal, now_us)
        if told == "well":
            self._rise()
        elif told == "too soon" and begun_us > self._fell_at_us:
            self._fall(under_way, now_us)

    def pause(self, until_us: int) -> None:
        """Let nothing begin before that time; the latest counts."""
        self._paused_until_us = max(self._paused_until_us, until_us)

    def _rise(self) -> None:
        limit = self._limit
        if self._per_s is not None and limit.per_s is not None:
            step = limit.per_s * _STEP / max(self._per_s, 1)
            self._per_s = min(self._per_s + step, limit.per_s)
        most = inf if limit.concurrency is None else limit.concurrency
        self._at_once = min(self._at_once + 1 / self.at_once, most)

    def _fall(self, under_way: int, now_us: int) -> None:
        self._fell_at_us = now_us
        if self._per_s is not None and self._limit.per_s is not None:
            self._per_s = max(self._per_s / 2, self._limit.per_s * _LEAST_SHARE)
        self._at_once = max(min(self._at_once, under_way) / 2, 1)

    def _period_us(self, per_s: float) -> int:
        return ceil(_SECOND_US / per_s)

    def _burst(self, per_s: float) -> int:
        return max(int(per_s * _BURST_S), 1)

    def _slack_us(self, per_s: float) -> int:
        return (self._burst(per_s) - 1) * self._period_us(per_s)
