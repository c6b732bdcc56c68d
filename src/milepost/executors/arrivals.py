"""What workers hand over to the one thread of a run, which is woken once enough of it is there."""

from __future__ import annotations

import queue
import time
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Arrivals"]

_T = TypeVar("_T")


class Arrivals(Generic[_T]):
    """A queue of things that several threads put and one takes, in lots.

    A thread that is woken for each thing takes the interpreter from those that make them. So who
    takes says how many are worth being woken for; fewer are taken once the time is over.
    """

    def __init__(self) -> None:
        self._there: deque[_T] = deque()
        self._signal: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._enough = 1
        self._woken = False

    def put(self, one: _T) -> None:
        """Hand one over. Safe in any thread."""
        self._there.append(one)
        if len(self._there) >= self._enough and self._signal.empty():
            self._signal.put(None)

    def wake(self) -> None:
        """Make `take` return; safe in a signal handler."""
        self._woken = True
        self._signal.put(None)

    def take(self, longest_s: float, enough: int = 1, gather_s: float = 0.0) -> list[_T]:
        """All that is there, waiting for the first of it.

        Returns with none after `longest_s`, and after a `wake`. Up to `gather_s` of that time is
        spent on waiting for `enough`.
        """
        until_s = time.monotonic() + longest_s
        if enough > 1:
            self._wait(enough, min(time.monotonic() + gather_s, until_s))
        if not self._there:
            self._wait(1, until_s)
        self._woken = False
        return [self._there.popleft() for _ in range(len(self._there))]

    def _wait(self, enough: int, until_s: float) -> None:
        """Return once so many are there, once it is that time, or after a `wake`."""
        self._enough = enough  # before the look: what comes after it sees this
        while len(self._there) < enough and not self._woken:
            left_s = until_s - time.monotonic()
            with suppress(queue.Empty):
                self._signal.get(timeout=max(left_s, 0))
            if left_s <= 0:
                return
