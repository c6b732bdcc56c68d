"""How many items of a job are where, as answers have it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from milepost.job.progress import Progress
from milepost.job.state import JobState
from milepost.machine import Machine

__all__ = ["Counts", "counts", "counts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many items of a job are where, by the roles of their states.

    What no state of the items can mean is left out: `dead`, say, where none is ever given up.
    `other` are in states without a role, `ended` of them in final ones; that is left out where it
    is none.
    """

    total: int
    pending: int | UnsetType
    running: int | UnsetType
    done: int | UnsetType
    failed: int | UnsetType
    dead: int | UnsetType
    skipped: int | UnsetType
    other: int
    ended: int | UnsetType = UNSET

    @property
    def parts(self) -> dict[str, int]:
        """Those whose states have a role, by name."""
        return _known(
            pending=self.pending,
            running=self.running,
            done=self.done,
            failed=self.failed,
            dead=self.dead,
            skipped=self.skipped,
        )

    @property
    def settled(self) -> dict[str, int]:
        """Items that need no more work, by name."""
        return _known(done=self.done, dead=self.dead, skipped=self.skipped, ended=self.ended)

    @property
    def left(self) -> dict[str, int]:
        """Items that still need work, by name."""
        other = self.other - (self.ended or 0)
        return _known(
            pending=self.pending, running=self.running, failed=self.failed, other=other or UNSET
        )


def counts(progress: Progress, machines: Iterable[Machine]) -> Counts:
    """`progress` as answers have it, of items that run by `machines`."""
    roles = [machine.roles for machine in machines]
    return Counts(
        total=progress.total,
        pending=progress.pending if any(one.waiting for one in roles) else UNSET,
        running=progress.running if any(one.held for one in roles) else UNSET,
        done=progress.done if any(one.done for one in roles) else UNSET,
        failed=progress.failed if any(one.failed for one in roles) else UNSET,
        dead=progress.dead if any(one.dead for one in roles) else UNSET,
        skipped=progress.skipped if any(one.skipped for one in roles) else UNSET,
        other=progress.other,
        ended=progress.ended or UNSET,
    )


def counts_of(state: JobState) -> Counts:
    """Where the items of a job are."""
    return counts(state.progress, (ledger.machine for ledger in state.ledgers.values()))


def _known(**parts: int | UnsetType) -> dict[str, int]:
    return {name: count for name, count in parts.items() if count is not UNSET}
