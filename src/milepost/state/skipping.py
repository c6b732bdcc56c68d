"""Items that are left out of a job: which, and the decision that leaves them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pyroaring import BitMap

from milepost.errors import JobReplaced, RoleAbsent
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.log.facts import Draft, ItemsFired
from milepost.state.reading.results import ResultReader
from milepost.state.recovering.scope import Scope, select_standing
from milepost.state.transitions import item_ordinal
from milepost.state.writing.decision import Decision, Moment
from milepost.state.writing.lease import Lease, check_lease

__all__ = ["LeftOut", "left_out", "skip"]

_WHAT: Final = "what is left out"


class LeftOut(NamedTuple):
    """The items that are to be left out, as of `state`.

    Of `members` that were `named` one by one each has to take it; of a scope those that do.
    """

    state: JobState
    members: BitMap
    named: bool


def left_out(items: Scope | Sequence[str | int], results: ResultReader) -> LeftOut:
    """The items in a scope that can be left out, or all that are named.

    Raises RoleAbsent where no item can be, ScopeInvalid, ItemAbsent.
    """
    state = results.state
    state.require("skip", "skip()")
    if isinstance(items, Scope):
        return LeftOut(state, select_standing(items, state, results, _WHAT), named=False)
    return LeftOut(state, bitmap(item_ordinal(state, item) for item in items), named=True)


def skip(wanted: LeftOut, *, lease: Lease | None, operator: bool) -> Decision:
    """The decision that leaves out what is `wanted`; what is left out already is passed over.

    Raises TransitionRefused for a named item that does not take it, and in a phase that takes none;
    JobReplaced if the items are another job's; RoleAbsent where their collection has no way; and as
    `check_lease` does.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        state = moment.state
        if moment.log.number != wanted.state.number:
            raise JobReplaced(job_id=state.id, url=moment.log.url, what="what was to be left out")
        event = next((e for one in state.ledgers.values() if (e := one.machine.roles.skip)), "")
        wants = (event, list(wanted.members))
        check_lease(moment, lease, operator=operator, wants=lambda: wants)
        yield from _skipped(state, wanted)

    return decision


def _skipped(state: JobState, wanted: LeftOut) -> Iterator[Draft]:
    """The facts that leave out what is `wanted`; one that is not legal says why it is refused."""
    for name, ledger in state.ledgers.items():
        event = ledger.machine.roles.skip
        mine = wanted.members & ledger.universe - ledger.members(*ledger.machine.roles.skipped)
        if not wanted.named and event in state.accepted_of(name):
            mine &= ledger.enabled(event)
        if mine and not event:
            raise RoleAbsent.at(state.lifecycle, ledger.machine, "skip", "skip()")
        if mine:
            yield Draft(ItemsFired(event, list(mine)))
