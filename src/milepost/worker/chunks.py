"""The items of one call of an engine, where its worker is a thread of the run's own process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from milepost.worker.items import WorkItem
from milepost.worker.outcomes import Timed

__all__ = ["Chunk", "Told"]


class Chunk:
    """Items that a worker calls one after the other, each heard of as it ends.

    The worker takes them from the front of what `begin` gives. It gives `put` how it ended for
    each item. Whoever began the call may take back from behind what is `left`, whenever it likes:
    no item is both called and taken back. Safe in any thread.
    """

    __slots__ = ("_sent", "left", "put")

    def __init__(self, items: Iterable[WorkItem], put: Callable[[Told], object]) -> None:
        self.left: Final = deque(items)
        self.put: Final = put
        self._sent: list[WorkItem] = []

    def __reduce__(self) -> tuple[type[list[WorkItem]], tuple[list[WorkItem]]]:
        """Pickled by an executor that sends it on it is a list, and nothing of it is left here.

        It is the same list each time: some pickle twice, or to see how much it is.
        """
        self._sent = self._sent or self.taken()[::-1]
        return list, (self._sent,)

    def begin(self) -> deque[WorkItem]:
        """Tell that a worker begins; what it is to take items from."""
        self.put((self, None))
        return deque(self._sent) if self._sent else self.left

    def taken(self) -> list[WorkItem]:
        """What no worker has begun, taken out of it; the last item comes first."""
        taken: list[WorkItem] = []
        while self.left:
            try:
                taken.append(self.left.pop())
            except IndexError:  # a worker has just begun the last one
                break
        return taken


Told: TypeAlias = tuple[Chunk, Timed | None]
"""What the worker of a chunk tells: that it begins, by None, or how it ended for an item."""
