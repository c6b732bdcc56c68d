"""How far a job's items are, counted by the roles of their states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from milepost.items.parts import Parts
from milepost.text.wording import short_repr

__all__ = ["Progress"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Progress:
    """How many items of a job are where, by the roles of their states.

    `pending` wait for an attempt and `running` are in an executor's hands. `other` are in states
    that have none of these roles; `ended` of them are in final ones.
    """

    total: int
    pending: int
    running: int
    done: int
    failed: int
    dead: int
    skipped: int
    other: int = 0
    ended: int = 0

    @staticmethod
    def of(counts: Iterable[tuple[Sequence[tuple[str, ...]], Mapping[str, int]]]) -> Progress:
        """The progress that `counts` amount to, collection by collection.

        Each has the states in their parts, as milepost.items.parts orders them, and items by state.
        """
        known = [0] * len(Parts._fields)
        for parts, by_state in counts:
            for place, states in enumerate(parts):
                for state in states:
                    known[place] += by_state.get(state, 0)
        *assigned, ended, unassigned = known
        pending, running, done, failed, dead, skipped = assigned
        return Progress(
            total=sum(known),
            pending=pending,
            running=running,
            done=done,
            failed=failed,
            dead=dead,
            skipped=skipped,
            other=ended + unassigned,
            ended=ended,
        )

    @property
    def settled(self) -> int:
        """Items that need no more work: done, dead, skipped, or ended in another way."""
        return self.done + self.dead + self.skipped + self.ended

    @property
    def left(self) -> int:
        """Items that still need work: all that are not settled."""
        return self.total - self.settled
