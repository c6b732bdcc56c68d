"""The window of a run: how many calls it holds at once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Window"]

_AHEAD_S: Final = 0.05  # of work: some commits' worth
_TURNS_AHEAD: Final = 3  # where commits take long: one is under way as a call ends
_MOST_AHEAD_S: Final = 1.0
_VAIN: Final = 2  # times what was foreseen, without a call that has ended
_CALLS_LONG: Final = 4  # as long as the mean call at least: those that began together end together
_TOGETHER_S: Final = 0.005  # of work in one call of an engine
_MOST_TOGETHER: Final = 64
_CALLS_EACH: Final = 2  # calls that a worker has at least: what it does, and what it does next
_SHORT_S: Final = 0.02  # of a call, whose result may wait for others for as long
_LONG_S: Final = 0.05  # of a call that may not be sent with others
_TIMES_LONG: Final = 10  # as long as it took: so long calls go one by one after it
_WEIGHT: Final = 1 / 8  # of the newest call in the mean


@dataclass(slots=True)
class Window:
    """How many calls are held at once: what the workers have, and what they will soon begin.

    An item that is held has been begun as far as the log tells. So as many are held ahead of the
    workers, up to `ahead`, as these will probably have done with within 50 ms: enough for workers
    whose calls end faster than commits, and none where a call takes longer than that. Where a turn
    of the run takes long, on a slow disk say, it is as many as they have done with in three turns.
    None are where no call has ended for twice that time and four calls', until one does. How many
    calls run at once is asked at each turn: clusters grow and shrink.
    """

    slots: Callable[[], int]
    ahead: int
    _mean_s: float | None = field(default=None, init=False)
    _turn_s: float = field(default=0.0, init=False)
    _alone_until_s: float = field(default=0.0, init=False)
    _in_vain: bool = field(default=False, init=False)

    @property
    def workers(self) -> int:
        """How many calls run at once now."""
        return self.slots()

    @property
    def size(self) -> int:
        """How many calls to hold now."""
        workers = self.workers
        if self._mean_s is None or self._in_vain:
            return workers
        soon = int(workers * self._ahead_s / max(self._mean_s, 1e-6))
        return workers + min(self.ahead, soon)

    @property
    def _ahead_s(self) -> float:
        """In what time the workers will probably have done with what is held ahead."""
        return min(max(_AHEAD_S, _TURNS_AHEAD * self._turn_s), _MOST_AHEAD_S)

    def patience_s(self, held: int) -> float | None:
        """For how long no call may end until some are held ahead in vain; None where none are.

        Args:
            held: How many items are with the engine.
        """
        if self._mean_s is None or self._in_vain or held <= self.workers:
            return None
        return max(_VAIN * self._ahead_s, _CALLS_LONG * self._mean_s)

    def hold_none_ahead(self) -> None:
        """Hold no more than workers have, until a call has ended."""
        self._in_vain = True

    def together(self, held: int, now_s: float | None = None) -> int:
        """How many items to send in one call of the engine, where `held` are held in all.

        More than one where that takes less time than sending them one by one may: as many as take
        some 5 ms, 64 at most, and so few that each worker has two such calls.

        Args:
            held: How many items are with the engine, or are about to be.
            now_s: The time, where a call that turns out long holds up the results of those before
                it: one by one for ten times as long as a long one took, since another may come.
        """
        if self._mean_s is None or (now_s is not None and now_s < self._alone_until_s):
            return 1
        short = int(_TOGETHER_S / max(self._mean_s, 1e-6))
        return max(min(short, _MOST_TOGETHER, held // (_CALLS_EACH * self.workers)), 1)

    def gather(self, held: int) -> int:
        """How many calls to hear the end of in one turn, where `held` are held in all.

        Half of those that are held ahead of the workers, which have as many to go on with. A commit
        for each few of them would take the time that short calls leave. The result of a call that
        takes longer than 20 ms is recorded as soon as it is heard of: it is dear to make again.
        """
        if not self.ahead or self._mean_s is None or self._mean_s > _SHORT_S:
            return 1
        return max((held - self.workers) // 2, 1)

    def learn(self, took_s: Collection[float], now_s: float) -> None:
        """Take note of how long calls took on their workers, the latest last, as is known now."""
        mean_s = self._mean_s
        for each_s in took_s:
            mean_s = each_s if mean_s is None else mean_s + (each_s - mean_s) * _WEIGHT
        self._mean_s = mean_s
        self._in_vain = self._in_vain and not took_s
        longest_s = max(took_s, default=0.0)
        if longest_s > _LONG_S:
            until_s = now_s + _TIMES_LONG * longest_s
            self._alone_until_s = max(self._alone_until_s, until_s)

    def turned(self, took_s: float) -> None:
        """Take note of how long a turn took: from calls that ended to others that begin."""
        self._turn_s += (took_s - self._turn_s) * _WEIGHT
