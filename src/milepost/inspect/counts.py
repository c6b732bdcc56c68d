"""How many items of a job are where, as answers have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import UNSET, Struct, UnsetType

from milepost.items.ledger import Ledger
from milepost.items.parts import parts_of
from milepost.job.progress import Progress
from milepost.job.state import JobState
from milepost.machine import Machine
from milepost.roles import Roles

__all__ = ["Counts", "counts", "counts_in", "counts_of"]


class Counts(Struct, frozen=True, kw_only=True):
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


def counts(progress: Progress, machines: Iterable[Machine] | None) -> Counts:
    """`progress` as answers have it, of items that run by `machines`.

    None where their machines are not at hand: then all parts are given.
    """
    roles = None if machines is None else [machine.roles for machine in machines]

    def of(part: int, states: Callable[[Roles], tuple[str, ...]]) -> int | UnsetType:
        return part if part or roles is None or any(states(one) for one in roles) else UNSET

    return Counts(
        total=progress.total,
        pending=of(progress.pending, lambda one: one.waiting),
        running=of(progress.running, lambda one: one.held),
        done=of(progress.done, lambda one: one.done),
        failed=of(progress.failed, lambda one: one.failed),
        dead=of(progress.dead, lambda one: one.dead),
        skipped=of(progress.skipped, lambda one: one.skipped),
        other=progress.other,
        ended=progress.ended or UNSET,
    )


def counts_of(state: JobState) -> Counts:
    """Where the items of a job are."""
    return counts(state.progress, (ledger.machine for ledger in state.ledgers.values()))


def counts_in(ledger: Ledger) -> Counts:
    """Where the items of one collection are."""
    machine = ledger.machine
    by_state = dict(zip(machine.states, ledger.counts(), strict=True))
    return counts(Progress.of([(parts_of(machine), by_state)]), [machine])


def _known(**parts: int | UnsetType) -> dict[str, int]:
    return {name: count for name, count in parts.items() if count is not UNSET}
