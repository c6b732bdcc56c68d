"""How many items of a job are where, as answers have it."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.job.progress import Progress

__all__ = ["Counts", "counts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many items of a job are where; `other` are in states that a lifecycle added."""

    total: int
    pending: int
    running: int
    done: int
    failed: int
    dead: int
    skipped: int
    other: int

    @property
    def settled(self) -> int:
        """Items that need no more work: done, dead or skipped."""
        return self.done + self.dead + self.skipped

    @property
    def left(self) -> int:
        """Items that still need work: all that are not settled."""
        return self.total - self.settled


def counts(progress: Progress) -> Counts:
    """`progress` as answers have it."""
    return Counts(
        total=progress.total,
        pending=progress.pending,
        running=progress.running,
        done=progress.done,
        failed=progress.failed,
        dead=progress.dead,
        skipped=progress.skipped,
        other=progress.other,
    )
