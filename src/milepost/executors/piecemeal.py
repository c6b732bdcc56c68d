"""Calls of several items that are heard of item by item, as their worker goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from milepost.worker.chunks import Chunk, Told
from milepost.worker.items import WorkItem
from milepost.worker.outcomes import Timed

__all__ = ["Piecemeal"]

_PATIENCE_S: Final = 0.02


@dataclass(slots=True, eq=False)
class _Call:
    """The items of a call that were not told of, and how many of them waited when last looked at.

    So many have waited since `since_s`; both count once a worker has begun the call.
    """

    ordinals: deque[int]
    begun: bool = False
    waiting: int = -1
    since_s: float = 0.0


class Piecemeal:
    """Which items of which calls are to be heard of, and which wait behind one that takes long.

    Used from the thread of the run. `put` is called in workers' threads, as Chunk says.
    """

    def __init__(self, put: Callable[[Told], object]) -> None:
        self._put = put
        self._calls: dict[Chunk, _Call] = {}

    @property
    def call_count(self) -> int:
        """How many such calls have not ended."""
        return len(self._calls)

    def begin(self, items: Mapping[int, WorkItem]) -> Chunk:
        """What is given to the worker of a new call, for items by their ordinals."""
        chunk = Chunk(items.values(), self._put)
        self._calls[chunk] = _Call(deque(items))
        return chunk

    def ended(self, put: Iterable[Told]) -> tuple[list[int], list[Timed]]:
        """The items that were put, by their ordinals, and how each ended.

        Those of a call that was given up are left out.
        """
        ordinals: list[int] = []
        every: list[Timed] = []
        calls = self._calls
        for chunk, timed in put:
            call = calls.get(chunk)
            if call is None:
                continue
            if timed is None:
                call.begun = True
            else:
                ordinals.append(call.ordinals.popleft())
                every.append(timed)
        return ordinals, every

    def over(self, chunk: Chunk) -> tuple[tuple[int, ...], list[int]]:
        """The items of a call that ended, or is given up, of which nothing was put.

        First those that its worker may have begun, then those that it has not, which are taken
        back: it begins none of them.
        """
        call = self._calls.pop(chunk)
        waiting = _taken_back(chunk, call) if chunk.left else []
        return tuple(call.ordinals), waiting

    def patience_s(self, *, leaving: bool) -> float | None:
        """How soon to take back what is held up; None where nothing is.

        All that waits is, where the run is `leaving`: no worker is to begin any more.
        """
        if leaving:
            return 0.0 if any(chunk.left for chunk in self._calls) else None
        held = any(call.begun and chunk.left for chunk, call in self._calls.items())
        return _PATIENCE_S if held else None

    def held_up(self, now_s: float, *, leaving: bool) -> list[int]:
        """Take back the items that wait behind one whose call takes 20 ms and more."""
        taken: list[int] = []
        for chunk, call in self._calls.items():
            if call.begun and len(chunk.left) != call.waiting:
                call.waiting, call.since_s = len(chunk.left), now_s
            late = call.begun and now_s - call.since_s >= _PATIENCE_S
            if (late or leaving) and chunk.left:
                taken += _taken_back(chunk, call)
        return taken


def _taken_back(chunk: Chunk, call: _Call) -> list[int]:
    return [call.ordinals.pop() for _ in chunk.taken()]
