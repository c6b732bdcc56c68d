"""The items of one call of an engine, where its worker is a thread of the run's own process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from milepost.worker.items import WorkItem
from milepost.worker.outcomes import Timed

__all__ = ["Chunk"]


class Chunk:
    """Items that a worker calls one after the other, each heard of as it ends.

    The worker takes them from the front of `left`. It gives `put` the chunk: with None when it
    begins, and with how it ended for each item. Whoever began the call may take back from behind
    what no worker has begun, whenever it likes: no item is both called and taken back. Safe in any
    thread.
    """

    __slots__ = ("left", "put")

    def __init__(
        self, items: Iterable[WorkItem], put: Callable[[tuple[Chunk, Timed | None]], object]
    ) -> None:
        self.left: Final = deque(items)
        self.put: Final = put

    def __reduce__(self) -> tuple[type[list[WorkItem]], tuple[list[WorkItem]]]:
        """Pickled by an executor that sends it on it is a list, and nothing of it is left here."""
        return list, (self.taken()[::-1],)

    def taken(self) -> list[WorkItem]:
        """What no worker has begun, taken out of it; the last item comes first."""
        taken: list[WorkItem] = []
        while self.left:
            try:
                taken.append(self.left.pop())
            except IndexError:  # a worker has just begun the last one
                break
        return taken
