"""When items are due: one time for each, the next of them first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

__all__ = ["DueTimes"]


class DueTimes:
    """The times at which items are due, in microseconds by the steady clock.

    The newest time that was put for an item counts. Putting one costs O(log n).
    """

    def __init__(self) -> None:
        self._at_us: dict[int, int] = {}
        self._queue: list[tuple[int, int]] = []  # also of items that wait no more

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._at_us)

    @property
    def next_us(self) -> int | None:
        """When the next of them is due; None if none waits."""
        while self._queue and self._at_us.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def put(self, ordinal: int, at_us: int) -> None:
        """Let the item be due then."""
        self._at_us[ordinal] = at_us
        heapq.heappush(self._queue, (at_us, ordinal))

    def drop(self, ordinal: int) -> None:
        """Let the item wait no more, if it does."""
        self._at_us.pop(ordinal, None)

    def take(self, now_us: int) -> Iterator[int]:
        """The items that are due by now, which wait no more from then on."""
        while (at_us := self.next_us) is not None and at_us <= now_us:
            _, ordinal = heapq.heappop(self._queue)
            del self._at_us[ordinal]
            yield ordinal
